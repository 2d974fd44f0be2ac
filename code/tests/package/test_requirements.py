"""What is installed: pins, the ranges of the package, and the Pythons for which both hold."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
WANTED = [
    Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines
]
ASKED, BROUGHT = (
    [
        Requirement(found[1])
        for line in part.splitlines()
        if (found := re.match(r"([^#\s-][^#]*==[^#]*)", line))
    ]
    for part in (ROOT / "requirements.txt").read_text("utf-8").split("# -- what those bring along")
)
PINS = {canonicalize_name(pin.name): pin for pin in [*ASKED, *BROUGHT]}
# What a GPU build of torch brings is none of the pins: torch itself names exact versions of it.
OF_TORCH = re.compile(r"(nvidia|cuda)-.*|triton")


# -- pins and ranges -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_what_the_package_asks_for_is_pinned_within_its_range(wanted: Requirement) -> None:
    (pinned,) = PINS[canonicalize_name(wanted.name)].specifier
    assert wanted.specifier.contains(pinned.version)


def test_each_package_is_pinned_once_at_one_version() -> None:
    assert len(PINS) == len(ASKED) + len(BROUGHT)
    for pin in PINS.values():
        assert re.fullmatch(r"==\d[\w.]*", str(pin.specifier)), pin


def test_the_second_list_is_what_the_first_brings_along() -> None:
    """Here, by what the installed packages ask for on this system and with this Python."""
    found: set[tuple[str, str]] = set()
    todo = [(pin, extra) for pin in [*ASKED, *WANTED] for extra in ("", *pin.extras)]
    while todo:
        wanted, extra = todo.pop()
        name = canonicalize_name(wanted.name)
        if (name, extra) in found or OF_TORCH.fullmatch(name):
            continue
        found.add((name, extra))
        for line in metadata.requires(name) or []:
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                todo += [(further, asked) for asked in ("", *further.extras)]
    here = {name for name, pin in PINS.items() if pin.marker is None or pin.marker.evaluate()}
    assert {name for name, _ in found} == here


# -- versions of Python --------------------------------------------------------------------


def test_the_package_names_the_versions_that_are_supported() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]
    assert named == [f"3.{minor}" for minor in range(40) if f"3.{minor}" in allowed]
