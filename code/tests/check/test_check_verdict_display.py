"""How a verdict shows itself: as a truth value, as text and as HTML."""

import xml.etree.ElementTree as ET

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
