"""The check of the third step of chapter 8: merges that are found out from ranks."""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from ...tokenizer import naive
from ...tokenizer.naive import Pair
from ..running import run
from ..verdict import checker, describe, fail
from .ids import expect_ids

# Chunks, and how often each occurs. " s" is a token before " st", which is " " and "st"; runs of
# spaces are made of halves: so neither the longest prefix nor the longest suffix is what was
# merged, nor any cut by rule.
CODE = [
    *(("st", 9), (" s", 16), (" st", 7), ("sts", 2), ("ing", 7), ("in", 3), ("ng", 9), ("ting", 4)),
    *((" " * 8, 2), (" " * 4, 3), (" " * 3, 12), (" stst", 3), ("string", 5), (" string", 2)),
    *(("==" * 4, 2), ("=" * 3, 12), (" the", 6), ("he", 9), ("th", 2), ("them", 3), (" them", 2)),
]
PROSE = [
    *(("über", 7), ("be", 9), ("er", 8), (" über", 3), ("ber", 4), ("aber", 3)),
    *(("안녕", 5), ("안녕하세요", 3), ("😉😉😉", 3), ("e\u0301te\u0301", 4), ("녕하", 2)),
    *(
        ("." * 9, 3),
        ("." * 3, 9),
        (" ü", 9),
        (" a", 5),
        (" an", 4),
        ("an", 7),
        ("ana", 3),
        ("banana", 3),
        ("na", 2),
    ),
]


class Ranking(NamedTuple):
    """Tokens with their ranks, as in GPT-4's file; the merges that made them; the byte shuffle."""

    ranks: dict[bytes, int]
    merges: dict[Pair, int]
    shuffle: list[int]


@cache
def rankings() -> list[Ranking]:
    """Return two rankings with different bytes, merges and orders, and one without merges."""
    chunks = [[text for text, count in found for _ in range(count)] for found in (CODE, PROSE, [])]
    return [_ranking(seed, texts) for seed, texts in enumerate(chunks)]


def _ranking(seed: int, texts: list[str]) -> Ranking:
    rng = random.Random(seed)
    shuffle = rng.sample(range(256), 256)
    rng.shuffle(texts)
    merges = naive.train([text.encode("utf-8").translate(bytes(shuffle)) for text in texts], 60)
    tokens = [
        (bytes(map(shuffle.index, token)), rank)
        for rank, token in naive.build_vocab(merges).items()
    ]
    learned, single = tokens[256:], tokens[:256]
    rng.shuffle(learned)
    tokens = [*single, *learned[2:]]
    rng.shuffle(tokens)
    tokens = [*learned[:1], *tokens, *learned[1:2]]  # longer ones at both ends
    return Ranking(dict(tokens), merges, shuffle)


# -- hints -----------------------------------------------------------------------------

SWAPPED = "The merges come first, then the ranks of the bytes."
LOOK_UP = "A byte's rank is not the byte: look it up in ranks."
BACK = "From byte to rank, not back."
TURNED = "Turn the dictionary around: from the pair to the rank of its token."
RANKS = "A pair is a tuple of two ranks."
NOT_BYTES = "A pair holds ranks, and the rank of a byte is not the byte."
PARTS = "Encode the token with the merges of lower rank: two ids are left."
ALL = "Every token of more than one byte has a pair."
SORTED = "The dictionary is in no order: sort its tokens by rank."


SHOWN = "recover(ranks)"


@checker
def recover(answer: Any) -> str:
    """Check a function ``(ranks)`` that returns the merges, and the rank of each byte."""
    for ranking in rankings():
        received = run(_explained(answer), dict(ranking.ranks), shown=SHOWN)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(
                "recover(ranks) should return the merges and the ranks of the bytes, "
                f"received {_what(received)}."
            )
        merges, shuffle = received
        if not isinstance(merges, Mapping):
            hint = SWAPPED if isinstance(shuffle, Mapping) else ""
            fail(f"The merges should be a dictionary, received {type(merges).__name__}.", hint)
        _check_shuffle(shuffle, ranking)
        _check_merges(merges, ranking)
    return "The merges come back, all of them, in the order in which they were learned."


