"""The tools around the build: what they say of themselves, and when they can't begin."""

import socket
from pathlib import Path

import pytest

from booktools.__main__ import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_for_a_terminal(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"booktools {command}" in shown
    assert "``" not in shown


def test_a_port_in_use_and_a_missing_site_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path), "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert str(port) in told
    assert "PORT=" in told
    assert main(["serve", str(tmp_path / "none")]) == 2
    assert "make book" in capsys.readouterr().err
