"""On which device to compute, and with which numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def device_of(name: str) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    ValueError
        If the name is not ``cpu``, ``cuda``, ``cuda:`` and a number, or ``mps``, or PyTorch
        does not find such a device.
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdigit())):
        raise ValueError(f"device must be cpu, cuda, cuda:0, cuda:1, … or mps, got {name!r}")
    if kind == "cuda" and torch.cuda.device_count() <= int(number or 0):
        raise ValueError(
            f"device is {name!r}, but PyTorch finds {torch.cuda.device_count()} CUDA devices"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device is 'mps', but PyTorch finds none")
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 itself, and not by a detour."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        if hasattr(torch.cpu, "get_capabilities"):
            found = torch.cpu.get_capabilities()
            return any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
        asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # an older PyTorch
        return bool(asked and asked())
    return False


def resolve(dtype: str, device: torch.device) -> str:
    """Turn ``auto`` into ``bfloat16`` or ``float32``; leave those as they are."""
    if dtype != "auto":
        return dtype
    return "bfloat16" if has_bfloat16(device) else "float32"


def autocast(dtype: str, device: torch.device) -> AbstractContextManager[object]:
    """Multiply matrices in bfloat16, if that is asked for. Weights stay in float32."""
    context: AbstractContextManager[object] = torch.autocast(
        device.type, torch.bfloat16, enabled=dtype == "bfloat16"
    )
    return context
