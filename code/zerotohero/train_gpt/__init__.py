"""Chapter 7: the trainer of the GPT.

``train(settings, out)`` from Python, ``python -m zerotohero.train_gpt --preset cpu --out DIR``
from the command line, ``torchrun --nproc_per_node=2 -m zerotohero.train_gpt …`` with several
processes. ``load_model(out)`` returns the trained model.

Two runs with the same settings, text, device, number of processes and of threads give the same
losses, whether they were interrupted in between or not.

Not handled: models that do not fit on one device, texts that do not fit into memory, tokens other
than characters.

Source: lecture 7 of *Neural Networks: Zero to Hero*.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# PyTorch's waiting threads spin, and on Linux (GNU's OpenMP) for so long that a single other busy
# process costs them most of their speed. A short spin costs nothing on an idle machine;
# code/benchmarks/bench_threads.py measures both. It has to be set before torch is imported.
os.environ["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from .checkpoint import CheckpointError, load_model
    from .loop import Run, train
    from .settings import PRESETS, Settings

__all__ = ["PRESETS", "CheckpointError", "Run", "Settings", "load_model", "train"]
_MODULES = {"CheckpointError": "checkpoint", "load_model": "checkpoint", "Run": "loop"}
_MODULES |= {"train": "loop", "PRESETS": "settings", "Settings": "settings"}


def __getattr__(name: str) -> object:
    """Import a name when it is first used, so that the command can handle Ctrl-C from the start.

    Importing torch takes seconds.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
