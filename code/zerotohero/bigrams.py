"""Chapter 2: n-gram models of characters, by counting and by gradient descent.

Both kinds have one interface: ``fit(words)``, ``nll(words)``, ``sample(n, generator)``. A word
is a text of the letters a to z; a dot marks its start and its end.

What this module does *not* do: words with other characters, and contexts that the model
has never seen (a counting model without smoothing gives them no probability at all).

Source: lecture 2 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

CHARACTERS = ".abcdefghijklmnopqrstuvwxyz"
"""All characters; a character's index here is its id. The dot has id 0."""

V = len(CHARACTERS)

_ID_OF_BYTE = np.full(256, -1, dtype=np.int64)
_ID_OF_BYTE[list(CHARACTERS.encode())] = range(V)


def encode(words: Sequence[str], dots: int = 1) -> torch.Tensor:
    """Join words with dots between them, before the first and after the last, as ids.

    Parameters
    ----------
    words : sequence of str
        At least one word, of the letters a to z.
    dots : int
        How many dots stand before each word. One follows the last word.

    Returns
    -------
    Tensor of int64, one dimension

    Raises
    ------
    TypeError
        If ``words`` is a single text, or holds anything but texts.
    ValueError
        If there is no word, if a word is empty, or if it holds another character: the
        message names the word and the character.
    """
    if isinstance(words, str):
        raise TypeError(f"words must be a list of words, got the text {words!r}: write [{words!r}]")
    words = list(words)
    if not words:
        raise ValueError("words must hold at least one word, got none")
    separator = "." * dots
    text = separator + separator.join(words) + "."
    # In UTF-8 no other character has a byte of a letter or dot. Even half a surrogate pair passes,
    # to be named below.
    ids = _ID_OF_BYTE[np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)]
    if (ids < 0).any() or (ids == 0).sum() != dots * len(words) + 1:
        _explain_bad_word(words)
    if not all(words):
        raise ValueError(f"words[{words.index('')}] is empty; a word needs a letter")
    return torch.from_numpy(ids)


def _explain_bad_word(words: Sequence[str]) -> None:
    for i, word in enumerate(words):
        for c in word:
            if c not in CHARACTERS[1:]:
                raise ValueError(f"words[{i}] is {word!r}: expected only letters a to z, got {c!r}")


def count_bigrams(words: Sequence[str]) -> torch.Tensor:
    """Count how often each character follows each other one.

    Returns
    -------
    Tensor of int64, shape (27, 27)
        Row: the first character. Column: the one that follows.

    Raises
    ------
    ValueError
        As ``encode`` does.
    """
    ids = encode(words).numpy()  # for so little work, waking PyTorch's threads takes longer
    pairs = ids[:-1] * V + ids[1:]  # one number for each pair
    return torch.from_numpy(np.bincount(pairs, minlength=V * V)).reshape(V, V)


def _check_order(order: int) -> None:  # a context of 14 digits to base 27 overflows 64 bits
    if not isinstance(order, (int, np.integer)) or not 1 <= order <= 14:
        raise ValueError(f"order must be a whole number from 1 to 14, got {order!r}")


def ngrams(words: Sequence[str], order: int) -> tuple[torch.Tensor, torch.Tensor]:
    """List every context of ``order - 1`` characters and the character that follows it.

    Before each word stand ``order - 1`` dots, so that its first letter has a context too. A
    word of n letters gives n + 1 examples, whatever the order.

    Returns
    -------
    contexts : Tensor of int64, shape (N,)
        Each context as one number: its ids as the digits of a number to base 27.
    targets : Tensor of int64, shape (N,)
        The id that follows.

    Raises
    ------
    ValueError
        If ``order`` is not from 1 to 14, or as ``encode`` does.
    """
    _check_order(order)
    first = max(order - 1, 1)  # the first target: the first letter of the first word
    ids = encode(words, dots=first)
    targets = ids[first:]
    contexts = torch.zeros_like(targets)
    for back in range(order - 1, 0, -1):
        contexts = contexts * V + ids[first - back : len(ids) - back]
    # A dot behind a dot belongs to the next word's context; it is no example.
    real = (targets != 0) | (ids[first - 1 : -1] != 0)
    return contexts[real], targets[real]


