"""The training itself."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn

from zerotohero import data
from zerotohero.files import read_text, write_atomically
from zerotohero.gpt import GPT, Muon, Vocabulary
from zerotohero.training import warn_if_risen

from . import checkpoint, distributed
from .checkpoint import CheckpointError, Optimizers, State
from .corpus import DROPOUT, SAMPLE, WEIGHTS, Corpus, estimate_loss, sample, seed_of
from .distributed import Group
from .report import Report, sample_file, write_losses, write_result
from .settings import Settings

MAX_TEXT = 10**9  # bytes


@dataclass
class Run:
    """The result of a training run.

    Attributes
    ----------
    settings : Settings
        The settings used; ``dtype`` is the resolved one.
    model : GPT
        Trained, in evaluation mode.
    vocabulary : Vocabulary
        The text's characters.
    losses : list of float
        Of each batch, before its update, in nats per token.
    evaluations : list of (int, float)
        Updates made, and the estimate of the validation loss then.
    val_loss : float
        On the whole validation split, at the end.
    sample : str
        Drawn at the end; empty in all processes except the first.
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
        The text as a string, or the file that holds it as a Path; by default Tiny Shakespeare.
        The first 90 % are for training.
    resume : bool
        Continue from the checkpoint in ``out``, as if the training had never been interrupted.
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
        If ``out`` already exists and is not empty, and ``resume`` is not set.
    CheckpointError
        If the checkpoint is missing, damaged, or of a training with other settings or text.
    FloatingPointError
        If the training diverges. The last checkpoint stays.
    KeyboardInterrupt
        If it was interrupted.
    MemoryError
        If the memory is too small.
    TypeError
        If ``settings`` or ``text`` is of another type.
    ValueError
        If the device is not available, the text is too short or not Unicode, or the batch cannot
        be divided among the processes.

    Warns
    -----
    TrainingWarning
        At the end, if the loss rose.
    """
    if not isinstance(settings, Settings):
        raise TypeError(f"settings must be Settings, as PRESETS['smoke'] is, got {settings!r}")
    if text is not None and not isinstance(text, str | Path):
        raise TypeError(f"text must be a string or a Path, got {type(text).__name__}")
    if resume and (start_from is not None or out is None):
        raise ValueError("resume needs out, the folder of the training, and no start_from")
    out = None if out is None else Path(out)
    start_from = None if start_from is None else Path(start_from)
    with distributed.processes(device) as group, distributed.clear_memory_errors():
        dtype = distributed.resolve_dtype(settings.dtype, group.device)
        settings = dataclasses.replace(settings, dtype=dtype)
        micro_batches = settings.accumulate * group.size
        if settings.batch_size % micro_batches:
            raise ValueError(
                f"batch_size must be a multiple of accumulate times processes, {micro_batches}, "
                f"got {settings.batch_size}"
            )
        if out is not None:
            checkpoint.require_folder(out, resume=resume)
        group.barrier()  # every process checks before process 0 writes
        lock = checkpoint.locked(out, resume=resume) if out and group.first else nullcontext()
        cuda = [group.device] if group.device.type == "cuda" else []
        with torch.random.fork_rng(cuda):  # the caller's random numbers stay as they are
            if resume:
                with lock:
                    return _Training(settings, out, text, True, group).run(progress)
            training = _Training(settings, out, text, False, group, start_from)
            with lock:  # only now a folder is made: what was refused left none
                return training.run(progress)


def read(text: str | Path | None, old: State | None) -> tuple[str, str | None]:
    """Return the text to train on, and what ``State.text_file`` says of where it is from.

    Raises
    ------
    CheckpointError
        If the checkpoint to start from is of a text of its own, and none is given.
    OSError, ValueError
        If the file cannot be read, or the text is not Unicode.
    """
    if text is None and old and old.text_file is not None:
        raise CheckpointError(
            "the checkpoint is of a training on a text of its own: pass text=… "
            f"(--text {shlex.quote(old.text_file) if old.text_file else 'FILE'})"
        )
    if text is None:
        return data.shakespeare(), None
    if isinstance(text, Path):
        return read_text(text, MAX_TEXT, skip_bom=True), str(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text must be Unicode, got {text[error.start]!r} at position {error.start}, "
            "half of a surrogate pair"
        ) from None
    return text, ""


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
        self.saved = self.checked = -1  # the last step with a checkpoint, and with a finite loss
        folder = out if resume else start_from
        old, tensors = checkpoint.load(folder) if folder else (None, {})
        content, text_file = read(text, old)
        digest = checkpoint.sha256_of(content.encode("utf-8"))
        if old:
            checkpoint.require_same(old, settings, digest, resume=resume)
        vocabulary = Vocabulary(old.characters) if old else None
        self.corpus = Corpus.from_text(content, settings.block_size, group.device, vocabulary)
        characters = self.corpus.vocabulary.characters
        self.state = State(settings, characters, digest, text_file)
        distributed.require_memory(settings, len(characters), group)
        generator = torch.Generator().manual_seed(seed_of(settings.seed, 0, WEIGHTS))
        self.model = GPT(settings.config(len(characters)), generator=generator).to(group.device)
        self.optimizers = configure_optimizers(self.model, settings)
        if old and resume:
            checkpoint.restore(old.step, self.model, self.optimizers, tensors)
            self.state, self.saved = dataclasses.replace(old, settings=settings), old.step
        elif old:
            checkpoint.restore_weights(self.model, tensors)
        self.wrapped = group.wrap(self.model)

    def _step(self, step: int) -> float:
        """Make one update, and return the loss of the batch before it."""
        s, group = self.settings, self.group
        set_learning_rates(self.optimizers, s.lr_factor(step))
        if s.dropout:
            torch.manual_seed(seed_of(s.seed, step, DROPOUT + group.rank))
        total = torch.zeros((), device=group.device)
        micro_batches = self.corpus.batch(step, s, group)
        for i, (idx, targets) in enumerate(micro_batches):
            last = i == len(micro_batches) - 1
            # Gradients of the micro-batches add up; only the last backward has to average them
            # over the processes.
            local = nullcontext() if last or group.size == 1 else self.wrapped.no_sync()
            with local:
                with distributed.autocast(s.dtype, group.device):
                    _, loss = self.wrapped(idx, targets)
                (loss / len(micro_batches)).backward()
            total += loss.detach() / len(micro_batches)
        mean = float(group.sum(total)) / group.size
        self._require_finite(mean, f"the loss in step {step + 1}")
        if s.grad_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), s.grad_clip)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return mean

    def _make_steps(self, report: Report, interrupted: Callable[[], bool]) -> None:
        """Make the remaining steps, or stop after one, with a checkpoint."""
        s, state = self.settings, self.state
        start = time.perf_counter() - state.seconds
        self.model.train()
        if state.step == 0 and not state.evaluations:
            self._evaluate_and_sample(report)
        stopped = self.group.any(interrupted())
        while state.step < s.steps and not stopped:
            began = time.perf_counter()
            loss = self._step(state.step)
            state.losses.append(loss)
            state.step += 1
            report.step(state.step, loss, time.perf_counter() - began)
            self._evaluate_and_sample(report)
            state.seconds = time.perf_counter() - start
            stopped = self.group.any(interrupted())
            if stopped or state.step == s.steps or _due(state.step, s.checkpoint_every):
                self._save()
        if report.losses:
            report.line(state.step)
        if stopped:
            self.group.barrier()  # process 0 has saved
            if not self.group.first:
                time.sleep(1)  # when one process ends, torchrun ends the others: let 0 be the one
            raise KeyboardInterrupt(f"step {state.step:,} of {s.steps:,} is saved in {self.out}")

    def run(self, progress: bool) -> Run:
        """Make the remaining steps, and evaluate the result."""
        s, state, model, out = self.settings, self.state, self.model, self.out
        vocabulary, val = self.corpus.vocabulary, self.corpus.val
        report = Report(s, state.step, shown=progress and self.group.first)
        if out is None:
            self._make_steps(report, lambda: False)
        else:
            if self.group.first:
                checkpoint.require_space(out, s.num_parameters(len(vocabulary)))
            self._save()
            with distributed.catching_signals(self.group.size) as interrupted:
                self._make_steps(report, interrupted)
        model.eval()
        val_loss = estimate_loss(model, val, self.group, progress=report.evaluating)
        self._require_finite(val_loss, f"the validation loss after step {state.step}")
        self.checked = state.step
        report.say(f"validation loss on the whole split: {val_loss:.4f}")
        text = self._sample()
        if out is not None and self.group.first:
            write_losses(out, state)
            write_result(out, state, model, val_loss, self.group)
            report.say(
                f"in {out}: result.json, losses.csv, {sample_file(state.step)}, and the "
                f"model: zerotohero.train_gpt.load_model({str(out)!r})"
            )
        warn_if_risen(state.losses)
        return Run(
            s, model, vocabulary, state.losses, state.evaluations, val_loss, text, state.seconds
        )

    def _evaluate_and_sample(self, report: Report) -> None:
        """Estimate the validation loss and draw a sample, when due."""
        s, state = self.settings, self.state
        if _due(state.step, s.eval_every):
            loss = self._estimate(s.eval_windows)
            state.evaluations.append((state.step, loss))
            report.line(state.step, loss)
            if self.out is not None and self.group.first:
                write_losses(self.out, state)
        if 0 < state.step < s.steps and _due(state.step, s.sample_every):
            self._sample()

    def _estimate(self, number: int) -> float:
        """Return the loss on some windows of the validation split."""
        s, val = self.settings, self.corpus.val
        loss = estimate_loss(self.model, val, self.group, number, dtype=s.dtype)
        self._require_finite(loss, f"the validation loss after step {self.state.step}")
        self.checked = self.state.step
        return loss

    def _sample(self) -> str:
        """Draw a sample, in process 0, and write it."""
        s, step = self.settings, self.state.step
        self._check()
        if not self.group.first:
            return ""
        seed, vocabulary = seed_of(s.seed, step, SAMPLE), self.corpus.vocabulary
        try:
            text = sample(self.model, vocabulary, s.sample_tokens, seed)
        except FloatingPointError as error:
            self._diverged(f"no sample after step {step}, {error}")
        if self.out is not None:
            (self.out / "samples").mkdir(exist_ok=True)
            write_atomically(self.out / sample_file(step), text)
        return text

    def _save(self) -> None:
        """Write a checkpoint, in process 0, but only a good one."""
        step = self.state.step
        if self.out is None or self.saved == step:
            return
        self._check()
        if not checkpoint.all_finite(self.model, self.optimizers):
            self._diverged(f"a weight or an optimizer moment after step {step} is not finite")
        if self.group.first:
            previous = self.saved if self.saved >= 0 else None
            checkpoint.save(self.out, self.state, self.model, self.optimizers, previous)
        self.saved = step

    def _check(self) -> None:
        """Raise if the loss is not finite anymore, even if the weights are; once a step."""
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


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


# -- the optimizers ----------------------------------------------------------------------------


def configure_optimizers(model: GPT, settings: Settings) -> Optimizers:
    """Distribute the parameters: the blocks' matrices to Muon, if it is used; the rest to AdamW.

    Queries, keys and values are stacked in one matrix, which is three matrices to Muon. Weight
    decay applies to embeddings and matrices; biases and gains have no reason to be small.
    """
    stacked = [
        m.qkv.weight for m in model.modules() if isinstance(getattr(m, "qkv", None), nn.Linear)
    ]
    muon = settings.optimizer == "muon"
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2] if muon else []
    rest = [p for p in model.parameters() if p not in set(matrices)]
    optimizers: Optimizers = {
        "adamw": torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim == 2]},
                {"params": [p for p in rest if p.ndim != 2], "weight_decay": 0.0},
            ],
            lr=settings.lr,
            betas=(0.9, settings.beta2),
            weight_decay=settings.weight_decay,
            fused=next(model.parameters()).device.type in ("cpu", "cuda"),
        )
    }
    if muon:
        optimizers["muon"] = Muon(
            [
                {"params": [p for p in matrices if p not in set(stacked)]},
                {"params": stacked, "parts": 3},
            ],
            lr=settings.muon_lr,
            momentum=settings.muon_momentum,
            weight_decay=settings.muon_weight_decay,
            dtype=torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32,
        )
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return optimizers


def set_learning_rates(optimizers: Optimizers, factor: float) -> None:
    """Set every learning rate to a fraction of its full value."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = factor * group["full_lr"]
