"""How a verdict shows itself: as a truth value, as text and as HTML."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from zerotohero.check.verdict import Verdict


def test_truth_and_text() -> None:
    right, wrong = Verdict("right", "Well."), Verdict("wrong", "No.", "Look there.")
    assert right
    assert not wrong
    assert repr(right) == "✓ Right. Well."
    assert repr(wrong) == "✗ Wrong. No.\nHint: Look there."
    assert repr(Verdict("not done yet", "Go.")) == "… Not done yet. Go."


def test_html_is_escaped() -> None:
    html = Verdict("wrong", '<b>&"bold"\nnext', "a < b & c")._repr_html_()
    root = ET.fromstring(html.replace("<br>", "<br/>"))
    assert root.get("class") == "check check-wrong"
    assert not list(root.iter("b"))
    assert "".join(root.itertext()) == '✗ Wrong. <b>&"bold"nextHint: a < b & c'
    assert Verdict("not done yet", "")._repr_html_().startswith('<div class="check check-not-done-')


# Math, languages, a surrogate that no encoding has, and what a terminal would obey.
ANYTHING = "−3 × σ² ≤ 1/ŷ, «ça» 안녕 😉 \ud800\x1b"
PROGRAM = f"""
from zerotohero.check.micrograd import analytic_gradient
from zerotohero.check.verdict import checker, fail

anything = {ANYTHING!r}

@checker
def check(answer):
    return anything if answer else fail(anything, hint=anything)

for answer in (True, False, None):
    print(check(answer), [check(answer)], f"{{check(answer)!r:>9}}")
print(analytic_gradient(lambda a, b, c: [-12.3, 0, 0]))
assert "✓" in check(True)._repr_html_()
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437", "utf-8"])
def test_a_console_of_any_encoding_prints_it(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"exec({PROGRAM!a})"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    shown = done.stdout.decode(encoding)
    signs = "✓✗…" if encoding == "utf-8" else ["+", "x", "..."] if encoding == "ascii" else "+x"
    assert all(sign in shown for sign in signs)
    for word in ("Right. ", "Wrong. ", "Hint: ", "Not done yet. Fill in the stub", r"\ud800"):
        assert word in shown


def test_a_plain_console_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        encoding = "ascii"

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Plain())
        shown = repr(Verdict("wrong", "σ² is −1 … or 안"))
    assert shown == r"x Wrong. \u03c3^2 is -1 ... or \uc548"


def test_without_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)  # as in pythonw
        shown = repr(Verdict("right", "Well."))
    assert shown == "✓ Right. Well."
