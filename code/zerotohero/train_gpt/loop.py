"""The training itself."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from zerotohero import data
from zerotohero.gpt import GPT, Vocabulary

from . import checkpoint, report
from .checkpoint import CheckpointError, State
from .distributed import Group, processes
from .evaluate import loss_on, sample, whole_loss, window_starts
from .optimizers import Optimizers, lr_factor, make_optimizers, set_learning_rates
from .precision import autocast, resolve
from .settings import Settings
from .text import Corpus, batch_starts, seed_of, windows

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
    text: str | None = None,
    resume: bool = False,
    device: str = "cpu",
    progress: bool = True,
) -> Run:
    """Train a GPT on a text.

    Parameters
    ----------
    settings : Settings
        The sizes, the steps, the optimizers, and the rest.
    out : path, optional
        Folder for the loss curve, samples and checkpoints. Without it nothing is written.
    text : str, optional
        What to learn; by default Tiny Shakespeare. The first 90 % are for training.
    resume : bool
        Go on from the checkpoint in ``out``, as if the training had never been interrupted.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    progress : bool
        Write lines to standard error.

    Raises
    ------
    FileExistsError
        If ``out`` is there and not empty, and ``resume`` is not set.
    CheckpointError
        If the checkpoint is missing, damaged, or of a training with other settings or text.
    FloatingPointError
        If the loss is no longer a number.
    ValueError
        If the device is not there, the text too short, or the batch cannot be shared out.
    """
    text = data.shakespeare() if text is None else text
    with processes(device) as group:
        settings = dataclasses.replace(settings, dtype=resolve(settings.dtype, group.device))
        parts = settings.accumulate * group.size
        if settings.batch_size % parts:
            raise ValueError(
                f"batch_size must be a multiple of accumulate times processes, {parts}, "
                f"got {settings.batch_size}"
            )
        cuda = [group.device] if group.device.type == "cuda" else []
        with torch.random.fork_rng(cuda):  # the caller's random numbers stay as they are
            return _Training(settings, out, text, resume, group).run(progress)


class _Training:
    """A training in one of its processes."""

    def __init__(
        self, settings: Settings, out: str | Path | None, text: str, resume: bool, group: Group
    ) -> None:
        self.settings, self.group = settings, group
        self.corpus = Corpus.from_text(text, settings.block_size, group.device)
        characters = self.corpus.vocabulary.characters
        generator = torch.Generator().manual_seed(seed_of(settings.seed, 0, WEIGHTS))
        self.model = GPT(settings.config(len(characters)), generator=generator).to(group.device)
        self.optimizers: Optimizers = make_optimizers(self.model, settings)
        self.state = State(settings, characters, self.corpus.sha256)
        self.out = None if out is None else Path(out)
        if resume:
            self._resume()
        elif self.out is not None:
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise FileExistsError(
                    f"out is there already, {self.out}: resume it, or name another folder"
                )
            group.wait()  # all have looked before the first one writes
            self._save()
        self.wrapped = group.wrap(self.model)

    def _resume(self) -> None:
        if self.out is None:
            raise ValueError("resume needs out, the folder of the training")
        self.state, tensors = checkpoint.load(self.out)
        if differences := self.settings.differences(self.state.settings):
            raise CheckpointError(
                f"the checkpoint in {self.out} is of a training with other settings: "
                f"{'; '.join(differences)}"
            )
        if self.state.text_sha256 != self.corpus.sha256:
            raise CheckpointError(
                f"the checkpoint in {self.out} is of a training on another text: its SHA-256 was "
                f"{self.state.text_sha256}, now it is {self.corpus.sha256}"
            )
        checkpoint.restore(self.state.step, self.model, self.optimizers, tensors)

    def run(self, progress: bool) -> Run:
        """Make the steps that are left, and look at the result."""
        s, state, model = self.settings, self.state, self.model
        tokens = s.batch_size * s.block_size
        shown = progress and self.group.first
        line = report.Report(s.steps, state.step, tokens, shown=shown)
        before, start = state.seconds, time.perf_counter()
        model.train()
        if state.step == 0:
            self._look(line)
        while state.step < s.steps:
            began = time.perf_counter()
            loss = self._step(state.step)
            state.losses.append(loss)
            state.step += 1
            state.seconds = before + time.perf_counter() - start
            line(state.step, loss, time.perf_counter() - began)
            self._look(line)
            state.seconds = before + time.perf_counter() - start
            if state.step == s.steps or _due(state.step, s.checkpoint_every):
                self._save()
        if line.losses:
            line.line(state.step)
        model.eval()
        val_loss = whole_loss(model, self.corpus.val, self.group)
        if shown:
            print(f"validation loss on the whole split: {val_loss:.4f}", file=sys.stderr)
        text = self._sample()
        if self.out is not None and self.group.first:
            report.write_losses(self.out, state)
            report.write_result(self.out, state, model, val_loss, self.group)
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

    def _step(self, step: int) -> float:
        """Make one update, and return the loss of the batch before it."""
        s, group, ids = self.settings, self.group, self.corpus.train
        set_learning_rates(self.optimizers, lr_factor(step, s))
        if s.dropout:
            torch.manual_seed(seed_of(s.seed, step, DROPOUT + group.rank))
        starts = batch_starts(ids, s.batch_size, s.block_size, seed_of(s.seed, step, BATCH))
        parts = group.share(starts).chunk(s.accumulate)
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
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"the loss is {mean} in step {step}: is a learning rate too large?"
            )
        if s.grad_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), s.grad_clip)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return mean

    def _look(self, line: report.Report) -> None:
        """Estimate the validation loss and draw a sample, where the settings want it."""
        s, state, val = self.settings, self.state, self.corpus.val
        if _due(state.step, s.eval_every):
            starts = window_starts(val, s.block_size, s.eval_windows)
            loss = loss_on(self.model, val, starts, self.group, dtype=s.dtype)
            state.evaluations.append((state.step, loss))
            line.line(state.step, loss)
            if self.out is not None and self.group.first:
                report.write_losses(self.out, state)
        if 0 < state.step < s.steps and _due(state.step, s.sample_every):
            self._sample()

    def _sample(self) -> str:
        """Draw a text, in process 0, and write it."""
        if not self.group.first:
            return ""
        s, made = self.settings, self.state.step
        text = sample(
            self.model, self.corpus.vocabulary, s.sample_tokens, seed_of(s.seed, made, SAMPLE)
        )
        if self.out is not None:
            report.write_sample(self.out, made, text)
        return text

    def _save(self) -> None:
        """Write a checkpoint, in process 0."""
        if self.out is not None and self.group.first:
            checkpoint.save(self.out, self.state, self.model, self.optimizers)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
