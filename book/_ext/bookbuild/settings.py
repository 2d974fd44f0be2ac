"""What a page asks of the build, in its front matter.

zerotohero:
  threads: 2        # threads of its kernel, or "all"; 1 unless told
  alone: true       # executed by itself, after the others
  budget: 60        # seconds it may take
  data: [names]     # data sets that its outputs depend on
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sphinx.errors import SphinxError

__all__ = ["FrontMatterError", "Settings", "page_settings"]

KEY = "zerotohero"


class FrontMatterError(SphinxError):
    """The front matter of a page can't be used; the message names page and key."""

    category = "Front matter"


@dataclass(frozen=True)
class Settings:
    """The ``zerotohero`` key of a page's front matter.

    Attributes
    ----------
    threads
        Threads of the kernel: a count of 1 or more, or ``"all"``.
    alone
        Whether the page is executed by itself, after the others.
    budget
        Seconds that its execution may take, or None.
    data
        Names of the data sets that its outputs depend on.
    """

    threads: int | str = 1
    alone: bool = False
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
    given = front_matter(path).get(KEY, {})
    if not isinstance(given, dict):
        raise FrontMatterError(f"{path}: `{KEY}` must be a mapping, not {given!r}")
    known = set(Settings.__dataclass_fields__)
    if unknown := sorted(set(map(str, given)) - known):
        raise FrontMatterError(
            f"{path}: `{KEY}` has no key {', '.join(unknown)}; it knows {', '.join(sorted(known))}"
        )

    def wrong(key: str, wanted: str) -> FrontMatterError:
        return FrontMatterError(f"{path}: `{KEY}: {key}` must be {wanted}, not {given[key]!r}")

    threads = given.get("threads", 1)
    # bool is a subclass of int, hence the comparison of exact types
    if threads != "all" and (type(threads) is not int or threads < 1):
        raise wrong("threads", 'a count of 1 or more, or "all"')
    alone = given.get("alone", False)
    if type(alone) is not bool:
        raise wrong("alone", "true or false")
    budget = given.get("budget")
    if budget is not None and (type(budget) not in (int, float) or budget <= 0):
        raise wrong("budget", "a number of seconds above 0")
    data = given.get("data", [])
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise wrong("data", "a list of names of data sets")
    return Settings(threads, alone, budget, tuple(data))
