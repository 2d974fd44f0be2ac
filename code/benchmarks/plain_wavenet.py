"""Chapter 6: train the lecture's last network by the plain recipe, in full. It takes minutes.

    python code/benchmarks/plain_wavenet.py

200,000 steps with minibatches of 32, a learning rate of 0.1, from step 150,000 on 0.01, our own
BatchNorm, autograd, one thread. ``make bench`` leaves it out.
"""

from __future__ import annotations

import platform
import time

import torch

from zerotohero.data import names
from zerotohero.layers import BatchNorm1d
from zerotohero.mlp import build_contexts, split_words, step_decay, train
from zerotohero.wavenet import evaluate, hierarchical


def main() -> None:
    torch.set_num_threads(1)
    train_words, dev_words, _ = split_words(names())
    X, Y = build_contexts(train_words, 8)
    X_dev, Y_dev = build_contexts(dev_words, 8)
    net = hierarchical(torch.Generator().manual_seed(42), norm=BatchNorm1d)
    clock, processor = time.perf_counter(), time.process_time()
    train(
        net,
        X,
        Y,
        steps=200_000,
        learning_rate=step_decay(0.1, 150_000),
        generator=torch.Generator().manual_seed(42),
    )
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}")
    print(
        f"{time.perf_counter() - clock:.0f} s, {time.process_time() - processor:.0f} s of processor"
    )
    print(f"train {evaluate(net, X, Y):.4f}, dev {evaluate(net, X_dev, Y_dev):.4f}")


if __name__ == "__main__":
    main()
