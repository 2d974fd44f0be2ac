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

from .checkpoint import CheckpointError, load_model
from .loop import Run, train
from .settings import PRESETS, Settings

__all__ = ["PRESETS", "CheckpointError", "Run", "Settings", "load_model", "train"]
