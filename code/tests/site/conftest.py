"""Tests of the built book fail where there is none, or where it is older than its sources."""

import pytest
from chapter_source import ROOT

from bookbuild.check.sources import changed_since


@pytest.fixture(scope="session", autouse=True)
def site_of_these_sources() -> None:
    changed = changed_since(ROOT, ROOT / "_build")
    if changed is None:
        pytest.fail("there is no book that was built without a warning: run `make book`", False)
    if changed:
        others = f" and {len(changed) - 1} other files" if len(changed) > 1 else ""
        pytest.fail(
            f"the built book is older than {changed[0]}{others}: run `make book`", pytrace=False
        )
