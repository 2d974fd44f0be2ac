"""Several processes that train one model: each computes a share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .precision import device_of


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

    def share(self, batch: torch.Tensor) -> torch.Tensor:
        """Return this process's part of a batch."""
        return batch[
            self.rank * len(batch) // self.size : (self.rank + 1) * len(batch) // self.size
        ]

    def sum(self, numbers: torch.Tensor) -> torch.Tensor:
        """Add up a tensor over all processes, in place, and return it."""
        if self.size == 1:
            return numbers
        moved = numbers.to(self.device) if self.device.type == "cuda" else numbers
        distributed.all_reduce(moved)
        return moved.to(numbers.device)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.size > 1:
            distributed.barrier()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return a model whose ``backward`` averages gradients over the processes."""
        return DistributedDataParallel(model) if self.size > 1 else model


@contextmanager
def processes(device: str) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started; without it there is one.

    They talk by NCCL on CUDA devices, a device each, and by Gloo on processors.

    Raises
    ------
    ValueError
        If several processes are to share one MPS device, or the device is not there.
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
    finally:
        distributed.destroy_process_group()
