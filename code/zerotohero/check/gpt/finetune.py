"""The check of chapter 7's fine-tuning: watches the training, then looks at the copy."""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from ...gpt import GPT, GPTConfig
from ..rules import Watch
from ..running import guarded, run
from ..verdict import checker, fail


class Case(NamedTuple):
    """The sizes of a model, its text, and for how many steps to train it."""

    config: GPTConfig
    seed: int  # of a model that is a little better than chance: to even it out is no way down
    jump: int  # an id of the text is followed by itself plus this; 0: the text is random
    steps: int
    training: bool  # the mode of the model
    length: int = 2000  # of the text

    @property
    def data(self) -> torch.Tensor:
        """A text in which all ids are equally frequent, and each has a successor of its own.

        So what lowers the loss is to learn the successors. Who learns something else raises it,
        at any sensible learning rate. In a random text, no two batches are the same.
        """
        if self.jump:
            return self.jump * torch.arange(self.length) % self.config.vocab_size
        g = torch.Generator().manual_seed(self.seed)
        return torch.randint(self.config.vocab_size, (self.length,), generator=g)

    @property
    def shown(self) -> str:
        """The call, as the reader would write it."""
        short = f", data of {self.length} ids" if self.length < 100 else ""
        return f"finetune(model, data, {self.steps}){short}"


CASES = (
    Case(GPTConfig(11, 8, 16, 2, 1), 40, jump=4, steps=10, training=False),
    Case(GPTConfig(9, 7, 12, 3, 1), 11, jump=2, steps=6, training=True),
    # Who draws a start too far back meets the end of so short a text.
    Case(GPTConfig(11, 8, 8, 2, 1), 3, jump=3, steps=20, training=False, length=10),
    Case(GPTConfig(11, 8, 8, 2, 1), 4, jump=0, steps=12, training=True, length=3000),
    Case(GPTConfig(9, 7, 12, 3, 1), 11, jump=2, steps=0, training=False),
)
VISIBLE, FEW = 0.005, 10  # how far the loss should go down at least, in so many steps


@checker
def finetune(answer: Any) -> str:
    """Check a function ``(model, data, steps)`` that returns a fine-tuned copy of a model."""
    # PyTorch loads a large module with the first optimizer: not within the answer's time.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    went = []
    for case in CASES:
        with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw from its own generator
            model = GPT(case.config, generator=torch.Generator().manual_seed(case.seed))
        for p in model.parameters():
            p.grad = torch.full_like(p, 0.01)  # the given gradients have to stay, too
        went.append(_check(answer, model.train(case.training), case))
    return f"The copy learned the new text: its loss {went[0]}."


