"""Chapter 3: a multilayer perceptron that predicts the next character from several.

Characters become vectors (embeddings), a hidden layer combines the embeddings of the context,
and an output layer gives the logits of the next character. ``train`` is the training loop that
later chapters use, too.

Source: lecture 3 of *Neural Networks: Zero to Hero*; Bengio et al. (2003).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F

from .arguments import require_int
from .bigrams import LETTERS, V, build_contexts, sample_words
from .training import (
    Progress,
    Schedule,
    as_schedule,
    draw_batches,
    evaluating,
    require_examples,
    step_decay,
    trainable,
)
from .vocabulary import Vocabulary, require_words

__all__ = [
    "MLP",
    "Model",
    "build_contexts",
    "embed",
    "nll",
    "sample",
    "split_words",
    "step_decay",
    "train",
]


def split_words(words: Sequence[str], seed: int = 42) -> tuple[list[str], list[str], list[str]]:
    """Shuffle the words and cut them into train, dev and test, 80 / 10 / 10 percent."""
    shuffled = require_words(words)
    random.Random(seed).shuffle(shuffled)
    n1, n2 = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
    return shuffled[:n1], shuffled[n1:n2], shuffled[n2:]


class Model(Protocol):
    """What ``train`` needs of a model."""

    def __call__(self, X: torch.Tensor, /) -> torch.Tensor:
        """Return logits, shape (N, number of classes)."""

    def parameters(self) -> Sequence[torch.Tensor]:
        """List the tensors that training changes in place."""


def embed(C: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """Return ``C[X]``, the rows of C with the ids X, except that -1 is not the last row.

    Raises
    ------
    IndexError
        If an id is negative or not in the table.
    """
    try:
        return F.embedding(X, C)
    except IndexError:
        raise IndexError(
            f"X must hold ids from 0 to {len(C) - 1}, got {int(X.min())} to {int(X.max())}"
        ) from None


class MLP:
    """Embedding, one hidden layer with tanh, output layer.

    Parameters
    ----------
    generator : torch.Generator
        Draws all weights and biases from a normal distribution, in the order C, W1, b1,
        W2, b2.
    block_size : int
        Characters of context.
    n_embd : int
        Embedding dimension.
    n_hidden : int
        Neurons in the hidden layer.
    vocab_size : int
        Number of characters, ``len(vocabulary)``.

    Attributes
    ----------
    C : Tensor, shape (vocab_size, n_embd)
    W1 : Tensor, shape (block_size * n_embd, n_hidden)
    b1 : Tensor, shape (n_hidden,)
    W2 : Tensor, shape (n_hidden, vocab_size)
    b2 : Tensor, shape (vocab_size,)

    Raises
    ------
    ValueError
        If a size is below 1.
    """

    def __init__(
        self,
        generator: torch.Generator,
        block_size: int = 3,
        n_embd: int = 10,
        n_hidden: int = 200,
        vocab_size: int = V,
    ) -> None:
        require_int(
            1, block_size=block_size, n_embd=n_embd, n_hidden=n_hidden, vocab_size=vocab_size
        )
        self.block_size = block_size
        self.C = torch.randn((vocab_size, n_embd), generator=generator)
        self.W1 = torch.randn((block_size * n_embd, n_hidden), generator=generator)
        self.b1 = torch.randn(n_hidden, generator=generator)
        self.W2 = torch.randn((n_hidden, vocab_size), generator=generator)
        self.b2 = torch.randn(vocab_size, generator=generator)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, vocab_size) of what follows contexts (N, block_size)."""
        emb = embed(self.C, X)  # C[X]: (N, block_size, n_embd)
        h = torch.tanh(emb.flatten(1) @ self.W1 + self.b1)  # (N, n_hidden)
        return h @ self.W2 + self.b2

    def parameters(self) -> list[torch.Tensor]:
        """List C, W1, b1, W2 and b2."""
        return [self.C, self.W1, self.b1, self.W2, self.b2]

    def sample(
        self, n: int, generator: torch.Generator, vocabulary: Vocabulary = LETTERS
    ) -> list[str]:
        """Draw ``n`` words, as the function ``sample``."""
        return sample(self, n, self.block_size, generator, vocabulary)


def nll(model: Model, X: torch.Tensor, Y: torch.Tensor) -> float:
    """Return the average negative log likelihood in evaluation mode, in nats per character.

    ``ValueError`` if X and Y differ in length or are empty.
    """
    require_examples(X, Y)
    with evaluating(model):
        return float(F.cross_entropy(model(X), Y))


def sample(
    model: Model,
    n: int,
    block_size: int,
    generator: torch.Generator,
    vocabulary: Vocabulary = LETTERS,
    max_length: int = 1000,
) -> list[str]:
    """Draw ``n`` words, character by character, with the given generator, in evaluation mode.

    A word without an end after ``max_length`` letters is truncated, with a ``UserWarning``.

    Raises
    ------
    ValueError
        If the model doesn't return one logit per character, ``n`` is negative, or ``block_size``
        or ``max_length`` is below 1.
    FloatingPointError
        If the logits are not finite, as after training that diverged.
    """
    require_int(1, block_size=block_size)

    def next_probs(context: torch.Tensor) -> torch.Tensor:
        return model(context[None]).softmax(1)[0]  # (1, vocab_size) without its first dimension

    with evaluating(model):
        return sample_words(next_probs, n, block_size, generator, vocabulary, max_length)


def train(
    model: Model,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    steps: int,
    learning_rate: float | Schedule,
    generator: torch.Generator,
    batch_size: int = 32,
    progress: bool = True,
) -> list[float]:
    """Train with minibatches, stochastic gradient descent and autograd.

    Parameters
    ----------
    model : Model
        Its parameters are changed in place, except those that the loss does not depend on.
    X, Y : Tensor
        Examples: inputs, and the ids of the right classes.
    steps : int
        Number of updates.
    learning_rate : float or callable
        A number, or a function of the step.
    generator : torch.Generator
        Draws the examples of each minibatch, with replacement.
    batch_size : int
        Examples in a minibatch.
    progress : bool
        Write about ten lines to standard error.

    Returns
    -------
    list of float
        The loss of each minibatch, before its update.

    Raises
    ------
    ValueError
        If ``steps`` is negative, ``batch_size`` is below 1, there is no example, or X and Y
        differ in length.
    FloatingPointError
        If the loss, or after the last step a parameter, is not finite: the message names the step.
        The model stays as that step left it, so its parameters may be NaN.

    Warns
    -----
    TrainingWarning
        If the loss rose during training, as ``warn_if_risen``.
    """
    batches = draw_batches(X, Y, steps, batch_size, generator)
    schedule = as_schedule(learning_rate)
    with trainable(model.parameters()) as parameters:
        report = Progress(steps, progress, parameters)
        for step in range(steps):
            ix = batches[step]
            loss = F.cross_entropy(model(X[ix]), Y[ix])  # forward
            for p in parameters:  # reset the gradients
                p.grad = None
            loss.backward()
            lr = float(schedule(step))  # called once per step, because a schedule may be stateful
            with torch.no_grad():
                for p in parameters:
                    if p.grad is not None:  # None: the loss does not depend on it
                        p -= lr * p.grad  # update
            report(step, loss.item())
    return report.losses
