"""What an exercise rules out is seen, in whatever way it is called."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zerotohero.check import rules
from zerotohero.check.rules import Watch, forbid
from zerotohero.check.running import run
from zerotohero.check.verdict import Verdict, stopped

LOGITS, YS = (
    torch.randn(4, 3, generator=torch.Generator().manual_seed(1)),
    torch.tensor([0, 2, 1, 1]),
)
RULE = "Write it with the operations of the chapter."


def verdict(answer: Callable[..., Any], *names: tuple[str, ...]) -> Verdict:
    watch = Watch(forbid(*((group, RULE) for group in names)))
    found = stopped(lambda: run(watch.watched(answer), LOGITS, YS, shown="f(logits, ys)"))
    return Verdict("right", "") if found is None else found  # a wrong one is false


@pytest.mark.parametrize(
    "answer",
    [
        F.cross_entropy,
        lambda x, y: torch.nn.CrossEntropyLoss()(x, y),
        lambda x, y: F.nll_loss(x.log_softmax(1), y),
        lambda x, y: torch.nn.NLLLoss()(x.log_softmax(1), y),
        lambda x, y: torch.nn.functional.cross_entropy(input=x, target=y),
    ],
)
def test_cross_entropy_in_every_form(answer: Callable[..., Any]) -> None:
    assert verdict(answer, rules.CROSS_ENTROPY).hint == RULE
    assert verdict(answer)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, y: x[y % 3],
        lambda x, y: F.embedding(y, x),
        lambda x, y: torch.nn.Embedding.from_pretrained(x)(y),
        lambda x, y: x.index_select(0, y),
        lambda x, y: torch.index_select(x, 0, y),
        lambda x, y: x.gather(1, y[:, None]),
        lambda x, y: torch.stack(list(x)),
        lambda x, y: torch.stack(x.unbind()),
        lambda x, y: x.take(y),
        lambda x, y: (x[i] for i in range(3)),
    ],
)
def test_indexing_in_every_form(answer: Callable[..., Any]) -> None:
    assert verdict(answer, rules.INDEXING).hint == RULE


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, y: torch.autograd.grad((x.clone().requires_grad_() ** 2).sum(), x),
        lambda x, y: (x.clone().requires_grad_() ** 2).sum().backward(),
        lambda x, y: torch.func.grad(lambda z: (z**2).sum())(x),
        lambda x, y: torch.func.jacrev(lambda z: z**2)(x),
        lambda x, y: torch.func.vjp(lambda z: z**2, x)[1](x),
    ],
)
def test_autograd_in_every_form(answer: Callable[..., Any]) -> None:
    assert verdict(answer, rules.AUTOGRAD).hint == RULE


def test_an_except_of_the_answer_hides_nothing() -> None:
    def hides(x: torch.Tensor, y: torch.Tensor) -> Any:
        try:
            return F.cross_entropy(x, y)
        except Exception:
            return torch.tensor(0.0)

    assert verdict(hides, rules.CROSS_ENTROPY).hint == RULE


def test_calls_are_counted() -> None:
    def rows(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[i].exp() for i in range(len(x))])

    counts = []
    for size in (2, 4):
        watch = Watch()
        run(watch.watched(rows), LOGITS[:size], YS, shown="rows(x)")
        counts.append(watch.calls["exp"])
    assert counts == [2, 4]


def test_a_stub_is_still_a_stub() -> None:
    def stub(x: Any, y: Any) -> None: ...

    assert verdict(stub).status == "not done yet"
    assert verdict(5).status == "wrong"  # type: ignore[arg-type] # the mistake that is tested
