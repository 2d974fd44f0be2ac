"""Checks for the exercises of chapter 2."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ...bigrams import CHARACTERS, CountingModel, V
from ..numbers import close
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail

OUT_OF_ORDER = [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)]
WORDS = ["emma", "ava", "mia", "amelia", "em"]


@checker
def normalize_rows(answer: Any) -> str:
    """Check a function ``(counts)`` that turns each row into probabilities."""
    counts = torch.tensor([[1.0, 3.0], [6.0, 2.0]])
    for shown, given in [
        ("[[1, 3], [6, 2]]", counts),
        ("a 27 × 27 tensor", torch.arange(1.0, V * V + 1).reshape(V, V)),
        ("the integers [[1, 3], [6, 2]]", counts.long()),
    ]:
        before = given.clone()
        received = run(answer, given, shown=f"normalize_rows({shown})")
        if not torch.equal(given, before):
            fail(
                f"normalize_rows({shown}) changed the counts that it was given.",
                "/= works in place. Write P = counts / …, which makes a new tensor.",
            )
        x = given.double()
        rounded_down = (
            "// rounds down. Use /."
            if given.is_floating_point()  # with integers alone, / is right, its result stored wrong
            else "Use / for the division, not //, and a tensor of floats for what it gives."
        )
        expect_tensor(
            received,
            x / x.sum(1, keepdim=True),
            f"normalize_rows({shown})",
            [
                (
                    x / x.sum(1),
                    "Each row was divided by another row's sum: keepdim=True is missing.",
                ),
                (x / x.sum(0, keepdim=True), "These are columns that sum to 1. Sum along dim 1."),
                (x / x.sum(), "The whole table sums to 1. Each row should, by itself."),
                (x.softmax(1), "Softmax exponentiates. Counts only have to be divided."),
                (x // x.sum(1, keepdim=True), rounded_down),
            ],
        )
    return "Every row sums to 1, and the counts are left as they were."


@checker
def trigram_counts(answer: Any) -> str:
    """Check a function ``(words)`` that returns the trigram counts, shape (27, 27, 27)."""
    for words in (["ab"], WORDS):
        shown = f"trigram_counts({words})"
        received = run(answer, list(words), shown=shown)

        def count(start: str, end: str, words: list[str] = words) -> torch.Tensor:
            table = torch.zeros(V, V, V)
            for word in words:
                text = start + word + end
                for triple in zip(text, text[1:], text[2:]):
                    table[tuple(CHARACTERS.index(c) for c in triple)] += 1
            return table

        right = count("..", ".")
        joined = torch.zeros(V, V, V)
        text = ".." + "..".join(words) + "."
        out_of_order = "The indices are out of order: first, second, then third character."
        for triple in zip(text, text[1:], text[2:]):
            joined[tuple(CHARACTERS.index(c) for c in triple)] += 1
        expect_tensor(
            received,
            right,
            shown,
            [
                (count(".", "."), "The first letter has no trigram yet: start with two dots."),
                (count("..", ".."), "One dot at the end is enough: the word ends once."),
                (count(".", ""), "The first letter has no trigram yet: start with two dots."),
                (count("..", ""), "The end of a word is a character, too: one dot after it."),
                (count("", ""), "The start and the end of a word are marked with dots."),
                (joined, "These trigrams run from one word into the next. Go word by word."),
                (right.permute(2, 1, 0), "The indices are reversed: first character first."),
                *[(right.permute(order), out_of_order) for order in OUT_OF_ORDER],
                (right.clamp(max=1), "A trigram may occur more than once: add 1 each time."),
            ],
        )
    return "Every trigram is counted, from the two dots before a word to the one after it."


@checker
def split(answer: Any) -> str:
    """Check a function ``(words, seed)`` that returns train, dev and test words, 80/10/10."""
    words = [f"{a}{b}" for a in CHARACTERS[1:] for b in CHARACTERS[1:]][:500]
    given = list(words)
    shown = "split(words, 42), for 500 words"
    parts = run(_explaining_shuffle(answer, shown), given, 42, shown=shown)
    if given != words:
        fail(f"{shown} changed the order of the list it was given.", "Shuffle a copy.")
    if not isinstance(parts, (tuple, list)) or len(parts) != 3:
        fail(f"{shown} should return three lists, received {type(parts).__name__}.")
    train, dev, test = (list(part) for part in parts)
    sizes = (len(train), len(dev), len(test))
    together = [*train, *dev, *test]
    if len(set(together)) < len(together):
        fail(f"{shown}: a word is in two parts.", "Cut one shuffled list in three; do not draw.")
    if sorted(together) != sorted(words):
        fail(f"{shown}: {len(together)} of 500 words are in the three parts together.")
    if sizes != (400, 50, 50):
        fail(f"{shown}: sizes should be (400, 50, 50), received {sizes}.")
    for name, part in (("dev", dev), ("test", test)):
        found = sorted(map(words.index, part))
        if found == list(range(found[0], found[-1] + 1)):
            fail(
                f"{shown}: {name} is words[{found[0]}:{found[-1] + 1}], neighbors in the list.",
                "Shuffle before you cut: the list is sorted, so dev would have only "
                "rare names of boys.",
            )
    again = run(answer, list(words), 42, shown=shown)
    if [list(part) for part in again] != [train, dev, test]:
        fail(f"{shown} gave another split the second time.", "Use random.Random(seed).")
    other = run(answer, list(words), 43, shown="split(words, 43)")
    if list(other[0]) == train:
        fail("split(words, 43) equals split(words, 42).", "The seed that is given goes unused.")
    return "Three parts, shuffled, without overlap, the same for the same seed."


def _explaining_shuffle(answer: Any, shown: str) -> Any:
    """Return an answer that, if it calls ``shuffle`` and trips over None, says why."""
    if "shuffle" not in getattr(getattr(answer, "__code__", None), "co_names", ()):
        return answer

    def explained(words: list[str], seed: int) -> Any:
        try:
            return answer(words, seed)
        except TypeError as error:
            if "NoneType" in str(error):
                fail(
                    f"{shown} raised TypeError: {error}",
                    "shuffle works in place and returns None.",
                )
            raise

    return explained


@checker
def best_smoothing(answer: Any) -> str:
    """Check a function ``(train, dev, candidates)`` that returns the best smoothing constant."""
    # Of the first lists, even counts of train and dev together need smoothing, so that every
    # mistake with the lists gives a constant of its own. Of the second, every order does. All
    # letters occur in both, so that a vocabulary taken from them is that of all names.
    spread = [f"a{letter}" for letter in CHARACTERS[2:]] * 4
    some = ["macey", "korra", "helena", "amani", "elina", "mattie", "nicole", "bailee"]
    some += ["amari", "analia", "khalia", "landry", "xena", "freyja"]
    some += ["raquel", "luiza", "lawson", "nayvie", "sophie", "signe"]
    others = ["adilyn", "helen"]
    for lists, train, dev, candidates in [
        ("['ab', 'ac', …, 'az'] * 4, ['a']", spread, ["a"], [0.3, 1.0, 5.0, 1000.0]),
        ("train, dev", some, others, [0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 30.0]),
        ("train, dev", some, others, [5.0, 0.5, 0.05]),
        ("train, dev", some, others, [0.0, 0.3]),
    ]:
        shown = f"best_smoothing({lists}, {candidates})"
        received = run(answer, list(train), list(dev), list(candidates), shown=shown)
        on_dev, on_train, on_both, bigrams, fourgrams = (
            {k: CountingModel(order, k).fit(counted).nll(words) for k in candidates}
            for order, counted, words in [
                (3, train, dev),
                (3, train, train),
                (3, train + dev, dev),
                (2, train, dev),
                (4, train, dev),
            ]
        )
        right = _best(on_dev)
        if not close(received, right):
            hints = [
                (_best(on_train), "That is best on train. Compare on dev."),
                (_best(on_both), "Count on train alone: dev is for choosing."),
                (
                    _best(bigrams),
                    "That is best for bigrams. The model is a trigram model: order 3.",
                ),
                (_best(fourgrams), "That is best for order 4. A trigram model has order 3."),
                (max(on_dev, key=on_dev.__getitem__), "That is the worst: smaller loss is better."),
                (on_dev[right], "That is the loss. Return the constant that has it."),
            ]
            hint = next((text for wrong, text in hints if close(received, wrong)), "")
            fail(f"{shown} should be {right:g}, received {received!r}.", hint)
    return "The constant is chosen on words that the model has not counted."


def _best(losses: dict[float, float]) -> float:
    return min(losses, key=losses.__getitem__)


@checker
def logits_by_row(answer: Any) -> str:
    """Check a function ``(W, xs)`` that returns the logits without a one-hot encoding."""
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(V, V, generator=generator)
    for xs in (torch.tensor([0, 5, 13, 13, 1]), torch.tensor([26])):
        shown = f"logits_by_row(W, {xs.tolist()})"
        received = run(answer, W.clone(), xs.clone(), shown=shown)
        expect_tensor(
            received,
            F.one_hot(xs, V).float() @ W,
            shown,
            [
                (W[:, xs], "These are columns of W, one below the other. Index the rows."),
                (W[:, xs].T, "These are columns of W. Row i holds the logits after character i."),
                (W[xs].softmax(1), "These are probabilities. Logits are the rows of W themselves."),
                (W[xs].exp(), "These are counts. Logits are the rows of W themselves."),
            ],
        )
    return "Each row of W that xs names, in order."


@checker
def cross_entropy(answer: Any) -> str:
    """Check a function ``(logits, ys)`` that returns the average negative log likelihood."""
    generator = torch.Generator().manual_seed(2)
    small = torch.randn(5, V, generator=generator, dtype=torch.float64)
    ys = torch.tensor([3, 0, 26, 7, 7])
    for shown, logits in [
        ("five rows of random logits", small),
        ("the same logits + 1000", small + 1000),
        ("the same logits × 1000", small * 1000),
    ]:
        call = f"cross_entropy(logits, ys), for {shown}"
        received = run(answer, logits.clone(), ys.clone(), shown=call)
        right = F.cross_entropy(logits, ys)
        log_p = logits.log_softmax(1)
        rows = torch.arange(5)
        wrong_axis = -logits.log_softmax(0)[rows, ys].mean()
        expect_tensor(
            received,
            right,
            call,
            [
                (-right, "The log of a probability is negative: put a minus in front."),
                (right * 5, "That is the sum. Take the mean over the examples."),
                (-log_p.mean(), "Only the probability of the right character counts."),
                (wrong_axis, "The softmax runs over the examples. It belongs to each row, dim 1."),
                (-log_p.exp()[rows, ys].mean(), "Take the logarithm of the probability."),
                (F.cross_entropy(logits.softmax(1), ys), "Softmax was applied twice."),
                (
                    right - logits.max(1).values.mean(),
                    "Subtract the maximum from the logit of the right answer, too.",
                ),
                (
                    -log_p[:, ys].mean(),
                    "logits[:, ys] takes every row's entries at all of ys: pair row i with ys[i].",
                ),
            ],
            otherwise="" if logits is small else _not_finite(answer, received, logits, ys),
        )
    return "Right for small logits, and for logits of a thousand, too."


def _not_finite(answer: Any, received: Any, logits: torch.Tensor, ys: torch.Tensor) -> str:
    """Return the hint for a loss that is inf or nan for large logits, or an empty string."""
    try:
        loss = float(received)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return ""
    if math.isfinite(loss):
        return ""
    tame = logits - logits.max(1, keepdim=True).values
    if loss == math.inf:
        logs = bool(tame.min() < -1000)  # else the log of a sum that overflowed
    else:  # exp cannot overflow for tame logits: what is nan even there is 0 times log 0
        logs = math.isnan(run(answer, tame, ys.clone(), shown="cross_entropy(logits, ys)"))
    if logs:
        return (
            "Don't exponentiate and take the log again: a probability that rounds to 0 gives inf."
        )
    return "Subtract each row's maximum before you exponentiate: exp(1000) overflows."
