"""What a site was built from: a hash of each source file, so that an outdated site is recognized.

Times of files don't tell: a checkout of another state makes all of them new.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx

from bookbuild.book.settings import CONFIG, PACKAGE, REQUIREMENTS, TOC
from bookbuild.build import build_of
from bookbuild.execute.results import write_json

__all__ = ["NAME", "changed_since", "hashes", "setup"]

NAME = "sources.json"  # next to the folder of the site
PAGES = "book"


def hashes(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by its path below `root`.

    Parameters
    ----------
    root
        Folder of the book.
    paths
        Files, and folders of files; byte code and hidden files don't count.
    """
    found: set[Path] = set()
    for path in paths:
        found |= {path} if path.is_file() else set(path.rglob("*"))
    return {
        name.as_posix(): hashlib.sha256((root / name).read_bytes()).hexdigest()
        for name in sorted(path.relative_to(root) for path in found if path.is_file())
        if not any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    }


def sources(root: Path, package: Path, requirements: str) -> dict[str, str]:
    """Hashes of all files that a build of the book in `root` reads."""
    return hashes(root, [root / CONFIG, root / TOC, root / requirements, root / PAGES, package])


def changed_since(
    root: Path,
    build: Path,
    package: str = PACKAGE,
    requirements: str = REQUIREMENTS,
) -> list[str] | None:
    """Files that were changed, added or removed since the site in `build` was built.

    Returns
    -------
    list or None
        Their paths below `root`; None when there is no record of a good build.
    """
    record = build / NAME
    if not record.is_file():
        return None
    then = json.loads(record.read_text(encoding="utf-8"))
    now = sources(root, root / package, requirements)
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def begin(app: Sphinx) -> None:
    """Read the sources before the build does: what changes meanwhile is not in the site."""
    if app.builder.name in {"html", "dirhtml"}:
        (Path(app.outdir).parent / NAME).unlink(missing_ok=True)
        build = build_of(app)
        build.sources = sources(Path(app.srcdir), build.package, app.config.bookbuild_requirements)


def end(app: Sphinx, error: Exception | None) -> None:
    """Write the record when nothing was wrong."""
    # Sphinx tells this number to nobody else; it decides the exit status with it, too.
    if error is None and app._warncount == 0 and (found := build_of(app).sources):
        write_json(Path(app.outdir).parent / NAME, found)


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events: at the very beginning and at the very end."""
    app.connect("builder-inited", begin, priority=100)
    app.connect("build-finished", end, priority=998)
