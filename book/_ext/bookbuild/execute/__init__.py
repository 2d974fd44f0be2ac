"""Runs the chapters whose outputs are not in the cache, before any page is read.

``data`` fetches the data sets, ``chapters`` finds the pages that are notebooks, ``key`` and
``cache`` tell which of them have to run, ``kernels`` runs them, and ``results`` checks the outputs.
"""

import os
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx.util import logging

from bookbuild.build import Build, build_of
from bookbuild.execute import cache
from bookbuild.execute.chapters import read_chapters
from bookbuild.execute.data import fetch_data
from bookbuild.execute.kernels import Outcome, execute
from bookbuild.execute.key import ChapterKeys
from bookbuild.execute.results import collect, machine, warn_of_stderr

__all__ = ["ChapterError", "setup"]

CACHE = "ZEROTOHERO_EXECUTION_CACHE"  # folder of it, for a build that shares another one's
logger = logging.getLogger(__name__)


class ChapterError(SphinxError):
    """Cells of chapters failed; the message names page, cell and line of each."""

    category = "Chapters failed"


def prepare(app: Sphinx, config: Config) -> None:
    """Fetch the data, and choose the folder of the cache and what it goes by."""
    build, source = build_of(app), Path(app.srcdir)
    # For autodoc, and to ask the package for data: the checkout, installed or not.
    sys.path.insert(0, str(build.package.parent))
    if config.nb_execution_mode == "off":  # as when links are checked
        return
    build.editions = fetch_data(build.package, build.settings, logger.info)
    keys = ChapterKeys(build.package, source / config.bookbuild_requirements, build.editions)
    cache.use_keys(keys.key)
    folder = os.environ.get(CACHE) or config.nb_execution_cache_path
    folder = folder or Path(app.outdir).parent / ".jupyter_cache"
    config.nb_execution_cache_path = str(folder)


def run(
    app: Sphinx,
    env: BuildEnvironment,
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> set[str]:
    """Execute what is not in the cache; return the pages that show something old.

    The pages are known by now, and not read yet.
    """
    build = build_of(app)
    if build.chapters or app.config.nb_execution_mode == "off":
        return set()
    build.chapters = {chapter.docname: chapter for chapter in read_chapters(app)}
    store = cache.open_cache(Path(app.config.nb_execution_cache_path))
    execute_missing(app, build, store)
    versions = collect(build, store, Path(app.outdir).parent / "executed")
    for docname, chapter in build.chapters.items():
        warn_of_stderr(chapter, build.notebooks[docname])
    return outdated(app, env, versions)


def execute_missing(app: Sphinx, build: Build, store: Any) -> None:
    """Execute the chapters that are not in the cache, and put them there."""
    missing = [c for c in build.chapters.values() if cache.lookup(store, c.notebook) is None]
    ipython = Path(app.outdir).parent / ".ipython"
    failures: list[Outcome] = []
    for outcome in execute(missing, build.package, ipython):
        chapter = outcome.chapter
        if outcome.failure is not None:
            failures.append(outcome)
            continue
        data = {
            "execution_seconds": outcome.seconds,
            "memory": outcome.memory,
            "threads": chapter.settings.threads,
            "machine": machine(),
        }
        cache.put(store, outcome.notebook, chapter.path, data)
        build.executed.add(chapter.docname)
    for failed in failures:
        # With -W the first message would end the build; we want to see all of them.
        logger.error(
            failed.failure,
            location=(failed.chapter.docname, failed.line),
            extra={"skip_warningsiserror": True},
        )
    if failures:
        raise ChapterError("; ".join(str(failed.summary) for failed in failures))


def outdated(app: Sphinx, env: BuildEnvironment, versions: dict[str, str]) -> set[str]:
    """Pages that must be read again although their files have not changed.

    `versions` names the version of each chapter's outputs.
    """
    old: dict[str, Any] = vars(env).setdefault("bookbuild_seen", {})
    pages = {doc for doc in versions if versions[doc] != old.get("versions", {}).get(doc)}
    # Builders share one environment, so what another one has read this one has not written.
    if old.get("builder", app.builder.name) != app.builder.name:
        pages |= env.found_docs
    old.update(versions=versions, builder=app.builder.name)
    return pages


def setup(app: Sphinx) -> None:
    """Connect this step to Sphinx's events."""
    app.connect("config-inited", prepare, priority=950)
    app.connect("env-get-outdated", run)
