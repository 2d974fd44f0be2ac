"""The check of chapter 7's fine-tuning: watches the training, then looks at the copy."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from ...gpt import GPT, GPTConfig
from ..rules import Watch
from ..running import guarded, run
from ..verdict import checker, fail


class Case(NamedTuple):
    """The sizes of a model, its text, and for how many steps to train it."""

    config: GPTConfig
    seed: int  # of a model that is a little better than chance: to even it out is no way down
    jump: int  # an id of the text is followed by itself plus this
    steps: int
    training: bool  # the mode of the model

    @property
    def data(self) -> torch.Tensor:
        """A text in which all ids are equally frequent, and each has a successor of its own.

        So what lowers the loss is to learn the successors. Who learns something else raises it,
        at any sensible learning rate.
        """
        return self.jump * torch.arange(2000) % self.config.vocab_size


CASES = (
    Case(GPTConfig(11, 8, 16, 2, 1), 40, jump=4, steps=10, training=False),
    Case(GPTConfig(9, 7, 12, 3, 1), 11, jump=2, steps=6, training=True),
)


@checker
def finetune(answer: Any) -> str:
    """Check a function ``(model, data, steps)`` that returns a fine-tuned copy of a model."""
    # PyTorch loads a large module with the first optimizer: not within the answer's time.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    went = []
    for case in CASES:
        with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw from its own generator
            model = GPT(case.config, generator=torch.Generator().manual_seed(case.seed))
        went.append(_check(answer, model.train(case.training), case))
    return f"The copy learned the new text: its loss {went[0]}."


def _check(answer: Any, model: GPT, case: Case) -> str:
    """Stop unless an answer trains a copy of the model; return what its loss did."""
    kept, data, steps = copy.deepcopy(model), case.data, case.steps
    shown = f"finetune(model, data, {steps})"
    training = Training(model)
    tuned = run(training.watched(answer), model, data, steps, shown=shown)
    if not isinstance(tuned, GPT):
        fail(f"{shown} should return a GPT, received {type(tuned).__name__}.")
    _expect_untouched(model, kept, shown)
    _expect_copy(tuned, model, training, shown)

    start, loss = (_loss(net, data, shown) for net in (kept, tuned))
    went = f"went from {start:.4f} to {loss:.4f}"
    if _same_weights(tuned, kept):
        fail(
            f"{shown}: the loss on the data {went}.",
            "The copy is as it was. Do the loss and the optimizer use the copy, and does each "
            "step call backward and step?",
        )
    training.check(data, steps, shown)
    _expect_all_trained(tuned, kept, shown)
    if not loss < start:
        fail(
            f"{shown}: the loss on the data {went}. It should be lower after the training.",
            "The targets are the inputs themselves. They should be the tokens one position later."
            if training.unshifted
            else "Are the targets the tokens that come next? Does every step go downhill? A "
            "learning rate of 0.003 will do.",
        )
    return went


# -- the given model, and its copy -----------------------------------------------------


def _expect_untouched(model: GPT, kept: GPT, shown: str) -> None:
    """Stop if something about the given model changed; ``run`` has looked at its weights."""
    modes = ([module.training for module in net.modules()] for net in (model, kept))
    if next(modes) != next(modes):
        fail(
            f"{shown} changed the mode of the model that it was given.",
            "train() and eval() change the model itself. Call them on the copy.",
        )
    if any(p.grad is not None or not p.requires_grad for p in model.parameters()):
        fail(
            f"{shown} changed the gradients of the model that it was given.",
            "Let the loss be that of the copy.",
        )


def _expect_copy(tuned: GPT, model: GPT, training: Training, shown: str) -> None:
    given = {id(p) for p in model.parameters()}
    if any(id(p) in given for p in tuned.parameters()):
        fail(f"{shown} returned the model that it was given.", "Train a copy: copy.deepcopy.")
    table = training.first_table
    other = table is not None and not torch.equal(table, model.token_embedding.weight)
    if other or tuned.config != model.config or _shapes(tuned) != _shapes(model):
        fail(
            f"{shown} returned a model that does not start from the given one.",
            "Train a copy of the model, not a new one.",
        )


def _expect_all_trained(tuned: GPT, kept: GPT, shown: str) -> None:
    for (name, p), q in zip(tuned.named_parameters(), kept.parameters(), strict=True):
        gain = bool((q == 1).all())  # next to 1, the smallest steps get lost
        if torch.equal(p, q) and not gain:
            fail(
                f"{shown}: {name} of the copy is as it was.",
                "Train all parameters of the copy.",
            )


def _shapes(model: GPT) -> list[torch.Size]:
    return [p.shape for p in model.parameters()]


def _same_weights(one: GPT, other: GPT) -> bool:
    return all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def _loss(model: GPT, data: torch.Tensor, shown: str) -> float:
    """Return the mean loss on the start of a text."""
    T = model.config.block_size
    idx, targets = (data[start : start + 20 * T].view(-1, T) for start in (0, 1))

    def evaluate() -> Any:
        with torch.no_grad():
            return model.eval()(idx, targets)[1]

    return float(guarded(evaluate, f"The model that {shown} returned"))


# -- the training ----------------------------------------------------------------------


class Training(Watch):
    """Watches a training: its batches, its gradients and its steps."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.table_of_model = model.token_embedding.weight
        self.first_table: torch.Tensor | None = None  # of the model that is trained, at its start
        self.batches: list[torch.Tensor] = []
        self.unshifted = False  # whether the targets of the last loss were its inputs
        self.leftovers: list[bool] = []  # whether a backward pass found earlier gradients
        self.steps: dict[Optimizer, int] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "embedding" and args[0].ndim == 2 and torch.is_grad_enabled():
            self._forward(*args[:2])
        if name == "cross_entropy" and len(args) > 1 and self.batches:
            self.unshifted = torch.equal(args[1].flatten(), self.batches[-1].flatten())
        if name == "backward":
            leaves = list(_leaves(args[0]))
            self.leftovers.append(all(p.grad is not None and bool(p.grad.any()) for p in leaves))
        return super().__torch_function__(func, types, args, kwargs)

    def watched(self, answer: Any) -> Any:
        """Return the answer, watched; steps of optimizers are counted, too."""

        def watched(*args: Any) -> Any:
            hook = register_optimizer_step_post_hook(self._step)
            try:
                with self:
                    return answer(*args)
            finally:
                hook.remove()

        return functools.wraps(answer)(watched) if callable(answer) else answer

    def _forward(self, idx: torch.Tensor, table: torch.Tensor) -> None:
        if self.first_table is None and table is not self.table_of_model:
            self.first_table = table.detach().clone()
        self.batches.append(idx)

    def _step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self.steps[optimizer] = self.steps.get(optimizer, 0) + 1

    def check(self, data: torch.Tensor, steps: int, shown: str) -> None:
        """Stop if the training made known mistakes."""
        # A step may take several optimizers, or several batches: one of these numbers is right.
        passes = self.calls["backward"] + self.calls["grad"]
        counts = [passes, sum(self.steps.values()), *self.steps.values()]
        if any(counts) and steps not in counts:
            taken = max(counts)
            fail(
                f"{shown} took {taken} step." if taken == 1 else f"{shown} took {taken} steps.",
                "Does the loop take as many steps as it is told to?",
            )
        if len(self.leftovers) > 1 and all(self.leftovers[1:]):
            fail(
                f"{shown}: the gradients have added up over the steps.",
                "Set the gradients to zero in each step.",
            )
        different = {tuple(idx.flatten().tolist()): idx.numel() for idx in self.batches}
        if 0 < len(different) < 3 <= steps / 3 and sum(different.values()) < len(data) / 2:
            fail(
                f"{shown}: the steps saw the same part of the data again and again.",
                "Draw a new batch in each step, from one generator for all of them.",
            )


def _leaves(loss: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the parameters that a loss depends on."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [before for before, _ in node.next_functions]
