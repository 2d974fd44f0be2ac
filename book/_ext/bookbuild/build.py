"""The course of a build: connects the parts of the extension to Sphinx's events."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx.project import Project
from sphinx.util import logging

from bookbuild import cache, finish, quality, unfinished
from bookbuild.address import source_page
from bookbuild.chapters import Chapter, read_chapters
from bookbuild.comments import number_blocks, number_cells
from bookbuild.execute import Outcome, execute
from bookbuild.explorer import connect_explorer
from bookbuild.facts import chapter_facts, video
from bookbuild.figures import check_figures
from bookbuild.key import cache_key, editions
from bookbuild.notebooks.export import FOLDER, export, remove_others
from bookbuild.notebooks.launch import set_menus
from bookbuild.pages import (
    accept_reproduced_figures,
    drop_repeated_ids,
    drop_thebe,
    embedded_note,
    unescape_addresses,
)
from bookbuild.publish import use_addresses, write_entrances, write_sitemap
from bookbuild.records import machine, reproduced_figures, time_row, write_json, write_notebook
from bookbuild.report import page_label, report_times, warn_of_dead_links
from bookbuild.search import connect_search
from bookbuild.settings import Settings, page_settings
from bookbuild.tables import ExecutionTimes, ReproducedFigures, table_data, table_pages

__all__ = ["ChapterError", "connect"]

logger = logging.getLogger(__name__)


class ChapterError(SphinxError):
    """Cells of chapters failed; the message names page, cell and line of each."""

    category = "Chapters failed"


class Build:
    """One run of Sphinx; its methods are the handlers of Sphinx's events, in their order."""

    def __init__(self) -> None:
        self.settings: dict[str, Settings] = {}
        self.editions: dict[str, str] = {}
        self.package = Path()
        self.chapters: dict[str, Chapter] = {}
        self.executed: set[str] = set()
        self.notebooks: dict[str, Any] = {}
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.ran = False

    # -- before anything is read

    def config_inited(self, app: Sphinx, config: Config) -> None:
        """Choose the folder of the execution cache; see whether the last build ended well."""
        source, folder = Path(app.srcdir), Path(app.outdir).parent
        unfinished.begin(folder, Path(app.doctreedir))
        self.package = source / config.bookbuild_package
        # For autodoc, and to ask the package for editions: the checkout, installed or not.
        sys.path.insert(0, str(self.package.parent))
        project = Project(source, config.source_suffix)
        for docname in project.discover(config.exclude_patterns, config.include_patterns):
            path = source / project.doc2path(docname, absolute=False)
            if path.suffix == ".md":
                self.settings[docname] = page_settings(path)
        names = {name for settings in self.settings.values() for name in settings.data}
        self.editions = editions(self.package, names)
        key = cache_key(self.package, source / config.bookbuild_requirements, self.editions)
        root = Path(config.nb_execution_cache_path or folder / ".jupyter_cache")
        config.nb_execution_cache_path = str(cache.use_folder(root, key))

    # -- once the pages are known, before they are read

    def env_get_outdated(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        added: set[str],
        changed: set[str],
        removed: set[str],
    ) -> set[str]:
        """Execute what is not in the cache; return the pages that show something old."""
        if self.ran:
            return set()
        self.ran = True
        self.chapters = {chapter.docname: chapter for chapter in read_chapters(app)}
        store = cache.open_cache(Path(app.config.nb_execution_cache_path))
        self.execute_missing(app, store)
        versions = self.collect(app, store)
        if app.builder.format == "html" and app.fresh_env_used:
            unfinished.remove_pages(Path(app.outdir))
        return self.outdated(app, env, versions)

    def execute_missing(self, app: Sphinx, store: Any) -> None:
        """Execute the chapters that are not in the cache, and put them there."""
        missing = [
            chapter
            for chapter in self.chapters.values()
            if cache.lookup(store, chapter.notebook, chapter.settings.threads) is None
        ]
        if missing:
            logger.info("")  # Sphinx has begun a line
        ipython = Path(app.outdir).parent / ".ipython"
        failures: list[Outcome] = []
        for outcome in execute(missing, self.package, ipython):
            chapter = outcome.chapter
            if outcome.failure is not None:
                failures.append(outcome)
                continue
            cache.put(
                store,
                outcome.notebook,
                chapter.path,
                {
                    "execution_seconds": outcome.seconds,
                    "memory": outcome.memory,
                    "threads": chapter.settings.threads,
                    "machine": machine(),
                },
            )
            self.executed.add(chapter.docname)
        for failed in failures:
            # With -W the first message would end the build; all of them shall be seen.
            logger.error(
                failed.failure,
                location=(failed.chapter.docname, failed.line),
                extra={"skip_warningsiserror": True},
            )
        if failures:
            raise ChapterError("; ".join(str(failed.summary) for failed in failures))

    def collect(self, app: Sphinx, store: Any) -> dict[str, str]:
        """Gather what the chapters say. Returns the version of each one's outputs."""
        folder = Path(app.outdir).parent / "executed"
        shutil.rmtree(folder, ignore_errors=True)
        figures, times, versions = [], [], {}
        for docname, chapter in self.chapters.items():
            record = cache.lookup(store, chapter.notebook, chapter.settings.threads)
            _, notebook = store.merge_match_into_notebook(chapter.notebook)
            write_notebook(folder / f"{docname}.ipynb", notebook)
            self.notebooks[docname] = notebook
            figures += reproduced_figures(chapter, notebook)
            times.append(time_row(chapter, record.data))
            versions[docname] = f"{record.hashkey} {record.created.isoformat()}"
        self.tables = {"reproduced": figures, "times": times}
        return versions

    def outdated(self, app: Sphinx, env: BuildEnvironment, versions: dict[str, str]) -> set[str]:
        """Pages that must be read again although their files have not changed."""
        old: dict[str, Any] = vars(env).setdefault("bookbuild_seen", {})
        pages = {doc for doc in versions if versions[doc] != old.get("versions", {}).get(doc)}
        # A chapter can include code of other files; and builders share one environment, so
        # what another one has read this one has not written.
        if old.get("builder", app.builder.name) != app.builder.name:
            pages |= env.found_docs
        before = table_data(env)
        for doc, names in table_pages(env).items():
            if any(before[name] != self.tables[name] for name in names):
                pages.add(doc)
        before.update(self.tables)
        old.update(versions=versions, builder=app.builder.name)
        return pages

    # -- while pages are read and written

    def env_purge_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget which tables a page shows: it is read again, or gone."""
        table_pages(env).pop(docname, None)

    def doctree_read(self, app: Sphinx, doctree: Any) -> None:
        """Say on a page that it was built from an embedded edition of its data."""
        settings = self.settings.get(app.env.docname, Settings())
        embedded = [name for name in settings.data if self.editions.get(name) == "embedded"]
        title = next(doctree.findall(nodes.title), None)
        if embedded and title is not None:
            section = title.parent
            section.insert(section.index(title) + 1, embedded_note(embedded))
        times = {row["page"]: row["seconds"] for row in self.tables.get("times", [])}
        unescape_addresses(doctree)
        # a chapter is numbered as its lecture is
        lecture = re.match(r"(.*/)?\d", app.env.docname)
        link = video(doctree) if lecture else None
        if app.env.docname in times and title is not None and (link or not lecture):
            source = source_page(page_label(app, app.env.docname), Path(app.srcdir))
            line = chapter_facts(doctree, times[app.env.docname], source, link)
            title.parent.insert(title.parent.index(title) + 1, line)

    def doctree_resolved(self, app: Sphinx, doctree: Any, docname: str) -> None:
        """Check the figures of a page, and repair what another extension leaves behind."""
        drop_repeated_ids(doctree)
        number_blocks(doctree, app.env, docname)
        if app.builder.format == "html":
            chapter = self.chapters.get(docname)
            places = chapter.places() if chapter else {}
            check_figures(doctree, docname, page_label(app, docname), places)

    def export_notebook(self, app: Sphinx, doctree: Any, docname: str) -> None:
        """Write the notebook of a chapter beside its page."""
        if app.builder.name == "html" and docname in self.notebooks:
            cells = number_cells(self.notebooks[docname], app.env, docname)
            export(app, doctree, docname, cells, self.package)

    # -- once everything is written

    def build_finished(self, app: Sphinx, error: Exception | None) -> None:
        """Write the reproduced figures, check links and budgets, and take the mark away."""
        if error is not None:
            return
        site = Path(app.outdir)
        if app.builder.name in {"html", "dirhtml"}:
            remove_others(site / FOLDER, set(self.notebooks))
            write_json(site / "reproduced.json", table_data(app.env)["reproduced"])
            uris = map(app.builder.get_target_uri, app.env.found_docs)
            write_sitemap(site, app.config.html_baseurl, uris)
            config = app.config
            front = app.builder.get_target_uri(config.root_doc) or "index.html"
            write_entrances(
                site, config.html_baseurl, front, config.html_title, config.html_favicon
            )
            warn_of_dead_links(app, self.chapters)
        report_times(table_data(app.env)["times"], self.executed)
        # Sphinx tells this number to nobody else; it decides the exit status with it, too.
        if app._warncount == 0:
            unfinished.end(site.parent)


def connect(app: Sphinx) -> None:
    """Connect one `Build` to the events of `app`, and add the directives."""
    build = Build()
    cache.hash_tags_only()
    accept_reproduced_figures()
    app.add_directive("reproduced-figures", ReproducedFigures)
    app.add_directive("execution-times", ExecutionTimes)
    connect_explorer(app)
    quality.connect(app)
    # after sphinx-external-toc (900), which excludes the pages that are not in the table
    app.connect("config-inited", build.config_inited, priority=950)
    app.connect("config-inited", drop_thebe, priority=950)
    app.connect("config-inited", use_addresses, priority=950)
    app.connect("env-get-outdated", build.env_get_outdated)
    app.connect("env-purge-doc", build.env_purge_doc)
    app.connect("doctree-read", build.doctree_read)
    app.connect("doctree-resolved", build.doctree_resolved)
    # after everything else that changes a page
    app.connect("doctree-resolved", build.export_notebook, priority=950)
    # after the theme (501), whose menus it changes
    app.connect("html-page-context", set_menus, priority=950)
    connect_search(app)
    finish.connect(app)
    # after everything else that writes files
    app.connect("build-finished", build.build_finished, priority=950)
