"""Checkpoints: everything that a training needs to resume, in two files.

``checkpoint.json`` records the settings and progress, and the checksum of the file with the
tensors, ``checkpoint-00000500.safetensors`` for step 500. That one is written first, and replacing
the JSON file switches to it, so the two files always match.

Neither file can hold code: JSON has only data, and safetensors only numbers, unlike a pickle.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from safetensors.torch import save as bytes_of

from zerotohero.arguments import require_int, require_number
from zerotohero.files import read_limited, write_atomically
from zerotohero.gpt import GPT, Vocabulary

from .distributed import device_of
from .settings import Settings, from_fields

FORMAT = "zerotohero.train_gpt checkpoint, version 1"
JSON = "checkpoint.json"
LOCK = ".lock"
MAX_JSON = 8 * 2**20  # bytes: a hundred thousand estimates, and any vocabulary

Optimizers = dict[str, torch.optim.Optimizer]
"""The optimizers of a training: ``adamw``, and perhaps ``muon``."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or does not fit."""


@dataclass
class State:
    """The progress of a training: everything except the parameters and the optimizers' state.

    Attributes
    ----------
    settings : Settings
        Of the training; ``dtype`` is never ``auto``.
    characters : str
        The vocabulary.
    text_sha256 : str
        Checksum of the whole text.
    text_file : str or None
        Where the text was read from; empty if it was not a file, None for Tiny Shakespeare.
    step : int
        Updates made.
    before : int or None
        The step of the checkpoint that this one replaced.
    seconds : float
        Time taken, before and after interruptions.
    losses : list of float
        Of each batch, before its update.
    evaluations : list of (int, float)
        Updates made, and the estimate of the validation loss then.
    """

    settings: Settings
    characters: str
    text_sha256: str
    text_file: str | None = None
    step: int = 0
    before: int | None = None
    seconds: float = 0.0
    losses: list[float] = dataclasses.field(default_factory=list)
    evaluations: list[tuple[int, float]] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        strings = [self.characters, self.text_sha256, self.text_file or ""]
        if not all(isinstance(string, str) for string in strings):
            raise TypeError("characters, text_sha256 and text_file must be strings")
        if Vocabulary(self.characters).characters != self.characters:
            raise ValueError("characters must be sorted, each once")
        require_int(0, self.settings.steps, step=self.step)
        require_int(0, self.step, before=self.before or 0)
        require_number(0, seconds=self.seconds)
        for step, loss in self.evaluations:
            require_int(0, self.step, step=step)
            require_number(loss=loss)
        self.evaluations = [(step, float(loss)) for step, loss in self.evaluations]


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 checksum."""
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False).encode("utf-8")


def _tensors_file(out: Path, step: int) -> Path:
    return out / f"checkpoint-{step:08}.safetensors"


# -- the folder --------------------------------------------------------------------------------


def require_folder(out: Path, *, resume: bool) -> None:
    """Raise unless a folder has a checkpoint to resume, or else is new or empty.

    Raises
    ------
    CheckpointError
        If there is no checkpoint.
    FileExistsError
        If it is a file, or a folder that is not empty.
    """
    if resume:
        if not (out / JSON).exists():
            raise CheckpointError(f"there is no checkpoint: {out / JSON} is missing")
    elif os.path.lexists(out):  # also a link to nowhere
        if not out.is_dir():
            raise FileExistsError(f"{out} already exists and is not a folder: choose another out")
        if any(path.name != LOCK for path in out.iterdir()):
            raise FileExistsError(
                f"{out} already exists and is not empty: pass resume (--resume), or choose another "
                "out (--out)"
            )


PART_FILE = re.compile(r"\.(checkpoint|losses|result)[-.].*\.\d+-[0-9a-f]{8}\.part")
"""What a crash leaves of a file that was being written."""


@contextmanager
def locked(out: Path, *, resume: bool) -> Iterator[None]:
    """Lock a folder for this process within a ``with``; create it if it does not exist.

    The system releases the lock when the process ends, however it ends.

    Raises
    ------
    OSError
        If the folder cannot be written to, or is not as ``require_folder`` wants it.
    BlockingIOError
        If another process has the lock.
    """
    out.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(out / LOCK, flags, 0o666)
    try:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise BlockingIOError(f"another process is training in {out}") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise  # those: a file system without locks
        for path in out.iterdir():
            if PART_FILE.fullmatch(path.name):
                path.unlink()
        require_folder(out, resume=resume)  # another process may have had the lock before
        yield
    finally:
        os.close(descriptor)


def require_same(old: State, settings: Settings, text_sha256: str, *, resume: bool) -> None:
    """Raise ``CheckpointError`` unless a training can resume, or start from the weights.

    To resume, the settings and the text have to be the same; to start from the weights, only the
    sizes of the model.
    """
    if differences := settings.differences(old.settings, old.step if resume else None):
        hint = "; to train on from its weights, pass its folder as --from and another --out"
        raise CheckpointError(
            f"the checkpoint is of a training with other settings: {'; '.join(differences)}"
            f"{hint if resume else ''}"
        )
    if resume and text_sha256 != old.text_sha256:
        raise CheckpointError(
            "the training used another text: pass text=… (--text FILE); its SHA-256 was "
            f"{old.text_sha256}, now it is {text_sha256}"
        )


def require_space(out: Path, parameters: int) -> None:
    """Raise ``OSError`` unless two checkpoints fit on the disk: the old one and the new."""
    needed, free = 2 * 12 * parameters, shutil.disk_usage(out).free
    if free < needed:
        said = f"checkpoints need {needed / 2**20:,.0f} MiB here, {free / 2**20:,.0f} MiB are free"
        raise OSError(errno.ENOSPC, said, str(out))


# -- saving ------------------------------------------------------------------------------------


def _optimizer_tensors(model: GPT, optimizers: Optimizers) -> dict[str, torch.Tensor]:
    """Name every tensor in the states of the optimizers."""
    return {
        f"{kind}/{name}/{key}": value
        for kind, optimizer in optimizers.items()
        for name, p in model.named_parameters()
        for key, value in optimizer.state.get(p, {}).items()
    }


def all_finite(model: GPT, optimizers: Optimizers) -> bool:
    """Whether all that a checkpoint would hold of a model and its optimizers is finite."""
    tensors = [*model.state_dict().values(), *_optimizer_tensors(model, optimizers).values()]
    return all(bool(t.isfinite().all()) for t in tensors)


def save(out: Path, state: State, model: GPT, optimizers: Optimizers, previous: int | None) -> None:
    """Write a checkpoint; then remove the tensors of the previous one, of step ``previous``."""
    tensors = {
        "losses": torch.tensor(state.losses, dtype=torch.float64),
        **{f"model/{name}": p for name, p in model.state_dict().items()},
        **_optimizer_tensors(model, optimizers),
    }
    data = bytes_of({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    old = (previous, state.before)  # a crash may have come before the removal of the latter
    state.before = previous
    about = dataclasses.asdict(state) | {"tensors_sha256": sha256_of(data)}
    del about["losses"]
    write_atomically(_tensors_file(out, state.step), data)
    whole = {"format": FORMAT, "sha256": sha256_of(_canonical(about)), "state": about}
    write_atomically(out / JSON, json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n")
    for step in old:
        if step is not None and step != state.step:
            _tensors_file(out, step).unlink(missing_ok=True)


# -- loading -----------------------------------------------------------------------------------


def _load_json(out: Path) -> dict[str, Any]:
    """Return the content of the JSON file, after a check of its format and checksum."""
    path = out / JSON
    try:
        found = json.loads(read_limited(path, MAX_JSON))
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint: {path} is missing") from None
    except NotADirectoryError:
        raise CheckpointError(f"{out} must be the folder of a training, but is a file") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(found, dict) or "format" not in found:
        raise CheckpointError(f"{path} is not a checkpoint of this trainer: it names no format")
    if found["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has the format {str(found['format'])[:80]!r}; this trainer reads {FORMAT!r}"
        )
    about = found.get("state")
    with contextlib.suppress(ValueError, RecursionError):  # NaN and infinity are not JSON
        if isinstance(about, dict) and sha256_of(_canonical(about)) == found.get("sha256"):
            return about
    raise CheckpointError(f"{path} is damaged: its checksum does not match its content")


def _state_of(about: dict[str, Any], out: Path) -> State:
    """Return the state in the JSON file, without the losses, which are with the tensors."""
    about = {"text_file": None, "before": None} | about  # older checkpoints lack these two
    try:
        del about["tensors_sha256"]
        settings = Settings.from_dict(about["settings"])
        return from_fields(State, about | {"settings": settings, "losses": []})
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise CheckpointError(f"{out / JSON} was written by another version: {error}") from error


def load_state(out: Path) -> State:
    """Return the state of a checkpoint, without its losses. The tensors are not read.

    Raises
    ------
    CheckpointError
        If there is none, it is damaged, or it is something else.
    """
    return _state_of(_load_json(out), out)


def load(out: Path) -> tuple[State, dict[str, torch.Tensor]]:
    """Read a checkpoint, and check that it is whole. Errors are those of ``load_state``."""
    while True:
        about = _load_json(out)
        try:
            return _load_tensors(_state_of(about, out), about["tensors_sha256"], out)
        except CheckpointError:
            if _load_json(out) == about:  # else a newer one has just replaced it
                raise


def _load_tensors(state: State, digest: object, out: Path) -> tuple[State, dict[str, torch.Tensor]]:
    """Read the tensors that belong to a state, and add its losses to it."""
    path = _tensors_file(out, state.step)
    parameters = state.settings.num_parameters(len(state.characters))
    try:
        data = read_limited(path, 16 * parameters + 8 * state.step + 2**24)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing, although {JSON} refers to it") from None
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    if sha256_of(data) != digest:
        raise CheckpointError(
            f"{path} is damaged: its SHA-256 is {sha256_of(data)}, {JSON} says {digest}"
        )
    try:
        tensors = tensors_from(data)
        losses = tensors.pop("losses")
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} does not hold a checkpoint: {error}") from error
    if len(data) < 4 * parameters:
        raise CheckpointError(f"{path} is too small for {parameters:,} parameters")
    if losses.dtype != torch.float64 or losses.shape != (state.step,):
        raise CheckpointError(
            f"{path} has losses of type {losses.dtype} and shape {tuple(losses.shape)} "
            f"for {state.step} steps"
        )
    for name, tensor in {"losses": losses, **tensors}.items():
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path} has numbers in {name} that are not finite")
    state.losses = losses.tolist()
    return state, tensors


KEYS = {"adamw": ("exp_avg", "exp_avg_sq", "step"), "muon": ("momentum",)}
"""The state that each optimizer keeps for a parameter; ``step`` is one number."""


def restore(
    step: int, model: GPT, optimizers: Optimizers, tensors: dict[str, torch.Tensor]
) -> None:
    """Load the tensors of a checkpoint into a model and its optimizers.

    Parameters
    ----------
    step : int
        Updates made. Before the first one, optimizers have no state.

    Raises
    ------
    CheckpointError
        If names or shapes are not those of the model and the optimizers.
    """
    names = {p: name for name, p in model.named_parameters()}
    params = {
        kind: [p for group in optimizer.param_groups for p in group["params"]] if step else []
        for kind, optimizer in optimizers.items()
    }
    expected = {f"model/{name}": tensor.shape for name, tensor in model.state_dict().items()}
    for kind in params:
        for p in params[kind]:
            for key in KEYS[kind]:
                shape = torch.Size() if key == "step" else p.shape
                expected[f"{kind}/{names[p]}/{key}"] = shape
    for name in sorted(expected.keys() | tensors.keys()):
        if name in tensors and tensors[name].dtype != torch.float32:
            raise CheckpointError(f"{name} is of type {tensors[name].dtype}, not torch.float32")
        found = tensors[name].shape if name in tensors else None
        if expected.get(name) != found:
            shapes = [None if s is None else tuple(s) for s in (found, expected.get(name))]
            raise CheckpointError(
                f"{name} has the shape {shapes[0]} in the checkpoint, {shapes[1]} in this training"
            )
    model.load_state_dict({name: tensors[f"model/{name}"] for name in model.state_dict()})
    for kind, optimizer in optimizers.items():
        states = {
            i: {key: tensors[f"{kind}/{names[p]}/{key}"] for key in KEYS[kind]}
            for i, p in enumerate(params[kind])
        }
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def restore_weights(model: GPT, tensors: dict[str, torch.Tensor]) -> None:
    """Load only the weights of a checkpoint into a model. Errors are those of ``restore``."""
    restore(0, model, {}, {n: t for n, t in tensors.items() if n.startswith("model/")})


def load_model(out: str | Path, device: str = "cpu") -> tuple[GPT, Vocabulary]:
    """Return the model of a checkpoint, in evaluation mode, and its vocabulary.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, it is damaged, or it is something else.
    """
    where = device_of(device)
    state, tensors = load(Path(out))
    with torch.random.fork_rng([]):  # the caller's random numbers stay as they are
        model = GPT(state.settings.config(len(state.characters)))
    restore_weights(model, tensors)
    return model.to(where).eval(), Vocabulary(state.characters)
