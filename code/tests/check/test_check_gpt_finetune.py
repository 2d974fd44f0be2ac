"""The check of fine-tuning: right answers with several optimizers, and known mistakes."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check.gpt import finetune as check_finetune
from zerotohero.gpt import GPT, GPTConfig, Muon

T = torch.Tensor
Answer = Callable[[GPT, T, int], Any]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Train with one thread: with such small matrices, several would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(data: T, size: int, g: torch.Generator) -> tuple[T, T]:
    places = torch.randint(len(data) - 8, (size, 1), generator=g) + torch.arange(8)
    return data[places], data[places + 1]


def adamw(model: GPT) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=3e-3)


def train(
    model: GPT,
    data: T,
    steps: int,
    *,
    make: Callable[[GPT], torch.optim.Optimizer] = adamw,
    size: int = 16,
    zero_grad: bool = True,
) -> GPT:
    optimizer, g = make(model), torch.Generator().manual_seed(7)
    for _ in range(steps):
        loss = model(*batch(data, size, g))[1]
        if zero_grad:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def with_options(**options: Any) -> Answer:
    return lambda model, data, steps: train(copy.deepcopy(model).train(), data, steps, **options)


finetune = with_options()


# -- right answers -------------------------------------------------------------------------


def through_a_new_model(model: GPT, data: T, steps: int) -> GPT:
    tuned = GPT(model.config)
    tuned.load_state_dict(model.state_dict())
    return train(tuned, data, steps).eval()


def chunk_after_chunk(model: GPT, data: T, steps: int) -> GPT:
    """Go through the data in order; gradients are set to zero at the end of a step."""
    tuned = copy.deepcopy(model)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        i = 7 * step % (len(data) - 65)
        logits, _ = tuned(data[i : i + 64].view(8, 8))
        F.cross_entropy(logits.flatten(0, 1), data[i + 1 : i + 65]).backward()
        optimizer.step()
        tuned.zero_grad()
    return tuned


def with_muon(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    matrices = [p for p in tuned.blocks.parameters() if p.ndim == 2]
    others = [p for p in tuned.parameters() if all(p is not m for m in matrices)]
    optimizers = [Muon(matrices), torch.optim.AdamW(others, lr=3e-3)]
    for _ in range(steps):
        tuned(*batch(data, 16, torch.Generator().manual_seed(1)))[1].backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return tuned


def overwrites_data(model: GPT, data: T, steps: int) -> GPT:
    tuned = finetune(model, data, steps)
    data.zero_()
    return tuned


@pytest.mark.parametrize(
    "answer",
    [
        finetune,
        with_options(size=4),
        with_options(make=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3)),
        with_options(make=lambda model: torch.optim.Adam(model.parameters(), lr=0.02)),
        with_options(make=lambda model: torch.optim.SGD(model.parameters(), lr=0.5)),
        with_options(
            make=lambda model: torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
        ),
        through_a_new_model,
        chunk_after_chunk,
        with_muon,
        overwrites_data,
    ],
)
def test_finetune_right(answer: Answer) -> None:
    verdict = check_finetune(answer)
    assert verdict, verdict.message
    assert "The copy learned the new text: its loss went from 1." in verdict.message


# -- no copy -------------------------------------------------------------------------------


def by_a_shallow_copy(model: GPT, data: T, steps: int) -> GPT:
    return train(copy.copy(model), data, min(steps, 3))


def with_a_shared_block(model: GPT, data: T, steps: int) -> GPT:
    tuned = GPT(model.config)
    tuned.load_state_dict(model.state_dict())
    tuned.blocks = model.blocks
    return train(tuned, data, min(steps, 3))


def the_copy_is_kept(model: GPT, data: T, steps: int) -> GPT:
    kept = copy.deepcopy(model)
    train(model, data, min(steps, 3))
    return kept


@pytest.mark.parametrize(
    "answer",
    [
        lambda model, data, steps: train(model, data, min(steps, 3)),
        lambda model, data, steps: model,
        by_a_shallow_copy,
        with_a_shared_block,
        the_copy_is_kept,
    ],
)
def test_finetune_changes_what_it_was_given(answer: Answer) -> None:
    hint = "Train a copy: copy.deepcopy."
    where = "finetune(model, data, 200) changed the model that it was given."
    outcome(check_finetune(answer), where, hint=hint)


def other(model: GPT, **changes: int) -> GPT:
    return GPT(GPTConfig(**{**vars(model.config), **changes}))


@pytest.mark.parametrize(
    "answer",
    [
        lambda model, data, steps: train(GPT(model.config), data, steps),
        lambda model, data, steps: train(other(model, n_layer=2), data, 2),
        lambda model, data, steps: train(other(model, vocab_size=5), data, 2),
        lambda model, data, steps: other(model, n_embd=4),
    ],
)
def test_finetune_starts_from_nothing(answer: Answer) -> None:
    torch.manual_seed(1)
    where = "finetune(model, data, 200) returned a model that does not start from the given one."
    hint = "Train a copy of the model, not a new one."
    outcome(check_finetune(answer), where, hint=hint)


# -- a copy that does not learn ------------------------------------------------------------


def the_optimizer_holds_the_model(model: GPT, data: T, steps: int) -> GPT:
    return train(copy.deepcopy(model), data, min(steps, 3), make=lambda _: adamw(model))


def the_loss_is_of_the_model(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    optimizer = adamw(tuned)
    model(*batch(data, 4, torch.Generator()))[1].backward()
    optimizer.step()
    return tuned


def without_step(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    tuned(*batch(data, 4, torch.Generator()))[1].backward()
    return tuned


def zero_grad_after_backward(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    optimizer = adamw(tuned)
    tuned(*batch(data, 4, torch.Generator()))[1].backward()
    optimizer.zero_grad()
    optimizer.step()
    return tuned


@pytest.mark.parametrize(
    "answer",
    [
        lambda model, data, steps: copy.deepcopy(model),
        the_optimizer_holds_the_model,
        the_loss_is_of_the_model,
        without_step,
        zero_grad_after_backward,
    ],
)
def test_finetune_leaves_the_copy_as_it_was(answer: Answer) -> None:
    where = "finetune(model, data, 200): the loss on the data went from 1.764 to 1.764."
    hint = (
        "The copy is as it was. Do the loss and the optimizer use the copy, and does each "
        "step call backward and step?"
    )
    outcome(check_finetune(answer), where, hint=hint)


def broken(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    with torch.no_grad():
        tuned.lm_head.bias += float("nan")
    return tuned


@pytest.mark.parametrize(
    "answer",
    [
        broken,
        lambda model, data, steps: finetune(model, data, 1),
        lambda model, data, steps: finetune(model, torch.zeros_like(data), 20),
        with_options(make=lambda model: torch.optim.SGD(model.parameters(), lr=1e-4)),
        with_options(zero_grad=False),
        with_options(
            zero_grad=False, make=lambda model: torch.optim.SGD(model.parameters(), lr=0.1)
        ),
    ],
)
def test_finetune_does_not_learn(answer: Answer) -> None:
    hint = (
        "Does each step draw a batch of data and set the gradients to zero? A learning rate "
        "of 0.003 will do."
    )
    words = ("finetune(model, data, 200): the loss on the data went from ", "should be below 0.882")
    outcome(check_finetune(answer), *words, hint=hint)


def test_finetune_learns_with_gradients_that_add_up() -> None:
    def small_steps(model: GPT) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-3)

    answer = with_options(zero_grad=False, make=small_steps)
    hint = "Set the gradients to zero in each step."
    outcome(check_finetune(answer), "but the gradients have added up over the steps.", hint=hint)


def test_finetune_with_steps_of_its_own() -> None:
    where = "finetune(model, data, 1): the loss on the data went from 1.764 to 0."
    hint = "Does the loop take as many steps as it is told to?"
    outcome(check_finetune(lambda *args: finetune(*args[:2], 200)), where, "in one step", hint=hint)


# -- something else ------------------------------------------------------------------------


def test_finetune_returns_no_model() -> None:
    shown = "finetune(model, data, 200) should return a GPT, received "
    outcome(check_finetune(lambda model, data, steps: (copy.deepcopy(model), 1.5)), shown + "tuple")
    outcome(check_finetune(lambda model, data, steps: model.state_dict()), shown + "OrderedDict.")


def test_finetune_raises_only_for_a_single_step() -> None:
    def report(model: GPT, data: T, steps: int) -> GPT:
        if steps < 100:
            raise ZeroDivisionError
        return finetune(model, data, steps)

    outcome(check_finetune(report), "finetune(model, data, 1) raised ZeroDivisionError")


def test_the_check_draws_nothing_from_the_generator_of_torch() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_finetune(lambda model, data, steps: copy.deepcopy(model))
    assert torch.rand(1) == expected