def _check(answer: Any, model: GPT, case: Case) -> str:
    """Stop unless an answer trains a copy of the model; return what its loss did."""
    kept, data, shown = copy.deepcopy(model), case.data, case.shown
    training = Training(model, case)
    tuned = run(training.watched(answer), model, data, case.steps, shown=shown)
    if not isinstance(tuned, GPT):
        fail(f"{shown} should return a GPT, received {type(tuned).__name__}.")
    _expect_untouched(model, kept, shown)
    _expect_copy(tuned, model, training, shown)
    if case.steps == 0:
        training.check(tuned)
        if not _same_weights(tuned, kept):
            fail(
                f"{shown} returned other weights than those of the model.",
                "With 0 steps, the copy should be as the given model.",
            )
        return ""

    start, loss = (_loss(net, data, shown) for net in (kept, tuned))
    went = f"went from {start:.4f} to {loss:.4f}"
    if _same_weights(tuned, kept):
        fail(
            f"{shown}: the loss on the data {went}.",
            "The copy is as it was. Do the loss and the optimizer use the copy, and does each "
            "step call backward and step?",
        )
    training.check(tuned)
    _expect_all_trained(tuned, kept, shown)
    still = case.steps >= FEW and abs(loss - start) < 1e-4  # up or down, by chance
    if case.jump and not (loss < start or still):
        fail(
            f"{shown}: the loss on the data {went}. It should be lower after the training.",
            "The targets are the inputs themselves. They should be the tokens one position later."
            if training.unshifted
            else "Are the targets the tokens that come next? Does every step go downhill? A "
            "learning rate of 0.003 will do.",
        )
    if case.jump and case.steps >= FEW and not loss < start - VISIBLE:
        fail(
            f"{shown}: the loss on the data {went}. It should be visibly lower after the "
            f"training: by at least {VISIBLE}.",
            "Steps so small show nothing: a learning rate of 0.003 will do.",
        )
    if training.strange_targets:
        fail(
            f"{shown}: some targets are not the tokens that come next in data.",
            "The last target of each row comes from data, too: data[positions + 1].",
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
    if not all(p.requires_grad for p in model.parameters()):
        fail(f"{shown} changed requires_grad of the model that it was given.")
    for p in model.parameters():
        if p.grad is None or not p.grad.any():
            fail(
                f"{shown} deleted the gradients of the model that it was given.",
                "zero_grad should be that of the copy, or of an optimizer that holds the copy.",
            )
        if not torch.equal(p.grad, torch.full_like(p, 0.01)):
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
    weights, first = _weights(model), training.first_weights
    if first is not None and not _close(first, weights):
        fail(
            f"{shown}: at its first step, the copy has other weights than the given model.",
            "Start no part anew: the copy begins with all the weights of the model.",
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
    n = min(20, (len(data) - 1) // T) * T
    idx, targets = (data[start : start + n].view(-1, T) for start in (0, 1))

    def evaluate() -> Any:
        with torch.no_grad():
            return model.eval()(idx, targets)[1]

    return float(guarded(evaluate, f"The model that {shown} returned"))


# -- the training ----------------------------------------------------------------------


class Forward(NamedTuple):
    """A forward pass that a gradient may be taken of."""

    idx: torch.Tensor
    weights: torch.Tensor  # of the whole model, in a row
    of_given: bool  # whether it is the given model's


class Training(Watch):
    """Watches a training: its batches, its weights, its gradients and its steps."""

    def __init__(self, model: GPT, case: Case) -> None:
        super().__init__()
        self.case = case
        self.table_of_model = model.token_embedding.weight
        self.first_table: torch.Tensor | None = None  # of the model that is trained, at its start
        self.first_weights: torch.Tensor | None = None  # all of them
        self.model: GPT | None = None  # whose forward pass runs
        self.trained: GPT | None = None  # the last one that a gradient may have been taken of
        self.last: torch.Tensor | None = None  # its weights after the last step of an optimizer
        self.forwards: list[Forward] = []
        self.unshifted = False  # whether the targets of the last loss were its inputs
        self.strange_targets = False  # whether some were not the successors in the data
        self.leftovers: list[bool] = []  # whether a backward pass found earlier gradients
        self.gradients: dict[torch.Tensor, torch.Tensor] = {}  # as the last one left them
        self.steps: dict[Optimizer, int] = {}
        self.passes_before: dict[Optimizer, int] = {}  # backward passes before its last step
        self.twice = False  # whether an optimizer made two steps with the same gradients

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "embedding" and args[0].ndim == 2 and torch.is_grad_enabled():
            self._forward(*args[:2])
        if name in ("cross_entropy", "nll_loss") and self.forwards and torch.is_grad_enabled():
            self._compare_targets(args[1] if len(args) > 1 else (kwargs or {}).get("target"))
        if name != "backward":
            return super().__torch_function__(func, types, args, kwargs)
        leaves = list(_leaves(args[0]))
        self.leftovers.append(all(self._is_left(p) for p in leaves))
        result = super().__torch_function__(func, types, args, kwargs)
        self.gradients = {p: p.grad.clone() for p in leaves if p.grad is not None}
        return result

    def watched(self, answer: Any) -> Any:
        """Return the answer, watched; steps of optimizers are counted, too."""

        def watched(*args: Any) -> Any:
            hooks = (
                register_optimizer_step_post_hook(self._step),
                register_module_forward_pre_hook(self._enter),
            )
            try:
                with self:
                    result = answer(*args)
            finally:
                for hook in hooks:
                    hook.remove()
            if inspect.isgenerator(result):
                fail(f"{self.case.shown} returned a generator.", "return the copy, without yield.")
            return result

        return functools.wraps(answer)(watched) if callable(answer) else answer

    def _enter(self, module: torch.nn.Module, _args: Any) -> None:
        if isinstance(module, GPT):
            self.model = module

    def _forward(self, idx: torch.Tensor, table: torch.Tensor) -> None:
        of_given = table is self.table_of_model
        if self.first_table is None and not of_given:
            self.first_table = table.detach().clone()
        if self.model is not None:
            weights = _weights(self.model)
            self.forwards.append(Forward(idx.clone(), weights, of_given))
            if not of_given:
                self.trained = self.model
                self.first_weights = weights if self.first_weights is None else self.first_weights

    def _compare_targets(self, targets: Any) -> None:
        idx, case = self.forwards[-1].idx, self.case
        if not isinstance(targets, torch.Tensor) or targets.is_floating_point():
            return
        self.unshifted = torch.equal(targets.flatten(), idx.flatten())
        right = (idx + case.jump) % case.config.vocab_size
        if targets.numel() == right[:, 1:].numel():  # without those of the last tokens
            right = right[:, :-1]
        if case.jump and targets.numel() == right.numel():
            targets, right = targets.flatten(), right.flatten()
            self.strange_targets |= bool(((targets != right) & (targets != -100)).any())

    def _is_left(self, p: torch.Tensor) -> bool:
        """Whether a gradient is there as it was; momentum, kept in it, would be scaled."""
        if p.grad is None or not p.grad.any():
            return False
        return p not in self.gradients or torch.equal(p.grad, self.gradients[p])

    def _step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self.steps[optimizer] = self.steps.get(optimizer, 0) + 1
        passes = self.calls["backward"] + self.calls["grad"]
        self.twice |= self.passes_before.get(optimizer) == passes
        self.passes_before[optimizer] = passes
        self.last = None if self.trained is None else _weights(self.trained)
        # The step is made with clipped gradients, maybe.
        self.gradients = {p: p.grad.clone() for p in self.gradients if p.grad is not None}

    def check(self, tuned: GPT) -> None:
        """Stop if the training made known mistakes."""
        steps, shown = self.case.steps, self.case.shown
        if self.forwards and steps and all(forward.of_given for forward in self.forwards):
            fail(
                f"{shown}: every loss is that of the model that it was given.",
                "Let the loss be that of the copy, which changes with each step.",
            )
        if self.twice:
            fail(
                f"{shown}: an optimizer took two steps with the same gradients.",
                "Call backward once more before each step.",
            )
        taken = self._taken(tuned)
        if taken != steps:
            fail(
                f"{shown} took {taken} step." if taken == 1 else f"{shown} took {taken} steps.",
                "Does the loop take as many steps as it is told to?",
            )
        if self._is_earlier(_weights(tuned)):
            fail(
                f"{shown} returned the copy as it was before the last step.",
                "Return the copy after all of its steps, whichever had the lowest loss.",
            )
        if len(self.leftovers) > 1 and all(self.leftovers[1:]):
            fail(
                f"{shown}: the gradients have added up over the steps.",
                "Set the gradients to zero in each step.",
            )
        if not self.case.jump and self._are_batches_old():
            fail(
                f"{shown}: the steps saw the same part of the data again and again.",
                "Draw a new batch in each step, from one generator for all of them.",
            )

    def _is_earlier(self, weights: torch.Tensor) -> bool:
        """Whether weights are those before some step, and the steps of an optimizer went on."""
        if self.last is None or torch.equal(weights, self.last):
            return False
        return any(torch.equal(weights, f.weights) for f in self.forwards if not f.of_given)

    def _taken(self, tuned: GPT) -> int:
        """Return the number of steps: as optimizers count them, or as the weights show.

        A step may take several optimizers, several batches, or a look around (several losses for
        a batch, at different weights): so more changes of the weights are fine, few are not.
        """
        steps, counts = self.case.steps, [*self.steps.values()]
        forwards = [forward for forward in self.forwards if not forward.of_given]
        places = [*(forward.weights for forward in forwards), _weights(tuned)]
        moves = sum(not torch.equal(a, b) for a, b in pairwise(places))
        batches = [forward.idx for forward in forwards[:1]]
        batches += [b.idx for a, b in pairwise(forwards) if not torch.equal(a.idx, b.idx)]
        if not forwards:
            return max(counts, default=steps)
        if counts:
            if sum(counts) != steps and steps not in counts:
                return max(counts)
            return moves if moves < steps - 2 else steps  # a rate may be 0 at an end
        return steps if moves == 2 * steps == 2 * len(batches) else moves

    def _are_batches_old(self) -> bool:
        """Whether batches, or their rows, come again more often than by chance."""
        batches = {tuple(f.idx.flatten().tolist()): f.idx for f in self.forwards if not f.of_given}
        rows = [tuple(row) for idx in batches.values() for row in idx.tolist()]
        if not rows or len(set(rows)) * len(rows[0]) > self.case.length / 2:
            return False  # all of the data may be one batch
        possible = min(self.case.length, self.case.config.vocab_size ** len(rows[0]))
        by_chance = possible * (1 - math.exp(-len(rows) / possible))
        return len(batches) < self.case.steps - 1 or len(set(rows)) < 0.6 * by_chance


def _weights(model: GPT) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether weights are the same, but for another floating-point type."""
    if one.shape != other.shape:
        return False
    return bool(torch.allclose(one.double(), other.double(), rtol=0.01))


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
