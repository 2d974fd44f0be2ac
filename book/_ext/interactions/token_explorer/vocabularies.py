"""Vocabularies for the token explorer, as scripts that a page loads.

Each script puts one object in its place. A page that lies in a folder on disk can load scripts,
but it cannot fetch other files. The scripts hold what JavaScript must not find out by itself:
the Unicode classes, as the tokenizers of the package have them.
"""

# The package is imported where it is used: Sphinx loads this extension before the build knows
# the folder of the package.
from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

import regex

if TYPE_CHECKING:
    from zerotohero.tokenizer import Tokenizer

__all__ = ["CHOICES", "Choice", "character_classes", "unicode_script", "vocabulary_script"]

DIGITS = ascii_letters + digits + "-_"  # a number below 64**3 is written with three of these
EVERY_CHARACTER = "".join(map(chr, range(0x110000)))
CONTRACTIONS = "sdmtlvre"  # the letters of 's, 'd, 'm, 't, 'll, 've, 're


def character_classes() -> dict[str, Any]:
    r"""Return what the split patterns ask of a character.

    Returns
    -------
    dict
        ``letters``, ``numbers`` and ``spaces``: the runs of ``\p{L}``, ``\p{N}`` and ``\s``,
        each as the gap since the last run and its length, in base 36. ``contractions``: for each
        letter of a contraction all that match it when case is ignored.
    """
    classes = {"letters": r"\p{L}+", "numbers": r"\p{N}+", "spaces": r"\s+"}
    folds = {c: "".join(regex.findall(f"(?i:{c})", EVERY_CHARACTER)) for c in CONTRACTIONS}
    return {name: _runs(pattern) for name, pattern in classes.items()} | {"contractions": folds}


def _runs(pattern: str) -> str:
    numbers, last = [], 0
    for match in regex.finditer(pattern, EVERY_CHARACTER):
        start, end = match.span()
        numbers += [start - last, end - start]
        last = end
    return " ".join(map(_base_36, numbers))


def _base_36(number: int) -> str:
    symbols = digits + ascii_letters[:26]
    low = symbols[number % 36]
    return _base_36(number // 36) + low if number >= 36 else low


def unicode_script() -> str:
    """Return the script with the character classes."""
    note = f"Classes of characters, as in the regex package {regex.__version__}."
    return _script(note, "unicode", character_classes())


def vocabulary_script(name: str, source: str, splitter: str, tokenizer: Tokenizer) -> str:
    """Return the script with a tokenizer's vocabulary.

    Parameters
    ----------
    name : str
        Name under which the script puts it.
    source : str
        Where it comes from, for a comment.
    splitter : str
        Name of the function of ``splitters.js`` that does what the tokenizer's pattern does.
    tokenizer : Tokenizer
        The ids of its merges must follow each other, from 256 on.

    Raises
    ------
    ValueError
        If the ids of the merges do not, or are too many.
    """
    ids = list(tokenizer.merges.values())
    if ids != list(range(256, 256 + len(ids))) or len(ids) > 64**3 - 256:
        raise ValueError(f"{name}: the ids of the merges must be 256, 257, ..., below 64**3")
    vocabulary = {
        "splitter": splitter,
        "bytes": _numbers(tokenizer.byte_shuffle),
        "merges": _numbers(idx for pair in tokenizer.merges for idx in pair),
        "special": tokenizer.special_tokens,
    }
    return _script(source, f"vocabularies.{name}", vocabulary)


def _numbers(values: Iterable[int]) -> str:
    return "".join(DIGITS[v >> 12] + DIGITS[v >> 6 & 63] + DIGITS[v & 63] for v in values)


def _script(note: str, place: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    lines = [f"/* {note} Written by the build. */", "window.tokenExplorer ??= {};"]
    if "." in place:
        lines.append(f"tokenExplorer.{place.split('.')[0]} ??= {{}};")
    return "\n".join([*lines, f"tokenExplorer.{place} = {text};", ""])


def trained() -> Tokenizer:
    """Return the chapter's tokenizer: 1,024 tokens of Tiny Shakespeare, and a special one."""
    from zerotohero import data
    from zerotohero.tokenizer import RegexTokenizer

    tokenizer = RegexTokenizer()
    tokenizer.train(data.shakespeare(), 1024)
    tokenizer.register_special_tokens({"<|endoftext|>": 1024})
    return tokenizer


def published(name: str) -> Callable[[], Tokenizer]:
    """Return a function that makes the tokenizer of this name in the package."""

    def make() -> Tokenizer:
        from zerotohero import tokenizer

        made: Tokenizer = getattr(tokenizer, name)()
        return made

    return make


@dataclass(frozen=True)
class Choice:
    """A tokenizer that the explorer offers.

    Attributes
    ----------
    name
        Of its script, and in the page.
    label
        What the reader sees.
    source
        Where its vocabulary comes from, and under which license.
    splitter
        Name of the function that splits as its pattern does.
    make
        Makes it; ``DataError`` if its file is not available.
    at_once
        Whether the page loads it, even before it is chosen.
    """

    name: str
    label: str
    source: str
    splitter: str
    make: Callable[[], Tokenizer]
    at_once: bool = False

    def script(self) -> str:
        """Return its script; ``DataError`` if its file is not available."""
        return vocabulary_script(self.name, self.source, self.splitter, self.make())


CHOICES = (
    Choice(
        "shakespeare",
        "This chapter's, trained on Tiny Shakespeare",
        "Merges learned from Tiny Shakespeare, a text in the public domain.",
        "gpt4",
        trained,
        at_once=True,
    ),
    Choice(
        "gpt2",
        "GPT-2's",
        "The vocabulary of GPT-2, published by OpenAI with GPT-2 (modified MIT license).",
        "gpt2",
        published("GPT2Tokenizer"),
    ),
    Choice(
        "cl100k_base",
        "GPT-4's (cl100k_base)",
        "The vocabulary of GPT-4, published by OpenAI for tiktoken (MIT license).",
        "gpt4",
        published("GPT4Tokenizer"),
    ),
)
