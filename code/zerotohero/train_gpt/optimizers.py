"""The optimizers of a training: which parameters go to which."""

from __future__ import annotations

import torch
from torch import nn

from zerotohero.gpt import GPT, Muon

from .settings import Settings

Optimizers = dict[str, torch.optim.Optimizer]


def make_optimizers(model: GPT, settings: Settings) -> Optimizers:
    """Distribute the parameters: matrices of the blocks to Muon, if asked for; the rest to AdamW.

    Queries, keys and values lie on top of each other in one matrix, and are three to Muon.
    Weight decay pulls on embeddings and matrices; biases and gains have no reason to be small.
    """
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    stacked = [
        m.qkv.weight for m in model.modules() if isinstance(getattr(m, "qkv", None), nn.Linear)
    ]
    muon = settings.optimizer == "muon"
    taken = {id(p) for p in matrices} if muon else set()
    rest = [p for p in model.parameters() if id(p) not in taken]
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    made: Optimizers = {
        "adamw": torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim == 2]},
                {"params": [p for p in rest if p.ndim != 2], "weight_decay": 0.0},
            ],
            lr=settings.lr,
            betas=(0.9, settings.beta2),
            weight_decay=settings.weight_decay,
            fused=fused,
        )
    }
    if muon:
        alone = {id(p) for p in stacked}
        made["muon"] = Muon(
            [
                {"params": [p for p in matrices if id(p) not in alone]},
                {"params": stacked, "parts": 3},
            ],
            lr=settings.muon_lr,
            momentum=settings.muon_momentum,
            weight_decay=settings.muon_weight_decay,
            dtype=torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32,
        )
    for optimizer in made.values():
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return made


def set_learning_rates(optimizers: Optimizers, factor: float) -> None:
    """Set every learning rate to a fraction of its full value."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = factor * group["full_lr"]
