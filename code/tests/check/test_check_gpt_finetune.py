"""The check of fine-tuning: answers with several optimizers, and known mistakes."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check.gpt import finetune as check_finetune
from zerotohero.gpt import GPT, GPTConfig

T = torch.Tensor
Answer = Callable[[GPT, T, int], Any]
SHOWN = "finetune(model, data, 10)"
pytestmark = pytest.mark.usefixtures("one_thread")


def batch(data: T, size: int, g: torch.Generator, shift: int = 1) -> tuple[T, T]:
    positions = torch.randint(1, len(data) - 6, (size, 1), generator=g) + torch.arange(5)
    return data[positions], data[positions + shift]


def adamw(model: GPT) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=3e-3)


def train(
    model: GPT,
    data: T,
    steps: int,
    *,
    make: Callable[[GPT], torch.optim.Optimizer] = adamw,
    size: int = 16,
    shift: int = 1,
    sign: int = 1,
    zero_grad: bool = True,
) -> GPT:
    optimizer, g = make(model), torch.Generator().manual_seed(7)
    for _ in range(steps):
        loss = sign * model(*batch(data, size, g, shift))[1]
        if zero_grad:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def with_options(**options: Any) -> Answer:
    return lambda model, data, steps: train(copy.deepcopy(model).train(), data, steps, **options)


finetune = with_options()


# -- right answers -------------------------------------------------------------------------


def sharpness_aware(model: GPT, data: T, steps: int) -> GPT:
    """Look uphill first: SAM, by hand."""
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    parameters = list(tuned.parameters())
    for _ in range(steps):
        x, y = batch(data, 16, g)
        before = [p.detach().clone() for p in parameters]
        uphill = torch.autograd.grad(tuned(x, y)[1], parameters)
        for p, gradient in zip(parameters, uphill, strict=True):
            p.data += 0.01 * gradient
        there = torch.autograd.grad(tuned(x, y)[1], parameters)
        for p, start, gradient in zip(parameters, before, there, strict=True):
            p.data = start - 0.1 * gradient
    return tuned


def momentum_in_the_gradient(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    for _ in range(steps):
        tuned(*batch(data, 8, g))[1].backward()
        for p in tuned.parameters():
            assert p.grad is not None
            p.data -= 0.02 * p.grad
            p.grad *= 0.5
    return tuned


def from_a_rate_of_0(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    optimizer = adamw(tuned)
    for i in range(steps):
        optimizer.param_groups[0]["lr"] = 0.003 * i / steps
        optimizer.zero_grad()
        x, y = batch(data, 8, g)
        tuned(x)  # for nothing
        tuned(x, y)[1].backward()
        optimizer.step()
    return tuned


def with_closure(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    optimizer = torch.optim.LBFGS(tuned.parameters(), lr=0.05, max_iter=3)
    for _ in range(steps):
        x, y = batch(data, 16, g)

        def closure(x: T = x, y: T = y) -> float:
            optimizer.zero_grad()
            loss = tuned(x, y)[1]
            loss.backward()
            return loss.item()

        optimizer.step(closure)
    return tuned


def without_a_module(model: GPT, data: T, steps: int) -> GPT:
    """Gradients of a function of the weights."""
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    weights = {name: p.detach() for name, p in tuned.named_parameters()}

    def loss(weights: dict[str, T], x: T, y: T) -> Any:
        return torch.func.functional_call(tuned, weights, (x, y))[1]

    for _ in range(steps):
        gradients = torch.func.grad(loss)(weights, *batch(data, 8, g))
        weights = {name: weights[name] - 0.1 * gradients[name] for name in weights}
    tuned.load_state_dict(weights)
    return tuned


def averaged(model: GPT, data: T, steps: int) -> GPT:
    """Return running means of the weights of another copy."""
    tuned, means = copy.deepcopy(model), copy.deepcopy(model)
    optimizer, g = adamw(tuned), torch.Generator().manual_seed(3)
    for _ in range(steps):
        x, y = batch(data, 8, g)
        optimizer.zero_grad()
        tuned(idx=x, targets=y)[1].backward()
        optimizer.step()
        for p, q in zip(means.parameters(), tuned.parameters(), strict=True):
            p.data = 0.5 * p.data + 0.5 * q.data
    return means


def without_a_last_target(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    optimizer = adamw(tuned)
    for _ in range(steps):
        x, _ = batch(data, 16, g)
        optimizer.zero_grad()
        F.cross_entropy(tuned(x)[0][:, :-1].flatten(0, 1), x[:, 1:].flatten()).backward()
        optimizer.step()
    return tuned


@pytest.mark.parametrize(
    "answer",
    [
        sharpness_aware,
        momentum_in_the_gradient,
        from_a_rate_of_0,
        with_closure,
        without_a_module,
        averaged,
        without_a_last_target,
        finetune,
        with_options(size=4),
        with_options(size=1),
        with_options(make=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3)),
        with_options(make=lambda model: torch.optim.Adam(model.parameters(), lr=0.02)),
        with_options(make=lambda model: torch.optim.SGD(model.parameters(), lr=0.5)),
        with_options(
            make=lambda model: torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
        ),
        with_options(make=lambda model: torch.optim.SGD(model.parameters(), lr=1e-3)),
        with_options(make=lambda model: torch.optim.RMSprop(model.parameters(), lr=1e-3)),
        with_options(make=lambda model: torch.optim.Adagrad(model.parameters(), lr=0.01)),
    ],
)
def test_finetune_right(answer: Answer) -> None:
    verdict = check_finetune(answer)
    assert verdict, verdict.message
    assert "The copy learned the new text: its loss went from 2." in verdict.message


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


def the_optimizer_holds_the_model(model: GPT, data: T, steps: int) -> GPT:
    """Gradients of an earlier training move the model, though the loss is that of the copy."""
    tuned = copy.deepcopy(model)
    model(*batch(data, 4, torch.Generator()))[1].backward()
    return train(tuned, data, min(steps, 3), make=lambda _: adamw(model), zero_grad=False)


@pytest.mark.parametrize(
    "answer",
    [
        lambda model, data, steps: train(model, data, min(steps, 3)),
        by_a_shallow_copy,
        with_a_shared_block,
        the_copy_is_kept,
        the_optimizer_holds_the_model,
    ],
)
def test_finetune_changes_what_it_was_given(answer: Answer) -> None:
    where = f"{SHOWN} changed model, which it was given."
    outcome(check_finetune(answer), where, hint="Work on a copy.")


def test_finetune_changes_the_data() -> None:
    def sorts(model: GPT, data: T, steps: int) -> GPT:
        tuned = finetune(model, data, steps)
        data.copy_(data.sort().values)
        return tuned

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(check_finetune(sorts), f"{SHOWN} changed data, which it was given.", hint=hint)


@pytest.mark.parametrize(
    "answer", [lambda model, data, steps: model, lambda model, data, steps: copy.copy(model)]
)
def test_finetune_returns_what_it_was_given(answer: Answer) -> None:
    where = f"{SHOWN} returned the model that it was given."
    outcome(check_finetune(answer), where, hint="Train a copy: copy.deepcopy.")


def test_finetune_changes_the_mode_of_the_model() -> None:
    hint = "train() and eval() change the model itself. Call them on the copy."
    where = "changed the mode of the model that it was given."

    def in_training(model: GPT, data: T, steps: int) -> GPT:
        return train(copy.deepcopy(model.train()), data, steps)

    def of_a_part(model: GPT, data: T, steps: int) -> GPT:
        model.blocks[0].train()
        return train(copy.deepcopy(model), data, steps)

    def in_evaluation(model: GPT, data: T, steps: int) -> GPT:
        tuned = finetune(model, data, steps)
        model.eval()
        return tuned

    outcome(check_finetune(in_training), f"{SHOWN} {where}", hint=hint)
    outcome(check_finetune(of_a_part), f"{SHOWN} {where}", hint=hint)
    outcome(check_finetune(in_evaluation), f"finetune(model, data, 6) {where}", hint=hint)


def the_loss_is_of_the_model(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    optimizer = adamw(tuned)
    model(*batch(data, 4, torch.Generator()))[1].backward()
    optimizer.step()
    return tuned


def test_finetune_changes_the_gradients_of_the_model() -> None:
    where = f"{SHOWN} changed the gradients of the model that it was given."
    verdict = check_finetune(the_loss_is_of_the_model)
    outcome(verdict, where, hint="Let the loss be that of the copy.")


def test_finetune_freezes_the_model() -> None:
    def frozen(model: GPT, data: T, steps: int) -> GPT:
        tuned = finetune(model, data, steps)
        model.requires_grad_(False)
        return tuned

    where = f"{SHOWN} changed requires_grad of the model that it was given."
    outcome(check_finetune(frozen), where)


def zero_grad_of_the_model(model: GPT, data: T, steps: int) -> GPT:
    model.zero_grad()
    return finetune(model, data, steps)


def none_as_gradients(model: GPT, data: T, steps: int) -> GPT:
    tuned = finetune(model, data, steps)
    for p in model.parameters():
        p.grad = None
    return tuned


def zeros_as_gradients(model: GPT, data: T, steps: int) -> GPT:
    model.zero_grad(set_to_none=False)
    return finetune(model, data, steps)


@pytest.mark.parametrize(
    "answer",
    [
        zero_grad_of_the_model,
        none_as_gradients,
        zeros_as_gradients,
        lambda model, data, steps: train(
            copy.deepcopy(model), data, 3, make=lambda _: adamw(model)
        ),
    ],
)
def test_finetune_deletes_the_gradients_of_the_model(answer: Answer) -> None:
    where = f"{SHOWN} deleted the gradients of the model that it was given."
    hint = "zero_grad should be that of the copy, or of an optimizer that holds the copy."
    outcome(check_finetune(answer), where, hint=hint)


def other(model: GPT, **changes: int) -> GPT:
    return GPT(GPTConfig(**{**vars(model.config), **changes}))


@pytest.mark.parametrize(
    "answer",
    [
        lambda model, data, steps: train(GPT(model.config), data, steps),
        lambda model, data, steps: train(other(model, n_layer=2), data, 2),
        lambda model, data, steps: train(other(model, vocab_size=13), data, 2),
        lambda model, data, steps: other(model, n_embd=4),
        lambda model, data, steps: other(model, block_size=9),
    ],
)
def test_finetune_starts_from_nothing(answer: Answer) -> None:
    torch.manual_seed(1)
    where = f"{SHOWN} returned a model that does not start from the given one."
    hint = "Train a copy of the model, not a new one."
    outcome(check_finetune(answer), where, hint=hint)


# -- a copy that does not learn ------------------------------------------------------------


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
        without_step,
        zero_grad_after_backward,
        with_options(make=lambda model: torch.optim.SGD(model.parameters(), lr=0)),
    ],
)
def test_finetune_leaves_the_copy_as_it_was(answer: Answer) -> None:
    where = f"{SHOWN}: the loss on the data went from 2.3518 to 2.3518."
    hint = (
        "The copy is as it was. Do the loss and the optimizer use the copy, and does each "
        "step call backward and step?"
    )
    outcome(check_finetune(answer), where, hint=hint)


@pytest.mark.parametrize(
    "parameters",
    [
        lambda model: model.lm_head.parameters(),
        lambda model: model.blocks.parameters(),
        lambda model: list(model.parameters())[1:],
    ],
)
def test_finetune_trains_only_a_part(parameters: Callable[[GPT], Any]) -> None:
    answer = with_options(make=lambda model: torch.optim.AdamW(parameters(model)))
    hint = "Train all parameters of the copy."
    words = f"{SHOWN}: token_embedding.weight of the copy is as it was."
    outcome(check_finetune(answer), words, hint=hint)


def test_finetune_with_targets_that_are_not_shifted() -> None:
    hint = "The targets are the inputs themselves. They should be the tokens one position later."
    words = (f"{SHOWN}: the loss on the data went from ", "It should be lower after the training.")
    outcome(check_finetune(unshifted_by_hand), *words, hint=hint)
    for rate in (1e-4, 3e-3, 3e-2):
        make = functools.partial(lambda lr, model: torch.optim.AdamW(model.parameters(), lr), rate)
        outcome(check_finetune(with_options(shift=0, make=make)), *words, hint=hint)


def unshifted_by_hand(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    optimizer = adamw(tuned)
    for _ in range(steps):
        x, _ = batch(data, 16, g)
        optimizer.zero_grad()
        logits, _ = tuned(x)
        F.cross_entropy(logits.view(-1, logits.shape[-1]), x.view(-1)).backward()
        optimizer.step()
    return tuned


def broken(model: GPT, data: T, steps: int) -> GPT:
    tuned = finetune(model, data, steps)
    with torch.no_grad():
        tuned.lm_head.bias += float("nan")
    return tuned


def shrunk(model: GPT, data: T, steps: int) -> GPT:
    """Even out what the model says: without any data, it is no worse than chance."""
    tuned = copy.deepcopy(model)
    for p in tuned.parameters():
        p.data = 0.5 * p.data + 1e-4
    return tuned


@pytest.mark.parametrize(
    "answer",
    [
        broken,
        shrunk,
        with_options(sign=-1),
        with_options(shift=2),
        with_options(shift=-1),
        lambda model, data, steps: finetune(model, data.flip(0), steps),
        lambda model, data, steps: finetune(model, torch.arange(11).repeat(99).flip(0), steps),
    ],
)
def test_finetune_does_not_learn(answer: Answer) -> None:
    hint = (
        "Are the targets the tokens that come next? Does every step go downhill? A "
        "learning rate of 0.003 will do."
    )
    words = (f"{SHOWN}: the loss on the data went from ", "It should be lower after the training.")
    outcome(check_finetune(answer), *words, hint=hint)


@pytest.mark.parametrize(
    "make",
    [
        adamw,
        lambda model: torch.optim.AdamW(model.parameters(), lr=1e-5),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
    ],
)
def test_finetune_with_gradients_that_add_up(make: Callable[[GPT], Any]) -> None:
    answer = with_options(zero_grad=False, make=make)
    hint = "Set the gradients to zero in each step."
    words = f"{SHOWN}: the gradients have added up over the steps."
    outcome(check_finetune(answer), words, hint=hint)


def by_hand(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    for _ in range(steps):
        tuned(*batch(data, 16, g))[1].backward()
        for p in tuned.parameters():
            assert p.grad is not None
            p.data -= 0.02 * p.grad
    return tuned


def test_finetune_with_clipped_gradients_that_add_up() -> None:
    def answer(model: GPT, data: T, steps: int) -> GPT:
        tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
        optimizer = adamw(tuned)
        for _ in range(steps):
            tuned(*batch(data, 16, g))[1].backward()
            torch.nn.utils.clip_grad_norm_(tuned.parameters(), 0.1)
            optimizer.step()
        return tuned

    hint = "Set the gradients to zero in each step."
    outcome(check_finetune(answer), "the gradients have added up over the steps.", hint=hint)


def test_finetune_by_hand_with_gradients_that_add_up() -> None:
    hint = "Set the gradients to zero in each step."
    outcome(check_finetune(by_hand), "the gradients have added up over the steps.", hint=hint)


@pytest.mark.parametrize("change", [lambda n: n + 1, lambda n: n - 1, lambda n: 1, lambda n: 20])
def test_finetune_with_steps_of_its_own(change: Callable[[int], int]) -> None:
    hint = "Does the loop take as many steps as it is told to?"
    verdict = check_finetune(lambda model, data, steps: finetune(model, data, change(steps)))
    outcome(verdict, f"{SHOWN} took {change(10)} step", hint=hint)


def one_batch(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    optimizer = adamw(tuned)
    x, y = batch(data, 16, torch.Generator())
    for _ in range(steps):
        optimizer.zero_grad()
        tuned(x, y)[1].backward()
        optimizer.step()
    return tuned


def a_generator_in_each_step(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    optimizer = adamw(tuned)
    for _ in range(steps):
        optimizer.zero_grad()
        tuned(*batch(data, 16, torch.Generator().manual_seed(1)))[1].backward()
        optimizer.step()
    return tuned


@pytest.mark.parametrize("answer", [one_batch, a_generator_in_each_step])
def test_finetune_on_one_batch(answer: Answer) -> None:
    hint = "Draw a new batch in each step, from one generator for all of them."
    words = "finetune(model, data, 12): the steps saw the same part of the data again and again."
    outcome(check_finetune(answer), words, hint=hint)


def test_finetune_keeps_the_data_of_the_first_call() -> None:
    kept: list[T] = []

    def answer(model: GPT, data: T, steps: int) -> GPT:
        kept.append(data)
        return finetune(model, kept[0], steps)

    words = "finetune(model, data, 6) raised ValueError: idx must hold ids from 0 to 8"
    outcome(check_finetune(answer), words)


def test_finetune_with_gradients_of_the_given_model() -> None:
    def answer(model: GPT, data: T, steps: int) -> GPT:
        tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
        for _ in range(steps):
            loss = model(*batch(data, 16, g))[1]
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            for p, gradient in zip(tuned.parameters(), gradients, strict=True):
                p.data -= 0.02 * gradient
        return tuned

    words = f"{SHOWN}: every loss is that of the model that it was given."
    hint = "Let the loss be that of the copy, which changes with each step."
    outcome(check_finetune(answer), words, hint=hint)


STEPS = "Does the loop take as many steps as it is told to?"


def a_copy_in_each_step(model: GPT, data: T, steps: int) -> GPT:
    g = torch.Generator().manual_seed(3)
    for _ in range(steps):
        tuned = copy.deepcopy(model)
        optimizer = adamw(tuned)
        tuned(*batch(data, 16, g))[1].backward()
        optimizer.step()
    return tuned


def every_second_step(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    optimizer = adamw(tuned)
    for i in range(steps):
        optimizer.zero_grad()
        tuned(*batch(data, 16, g))[1].backward()
        if i % 2:
            optimizer.step()
    return tuned


def every_second_step_by_hand(model: GPT, data: T, steps: int) -> GPT:
    tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
    for i in range(steps):
        tuned.zero_grad()
        tuned(*batch(data, 16, g))[1].backward()
        if i % 2:
            for p in tuned.parameters():
                p.data -= 0.02 * p.grad  # type: ignore[operator] # it is there
    return tuned


@pytest.mark.parametrize(
    ("answer", "taken"),
    [(a_copy_in_each_step, 1), (every_second_step, 5), (every_second_step_by_hand, 5)],
)
def test_finetune_with_fewer_steps_than_rounds(answer: Answer, taken: int) -> None:
    outcome(check_finetune(answer), f"{SHOWN} took {taken} step", hint=STEPS)


@pytest.mark.parametrize("times", [2, 3])
def test_finetune_with_several_steps_after_backward(times: int) -> None:
    def answer(model: GPT, data: T, steps: int) -> GPT:
        tuned, g = copy.deepcopy(model), torch.Generator().manual_seed(3)
        optimizer = adamw(tuned)
        for _ in range(steps):
            optimizer.zero_grad()
            tuned(*batch(data, 16, g))[1].backward()
            for _ in range(times):
                optimizer.step()
        return tuned

    words = f"{SHOWN}: an optimizer took two steps with the same gradients."
    outcome(check_finetune(answer), words, hint="Call backward once more before each step.")


def on(batches: Callable[[T, int], list[tuple[T, T]]]) -> Answer:
    """Train on batches that are prepared."""

    def answer(model: GPT, data: T, steps: int) -> GPT:
        tuned = copy.deepcopy(model)
        optimizer = adamw(tuned)
        for x, y in batches(data, steps):
            optimizer.zero_grad()
            tuned(x, y)[1].backward()
            optimizer.step()
        return tuned

    return answer


def prepared(data: T, n: int, size: int = 16) -> list[tuple[T, T]]:
    g = torch.Generator().manual_seed(3)
    return [batch(data, size, g) for _ in range(n)]


def from_few_starts(data: T, steps: int) -> list[tuple[T, T]]:
    starts = torch.randint(len(data) - 6, (5,), generator=torch.Generator().manual_seed(1))
    chosen = torch.randint(5, (steps, 16), generator=torch.Generator().manual_seed(2))
    positions = starts[chosen][..., None] + torch.arange(5)
    return [(data[p], data[p + 1]) for p in positions]


@pytest.mark.parametrize(
    "batches",
    [
        lambda data, steps: [prepared(data, 3)[i % 3] for i in range(steps)],
        lambda data, steps: [prepared(data, 4, 1)[i % 4] for i in range(steps)],
        lambda data, steps: [prepared(data, steps)[i // 2] for i in range(steps)],
        lambda data, steps: [prepared(data, steps, 1)[i // 2] for i in range(steps)],
        from_few_starts,
    ],
)
def test_finetune_on_few_batches(batches: Callable[[T, int], list[tuple[T, T]]]) -> None:
    words = "finetune(model, data, 12): the steps saw the same part of the data again and again."
    hint = "Draw a new batch in each step, from one generator for all of them."
    outcome(check_finetune(on(batches)), words, hint=hint)


def test_finetune_draws_beyond_the_end() -> None:
    def answer(model: GPT, data: T, steps: int) -> GPT:
        n = model.config.block_size

        def draws(data: T, steps: int) -> list[tuple[T, T]]:
            g = torch.Generator().manual_seed(1)
            starts = torch.randint(len(data) - n + 1, (steps, 1, 1), generator=g)
            return [(data[p], data[p + 1]) for p in starts + torch.arange(n)]

        return on(draws)(model, data, steps)

    words = "finetune(model, data, 20), data of 10 ids raised IndexError"
    outcome(check_finetune(answer), words)


@pytest.mark.parametrize(
    "last", [lambda x: x.roll(-1, 1), lambda x: torch.cat([x[:, 1:], 0 * x[:, :1]], 1)]
)
def test_finetune_with_a_last_target_that_is_made_up(last: Callable[[T], T]) -> None:
    def draws(data: T, steps: int) -> list[tuple[T, T]]:
        return [(x, last(x)) for x, _ in prepared(data, steps)]

    words = "some targets are not the tokens that come next in data."
    hint = "The last target of each row comes from data, too: data[positions + 1]."
    outcome(check_finetune(on(draws)), SHOWN, words, hint=hint)


def test_finetune_for_no_steps() -> None:
    def given_back(model: GPT, data: T, steps: int) -> GPT:
        return finetune(model, data, steps) if steps else model

    def one_at_least(model: GPT, data: T, steps: int) -> GPT:
        return finetune(model, data, max(steps, 1))

    where = "finetune(model, data, 0) returned the model that it was given."
    outcome(check_finetune(given_back), where, hint="Train a copy: copy.deepcopy.")
    outcome(check_finetune(one_at_least), "finetune(model, data, 0) took 1 step.", hint=STEPS)


def test_finetune_for_no_steps_with_other_weights() -> None:
    def a_new_one(model: GPT, data: T, steps: int) -> GPT:
        return finetune(model, data, steps) if steps else GPT(model.config)

    def zeroed(model: GPT, data: T, steps: int) -> GPT:
        tuned = finetune(model, data, steps)
        if not steps:
            tuned.lm_head.weight.data.zero_()
        return tuned

    where = "finetune(model, data, 0) returned other weights than those of the model."
    hint = "With 0 steps, the copy should be as the given model."
    outcome(check_finetune(a_new_one), where, hint=hint)
    outcome(check_finetune(zeroed), where, hint=hint)


def with_a_new_head(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    tuned.lm_head = torch.nn.Linear(model.config.n_embd, model.config.vocab_size)
    return train(tuned, data, steps)


def with_new_blocks(model: GPT, data: T, steps: int) -> GPT:
    tuned = copy.deepcopy(model)
    tuned.blocks = GPT(model.config).blocks
    return train(tuned, data, steps)


def with_some_weights(model: GPT, data: T, steps: int) -> GPT:
    tuned = GPT(model.config)
    tuned.token_embedding.load_state_dict(model.token_embedding.state_dict())
    return train(tuned, data, steps)


@pytest.mark.parametrize("answer", [with_a_new_head, with_new_blocks, with_some_weights])
def test_finetune_starts_a_part_anew(answer: Answer) -> None:
    torch.manual_seed(1)
    where = f"{SHOWN}: at its first step, the copy has other weights than the given model."
    hint = "Start no part anew: the copy begins with all the weights of the model."
    outcome(check_finetune(answer), where, hint=hint)


@pytest.mark.parametrize("rate", [1e-9, 1e-7, 1e-5])
def test_finetune_at_a_vanishing_rate(rate: float) -> None:
    answer = with_options(make=lambda model: torch.optim.AdamW(model.parameters(), lr=rate))
    words = "It should be visibly lower after the training: by at least 0.005."
    hint = "Steps so small show nothing: a learning rate of 0.003 will do."
    outcome(check_finetune(answer), f"{SHOWN}: the loss on the data went from ", words, hint=hint)


@pytest.mark.parametrize("after", [False, True])
def test_finetune_keeps_the_best(after: bool) -> None:
    def answer(model: GPT, data: T, steps: int) -> GPT:
        tuned, g, lowest = copy.deepcopy(model), torch.Generator().manual_seed(3), 100.0
        best = copy.deepcopy(model)
        optimizer = adamw(tuned)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = tuned(*batch(data, 16, g))[1]
            if loss.item() < lowest and not after:
                lowest, best = loss.item(), copy.deepcopy(tuned)
            loss.backward()
            optimizer.step()
            if loss.item() < lowest and after:
                lowest, best = loss.item(), copy.deepcopy(tuned)
        return best

    hint = "Return the copy after all of its steps, whichever had the lowest loss."
    outcome(check_finetune(answer), "returned the copy as it was before the last step.", hint=hint)


def test_finetune_stops_once_the_loss_rises() -> None:
    def stops(model: GPT, data: T, steps: int) -> GPT:
        tuned, g, before = copy.deepcopy(model), torch.Generator().manual_seed(3), 100.0
        optimizer = adamw(tuned)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = tuned(*batch(data, 16, g))[1]
            if loss.item() > before:
                break
            before = loss.item()
            loss.backward()
            optimizer.step()
        return tuned

    outcome(check_finetune(stops), "finetune(model, data, 12) took ", hint=STEPS)


def test_finetune_as_a_generator() -> None:
    def answer(model: GPT, data: T, steps: int) -> Any:
        yield finetune(model, data, steps)

    words = f"{SHOWN} returned a generator."
    outcome(check_finetune(answer), words, hint="return the copy, without yield.")


# -- something else ------------------------------------------------------------------------


def test_finetune_returns_no_model() -> None:
    shown = f"{SHOWN} should return a GPT, received "
    outcome(check_finetune(lambda model, data, steps: (copy.deepcopy(model), 1.5)), shown + "tuple")
    outcome(check_finetune(lambda model, data, steps: model.state_dict()), shown + "OrderedDict.")


def test_finetune_raises_in_the_second_call_only() -> None:
    def report(model: GPT, data: T, steps: int) -> GPT:
        if steps == 6:
            raise ZeroDivisionError
        return finetune(model, data, steps)

    outcome(check_finetune(report), "finetune(model, data, 6) raised ZeroDivisionError")


def test_the_check_draws_nothing_from_the_generator_of_torch() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_finetune(lambda model, data, steps: copy.deepcopy(model))
    assert torch.rand(1) == expected
