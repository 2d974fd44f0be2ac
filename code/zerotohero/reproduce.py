"""Compare computed results with published ones, and pass numbers to the prose.

The published figures, with source, tolerance and direction, are in
``published_figures.json`` next to this module.
"""

from __future__ import annotations

import difflib
import json
import math
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from IPython.core.formatters import format_display_data
from IPython.display import display

from . import data

MIME = "application/vnd.zerotohero.reproduced+json"
"""The MIME type of a record in the output of the cell that computed it."""


class NotReproduced(AssertionError):
    """A figure misses the published one by more than its tolerance."""


@cache
def published_figures() -> dict[str, dict[str, Any]]:
    """Return every published figure, by key.

    Each has ``lecture`` (int), ``what``, ``published`` (number or list), ``tolerance``,
    ``direction`` (``"equal"``, ``"at most"`` or ``"at least"``), ``names`` (whether it
    depends on the list of names) and ``source``.
    """
    text = files("zerotohero").joinpath("published_figures.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def reproduced(key: str, value: Any) -> None:
    """Check a value just computed against the published figure, and record it.

    Parameters
    ----------
    key : str
        Key of the published figure, for example ``"lecture1.neuron.out"``.
    value : number or sequence of numbers
        What was computed here. Tensors and arrays are fine.

    Raises
    ------
    KeyError
        If ``key`` is unknown.
    NotReproduced
        If the value misses the figure: the message names key, both values, tolerance and
        direction. A figure that depends on the names is not comparable, and recorded as
        such, if only the embedded edition of the names is available. Even then the value
        must be finite, and a list as long as the published one.
    """
    figures = published_figures()
    if key not in figures:
        close = difflib.get_close_matches(key, figures, n=3, cutoff=0.3)
        raise KeyError(f"no published figure has the key {key!r}; close ones: {close}")
    figure = figures[key]
    ours = _plain(value)
    edition = data.edition("names") if figure["names"] else None
    comparable = edition != "embedded"
    ok: bool | None = _fits(ours, figure["published"])
    if ok:
        ok = _within(ours, figure) if comparable else None
    if ok is False:
        raise NotReproduced(
            f"{key} ({figure['what']}): published {figure['published']}, ours {ours}, "
            f"tolerance {figure['tolerance']} ({figure['direction']})"
        )
    record = {"key": key, **figure, "ours": ours, "ok": ok, "edition": edition}
    verdict = "reproduced" if ok else "not comparable: embedded edition of the names"
    line = f"{figure['what']}: published {_show(figure['published'])}, here {_show(ours)}"
    display(
        {
            MIME: record,
            "text/plain": f"[{verdict}] {line}",
            "text/html": f'<p class="reproduced"><strong>{verdict}</strong> {escape(line)}</p>',
        },
        raw=True,
    )


def glue(**values: Any) -> None:
    """Name numbers, so that the surrounding prose can show them.

    ``glue(slope=14.0)`` in a cell lets the page say ``{glue:text}`slope:.2f```. The
    output is what ``myst_nb.glue`` writes, without needing MyST-NB to run a chapter. The cell
    itself shows nothing.
    """
    for name, value in values.items():
        if getattr(value, "ndim", None) == 0:  # NumPy and torch print a scalar with its type
            value = value.item()
        bundle, metadata = format_display_data(value)
        prefix = "application/papermill.record/"  # the type that MyST-NB looks for
        metadata["scrapbook"] = {"name": name, "mime_prefix": prefix}
        display(
            {prefix + kind: content for kind, content in bundle.items()},
            raw=True,
            metadata=metadata,
        )


def scientific(x: float, digits: int = 1) -> str:
    """Write a number as in prose: ``scientific(2.1e-8)`` is ``"2.1 × 10⁻⁸"``.

    Uses no-break spaces.

    Parameters
    ----------
    x : float
        The number.
    digits : int
        Digits after the decimal point of the first factor.
    """
    if not math.isfinite(x):
        raise ValueError(f"x must be finite, got {x!r}")
    factor, _, exponent = f"{x:.{digits}e}".partition("e")
    superscript = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{factor.replace('-', '−')}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{superscript}"


def _fits(ours: Any, published: Any) -> bool:
    """Whether a value is finite and has the published one's shape, ignoring magnitude."""
    if isinstance(published, list) and isinstance(ours, list):
        return len(ours) == len(published) and all(map(_fits, ours, published))
    if isinstance(published, list) or isinstance(ours, list):
        return False
    try:
        return math.isfinite(ours)
    except OverflowError:  # an int that is larger than every float
        return False


def _within(ours: Any, figure: dict[str, Any]) -> bool:
    published, tolerance, direction = figure["published"], figure["tolerance"], figure["direction"]
    if isinstance(published, list):
        return all(_within(a, {**figure, "published": b}) for a, b in zip(ours, published))
    difference = ours - published
    if direction == "at most":
        return bool(difference <= tolerance)
    if direction == "at least":
        return bool(difference >= -tolerance)
    return bool(abs(difference) <= tolerance)


def _plain(value: Any) -> Any:
    """Convert tensors, arrays, tuples and NumPy scalars to what JSON can hold."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"value must be a number or a sequence of numbers, got {value!r}")
    return value


def _show(value: Any) -> str:
    if isinstance(value, list):
        # no commas within the numbers of a list
        return "(" + ", ".join(_show(item).replace(",", "") for item in value) + ")"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
