"""Chapter 2: n-gram models of characters, by counting and by gradient descent.

Both kinds have one interface: ``fit(words)``, ``nll(words)``, ``sample(n, generator)``. Words
may be of any alphabet; a boundary character, by default a dot, marks their start and end.

What this module does *not* do: contexts that the model has never seen (a counting model
without smoothing gives them no probability at all).

Source: lecture 2 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from .arguments import require_int, require_number
from .training import TrainingWarning, require_finite, trainable
from .vocabulary import Vocabulary, require_words

LETTERS = Vocabulary.of_words(["abcdefghijklmnopqrstuvwxyz"])
"""The vocabulary of the English names: the dot has id 0, a to z have 1 to 26."""

CHARACTERS = LETTERS.characters
V = len(LETTERS)


def encode(words: Sequence[str], dots: int = 1, vocabulary: Vocabulary = LETTERS) -> torch.Tensor:
    """Join words with dots between them, before the first and after the last, as ids.

    The dot stands for the vocabulary's boundary, the character with id 0.

    Parameters
    ----------
    words : sequence of str
        At least one word.
    dots : int
        How many dots stand before each word. One follows the last word.
    vocabulary : Vocabulary
        Has the letters of all words, also of those that are encoded another time: the same
        letter must have the same id.

    Returns
    -------
    Tensor of int64, one dimension

    Raises
    ------
    TypeError
        If ``words`` is a single string, or holds anything but strings.
    ValueError
        If there is no word, a word is empty, or it has a letter that is not in the vocabulary:
        the message names both.
    """
    words = require_words(words)
    require_int(1, dots=dots)
    dot, letters = vocabulary.characters[0], vocabulary.characters[1:]
    text = dots * dot + (dots * dot).join(words) + dot
    try:
        ids = vocabulary.encode(text)
    except ValueError:
        ids = None
    if ids is None or text.count(dot) > dots * len(words) + 1:
        i, word, c = next((i, w, c) for i, w in enumerate(words) for c in w if c not in letters)
        raise ValueError(
            f"words[{i}] is {word!r}: {c!r} is not in the vocabulary, {letters:.40}; "
            "pass one of all words, vocabulary=Vocabulary.of_words(words)"
        )
    return ids


def count_bigrams(words: Sequence[str], vocabulary: Vocabulary = LETTERS) -> torch.Tensor:
    """Count how often each character follows each other one.

    Returns
    -------
    Tensor of int64, shape (len(vocabulary), len(vocabulary))
        Row: the first character. Column: the one that follows.

    Raises
    ------
    ValueError
        As ``encode`` does.
    """
    ids = encode(words, vocabulary=vocabulary).numpy()  # so little work that NumPy is faster
    vocab_size = len(vocabulary)
    pairs = ids[:-1] * vocab_size + ids[1:]  # one number for each pair
    counts = np.bincount(pairs, minlength=vocab_size**2)
    return torch.from_numpy(counts).view(vocab_size, vocab_size)


def ngrams(
    words: Sequence[str], order: int, vocabulary: Vocabulary = LETTERS
) -> tuple[torch.Tensor, torch.Tensor]:
    """List every context of ``order - 1`` characters and the character that follows it.

    Before each word stand ``order - 1`` dots, so that its first letter has a context too. A
    word of n letters gives n + 1 examples, whatever the order.

    Returns
    -------
    contexts : Tensor of int64, shape (N,)
        Each context as one number: its ids as the digits of a number to base
        ``len(vocabulary)``.
    targets : Tensor of int64, shape (N,)
        The id that follows.

    Raises
    ------
    ValueError
        If ``order`` is below 1, or so large that a context does not fit into 64 bits (above 14
        for 27 characters), or as ``encode`` does.
    """
    vocab_size = len(vocabulary)
    require_int(1, int(63 / math.log2(max(vocab_size, 2))) + 1, order=order)
    first = max(order - 1, 1)  # the first target: the first letter of the first word
    ids = encode(words, first, vocabulary)
    targets = ids[first:]
    contexts = torch.zeros_like(targets)
    for back in range(order - 1, 0, -1):
        contexts = contexts * vocab_size + ids[first - back : len(ids) - back]
    # A dot after a dot belongs to the next word's context; it is not an example.
    real = (targets != 0) | (ids[first - 1 : -1] != 0)
    return contexts[real], targets[real]


def draw(probs: torch.Tensor, vocabulary: Vocabulary, generator: torch.Generator) -> int:
    """Draw an id with the given probabilities, one for each character of a vocabulary.

    Raises
    ------
    ValueError
        If their number is not that of the characters.
    FloatingPointError
        If a probability is not finite, as after a training that diverged.
    """
    if probs.shape[-1] != len(vocabulary):
        raise ValueError(
            f"the model gives probabilities of {probs.shape[-1]} characters, "
            f"but the vocabulary has {len(vocabulary)}"
        )
    if not probs.isfinite().all():
        raise FloatingPointError("the model's probabilities are not finite: did training diverge?")
    return int(torch.multinomial(probs, 1, generator=generator))


def warn_of_limit(max_length: int) -> None:
    """Warn that a sampled word was cut."""
    warnings.warn(
        f"a word had no end after max_length={max_length} letters, and is cut there", stacklevel=3
    )


class NgramModel:
    """What both kinds of model share: evaluation and sampling.

    Parameters
    ----------
    order : int
        Length of the n-grams: 2 for bigrams, which look at one character to predict the
        next.
    vocabulary : Vocabulary, optional
        The characters. Without one, the first ``fit`` takes them from its words. Give the
        vocabulary of all words if the model will meet others than those it is fitted to.

    Raises
    ------
    ValueError
        If ``order`` is below 1.
    """

    def __init__(self, order: int = 2, vocabulary: Vocabulary | None = None) -> None:
        require_int(1, order=order)
        self.order, self.vocabulary = order, vocabulary

    def fit(self, words: Sequence[str]) -> object:
        """Learn from ``words``. Errors as ``encode``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it learns")

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, V), in nats."""
        raise NotImplementedError(f"{type(self).__name__} does not say its probabilities")

    def nll(self, words: Sequence[str]) -> float:
        """Return the average negative log likelihood of ``words``, in nats per character.

        Infinite if the model holds one of the characters for impossible. Errors as ``encode``,
        and a ``RuntimeError`` before ``fit``.
        """
        contexts, targets = ngrams(words, self.order, self._fitted())
        log_probs = self.log_probabilities(contexts)  # (N, V)
        return 0.0 - float(log_probs.gather(1, targets[:, None]).mean())  # never "-0.0"

    def sample(self, n: int, generator: torch.Generator, max_length: int = 1000) -> list[str]:
        """Draw ``n`` words, character by character, with the given generator.

        A word without an end after ``max_length`` letters is cut there, with a ``UserWarning``.
        """
        require_int(0, n=n)
        require_int(1, max_length=max_length)
        vocabulary = self._fitted()
        words = []
        for _ in range(n):
            context = 0
            ids: list[int] = []
            while len(ids) < max_length:
                probs = self.log_probabilities(torch.tensor([context]))[0].exp()
                ix = draw(probs, vocabulary, generator)
                if ix == 0:
                    break
                ids.append(ix)
                context = (context * len(vocabulary) + ix) % len(vocabulary) ** (self.order - 1)
            else:
                warn_of_limit(max_length)
            words.append(vocabulary.decode(ids))
        return words

    def _fitted(self) -> Vocabulary:
        if self.vocabulary is None:
            raise RuntimeError("the model has no vocabulary yet: call fit(words) first")
        return self.vocabulary


class CountingModel(NgramModel):
    """An n-gram model whose probabilities are relative frequencies.

    Only n-grams that occur are stored, so that higher orders fit in memory.

    Parameters
    ----------
    order : int
        As for ``NgramModel``.
    smoothing : float
        Added to every count, seen or not. With 0, what has not been seen is impossible.
    vocabulary : Vocabulary, optional
        As for ``NgramModel``.

    Raises
    ------
    ValueError
        If ``smoothing`` is negative or not finite.
    """

    def __init__(
        self, order: int = 2, smoothing: float = 0.0, vocabulary: Vocabulary | None = None
    ) -> None:
        super().__init__(order, vocabulary)
        require_number(0, smoothing=smoothing)
        self.smoothing = smoothing
        self.contexts: torch.Tensor | None = None  # contexts that occur, sorted
        self.counts: torch.Tensor | None = None  # (number of contexts, V)

    def fit(self, words: Sequence[str]) -> CountingModel:
        """Count the n-grams of ``words``. Returns the model. Errors as ``encode``."""
        vocabulary = self.vocabulary or Vocabulary.of_words(words)
        contexts, targets = ngrams(words, self.order, vocabulary)
        self.vocabulary, vocab_size = vocabulary, len(vocabulary)
        self.contexts, row = torch.unique(contexts, return_inverse=True)
        cells = torch.bincount(
            row * vocab_size + targets, minlength=len(self.contexts) * vocab_size
        )
        self.counts = cells.view(-1, vocab_size)
        return self

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, V), in nats."""
        if self.contexts is None or self.counts is None:
            raise RuntimeError("the model has no counts yet: call fit(words) first")
        row = torch.searchsorted(self.contexts, contexts).clamp(max=len(self.contexts) - 1)
        seen = self.contexts[row] == contexts
        counts = self.counts[row].double() * seen[:, None] + self.smoothing
        total = counts.sum(1, keepdim=True)  # (N, 1); 0 where all is impossible
        return (counts / total.where(total > 0, 1.0)).log()


