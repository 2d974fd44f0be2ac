"""The commands of the package: what their help shows, and a folder that can't be written to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from training import TEXT, TINY, options

from zerotohero.train_gpt import checkpoint
from zerotohero.train_gpt.command import main

PACKAGE = Path(__file__).parents[2] / "zerotohero"
COMMANDS = sorted(path.parent.name for path in PACKAGE.glob("*/__main__.py"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_written_for_a_terminal(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"zerotohero.{command}", "--help"],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert f"python -m zerotohero.{command}" in done.stdout
    assert "`" not in done.stdout


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("runs", "error: runs: Permission denied"),
        ("runs/mine/losses.csv", "error: runs/mine/losses.csv: Permission denied"),
        ("text.txt", "error: text.txt: Permission denied"),
    ],
)
def test_what_is_not_permitted_is_said_with_what_to_do(
    refused: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The system's error, whoever runs this test: root may write everywhere."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")

    def save(*_: object) -> None:
        raise PermissionError(13, "Permission denied", refused)

    monkeypatch.setattr(checkpoint, "save", save)
    assert main(["--out", "runs/mine", "--text", "text.txt", "--quiet", *options(TINY)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1
