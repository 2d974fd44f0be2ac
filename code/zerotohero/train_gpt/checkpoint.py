"""Checkpoints: all that a training needs to go on, in two files.

``checkpoint.json`` says what was trained how far, and carries the checksum of the file with
the tensors, ``checkpoint-00000500.safetensors`` for step 500. That one is written first; the
checkpoint changes in the moment in which the JSON file is replaced. So the two always fit.

Neither file can hold code: JSON has only data, and safetensors only numbers, unlike a pickle.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from safetensors.torch import save as bytes_of

from zerotohero.gpt import GPT, Vocabulary

from .files import write
from .optimizers import Optimizers
from .precision import device_of
from .settings import Settings

FORMAT = "zerotohero.train_gpt checkpoint, version 1"
JSON = "checkpoint.json"
KEPT = {"adamw": ("exp_avg", "exp_avg_sq", "step"), "muon": ("momentum",)}
"""What each optimizer remembers of a parameter."""
NUMBER = torch.Size()
SAVED = {"characters", "text_sha256", "step", "seconds", "evaluations"}


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of something else."""


@dataclass
class State:
    """How far a training is; what is not a parameter or in an optimizer.

    Attributes
    ----------
    settings : Settings
        Of the training; ``dtype`` is never ``auto``.
    characters : str
        The vocabulary.
    text_sha256 : str
        Checksum of the whole text.
    step : int
        Updates made.
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
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = dataclasses.field(default_factory=list)
    evaluations: list[tuple[int, float]] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        for name, kind in (("characters", str), ("text_sha256", str), ("step", int)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name} must be of type {kind.__name__}")
        if self.step < 0:
            raise ValueError(f"step must not be negative, got {self.step}")
        self.seconds = float(self.seconds)
        self.evaluations = [(int(step), float(loss)) for step, loss in self.evaluations]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False).encode("utf-8")


def _tensors_file(out: Path, step: int) -> Path:
    return out / f"checkpoint-{step:08}.safetensors"


def _optimizer_tensors(model: GPT, optimizers: Optimizers) -> dict[str, torch.Tensor]:
    """Name every tensor in the states of the optimizers."""
    return {
        f"{kind}/{name}/{key}": value
        for kind, optimizer in optimizers.items()
        for name, p in model.named_parameters()
        for key, value in optimizer.state.get(p, {}).items()
    }


def save(out: Path, state: State, model: GPT, optimizers: Optimizers) -> None:
    """Write a checkpoint; then remove the one before."""
    tensors = {
        "losses": torch.tensor(state.losses, dtype=torch.float64),
        **{f"model/{name}": p for name, p in model.state_dict().items()},
        **_optimizer_tensors(model, optimizers),
    }
    data = bytes_of({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    about = dataclasses.asdict(state) | {"tensors_sha256": _sha256(data)}
    del about["losses"]
    write(_tensors_file(out, state.step), data)
    whole = {"format": FORMAT, "sha256": _sha256(_canonical(about)), "state": about}
    write(out / JSON, json.dumps(whole, indent=1, allow_nan=False) + "\n")
    for path in out.glob("checkpoint-*.safetensors"):
        if path != _tensors_file(out, state.step):
            path.unlink(missing_ok=True)


def load(out: Path) -> tuple[State, dict[str, torch.Tensor]]:
    """Read a checkpoint, and check that it is whole.

    Raises
    ------
    CheckpointError
        If there is none, it is damaged, or it is something else.
    """
    about = _load_json(out / JSON)
    try:
        settings = Settings.from_dict(about.pop("settings"))
        digest = about.pop("tensors_sha256")
        state = State(settings, losses=[], **{name: about[name] for name in SAVED | set(about)})
        path = _tensors_file(out, state.step)
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{out / JSON} is of another version: {error}") from error
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; {JSON} says that it is there") from None
    if _sha256(data) != digest:
        raise CheckpointError(
            f"{path} is damaged: its SHA-256 is {_sha256(data)}, {JSON} says {digest}"
        )
    try:
        tensors = tensors_from(data)
        state.losses = tensors.pop("losses").tolist()
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} holds no checkpoint: {error}") from error
    if len(state.losses) != state.step:
        raise CheckpointError(f"{path} has {len(state.losses)} losses for {state.step} steps")
    return state, tensors


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _load_json(path: Path) -> dict[str, Any]:
    """Return the state in the JSON file, after a look at its format and its checksum."""
    try:
        found = json.loads(path.read_bytes(), parse_constant=_no_number)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint: {path} is missing") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: it is no JSON ({error})") from error
    if not isinstance(found, dict) or "format" not in found:
        raise CheckpointError(f"{path} is no checkpoint of this trainer: it names no format")
    if found["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has the format {found['format']!r}; this trainer reads {FORMAT!r}"
        )
    about = found.get("state")
    with contextlib.suppress(ValueError):  # 1e999 is infinite, which JSON cannot say
        if isinstance(about, dict) and _sha256(_canonical(about)) == found.get("sha256"):
            return about
    raise CheckpointError(f"{path} is damaged: its checksum does not fit its content")


def restore(
    step: int, model: GPT, optimizers: Optimizers, tensors: dict[str, torch.Tensor]
) -> None:
    """Put the tensors of a checkpoint into a model and its optimizers.

    Parameters
    ----------
    step : int
        Updates made. Before the first one, optimizers have no state.

    Raises
    ------
    CheckpointError
        If names or shapes are not those of the model and the optimizers.
    """
    own = {f"model/{name}": tensor.shape for name, tensor in model.state_dict().items()}
    kept: dict[str, dict[int, dict[str, str]]] = {}  # names, by optimizer, parameter and key
    names = {p: name for name, p in model.named_parameters()}
    for kind, optimizer in optimizers.items():
        kept[kind] = {}
        params = [p for group in optimizer.param_groups for p in group["params"]]
        for i, p in enumerate(params if step else []):
            kept[kind][i] = {key: f"{kind}/{names[p]}/{key}" for key in KEPT[kind]}
            own |= {n: NUMBER if key == "step" else p.shape for key, n in kept[kind][i].items()}
    for name in sorted(own.keys() | tensors.keys()):
        found = tensors[name].shape if name in tensors else None
        if name in tensors and tensors[name].dtype != torch.float32:
            raise CheckpointError(f"{name} is of type {tensors[name].dtype}, not torch.float32")
        if own.get(name) != found:
            shapes = [None if s is None else tuple(s) for s in (found, own.get(name))]
            raise CheckpointError(
                f"{name} has the shape {shapes[0]} in the checkpoint, {shapes[1]} in this training"
            )
    model.load_state_dict({name: tensors[f"model/{name}"] for name in model.state_dict()})
    for kind, optimizer in optimizers.items():
        states = {
            i: {key: tensors[name] for key, name in named.items()}
            for i, named in kept[kind].items()
        }
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def load_model(out: str | Path, device: str = "cpu") -> tuple[GPT, Vocabulary]:
    """Return the model of a checkpoint, in evaluation mode, and its vocabulary.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, it is damaged, or it is something else.
    """
    state, tensors = load(Path(out))
    model = GPT(state.settings.config(len(state.characters)))
    weights = {name: t for name, t in tensors.items() if name.startswith("model/")}
    restore(0, model, {}, weights)
    return model.to(device_of(device)).eval(), Vocabulary(state.characters)