class NgramModel:
    """What both kinds of model share: evaluation and sampling.

    Parameters
    ----------
    order : int
        Length of the n-grams: 2 for bigrams, which look at one character to predict the
        next.

    Raises
    ------
    ValueError
        If ``order`` is not from 1 to 14.
    """

    def __init__(self, order: int = 2) -> None:
        _check_order(order)
        self.order = order

    def fit(self, words: Sequence[str]) -> object:
        """Learn from ``words``. ``ValueError`` as ``encode``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it learns")

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, 27), in nats."""
        raise NotImplementedError(f"{type(self).__name__} does not say its probabilities")

    def nll(self, words: Sequence[str]) -> float:
        """Return the average negative log likelihood of ``words``, in nats per character.

        Infinite if the model holds one of the characters for impossible. ``ValueError`` as
        ``encode`` does, ``RuntimeError`` before ``fit``.
        """
        contexts, targets = ngrams(words, self.order)
        log_probs = self.log_probabilities(contexts)  # (N, 27)
        return 0.0 - float(log_probs.gather(1, targets[:, None]).mean())  # never "-0.0"

    def sample(self, n: int, generator: torch.Generator) -> list[str]:
        """Draw ``n`` words, character by character, with the given generator."""
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        words = []
        for _ in range(n):
            context, letters = 0, []
            while True:
                log_probs = self.log_probabilities(torch.tensor([context]))[0]
                ix = int(torch.multinomial(log_probs.exp(), 1, generator=generator))
                if ix == 0:
                    break
                letters.append(CHARACTERS[ix])
                context = (context * V + ix) % V ** (self.order - 1)
            words.append("".join(letters))
        return words


class CountingModel(NgramModel):
    """An n-gram model whose probabilities are relative frequencies.

    Only n-grams that occur are stored, so that higher orders fit in memory.

    Parameters
    ----------
    order : int
        As for ``NgramModel``.
    smoothing : float
        Added to every count, seen or not. With 0, what has not been seen is impossible.

    Raises
    ------
    ValueError
        If ``smoothing`` is negative or not finite.
    """

    def __init__(self, order: int = 2, smoothing: float = 0.0) -> None:
        super().__init__(order)
        if not 0 <= smoothing < np.inf:
            raise ValueError(f"smoothing must be finite and not negative, got {smoothing}")
        self.smoothing = smoothing
        self.contexts: torch.Tensor | None = None  # contexts that occur, sorted
        self.counts: torch.Tensor | None = None  # (number of contexts, 27)

    def fit(self, words: Sequence[str]) -> CountingModel:
        """Count the n-grams of ``words``. Returns the model. ``ValueError`` as ``encode``."""
        contexts, targets = ngrams(words, self.order)
        self.contexts, row = torch.unique(contexts, return_inverse=True)
        cells = torch.bincount(row * V + targets, minlength=len(self.contexts) * V)
        self.counts = cells.reshape(-1, V)
        return self

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, 27), in nats."""
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
        As for ``NgramModel``. The layer has 27 ** order weights; at most order 4.
    generator : torch.Generator, optional
        Draws the weights from a normal distribution. Without one, they start at zero.

    Raises
    ------
    ValueError
        If ``order`` is above 4.
    """

    def __init__(self, order: int = 2, generator: torch.Generator | None = None) -> None:
        super().__init__(order)
        if order > 4:
            raise ValueError(f"order must be at most 4 (27 ** order weights), got {order}")
        self.W = torch.zeros(V ** (order - 1), V)
        if generator is not None:
            self.W.normal_(generator=generator)

    def fit(
        self,
        words: Sequence[str],
        steps: int = 200,
        learning_rate: float = 50.0,
        weight_decay: float = 0.0,
    ) -> list[float]:
        """Train by gradient descent on all of ``words``, and return the loss of every step.

        Parameters
        ----------
        words : sequence of str
        steps : int
        learning_rate, weight_decay : float
            The decay is the factor of the mean squared weight, which is added to the loss.

        Returns
        -------
        list of float
            Average negative log likelihood plus penalty, before each update.

        Raises
        ------
        ValueError
            If ``steps`` or ``weight_decay`` is negative, or as ``encode`` does.
        """
        for name, given in (("steps", steps), ("weight_decay", weight_decay)):
            if given < 0:
                raise ValueError(f"{name} must not be negative, got {given}")
        contexts, targets = ngrams(words, self.order)
        counts = torch.bincount(contexts * V + targets, minlength=self.W.numel())
        frequency = counts.reshape(self.W.shape) / len(targets)  # sums to 1
        W = self.W.clone().requires_grad_()
        history = []
        for _ in range(steps):
            loss = -(frequency * W.log_softmax(1)).sum() + weight_decay * (W**2).mean()
            (grad,) = torch.autograd.grad(loss, W)
            with torch.no_grad():
                W -= learning_rate * grad
            history.append(loss.item())
        self.W = W.detach()
        return history

    def log_probabilities(self, contexts: torch.Tensor) -> torch.Tensor:
        """Return the log probability of every next character, shape (N, 27), in nats."""
        return self.W[contexts].double().log_softmax(1)
