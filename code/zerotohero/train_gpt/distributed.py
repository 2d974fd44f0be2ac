"""Devices, data types, memory, and processes.

Each of several processes computes a shard of every batch, and together they train one model.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .settings import Settings

# -- devices -----------------------------------------------------------------------------------


def device_of(name: str) -> torch.device:
    """Return an available device.

    Raises
    ------
    ValueError
        If the name is not ``cpu``, ``cuda``, ``cuda:`` and a number, or ``mps``, or PyTorch
        does not find such a device.
    """
    kind, _, number = name.partition(":")
    numbered = kind == "cuda" and number.isdecimal() and len(number) < 4
    if kind not in ("cpu", "cuda", "mps") or (name != kind and not numbered):
        raise ValueError(f"device must be cpu, cuda, cuda:0, cuda:1, … or mps, got {name!r}")
    if kind == "cuda" and torch.cuda.device_count() <= int(number or 0):
        raise ValueError(
            f"device is {name!r}, but PyTorch finds {torch.cuda.device_count()} CUDA devices"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device is 'mps', but PyTorch finds none")
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        if hasattr(torch.cpu, "get_capabilities"):
            found = torch.cpu.get_capabilities()
            return any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
        asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # an older PyTorch
        return bool(asked and asked())
    return False


def resolve_dtype(dtype: str, device: torch.device) -> str:
    """Resolve ``auto`` to ``bfloat16`` or ``float32``; leave those as they are."""
    if dtype != "auto":
        return dtype
    return "bfloat16" if has_bfloat16(device) else "float32"


def autocast(dtype: str, device: torch.device) -> AbstractContextManager[object]:
    """Multiply matrices in bfloat16, if ``dtype`` says so. Weights stay in float32."""
    context: AbstractContextManager[object] = torch.autocast(
        device.type, torch.bfloat16, enabled=dtype == "bfloat16"
    )
    return context


# -- memory ------------------------------------------------------------------------------------


def memory_of(device: torch.device) -> float:
    """Return the total memory of a device in bytes, or infinity if unknown."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[1])
    limits = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # a container's
            limits.append(int(Path(path).read_text(encoding="utf-8")))
    return min(limits)


def require_memory(settings: Settings, vocab_size: int, group: Group) -> None:
    """Raise ``MemoryError`` for sizes that certainly need more memory than the device has.

    Each parameter takes four bytes, and so do its gradient and its optimizer state. The backward
    pass needs at least 32 bytes for each token, block and embedding dimension, and 8 for each
    logit. Sizes below this estimate may still not fit.
    """
    s = settings
    parameters = s.num_parameters(vocab_size)
    tokens = s.batch_size // (s.accumulate * group.size) * s.block_size
    needed = 12 * parameters + tokens * (32 * s.n_layer * s.n_embd + 8 * vocab_size)
    if group.device.type == "cpu":
        needed *= int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if group.size > 1 else 1
    if needed > (there := memory_of(group.device)):
        raise MemoryError(
            f"{parameters:,} parameters and {tokens:,} tokens at once need "
            f"{needed / 2**30:,.1f} GiB at least, {group.device} has {there / 2**30:,.1f} GiB: "
            "make n_layer, n_embd, block_size or batch_size smaller, or accumulate larger"
        )


@contextmanager
def clear_memory_errors() -> Iterator[None]:
    """Turn PyTorch's messages of insufficient memory into one clear ``MemoryError``."""
    try:
        yield
    except RuntimeError as error:
        said = str(error)
        words = ("out of memory", "not enough memory", "allocate memory", "overflow")
        if any(word in said.lower() for word in words):
            raise MemoryError(
                "out of memory: make batch_size, block_size, n_embd "
                f"or n_layer smaller, or accumulate larger (PyTorch: {said.splitlines()[0][:150]})"
            ) from error
        raise


# -- processes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """The processes of a training, seen from one of them.

    Attributes
    ----------
    rank : int
        Number of this process, from 0. Process 0 writes files and reports.
    size : int
        How many there are.
    device : torch.device
        Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def shard(self, batch: torch.Tensor) -> torch.Tensor:
        """Return this process's shard of a batch."""
        return batch.chunk(self.size)[self.rank]

    def sum(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes."""
        if self.size == 1:
            return numbers
        moved = numbers.to(self.device) if self.device.type == "cuda" else numbers
        distributed.all_reduce(moved)
        return moved.to(numbers.device)

    def any(self, fact: bool) -> bool:
        """Whether something holds in one of the processes."""
        return fact if self.size == 1 else bool(self.sum(torch.tensor(float(fact))))

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return a model whose ``backward`` averages gradients over the processes."""
        return DistributedDataParallel(model) if self.size > 1 else model


@contextmanager
def processes(device: str) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started; without it there is one.

    They communicate over NCCL on CUDA devices, one device each, and over Gloo on CPUs.

    Raises
    ------
    ConnectionError
        If another process has ended.
    ValueError
        If several processes would share one MPS device, or the device is not available.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(0, 1, device_of(device))
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    elif device != "cpu":
        raise ValueError(f"device must be cpu or cuda for {size} processes, got {device!r}")
    found = device_of(device)
    if found.type == "cuda":
        torch.cuda.set_device(found)
    distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size(), found)
    except RuntimeError as error:
        words = ("gloo", "nccl", "connection", "tcpstore")
        if isinstance(error, distributed.DistError) or any(w in str(error).lower() for w in words):
            raise ConnectionError("another process of this training has ended") from error
        raise
    finally:
        distributed.destroy_process_group()


@contextmanager
def catching_signals(processes: int) -> Iterator[Callable[[], bool]]:
    """Within a ``with``, record Ctrl-C and SIGTERM instead of stopping; yield whether one came.

    The second one stops at once. With several processes, ``torchrun`` passes each signal on to
    processes that have it already, so that a signal within two seconds counts as the same.
    """
    caught: list[float] = []

    def record(*_: object) -> None:
        if caught and time.monotonic() - caught[0] >= (2 if processes > 1 else 0):
            raise KeyboardInterrupt
        caught.append(time.monotonic())

    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # other threads get no signals
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                handlers[number] = signal.signal(number, record)
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