class NeuralModel(NgramModel):
    """An n-gram model that is one linear layer: a row of logits for each context.

    The loss over all examples depends on the counts alone, since equal examples have equal
    losses. So one step of gradient descent on the whole data set works on the counts.

    Parameters
    ----------
    order : int
        As for ``NgramModel``. The layer has ``len(vocabulary) ** order`` weights, at most ten
        million.
    generator : torch.Generator, optional
        Draws the weights from a normal distribution, as soon as there is a vocabulary. Without
        one, they start at zero.
    vocabulary : Vocabulary, optional
        As for ``NgramModel``.

    Attributes
    ----------
    W : Tensor, shape (V ** (order - 1), V), or None
        The weights; None before there is a vocabulary.

    Raises
    ------
    ValueError
        If there would be too many weights.
    """

    def __init__(
        self,
        order: int = 2,
        generator: torch.Generator | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__(order, vocabulary)
        self.generator = generator
        self.W = None if vocabulary is None else self._first_weights(vocabulary)

    def _first_weights(self, vocabulary: Vocabulary) -> torch.Tensor:
        vocab_size = len(vocabulary)
        if self.order * math.log10(vocab_size) > 7:
            raise ValueError(
                f"order must be smaller for {vocab_size} characters, got {self.order}: "
                f"the layer would have {vocab_size} ** {self.order} weights"
            )
        W = torch.zeros(vocab_size ** (self.order - 1), vocab_size)
        return W if self.generator is None else W.normal_(generator=self.generator)

    def fit(
        self,
        words: Sequence[str],
        steps: int = 200,
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
    ) -> list[float]:
        """Train by gradient descent on all of ``words``, and return the loss of every step.

        Parameters
        ----------
        words : sequence of str
        steps : int
        learning_rate : float, optional
            By default, the inverse of a bound on the curvature of the loss, with which no step
            can raise the loss.
        weight_decay : float
            Factor of the mean squared weight, which is added to the loss.

        Returns
        -------
        list of float
            Average negative log likelihood plus penalty, before each update.

        Raises
        ------
        ValueError
            If a number is negative, or as ``encode`` does.
        FloatingPointError
            If the loss or a weight is no longer finite. The model is as it was before.

        Warns
        -----
        TrainingWarning
            If the loss rose in a step.
        """
        require_int(0, steps=steps)
        require_number(0, weight_decay=weight_decay)
        vocabulary = self.vocabulary or Vocabulary.of_words(words)
        contexts, targets = ngrams(words, self.order, vocabulary)
        W = self._first_weights(vocabulary) if self.W is None else self.W.clone()
        counts = torch.bincount(contexts * len(vocabulary) + targets, minlength=W.numel())
        frequency = counts.view(W.shape) / len(targets)  # sums to 1
        # The second derivatives of -log softmax are at most 1/2 in any direction.
        safe_rate = 1 / (frequency.sum(1).max().item() / 2 + 2 * weight_decay / W.numel())
        rate = safe_rate if learning_rate is None else learning_rate
        require_number(0, learning_rate=rate)
        history = []
        with trainable([W]):
            for step in range(steps):
                loss = -(frequency * W.log_softmax(1)).sum() + weight_decay * (W**2).mean()
                W.grad = None
                loss.backward()
                with torch.no_grad():
                    W -= rate * W.grad
                history.append(loss.item())
                require_finite(step, history[-1], [W])
        self.vocabulary, self.W = vocabulary, W
        rises = sum(later > earlier + 1e-5 for earlier, later in pairwise(history))
        if rises:
            warnings.warn(
                f"the loss rose in {rises} of {steps} steps: learning_rate={rate:g} is too large "
                f"(with {safe_rate:.3g} it can't rise)",
                TrainingWarning,
                stacklevel=2,
            )
        return history

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, V), in nats."""
        if self.W is None:
            raise RuntimeError("the model has no weights yet: call fit(words) first")
        return self.W[contexts].double().log_softmax(1)
