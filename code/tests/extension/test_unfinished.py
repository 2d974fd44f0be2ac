"""What a build does when the one before did not end well."""

from pathlib import Path

import pytest
from sphinx.application import ENV_PICKLE_FILENAME

from bookbuild.check import unfinished


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("last", "anew"),
    [("good", ()), ("warnings", (True,)), ("killed", (False, True))],
)
def test_pages_are_read_anew_after(
    tmp_path: Path, last: str, anew: tuple[bool, ...], strict: bool
) -> None:
    build, doctrees = tmp_path / "_build", tmp_path / "_build" / ".doctrees"
    unfinished.begin(build, doctrees, strict=True)
    if last != "killed":
        unfinished.end(build, warnings=int(last == "warnings"))
    doctrees.mkdir()
    (doctrees / ENV_PICKLE_FILENAME).touch()
    unfinished.begin(build, doctrees, strict)
    assert (doctrees / ENV_PICKLE_FILENAME).exists() == (strict not in anew)
