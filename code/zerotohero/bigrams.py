"""Chapter 2: n-gram models of characters, by counting and by gradient descent.

Both kinds have one interface: ``fit(words)``, ``nll(words)``, ``sample(n, generator)``. Words
may be of any alphabet; a boundary character, by default a dot, marks their start and end.

Not covered: backoff for unseen contexts (a counting model without smoothing assigns every
character probability 0 there).

Source: lecture 2 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
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
    """Encode words as one sequence of ids, with dots around each word.

    The dot stands for the vocabulary's boundary, the character with id 0.

    Parameters
    ----------
    words : sequence of str
        At least one word.
    dots : int
        How many dots precede each word. One follows the last word.
    vocabulary : Vocabulary
        Has a boundary, and the letters of all words, including words encoded in other calls: the
        same letter must have the same id.

    Returns
    -------
    Tensor of int64, one dimension

    Raises
    ------
    TypeError
        If ``words`` is a single string, or contains anything but strings.
    ValueError
        If there is no word, a word is empty, contains the boundary, or has a letter that is not
        in the vocabulary: the message names both. Or if the vocabulary has no boundary.
    """
    dot = vocabulary.boundary
    if dot is None:
        raise ValueError("vocabulary must have a boundary: Vocabulary.of_words(words) has one")
    words = require_words(words, dot)
    require_int(1, dots=dots)
    try:
        return vocabulary.encode(dots * dot + (dots * dot).join(words) + dot)
    except ValueError:
        letters = vocabulary.characters[1:]
        i, word, c = next((i, w, c) for i, w in enumerate(words) for c in w if c not in letters)
        raise ValueError(
            f"words[{i}] is {word!r}: {c!r} is not in the vocabulary, {letters:.40}; "
            "pass one of all words, vocabulary=Vocabulary.of_words(words)"
        ) from None


def count_bigrams(words: Sequence[str], vocabulary: Vocabulary = LETTERS) -> torch.Tensor:
    """Count how often each character follows each other one.

    Returns
    -------
    Tensor of int64, shape (len(vocabulary), len(vocabulary))
        Row: the first character. Column: the one that follows.

    Raises
    ------
    ValueError
        If a word is empty or has an unknown letter.
    """
    ids = encode(words, vocabulary=vocabulary).numpy()  # so little work that NumPy is faster
    vocab_size = len(vocabulary)
    pairs = ids[:-1] * vocab_size + ids[1:]  # one number for each pair
    counts = np.bincount(pairs, minlength=vocab_size**2)
    return torch.from_numpy(counts).view(vocab_size, vocab_size)


def build_contexts(
    words: Sequence[str], block_size: int = 3, vocabulary: Vocabulary = LETTERS
) -> tuple[torch.Tensor, torch.Tensor]:
    """List every context of ``block_size`` characters, and the character that follows it.

    Each word is padded on the left with ``block_size`` dots. A word of n letters gives n + 1
    examples. The train, dev and test words of a list need one vocabulary, of the whole list.

    Returns
    -------
    X : Tensor of int64, shape (N, block_size)
        Ids of the context, oldest first.
    Y : Tensor of int64, shape (N,)
        Id of the next character.

    Raises
    ------
    ValueError
        If ``block_size`` is below 1, or for bad words, as ``encode``.
    """
    require_int(1, block_size=block_size)
    ids = encode(words, block_size, vocabulary)
    windows = ids.unfold(0, block_size + 1, 1)  # (number of windows, block_size + 1), a view
    X, Y = windows[:, :-1], windows[:, -1]
    # A dot after a dot is padding of the next word, not an example.
    is_example = (Y != 0) | (X[:, -1] != 0)
    return X[is_example].contiguous(), Y[is_example].contiguous()


def context_codes(X: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Return each context, shape (..., T), as one number: its ids are the digits to that base."""
    codes = torch.zeros(X.shape[:-1], dtype=torch.int64)
    for ids in X.unbind(-1):
        codes = codes * vocab_size + ids
    return codes


def ngrams(
    words: Sequence[str], order: int, vocabulary: Vocabulary = LETTERS
) -> tuple[torch.Tensor, torch.Tensor]:
    """List every context of ``order - 1`` characters, as one number, and the next character.

    The examples are those of ``build_contexts``, whatever the order: a word of n letters gives
    n + 1.

    Returns
    -------
    contexts : Tensor of int64, shape (N,)
        Each context as ``context_codes``.
    targets : Tensor of int64, shape (N,)
        The id that follows.

    Raises
    ------
    ValueError
        If ``order`` is below 1, or so large that a context does not fit into 64 bits (above 14
        for 27 characters), or for bad words, as ``encode``.
    """
    vocab_size = len(vocabulary)
    require_int(1, int(63 / math.log2(max(vocab_size, 2))) + 1, order=order)
    X, Y = build_contexts(words, max(order - 1, 1), vocabulary)
    return context_codes(X[:, : order - 1], vocab_size), Y


