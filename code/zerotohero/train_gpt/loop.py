"""The training itself."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import shlex
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from zerotohero import data
from zerotohero.console import say
from zerotohero.files import write_atomically
from zerotohero.gpt import GPT, Vocabulary
from zerotohero.training import TrainingWarning

from . import checkpoint
from .checkpoint import CheckpointError, State
from .distributed import Group, autocast, naming_memory, processes, require_memory, resolve
from .optimizers import Optimizers, make_optimizers, set_learning_rates
from .settings import Settings
from .text import (
    Corpus,
    batch_starts,
    loss_on,
    read,
    sample,
    seed_of,
    sha256_of,
    whole_loss,
    window_starts,
    windows,
)

WEIGHTS, BATCH, SAMPLE, DROPOUT = range(4)  # what random numbers are for; processes add to the last


@dataclass
class Run:
    """What a training gave.

    Attributes
    ----------
    settings : Settings
        With what it was made; ``dtype`` is the one that was used.
    model : GPT
        Trained, in evaluation mode.
    vocabulary : Vocabulary
        Of the text.
    losses : list of float
        Of each batch, before its update, in nats per token.
    evaluations : list of (int, float)
        Updates made, and the estimate of the validation loss then.
    val_loss : float
        On the whole validation split, at the end.
    sample : str
        Drawn at the end; empty in all processes but the first.
    seconds : float
        Time taken, without the last evaluation and the last sample.
    """

    settings: Settings
    model: GPT
    vocabulary: Vocabulary
    losses: list[float]
    evaluations: list[tuple[int, float]]
    val_loss: float
    sample: str
    seconds: float


def train(
    settings: Settings,
    out: str | Path | None = None,
    *,
    text: str | Path | None = None,
    resume: bool = False,
    start_from: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Run:
    """Train a GPT on a text.

    Ctrl-C, or SIGTERM, lets the step end and saves a checkpoint in ``out``; a second one stops
    at once.

    Parameters
    ----------
    settings : Settings
        The sizes, the steps, the optimizers, and the rest.
    out : path, optional
        Folder for the loss curve, samples and checkpoints. Without it nothing is written.
    text : str or Path, optional
        What to learn, or the file that holds it; by default Tiny Shakespeare. The first 90 %
        are for training.
    resume : bool
        Go on from the checkpoint in ``out``, as if the training had never been interrupted.
        Settings may differ from the checkpoint's only where that does not change the steps made.
    start_from : path, optional
        Folder of a training whose weights and vocabulary to start from, with new optimizers and
        a new schedule.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    progress : bool
        Write lines to standard error.

    Raises
    ------
    BlockingIOError
        If another process is training in ``out``.
    FileExistsError
        If ``out`` is there and not empty, and ``resume`` is not set.
    CheckpointError
        If the checkpoint is missing, damaged, or of a training with other settings or text.
    FloatingPointError
        If the training diverges. The last checkpoint stays.
    KeyboardInterrupt
        If it was interrupted.
    MemoryError
        If the memory does not suffice.
    ValueError
        If the device is not there, the text too short, or the batch cannot be divided among the
        processes.

    Warns
    -----
    TrainingWarning
        At the end, if the loss rose.
    """
    if resume and (start_from is not None or out is None):
        raise ValueError("resume needs out, the folder of the training, and no start_from")
    out = None if out is None else Path(out)
    start_from = None if start_from is None else Path(start_from)
    with processes(device) as group, naming_memory():
        settings = dataclasses.replace(settings, dtype=resolve(settings.dtype, group.device))
        parts = settings.accumulate * group.size
        if settings.batch_size % parts:
            raise ValueError(
                f"batch_size must be a multiple of accumulate times processes, {parts}, "
                f"got {settings.batch_size}"
            )
        if out is not None:
            checkpoint.require_folder(out, resume=resume)
        group.wait()  # all have looked before the first one writes
        cuda = [group.device] if group.device.type == "cuda" else []
        lock = nullcontext() if out is None or not group.first else checkpoint.locked(out)
        with lock, torch.random.fork_rng(cuda):  # the caller's random numbers stay as they are
            return _Training(settings, out, text, resume, group, start_from).run(progress)


@contextmanager
def noticing(number_of_processes: int) -> Iterator[Callable[[], bool]]:
    """Take note of Ctrl-C and SIGTERM within a ``with``, in place of stopping at once.

    The second one stops at once. (With several processes, ``torchrun`` passes each signal on
    to those that have it already: what comes within two seconds is the same one.)
    """
    noticed: list[float] = []

    def note(*_: object) -> None:
        if noticed and time.monotonic() - noticed[0] >= (2 if number_of_processes > 1 else 0):
            raise KeyboardInterrupt
        noticed.append(time.monotonic())

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere there are no signals
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, note)
    try:
        yield lambda: bool(noticed)
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)


class _Training:
    """A training in one of its processes."""

    def __init__(
        self,
        settings: Settings,
        out: Path | None,
        text: str | Path | None,
        resume: bool,
        group: Group,
        start_from: Path | None = None,
    ) -> None:
        self.settings, self.out, self.group = settings, out, group
        folder = out if resume else start_from
        old, tensors = checkpoint.load(folder) if folder else (None, {})
        if old and resume:
            _require_same(settings, old, text, folder)
        text_file = str(text) if isinstance(text, Path) else None if text is None else ""
        text = data.shakespeare() if text is None else text
        text = read(text) if isinstance(text, Path) else text
        digest = sha256_of(text)
        if old and resume and digest != old.text_sha256:
            raise CheckpointError(
                f"the checkpoint in {folder} is of a training on another text: its SHA-256 was "
                f"{old.text_sha256}, now it is {digest}; name the file with --text FILE"
            )
        vocabulary = Vocabulary(old.characters) if old else None
        self.corpus = Corpus.from_text(text, settings.block_size, group.device, vocabulary)
        characters = self.corpus.vocabulary.characters
        self.state = State(settings, characters, digest, text_file)
        require_memory(settings, len(characters), group)
        if out is not None and group.first:
            checkpoint.require_space(out, settings.parameters(len(characters)))
        generator = torch.Generator().manual_seed(seed_of(settings.seed, 0, WEIGHTS))
        self.model = GPT(settings.config(len(characters)), generator=generator).to(group.device)
        self.optimizers: Optimizers = make_optimizers(self.model, settings)
        self.checked = self.saved = -1  # the step for which that was done last
        if old and resume:
            checkpoint.restore(old.step, self.model, self.optimizers, tensors)
            self.state = dataclasses.replace(old, settings=settings)
            self.saved = old.step
        elif old:
            checkpoint.restore_weights(self.model, tensors)
        self.wrapped = group.wrap(self.model)
        if not resume:
            self._save()

    def run(self, progress: bool) -> Run:
        """Make the steps that are left, and look at the result."""
        s, state, model = self.settings, self.state, self.model
        line = Report(s, state.step, shown=progress and self.group.first)
        if self.out is None:
            self._make_steps(line, lambda: False)
        else:
            with noticing(self.group.size) as interrupted:
                self._make_steps(line, interrupted)
        model.eval()
        val_loss = whole_loss(model, self.corpus.val, self.group, line.evaluating)
        self._require_finite(val_loss, f"the validation loss after step {state.step}")
        self.checked = state.step
        line.say(f"validation loss on the whole split: {val_loss:.4f}")
        text = self._sample()
        if self.out is not None and self.group.first:
            write_losses(self.out, state)
            write_result(self.out, state, model, val_loss, self.group)
            line.say(
                f"in {self.out}: result.json, losses.csv, {sample_file(state.step)}, and the "
                f"model: zerotohero.train_gpt.load_model({str(self.out)!r})"
            )
        _warn_if_risen(state.losses, val_loss)
        return Run(
            settings=s,
            model=model,
            vocabulary=self.corpus.vocabulary,
            losses=state.losses,
            evaluations=state.evaluations,
            val_loss=val_loss,
            sample=text,
            seconds=state.seconds,
        )

    def _make_steps(self, line: Report, interrupted: Callable[[], bool]) -> None:
        """Make the steps that are left, or stop after one, with a checkpoint."""
        s, state = self.settings, self.state
        before, start = state.seconds, time.perf_counter()
        self.model.train()
        if state.step == 0 and not state.evaluations:
            self._look(line)
        stopped = self.group.any(interrupted())
        while state.step < s.steps and not stopped:
            began = time.perf_counter()
            loss = self._step(state.step)
            state.losses.append(loss)
            state.step += 1
            state.seconds = before + time.perf_counter() - start
            line(state.step, loss, time.perf_counter() - began)
            self._look(line)
            state.seconds = before + time.perf_counter() - start
            stopped = self.group.any(interrupted())
            if stopped or state.step == s.steps or _due(state.step, s.checkpoint_every):
                self._save()
        if line.losses:
            line.line(state.step)
        if stopped:
            self.group.wait()  # process 0 has saved
            if not self.group.first:
                time.sleep(1)  # when one process ends, torchrun ends the others: let 0 be the one
            raise KeyboardInterrupt(f"step {state.step:,} of {s.steps:,} is saved in {self.out}")

    def _step(self, step: int) -> float:
        """Make one update, and return the loss of the batch before it."""
        s, group, ids = self.settings, self.group, self.corpus.train
        set_learning_rates(self.optimizers, s.lr_factor(step))
        if s.dropout:
            torch.manual_seed(seed_of(s.seed, step, DROPOUT + group.rank))
        starts = batch_starts(ids, s.batch_size, s.block_size, seed_of(s.seed, step, BATCH))
        parts = group.part(starts).chunk(s.accumulate)
        total = torch.zeros((), device=group.device)
        for i, part in enumerate(parts):
            idx, targets = windows(ids, part, s.block_size)
            last = i == len(parts) - 1
            # Gradients of all parts add up; only the last one's backward has to share them.
            alone = nullcontext() if last or group.size == 1 else self.wrapped.no_sync()
            with alone:
                with autocast(s.dtype, group.device):
                    _, loss = self.wrapped(idx, targets)
                (loss / len(parts)).backward()
            total += loss.detach() / len(parts)
        mean = float(group.sum(total)) / group.size
        self._require_finite(mean, f"the loss in step {step + 1}")
        if s.grad_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), s.grad_clip)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return mean

    def _look(self, line: Report) -> None:
        """Estimate the validation loss and draw a sample, where the settings want it."""
        s, state = self.settings, self.state
        if _due(state.step, s.eval_every):
            loss = self._estimate(s.eval_windows)
            state.evaluations.append((state.step, loss))
            line.line(state.step, loss)
            if self.out is not None and self.group.first:
                write_losses(self.out, state)
        if 0 < state.step < s.steps and _due(state.step, s.sample_every):
            self._sample()

    def _estimate(self, number: int) -> float:
        """Return the loss on some windows of the validation split."""
        s, val = self.settings, self.corpus.val
        starts = window_starts(val, s.block_size, number)
        loss = loss_on(self.model, val, starts, self.group, dtype=s.dtype)
        self._require_finite(loss, f"the validation loss after step {self.state.step}")
        self.checked = self.state.step
        return loss

    def _sample(self) -> str:
        """Draw a text, in process 0, and write it."""
        s, made = self.settings, self.state.step
        self._check()
        if not self.group.first:
            return ""
        seed, vocabulary = seed_of(s.seed, made, SAMPLE), self.corpus.vocabulary
        try:
            text = sample(self.model, vocabulary, s.sample_tokens, seed)
        except FloatingPointError as error:
            self._diverged(f"no sample after step {made}, {error}")
        if self.out is not None:
            (self.out / "samples").mkdir(exist_ok=True)
            write_atomically(self.out / sample_file(made), text)
        return text

    def _save(self) -> None:
        """Write a checkpoint, in process 0, but only a good one."""
        if self.out is None or self.saved == self.state.step:
            return
        self._check()
        if not checkpoint.all_finite(self.model, self.optimizers):
            self._diverged(f"a weight or an average after step {self.state.step} is not finite")
        if self.group.first:
            checkpoint.save(self.out, self.state, self.model, self.optimizers)
        self.saved = self.state.step

    def _check(self) -> None:
        """Raise if the loss is not finite any more. One estimate for a step is enough."""
        if self.checked != self.state.step:
            self._estimate(8)

    def _require_finite(self, number: float, what: str) -> None:
        if not math.isfinite(number):
            self._diverged(f"{what} is {number}")

    def _diverged(self, what: str) -> NoReturn:
        """Raise ``FloatingPointError``: what happened, what to try, and what is left."""
        s = self.settings
        rates = f"lr (it is {s.lr:g})"
        rates += f" and muon_lr ({s.muon_lr:g})" if s.optimizer == "muon" else ""
        said = f"the training diverged: {what}; try smaller learning rates, {rates}, or more warmup"
        if self.out is not None and self.saved >= 0:
            said += (
                f"; the last checkpoint with a finite loss, of step {self.saved}, is in {self.out}"
            )
        raise FloatingPointError(said)


def _require_same(
    settings: Settings, old: State, text: str | Path | None, folder: Path | None
) -> None:
    """Raise unless a training can go on with these settings, and with this kind of text."""
    if differences := settings.differences(old.settings, old.step):
        raise CheckpointError(
            f"the checkpoint in {folder} is of a training with other settings: "
            f"{'; '.join(differences)}; to train on from its weights, name another folder as "
            f"--out, and --from {folder}"
        )
    if text is None and old.text_file is not None:
        raise CheckpointError(
            f"the training in {folder} is on a text of its own: "
            f"pass --text {shlex.quote(old.text_file) if old.text_file else 'FILE'}"
        )


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _warn_if_risen(losses: list[float], val_loss: float) -> None:
    """Warn if the loss ends above where it began, by more than noise."""
    tenth = len(losses) // 10
    last = sum(losses[-tenth:]) / tenth if tenth else val_loss
    if losses and last > losses[0] + 0.1:
        warnings.warn(
            f"the loss rose, from {losses[0]:.4g} at the beginning to {last:.4g} at the end: "
            "are the learning rates too large?",
            TrainingWarning,
            stacklevel=4,
        )


# -- what a training shows and writes ----------------------------------------------------------


class Report:
    """Writes a line to standard error every few seconds, and after each evaluation.

    Parameters
    ----------
    settings : Settings
        Of the training.
    done : int
        Number of steps that were made before an interruption.
    shown : bool
        Whether to write at all.
    every : float
        Seconds between lines.
    """

    def __init__(self, settings: Settings, done: int, *, shown: bool, every: float = 10.0) -> None:
        self.steps, self.done, self.shown, self.every = settings.steps, done, shown, every
        self.tokens = settings.batch_size * settings.block_size
        self.start = self.last = time.perf_counter()
        self.computing = 0.0  # seconds in steps, since the last line
        self.losses: list[float] = []  # since the last line

    def say(self, message: str) -> None:
        """Write a message, if anything is to be shown."""
        if self.shown:
            say(message)
        self.last = time.perf_counter()

    def __call__(self, made: int, loss: float, seconds: float) -> None:
        """Take note of a step: how many are made now, its loss, how long it took."""
        self.losses.append(loss)
        self.computing += seconds
        if time.perf_counter() - self.last > self.every:
            self.line(made)

    def line(self, made: int, val: float | None = None) -> None:
        """Write a line now."""
        parts = [f"step {made:,} of {self.steps:,}"]
        if self.losses:
            parts.append(f"train {sum(self.losses) / len(self.losses):.4f}")
        if val is not None:
            parts.append(f"val {val:.4f}")
        if self.computing:
            rate = len(self.losses) * self.tokens / self.computing
            parts.append(f"{rate:,.0f} tokens/s")
        if made > self.done:
            left = (time.perf_counter() - self.start) / (made - self.done) * (self.steps - made)
            parts.append(f"{left:.0f} s left" if made < self.steps else "evaluating")
        self.say(", ".join(parts))
        self.computing, self.losses = 0.0, []

    def evaluating(self, done: int, of: int) -> None:
        """Take note of a batch of the last evaluation."""
        if time.perf_counter() - self.last > self.every:
            self.say(f"evaluating on the whole validation split: {100 * done // of} %")


def write_losses(out: Path, state: State) -> None:
    """Write the loss curve as CSV: updates made, loss of the batch, estimate of validation.

    A loss is measured before its update, so the first line is for 0 updates. Numbers are
    written in full.
    """
    val = dict(state.evaluations)
    losses = dict(enumerate(state.losses))
    rows = [
        f"{made},{losses.get(made, '')},{val.get(made, '')}"
        for made in sorted(losses.keys() | val.keys())
    ]
    write_atomically(out / "losses.csv", "\n".join(["updates,train,val", *rows, ""]))


def sample_file(made: int) -> str:
    """Return where in its folder a sample lies."""
    return f"samples/{made:08}.txt"


def write_result(out: Path, state: State, model: GPT, val_loss: float, group: Group) -> None:
    """Write what came out, how long it took, and on what, as JSON."""
    settings = state.settings
    found = {
        "val_loss": val_loss,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": state.step,
        "tokens": state.step * settings.batch_size * settings.block_size,
        "seconds": state.seconds,
        "device": str(group.device),
        "processes": group.size,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "settings": dataclasses.asdict(settings),
    }
    write_atomically(out / "result.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
