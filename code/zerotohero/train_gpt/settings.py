"""The settings of a training, and three presets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from zerotohero.arguments import require_int, require_number
from zerotohero.gpt import GPTConfig

T = TypeVar("T")
DTYPES = ("auto", "float32", "bfloat16")
KINDS = {"int": int, "float": float, "str": str}
REPORTING = ("eval_every", "eval_windows", "sample_every", "sample_tokens", "checkpoint_every")
"""Settings that affect only what is reported and saved."""
SIZES = ("block_size", "n_embd", "n_head", "n_layer")
SCHEDULE = ("steps", "warmup", "decay_start", "final_lr")
MAX_INT = 2**31 - 1
MAX_STEPS = 99_999_999  # file names have eight digits
MAX_EVALUATIONS = 100_000  # they are part of each checkpoint


def _setting(default: Any, what: str, least: float = -math.inf, most: float = math.inf) -> Any:
    """Describe a setting, and its range."""
    return dataclasses.field(default=default, metadata={"what": what, "range": (least, most)})


def _choice(default: str, what: str, *choices: str) -> Any:
    """Describe a setting that is one of several words."""
    return dataclasses.field(default=default, metadata={"what": what, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """Everything that determines the result of a training, except the text.

    ``python -m zerotohero.train_gpt --help`` describes each setting.
    The defaults are those of the preset ``smoke``.

    Raises
    ------
    TypeError
        If a setting is of the wrong type.
    ValueError
        If a setting is out of range.
    """

    # the model
    block_size: int = _setting(32, "longest context, in tokens", 1, MAX_INT)
    n_embd: int = _setting(32, "embedding dimension, a multiple of n_head", 1, MAX_INT)
    n_head: int = _setting(4, "attention heads in a block", 1, MAX_INT)
    n_layer: int = _setting(2, "blocks", 1, 1000)
    dropout: float = _setting(0.0, "fraction of activations set to zero in training", 0, 0.99)
    # the steps
    steps: int = _setting(200, "number of updates", 0, MAX_STEPS)
    batch_size: int = _setting(16, "sequences in a batch, of all processes together", 1, MAX_INT)
    accumulate: int = _setting(1, "micro-batches in a batch, to save memory", 1, MAX_INT)
    grad_clip: float = _setting(1.0, "largest norm of the gradient; 0 for no limit", 0)
    # the optimizers
    optimizer: str = _choice("muon", "muon (in blocks; AdamW elsewhere) or adamw", "muon", "adamw")
    lr: float = _setting(3e-3, "learning rate of AdamW", 0)
    beta2: float = _setting(0.95, "AdamW's decay rate of squared gradients", 0, 0.999999)
    weight_decay: float = _setting(0.0, "weight decay of AdamW, for embeddings and matrices", 0)
    muon_lr: float = _setting(0.02, "learning rate of Muon", 0)
    muon_momentum: float = _setting(0.95, "fraction of its momentum Muon keeps", 0, 0.999999)
    muon_weight_decay: float = _setting(0.0, "weight decay of Muon", 0)
    # the schedule of both learning rates
    warmup: int = _setting(0, "steps in which the learning rates rise", 0, MAX_STEPS)
    decay_start: float = _setting(0.3, "fraction of the steps before the rates fall", 0, 1)
    final_lr: float = _setting(0.0, "fraction of the rates that is left at the end", 0, 1)
    # numerical precision and seed
    dtype: str = _choice(
        "auto", "data type of matrix multiplications; auto: bfloat16 where native", *DTYPES
    )
    seed: int = _setting(1337, "determines weights, batches, dropout, samples", 0, 2**32 - 1)
    # what is reported and saved on the way
    eval_every: int = _setting(50, "steps between estimates of the validation loss; 0: none", 0)
    eval_windows: int = _setting(64, "windows of block_size tokens in such an estimate", 1, MAX_INT)
    sample_every: int = _setting(0, "steps between samples; 0: only at the end", 0)
    sample_tokens: int = _setting(300, "tokens in a sample", 0, 1_000_000)
    checkpoint_every: int = _setting(100, "steps between checkpoints; 0: only at the end", 0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name, value, about = field.name, getattr(self, field.name), field.metadata
            kind = KINDS[str(field.type)]
            if kind is str:
                if value not in about["choices"]:
                    expected = ", ".join(about["choices"])
                    raise ValueError(f"{name} must be one of {expected}, got {value!r}")
            else:
                require = require_int if kind is int else require_number
                require(*about["range"], **{name: value})
            object.__setattr__(self, name, kind(value))
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide batch_size, got {self.accumulate} and {self.batch_size}"
            )
        if self.eval_every and self.steps > MAX_EVALUATIONS * self.eval_every:
            raise ValueError(
                f"eval_every must give at most {MAX_EVALUATIONS:,} estimates, "
                f"got {self.eval_every} for {self.steps:,} steps"
            )
        self.config(1)  # checks that the sizes fit together

    def config(self, vocab_size: int) -> GPTConfig:
        """Return the sizes of the model for a vocabulary."""
        return GPTConfig(
            vocab_size, self.block_size, self.n_embd, self.n_head, self.n_layer, self.dropout
        )

    def num_parameters(self, vocab_size: int) -> int:
        """Return the number of weights in the model's matrices; biases and gains are few."""
        tables = (2 * vocab_size + self.block_size) * self.n_embd
        return tables + 12 * self.n_layer * self.n_embd**2

    def lr_factor(self, step: int) -> float:
        """Return the fraction of the full learning rates in a step, counted from 0.

        It rises linearly over ``warmup`` steps, stays at 1, and from ``decay_start`` on falls
        linearly, to ``final_lr`` after the last step.
        """
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        start = self.decay_start * self.steps
        if step < start:
            return rise
        fallen = (step - start) / (self.steps - start)  # 0 at first, below 1 in the last step
        return rise * (1 - fallen * (1 - self.final_lr))

    def differences(self, old: Settings, steps_done: int | None) -> list[str]:
        """List the settings that prevent resuming a training that was begun with others.

        Settings that only affect reporting may change, and so may the schedule, if the steps
        that are done would have had the same learning rates.

        Parameters
        ----------
        old : Settings
            Those in the checkpoint.
        steps_done : int or None
            How many steps were made with them. If None, only the sizes of the model count: that
            is enough to start a new training from the weights.
        """
        here, there = dataclasses.asdict(self), dataclasses.asdict(old)
        changed = [n for n in here if here[n] != there[n] and n not in REPORTING]
        reason = ""
        if steps_done is None:
            changed = [name for name in changed if name in SIZES]
        elif any(name in SCHEDULE for name in changed):
            if self.steps < steps_done:
                reason = f" ({steps_done:,} steps are made already)"
            elif any(self.lr_factor(i) != old.lr_factor(i) for i in range(steps_done)):
                reason = f" (the {steps_done:,} steps made would have had other learning rates)"
            else:
                changed = [name for name in changed if name not in SCHEDULE]
        return [
            f"{name}: {here[name]} here, {there[name]} in the checkpoint"
            + (reason if name in SCHEDULE else "")
            for name in changed
        ]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings of what ``dataclasses.asdict`` returned.

        Raises
        ------
        ValueError
            If a setting is missing, or one is unknown.
        """
        return from_fields(cls, values)


def from_fields(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a dataclass of its fields. ``ValueError`` names those that are missing or unknown."""
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # is one
    if odd := sorted(known ^ set(values)):
        raise ValueError(f"{kind.__name__}: missing or unknown: {', '.join(odd)}")
    return kind(**values)


PRESETS = {
    # Seconds, to see that everything works.
    "smoke": Settings(),
    # Minutes on two cores of a laptop.
    "cpu": Settings(
        block_size=128,
        n_embd=192,
        n_head=6,
        n_layer=4,
        steps=4000,
        batch_size=16,
        weight_decay=0.1,
        muon_weight_decay=0.1,
        eval_every=250,
        eval_windows=256,
        checkpoint_every=1000,
    ),
    # The lecture's own, for a GPU.
    "lecture": Settings(
        block_size=256,
        n_embd=384,
        n_head=6,
        n_layer=6,
        dropout=0.2,
        steps=5000,
        batch_size=64,
        grad_clip=0.0,
        optimizer="adamw",
        lr=3e-4,
        beta2=0.999,
        weight_decay=0.01,
        decay_start=1.0,
        eval_every=250,
        eval_windows=256,
        sample_every=1000,
        sample_tokens=500,
        checkpoint_every=500,
    ),
}
"""Settings by name: ``smoke``, ``cpu`` and ``lecture``."""
