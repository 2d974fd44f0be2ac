"""Chapter 3: a multilayer perceptron that predicts the next character from several.

Characters become vectors (embeddings), a hidden layer reads the vectors of the context, and
an output layer gives the logits of the next character. ``train`` is the training loop that
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
from .bigrams import LETTERS, V, draw, encode, warn_of_limit
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
from .vocabulary import Vocabulary

__all__ = [
    "MLP",
    "Model",
    "build_contexts",
    "nll",
    "sample",
    "split_words",
    "step_decay",
    "train",
]


def build_contexts(
    words: Sequence[str], block_size: int = 3, vocabulary: Vocabulary = LETTERS
) -> tuple[torch.Tensor, torch.Tensor]:
    """List every context of ``block_size`` characters, and the character that follows it.

    Before each word stand ``block_size`` dots. A word of n letters gives n + 1 examples. The
    train, dev and test words of a list need one vocabulary, of the whole list.

    Returns
    -------
    X : Tensor of int64, shape (N, block_size)
        Ids of the context, oldest first.
    Y : Tensor of int64, shape (N,)
        Id of the next character.

    Raises
    ------
    ValueError
        If ``block_size`` is below 1, or for bad words, as ``zerotohero.bigrams.encode``.
    """
    require_int(1, block_size=block_size)
    ids = encode(words, block_size, vocabulary)
    windows = ids.unfold(0, block_size + 1, 1)  # (number of windows, block_size + 1), a view
    X, Y = windows[:, :-1], windows[:, -1]
    real = (Y != 0) | (X[:, -1] != 0)  # a dot after a dot belongs to the next word's context
    return X[real].contiguous(), Y[real].contiguous()


def split_words(words: Sequence[str], seed: int = 42) -> tuple[list[str], list[str], list[str]]:
    """Shuffle the words and cut them into train, dev and test, 80 / 10 / 10 percent."""
    shuffled = list(words)
    random.Random(seed).shuffle(shuffled)
    n1, n2 = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
    return shuffled[:n1], shuffled[n1:n2], shuffled[n2:]


class Model(Protocol):
    """What ``train`` needs of a model."""

    def __call__(self, X: torch.Tensor, /) -> torch.Tensor:
        """Return logits, shape (N, number of classes)."""

    def parameters(self) -> Sequence[torch.Tensor]:
        """List the tensors that training changes in place."""


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
        emb = self.C[X]  # (N, block_size, n_embd)
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

    A word without an end after ``max_length`` letters is cut there, with a ``UserWarning``.

    Raises
    ------
    ValueError
        If the model has not as many logits as the vocabulary has characters, ``n`` is negative,
        or ``block_size`` or ``max_length`` is below 1.
    FloatingPointError
        If the logits are not finite, as after a training that diverged.
    """
    require_int(0, n=n)
    require_int(1, block_size=block_size, max_length=max_length)
    words = []
    with evaluating(model):
        for _ in range(n):
            context = [0] * block_size
            ids: list[int] = []
            while len(ids) < max_length:
                probs = model(torch.tensor([context])).softmax(1)  # (1, vocab_size)
                ix = draw(probs, vocabulary, generator)
                if ix == 0:
                    break
                ids.append(ix)
                context = [*context[1:], ix]
            else:
                warn_of_limit(max_length)
            words.append(vocabulary.decode(ids))
    return words


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
        Its parameters are changed in place.
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
        Write a line to standard error now and then.

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
        If the loss, or in the end a parameter, is no longer finite: the message names the step.
        The model stays as that step left it, so its parameters may be NaN.

    Warns
    -----
    TrainingWarning
        If the loss rose over the training.
    """
    batches = draw_batches(X, Y, steps, batch_size, generator)
    schedule = as_schedule(learning_rate)
    history = []
    with trainable(model.parameters()) as parameters:
        report = Progress(steps, progress, parameters)
        for step in range(steps):
            ix = batches[step]
            loss = F.cross_entropy(model(X[ix]), Y[ix])  # forward
            for p in parameters:  # reset the gradients
                p.grad = None
            loss.backward()
            lr = float(schedule(step))  # asked once a step: it may count its calls
            with torch.no_grad():
                for p in parameters:
                    p -= lr * p.grad  # update
            history.append(report(step, loss.item()))
    return history
