"""Chapter 7: the trainer of the GPT.

``train(settings, out)`` from Python, ``python -m zerotohero.train_gpt --preset cpu --out DIR``
from the command line, ``torchrun --nproc_per_node=2 -m zerotohero.train_gpt …`` with several
processes. ``load_model(out)`` gives back what was trained.

Two runs with the same settings, text, device, number of processes and of threads give the same
losses, whether they were interrupted in between or not.

Not handled: models that do not fit on one device, texts that do not fit into memory, other
tokens than characters.

Source: lecture 7 of *Neural Networks: Zero to Hero*.
"""

import os

# Threads of PyTorch that wait for others spin, and on Linux (GNU's OpenMP) for so long that one
# other busy process takes most of their speed. A short spin costs nothing when the machine is
# idle; code/benchmarks/bench_threads.py measures both. It has to be set before torch is loaded.
os.environ["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", "1000")

from .checkpoint import CheckpointError, load_model
from .loop import Run, train
from .settings import PRESETS, Settings

__all__ = ["PRESETS", "CheckpointError", "Run", "Settings", "load_model", "train"]
