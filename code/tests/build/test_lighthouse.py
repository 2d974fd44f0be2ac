"""The measurement with Lighthouse, where it can't be done."""

import sys
from pathlib import Path

import build_scratch  # noqa: F401 # makes booktools importable
import pytest

from booktools import lighthouse


@pytest.mark.parametrize(
    ("command", "site", "message"),
    [
        ("no-such-program", True, "no-such-program"),
        (sys.executable, False, "no built site"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"no network\")'", True, "no network"),
    ],
)
def test_one_sentence_says_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    site: bool,
    message: str,
) -> None:
    monkeypatch.setenv("LIGHTHOUSE", command)
    if site:
        (tmp_path / "site").mkdir()
    record = tmp_path / "record.json"
    options = ["--site", str(tmp_path / "site"), "--record", str(record)]
    assert lighthouse.main(options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not record.exists()
