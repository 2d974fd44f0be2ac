"""The check of the third step of chapter 8: recovered merges."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from check_answers import outcome

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer.recovering import rankings
from zerotohero.tokenizer import naive

Answer = Callable[..., Any]
Ranks = dict[bytes, int]
Rule = Callable[[bytes, bytes, int, int], Any]


def shuffle_of(ranks: Ranks) -> list[int]:
    return [ranks[bytes([byte])] for byte in range(256)]


def by_encoding(ranks: Ranks) -> tuple[Any, Any]:
    shuffle, merges = shuffle_of(ranks), {}
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            left, right = naive.encode(bytes(shuffle[byte] for byte in token), merges)
            merges[left, right] = rank
    return merges, shuffle


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.recover(by_encoding)
    assert verdict, verdict.message
    assert "come back" in verdict.message


def test_the_rankings_differ_and_are_in_no_order() -> None:
    one, two, empty = rankings()
    assert one.shuffle != two.shuffle
    assert len(one.merges.keys() & two.merges.keys()) < 3
    assert not empty.merges
    for ranking in (one, two):
        assert list(ranking.ranks.values()) != sorted(ranking.ranks.values())
        assert by_encoding(ranking.ranks) == (ranking.merges, ranking.shuffle)
        assert max(map(len, ranking.ranks)) > 6
    ranks = one.ranks
    assert ranks[b"st"] < ranks[b" s"] < ranks[b" st"]
    assert one.merges[ranks[b" "], ranks[b"st"]] == ranks[b" st"]
    assert one.merges[ranks[b"  "], ranks[b"  "]] == ranks[b"    "] > ranks[b"   "]


# -- pairs that are chosen by a rule, and not by encoding -----------------------------------

RULES: dict[str, Rule] = {
    "longest prefix": lambda left, right, a, b: -len(left),
    "longest suffix": lambda left, right, a, b: -len(right),
    "smallest sum of ranks": lambda left, right, a, b: a + b,
    "largest sum of ranks": lambda left, right, a, b: -a - b,
    "smallest larger rank": lambda left, right, a, b: max(a, b),
    "largest larger rank": lambda left, right, a, b: -max(a, b),
    "smallest smaller rank": lambda left, right, a, b: min(a, b),
    "largest smaller rank": lambda left, right, a, b: -min(a, b),
    "lowest rank on the left": lambda left, right, a, b: a,
    "lowest rank on the right": lambda left, right, a, b: b,
    "highest rank on the left": lambda left, right, a, b: -a,
    "highest rank on the right": lambda left, right, a, b: -b,
    "halves": lambda left, right, a, b: abs(len(left) - len(right)),
    "most unlike in length": lambda left, right, a, b: -abs(len(left) - len(right)),
    "pairs in order": lambda left, right, a, b: (a, b),
    "pairs in reverse order": lambda left, right, a, b: (-a, -b),
    "any": lambda left, right, a, b: 0,
    "some": lambda left, right, a, b: zlib.crc32(left),
}


def by_rule(rule: Rule, lower: bool, backwards: bool) -> Answer:
    """Take one of the cuts into two tokens, perhaps only of lower rank, by a rule."""

    def answer(ranks: Ranks) -> tuple[Any, Any]:
        merges = {}
        for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
            cuts = [
                (token[:i], token[i:])
                for i in range(1, len(token))
                if all(ranks.get(p, 999) < (rank if lower else 999) for p in (token[:i], token[i:]))
            ]
            if backwards:
                cuts.reverse()
            if cuts:
                left, right = min(cuts, key=lambda cut: rule(*cut, ranks[cut[0]], ranks[cut[1]]))
                merges[ranks[left], ranks[right]] = rank
        return merges, shuffle_of(ranks)

    return answer


PARTS = "Encode the token with the merges of lower rank: two ids are left."


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_no_rule_takes_the_place_of_encoding(rule: str, lower: bool, backwards: bool) -> None:
    outcome(tokenizer.recover(by_rule(RULES[rule], lower, backwards)), hint=PARTS)


# -- other mistakes ---------------------------------------------------------------------------


def changed(change: Callable[[dict[Any, int], Ranks], Any]) -> Answer:
    """Answer with merges that have been changed."""

    def answer(ranks: Ranks) -> tuple[Any, Any]:
        merges, shuffle = by_encoding(ranks)
        return change(merges, ranks), shuffle

    return answer


def unshuffled(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], range(256)


def backwards(ranks: Ranks) -> tuple[Any, Any]:
    merges, shuffle = by_encoding(ranks)
    return merges, [shuffle.index(byte) for byte in range(256)]


def short(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], [1, 2, 3]


def long(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], sorted(ranks.values())


def with_bytes_as_keys(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], {bytes([byte]): ranks[bytes([byte])] for byte in range(256)}


def exchanged(ranks: Ranks) -> tuple[Any, Any]:
    merges, shuffle = by_encoding(ranks)
    return shuffle, merges


def in_bytes(merges: dict[Any, int], ranks: Ranks) -> dict[Any, int]:
    byte_of = {rank: token[0] for token, rank in ranks.items() if len(token) == 1}
    return {tuple(byte_of.get(p, p) for p in pair): rank for pair, rank in merges.items()}


def as_tokens(merges: dict[Any, int], ranks: Ranks) -> dict[Any, int]:
    token_of = {rank: token for token, rank in ranks.items()}
    return {(token_of[left], token_of[right]): rank for (left, right), rank in merges.items()}


def as_bytes(merges: dict[Any, int], ranks: Ranks) -> dict[Any, int]:
    token_of = {rank: token for token, rank in ranks.items()}
    return {token_of[rank]: rank for rank in merges.values()}


def as_text(merges: dict[Any, int], _: Ranks) -> dict[Any, int]:
    return {f"{left} {right}": rank for (left, right), rank in merges.items()}


def by_the_order_of_the_dictionary(ranks: Ranks) -> tuple[Any, Any]:
    merges, shuffle = by_encoding(ranks)
    pair_of = {rank: pair for pair, rank in merges.items()}
    return {pair_of[rank]: rank for rank in ranks.values() if rank in pair_of}, shuffle


def unsorted(ranks: Ranks) -> tuple[Any, Any]:
    shuffle, merges = shuffle_of(ranks), {}
    for token, rank in ranks.items():
        if len(token) > 1:
            left, right = naive.encode(bytes(shuffle[byte] for byte in token), merges)
            merges[left, right] = rank
    return merges, shuffle


def of_plain_bytes(ranks: Ranks) -> tuple[Any, Any]:
    """Forgets the shuffle, and the order as well."""
    merges: dict[Any, int] = {}
    for token, rank in ranks.items():
        if len(token) > 1:
            left, right = naive.encode(token, merges)
            merges[left, right] = rank
    return merges, shuffle_of(ranks)


def emptying(ranks: Ranks) -> tuple[Any, Any]:
    found = by_encoding(ranks)
    ranks.clear()
    return found


SORTED = "The dictionary is in no order: sort its tokens by rank."
TOKENS = "A pair is a tuple of two ranks."
LIST = (
    "The ranks of the bytes should be a list of 256 numbers, or a dictionary whose keys "
    "are 0 to 255."
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (unshuffled, "", "A byte's rank is not the byte: look it up in ranks."),
        (backwards, "", "From byte to rank, not back."),
        (short, LIST, ""),
        (long, LIST, ""),
        (with_bytes_as_keys, LIST, ""),
        (exchanged, "", "The merges come first, then the ranks of the bytes."),
        (changed(in_bytes), "", "A pair holds ranks, and the rank of a byte is not the byte."),
        (changed(as_tokens), "", TOKENS),
        (changed(as_bytes), "", TOKENS),
        (changed(as_text), "", TOKENS),
        (
            changed(lambda merges, _: {rank: pair for pair, rank in merges.items()}),
            "The merges should lead from pairs to ranks, and lead from ranks to pairs.",
            "Turn the dictionary around: from the pair to the rank of its token.",
        ),
        (
            changed(lambda merges, _: dict(list(merges.items())[:-1])),
            "",
            "Every token of more than one byte has a pair.",
        ),
        (changed(lambda merges, _: {}), "", "Every token of more than one byte has a pair."),
        (changed(lambda merges, _: list(merges)), "should be a dictionary", ""),
        (changed(lambda merges, _: dict.fromkeys(merges, "rank")), "leads to 'rank'", ""),
        (
            changed(lambda merges, _: dict(reversed(merges.items()))),
            "The merges are right, but not in the order of their ranks.",
            SORTED,
        ),
        (
            by_the_order_of_the_dictionary,
            "The merges are right, but not in the order of their ranks.",
            SORTED,
        ),
        (changed(lambda merges, _: merges | {(1, 2): 999}), "(1, 2) is not one of them", ""),
        (lambda ranks: by_encoding(ranks)[0], "should return the merges", ""),
        (lambda ranks: (*by_encoding(ranks), ranks), "received a tuple of 3", ""),
        (unsorted, "too many values to unpack", SORTED),
        (of_plain_bytes, "", SORTED),
        (emptying, "changed ranks", "Work on a copy."),
    ],
)
def test_recover_wrong(answer: Answer, words: str, hint: str) -> None:
    outcome(tokenizer.recover(answer), words, hint=hint)