def sample_words(
    next_probs: Callable[[torch.Tensor], torch.Tensor],
    n: int,
    block_size: int,
    generator: torch.Generator,
    vocabulary: Vocabulary = LETTERS,
    max_length: int = 1000,
) -> list[str]:
    """Draw ``n`` words, character by character, from any model of the next character.

    A word without an end after ``max_length`` letters is truncated, with a ``UserWarning``.

    Parameters
    ----------
    next_probs : callable
        Takes one context, a tensor of ``block_size`` ids, and returns the probabilities of what
        follows, shape (len(vocabulary),).
    n, block_size : int
    generator : torch.Generator
    vocabulary : Vocabulary
    max_length : int

    Raises
    ------
    ValueError
        If the model has not as many probabilities as the vocabulary has characters, ``n`` or
        ``block_size`` is negative, or ``max_length`` is below 1.
    FloatingPointError
        If a probability is not finite, as after training that diverged.
    """
    require_int(0, n=n, block_size=block_size)
    require_int(1, max_length=max_length)
    words = []
    for _ in range(n):
        context = [0] * block_size  # all dots
        ids: list[int] = []
        while len(ids) < max_length:
            probs = next_probs(torch.tensor(context, dtype=torch.int64))
            if len(probs) != len(vocabulary):
                raise ValueError(
                    f"the model gives probabilities of {len(probs)} characters, "
                    f"but the vocabulary has {len(vocabulary)}"
                )
            if not probs.isfinite().all():
                raise FloatingPointError(
                    "the model's probabilities are not finite: did training diverge?"
                )
            ix = int(torch.multinomial(probs, 1, generator=generator))
            if ix == 0:
                break
            ids.append(ix)
            context = [*context, ix][1:]
        else:
            warnings.warn(
                f"a word had no end after max_length={max_length} letters, and was truncated",
                stacklevel=3,
            )
        words.append(vocabulary.decode(ids))
    return words


class NgramModel:
    """Shared by both kinds of model: evaluation and sampling.

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
        """Learn from ``words``. ``ValueError`` if a word is empty or has an unknown letter."""
        raise NotImplementedError(f"{type(self).__name__} must implement fit()")

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, V), in nats."""
        raise NotImplementedError(f"{type(self).__name__} must implement log_probabilities()")

    def nll(self, words: Sequence[str]) -> float:
        """Return the average negative log likelihood of ``words``, in nats per character.

        Infinite if the model assigns probability 0 to a character.

        Raises
        ------
        ValueError
            If a word is empty or has an unknown letter.
        RuntimeError
            Before ``fit``.
        """
        contexts, targets = ngrams(words, self.order, self._fitted())
        log_probs = self.log_probabilities(contexts)  # (N, V)
        return -float(log_probs.gather(1, targets[:, None]).mean()) + 0.0  # never "-0.0"

    def sample(self, n: int, generator: torch.Generator, max_length: int = 1000) -> list[str]:
        """Draw ``n`` words, character by character, as ``sample_words``."""
        vocabulary = self._fitted()

        def next_probs(context: torch.Tensor) -> torch.Tensor:
            codes = context_codes(context[None], len(vocabulary))  # (1,)
            return self.log_probabilities(codes)[0].exp()

        return sample_words(next_probs, n, self.order - 1, generator, vocabulary, max_length)

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
        Added to every count, seen or not. With 0, unseen n-grams have probability 0.
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
        """Count the n-grams of ``words``, and return the model.

        ``ValueError`` if a word is empty or has an unknown letter.
        """
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

    Equal examples have equal losses, so each full-batch step needs only the counts.

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
        self.W = None if vocabulary is None else self._init_weights(vocabulary)

    def _init_weights(self, vocabulary: Vocabulary) -> torch.Tensor:
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
            By default, the inverse of a bound on the curvature of the loss, with which no
            full-batch step can raise the loss.
        weight_decay : float
            Factor of the mean squared weight, which is added to the loss.

        Returns
        -------
        list of float
            Average negative log likelihood plus penalty, before each update.

        Raises
        ------
        ValueError
            If a number is negative, or a word is empty or has an unknown letter.
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
        W = self._init_weights(vocabulary) if self.W is None else self.W.clone()
        counts = torch.bincount(contexts * len(vocabulary) + targets, minlength=W.numel())
        # frequency[c, t]: fraction of all examples with context c and target t
        # loss = Σ frequency · (−log p)
        frequency = counts.view(W.shape) / len(targets)
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
        num_increases = sum(later > earlier + 1e-5 for earlier, later in pairwise(history))
        if num_increases:
            warnings.warn(
                f"the loss rose in {num_increases} of {steps} steps: learning_rate={rate:g} is too "
                f"large (gradient descent on all examples can't raise it with {safe_rate:.3g})",
                TrainingWarning,
                stacklevel=2,
            )
        return history

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, V), in nats."""
        if self.W is None:
            raise RuntimeError("the model has no weights yet: call fit(words) first")
        return self.W[contexts].double().log_softmax(1)
