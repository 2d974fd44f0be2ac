"""Reads ``_config.yml``, ``_toc.yml`` and the front matter of pages, for all other modules.

What a page asks of the build stands in its front matter:

zerotohero:
  threads: 2        # threads of its kernel, or "all"; 1 unless told
  budget: 60        # seconds it may take
  data: [names]     # data sets that its outputs depend on
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sphinx.errors import SphinxError

__all__ = [
    "CONFIG",
    "PACKAGE",
    "REQUIREMENTS",
    "TOC",
    "FrontMatterError",
    "Part",
    "Settings",
    "language",
    "page_settings",
    "read_config",
    "read_toc",
    "settings_from",
    "short_toc",
]

CONFIG, TOC = "_config.yml", "_toc.yml"
KEY = "zerotohero"
PACKAGE, REQUIREMENTS = "code/zerotohero", "requirements.txt"  # unless _config.yml names others


class FrontMatterError(SphinxError):
    """The front matter of a page can't be used; the message names page and key."""

    category = "Front matter"


# -- the book's two files


def read_config(root: Path) -> dict[str, Any]:
    """Read ``_config.yml`` in the folder `root`.

    Raises
    ------
    FileNotFoundError
        When there is none.
    """
    path = root / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {CONFIG} in {root.resolve()}: run this in the book's folder"
        )
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return config


def language(config: Mapping[str, Any]) -> str:
    """Language of the book, as ``sphinx: config: language`` names it; English unless told."""
    settings = (config.get("sphinx") or {}).get("config") or {}
    return str(settings.get("language") or "en")


@dataclass(frozen=True)
class Part:
    """A part of the book: its caption, or None, and the names of its pages, in order."""

    caption: str | None
    pages: tuple[str, ...]


def read_toc(path: Path) -> list[Part]:
    """Read ``_toc.yml``: the root page is the first part, without a caption."""
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts = toc.get("parts") or [{"chapters": toc.get("chapters", [])}]
    root = Part(None, (str(toc["root"]),))
    return [root, *(Part(part.get("caption"), pages_of(part["chapters"])) for part in parts)]


def pages_of(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    """Pages of a list in ``_toc.yml``, with those below them, in order."""
    names: list[str] = []
    for entry in entries:
        names.append(str(entry["file"]).removesuffix(".md"))
        names += pages_of(entry.get("sections", []))
    return tuple(names)


def short_toc(path: Path, pages: list[str]) -> str:
    """Text of a ``_toc.yml`` with the root page of the one at `path`, and `pages` only."""
    root = yaml.safe_load(path.read_text(encoding="utf-8"))["root"]
    chapters = [{"file": page} for page in pages if page != root]
    return yaml.safe_dump({"format": "jb-book", "root": root, "chapters": chapters})


# -- a page's front matter


@dataclass(frozen=True)
class Settings:
    """The ``zerotohero`` key of a page's front matter.

    Attributes
    ----------
    threads
        Threads of the kernel: a count of 1 or more, or ``"all"``.
    budget
        Seconds that its execution may take, or None.
    data
        Names of the data sets that its outputs depend on.
    """

    threads: int | str = 1
    budget: float | None = None
    data: tuple[str, ...] = ()


def front_matter(path: Path) -> dict[str, Any]:
    """Front matter of a text file; empty when it has none."""
    lines = iter(path.read_text(encoding="utf-8-sig").splitlines())
    if not next(lines, "").startswith("---"):
        return {}
    block = []
    for line in lines:
        if line.startswith(("---", "...")):
            break
        block.append(line)
    else:
        return {}  # a rule at the top of a page that has no front matter
    try:
        found = yaml.safe_load("\n".join(block))
    except yaml.YAMLError as error:
        raise FrontMatterError(f"{path}: the front matter is not valid YAML: {error}") from error
    return found if isinstance(found, dict) else {}


def page_settings(path: Path) -> Settings:
    """Read the settings of the page at `path`.

    Raises
    ------
    FrontMatterError
        When a key is unknown or a value has the wrong type.
    """
    return settings_from(front_matter(path), str(path))


def settings_from(metadata: Mapping[str, Any], page: str) -> Settings:
    """Read the settings in the front matter `metadata` of a page that messages call `page`.

    Raises
    ------
    FrontMatterError
        As `page_settings`.
    """
    given = metadata.get(KEY, {})
    if not isinstance(given, dict):
        raise FrontMatterError(f"{page}: `{KEY}` must be a mapping, not {given!r}")
    known = set(Settings.__dataclass_fields__)
    if unknown := sorted(set(map(str, given)) - known):
        raise FrontMatterError(
            f"{page}: `{KEY}` has no key {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )

    def wrong(key: str, wanted: str) -> FrontMatterError:
        return FrontMatterError(f"{page}: `{KEY}: {key}` must be {wanted}, not {given[key]!r}")

    threads = given.get("threads", 1)
    # bool is a subclass of int, hence the comparison of exact types
    if threads != "all" and (type(threads) is not int or threads < 1):
        raise wrong("threads", 'a count of 1 or more, or "all"')
    budget = given.get("budget")
    if budget is not None and (type(budget) not in (int, float) or budget <= 0):
        raise wrong("budget", "a number of seconds above 0")
    data = given.get("data", [])
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise wrong("data", "a list of names of data sets")
    return Settings(threads, budget, tuple(data))