def _explained(answer: Any) -> Any:
    """Return the answer, with a hint where its exception is gone once the tokens are sorted."""
    if not callable(answer):
        return answer

    @functools.wraps(answer, updated=())
    def explained(ranks: dict[bytes, int]) -> Any:
        try:
            return answer(ranks)
        except (ValueError, LookupError) as error:
            if _takes(answer, dict(sorted(ranks.items(), key=operator.itemgetter(1)))):
                fail(f"{SHOWN} raised {describe(error)}", SORTED)
            raise

    return explained


def _takes(answer: Any, ranks: dict[bytes, int]) -> bool:
    """Whether the answer raises no exception."""
    try:
        answer(ranks)
    except Exception:
        return False
    return True


def _what(received: Any) -> str:
    kind = type(received).__name__
    return f"a {kind} of {len(received)}" if isinstance(received, (tuple, list)) else kind


def _check_shuffle(received: Any, ranking: Ranking) -> None:
    try:
        shuffle = [operator.index(received[byte]) for byte in range(256)]
        too_many = len(received) > 256
    except (TypeError, ValueError, LookupError):
        too_many, shuffle = False, []
    if too_many or not shuffle:
        fail(
            "The ranks of the bytes should be a list of 256 numbers, or a dictionary whose keys "
            "are 0 to 255."
        )
    back = [ranking.shuffle.index(byte) for byte in range(256)]
    mistakes = [([[*range(256)]], LOOK_UP), ([back], BACK)]
    expect_ids(shuffle, ranking.shuffle, "The list of the ranks of the bytes", mistakes)


def _check_merges(received: Mapping[Any, Any], ranking: Ranking) -> None:
    ranks, merges = ranking.ranks, ranking.merges
    if merges and received and all(isinstance(rank, (tuple, list)) for rank in received.values()):
        fail("The merges should lead from pairs to ranks, and lead from ranks to pairs.", TURNED)
    token_of = {rank: token for token, rank in ranks.items()}
    found: dict[int, Any] = {}
    for pair, rank in received.items():
        try:
            found[operator.index(rank)] = pair
        except TypeError:
            fail(
                f"The merges should lead from pairs to ranks. The pair {pair!r} leads to {rank!r}."
            )
    for pair, rank in merges.items():
        mine = found.get(rank, pair)
        if mine != pair:
            what = f"The pair of rank {rank}, {token_of[rank]!r}"
            hint = _hint(mine, rank, ranking, token_of)
            fail(f"{what}, should be {pair}, received {mine!r}.", hint)
    missing = [rank for rank in merges.values() if rank not in found]
    if missing:
        fail(f"There is no pair of rank {missing[0]}, {token_of[missing[0]]!r}.", ALL)
    if len(received) > len(merges):
        extra = next(pair for pair in received if pair not in merges)
        fail(f"There are {len(received)} merges, not {len(merges)}. {extra!r} is not one of them.")
    if list(received) != list(merges):
        fail("The merges are right, but not in the order of their ranks.", SORTED)


def _hint(mine: Any, rank: int, ranking: Ranking, token_of: Mapping[int, bytes]) -> str:
    """Return the hint for a wrong pair."""
    if isinstance(mine, bytes):  # whose items are whole numbers, too
        return RANKS
    try:
        left, right = map(operator.index, mine)
    except (TypeError, ValueError):
        return RANKS
    if token_of.get(left, b"") + token_of.get(right, b"") == token_of[rank]:
        return PARTS
    pair = tuple(ranking.shuffle[i] if 0 <= i < 256 else i for i in (left, right))
    return NOT_BYTES if ranking.merges.get((pair[0], pair[1])) == rank else ""
