"""Checkpoints: they go on bit for bit, and are never a mixed pair."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import listing
from training import TEXT, TINY, tiny

from zerotohero import files
from zerotohero.train_gpt import Run, Settings, checkpoint
from zerotohero.train_gpt import train as train_aloud
from zerotohero.train_gpt.loop import _Training

pytestmark = pytest.mark.usefixtures("one_thread")


def train(settings: Settings, out: Path, **options: Any) -> Run:
    return train_aloud(settings, out, **({"text": TEXT, "progress": False} | options))


def interrupted(settings: Settings, out: Path, at: int, **options: Any) -> None:
    """Train, and stop with an error in the middle of step ``at``."""

    def step(self: _Training, number: int) -> float:
        if number == at:
            raise InterruptedError
        return original(self, number)

    original = _Training._step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Training, "_step", step)
        with pytest.raises(InterruptedError):
            train(settings, out, **options)


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("result.json", "checkpoint.json", ".lock")
    }


# -- it goes on --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 3, 5, 11])
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "muon", "dropout": 0.3},
        {"optimizer": "adamw", "dropout": 0.3, "warmup": 3, "accumulate": 2},
        {"dtype": "bfloat16", "sample_every": 4, "weight_decay": 0.1},
    ],
)
def test_as_if_never_interrupted(tmp_path: Path, at: int, changes: dict[str, Any]) -> None:
    settings = tiny(**changes)
    whole = train(settings, tmp_path / "whole")
    interrupted(settings, tmp_path / "parts", at)
    resumed = train(settings, tmp_path / "parts", resume=True)
    assert resumed.losses == whole.losses
    assert resumed.evaluations == whole.evaluations
    assert resumed.val_loss == whole.val_loss
    assert resumed.sample == whole.sample
    pairs = zip(resumed.model.parameters(), whole.model.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    # The tensors of both checkpoints, optimizers' states included, are the same to the bit.
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_interrupted_again_and_again(tmp_path: Path) -> None:
    settings = tiny(dropout=0.2, checkpoint_every=2)
    interrupted(settings, tmp_path / "parts", 3)
    for at in (3, 7, 8):
        interrupted(settings, tmp_path / "parts", at, resume=True)
    resumed = train(settings, tmp_path / "parts", resume=True)
    assert resumed.losses == train(settings, tmp_path / "whole").losses


def test_a_finished_training_is_finished(tmp_path: Path) -> None:
    first = train(TINY, tmp_path / "run")
    before = contents(tmp_path / "run")
    again = train(TINY, tmp_path / "run", resume=True)
    assert (again.losses, again.val_loss) == (first.losses, first.val_loss)
    assert contents(tmp_path / "run") == before


def test_only_the_last_checkpoint_stays(tmp_path: Path) -> None:
    interrupted(TINY, tmp_path / "run", 11)
    names = [name for name in listing(tmp_path / "run") if name.startswith("checkpoint")]
    assert names == ["checkpoint-00000010.safetensors", "checkpoint.json"]


# -- never a mixed pair ------------------------------------------------------------------------


UNLINK = Path.unlink


class Crash(BaseException):
    """The machine stops here."""


# What touches the disk when a checkpoint is written, in order: for the tensors, then for the
# JSON file, the content, the new name, the folder; last the removal of the two older tensors.
CALLS = ["fsync", "replace", "fsync", "fsync", "replace", "fsync", "unlink", "unlink"]


@pytest.mark.parametrize("at", range(9))
def test_a_crash_while_writing(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash at each call that touches the disk leaves the old checkpoint, or the new one."""
    settings, out = tiny(steps=10), tmp_path / "run"
    whole = train(settings, tmp_path / "whole")
    interrupted(settings, out, 9)  # there is a checkpoint at step 5
    calls: list[str] = []

    def crashing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not saving:
                return function(*arguments, **options)
            if len(calls) == at:  # and from then on nothing happens
                raise Crash
            if not str(arguments[0]).endswith(".part") or function is not UNLINK:
                calls.append(function.__name__)
            return function(*arguments, **options)

        return call

    saving = False
    save = _Training._save

    def note(self: _Training) -> None:
        nonlocal saving
        saving = True
        save(self)
        saving = False

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "_save", note)
        patch.setattr(files.os, "fsync", crashing(os.fsync))
        patch.setattr(Path, "replace", crashing(Path.replace))
        patch.setattr(Path, "unlink", crashing(Path.unlink))
        if at < len(CALLS):
            with pytest.raises(Crash):
                train(settings, out, resume=True)
        else:
            train(settings, out, resume=True)
    assert calls == CALLS[:at]
    state, tensors = checkpoint.load(out)
    assert state.step == (5 if at <= CALLS.index("replace", 2) else 10)
    assert state.losses == whole.losses[: state.step]
    if state.step == 10:
        expected = whole.model.state_dict().items()
        assert all(torch.equal(tensors[f"model/{name}"], p) for name, p in expected)
    assert train(settings, out, resume=True).losses == whole.losses
    if at != CALLS.index("unlink") and at != CALLS.index("unlink") - 1:
        assert contents(out) == contents(tmp_path / "whole"), "nothing is left over"
