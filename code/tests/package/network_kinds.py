"""The kinds of networks that the diagnostics know, and the same outputs computed by hand."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from zerotohero.batchnorm import six_layers
from zerotohero.layers import BatchNorm1d, ReLU
from zerotohero.mlp import MLP, build_contexts

NAMES = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
X, Y = (part[:64] for part in build_contexts(NAMES.read_text(encoding="utf-8").split()[:50]))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Net(nn.Module):
    """A network of torch's own layers, one inside of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(27, 4)
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh()
        )
        self.head = nn.Linear(8, 27)
        with torch.no_grad():
            for i, p in enumerate(self.parameters()):
                p.copy_(0.5 * torch.randn(p.shape, generator=seeded(i)))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(self.emb(X)))
        return logits


KINDS: dict[str, Callable[[], Any]] = {
    "plain": partial(six_layers, n_embd=4, n_hidden=12),
    "relu": partial(six_layers, n_embd=4, n_hidden=12, activation=ReLU),
    "batchnorm": partial(six_layers, n_embd=4, n_hidden=12, norm=BatchNorm1d),
    "mlp": partial(MLP, n_embd=4, n_hidden=16),
    "torch": lambda generator: Net(),
}


def make(kind: str) -> Any:
    """Return a network: the same one every time."""
    return KINDS[kind](seeded(1))  # type: ignore[call-arg] # each takes a generator


def outputs_by_hand(model: Any, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run a network layer by layer. A BatchNorm in training notes the batch, as it should."""
    if isinstance(model, Net):
        outputs = {"emb Embedding": model.emb(X)}
        x = outputs["emb Embedding"]
        for i, layer in enumerate(model.body):
            x = outputs[f"body.{i} {type(layer).__name__}"] = layer(x)
        outputs["head Linear"] = outputs["logits"] = model.head(x)
        return outputs
    x = torch.cat([model.C[column] for column in X.T], 1)
    outputs = {"0 Embedding": x}
    if isinstance(model, MLP):
        outputs["1 Linear"] = x @ model.W1 + model.b1
        outputs["2 Tanh"] = outputs["1 Linear"].tanh()
        outputs["3 Linear"] = outputs["2 Tanh"] @ model.W2 + model.b2
        return outputs
    for i, layer in enumerate(model.layers):
        x = outputs[f"{i + 1} {type(layer).__name__}"] = layer(x)
    return outputs


def gradients_by_hand(
    model: Any, X: torch.Tensor, Y: torch.Tensor
) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Return the gradients by the outputs, and by the parameters, of a backward pass of a copy."""
    model = deepcopy(model)
    parameters = list(model.parameters())
    for p in parameters:
        p.requires_grad_()
    outputs = outputs_by_hand(model, X)
    for x in outputs.values():
        x.retain_grad()
    F.cross_entropy(list(outputs.values())[-1], Y).backward()
    return {name: x.grad for name, x in outputs.items()}, [p.grad for p in parameters]  # type: ignore[misc] # after backward, none is None


def traces(model: Any) -> dict[str, Any]:
    """Return everything that looking into a network must leave as it is."""
    parts = [model, *(model.modules() if isinstance(model, nn.Module) else [])]
    parts += getattr(model, "layers", [])
    found: dict[str, Any] = {}
    for i, part in enumerate(parts):
        tensors = dict(vars(part))
        for name in ("_parameters", "_buffers"):
            tensors |= tensors.get(name, {})
        for name, value in tensors.items():
            if isinstance(value, torch.Tensor):
                kept = id(value), value.requires_grad, value.grad is None, value.tolist()
                found[f"{i} {name}"] = kept
        found[f"{i} training"] = getattr(part, "training", None)
        found[f"{i} hooks"] = len(getattr(part, "_forward_hooks", ()))
    return found
