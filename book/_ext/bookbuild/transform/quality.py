"""``{page-quality}``: what Lighthouse measured of each page, as it was recorded.

The record is written by ``make lighthouse`` (`booktools.lighthouse`), which needs Node and a quiet
machine; a build only shows it, with the command, the machine and the day.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bookbuild.transform.tables import page_link, table, text

__all__ = ["RECORD", "PageQuality", "setup"]

RECORD = "book/recorded/lighthouse.json"
HEADER = {"Page": 40, "Weight (kB)": 12, "First text (s)": 12, "Performance": 18, "Others": 18}

DEVICES = ("phone", "desktop")
OTHERS = ("accessibility", "best-practices", "seo")
KEY = (
    "Weight: the heavier of both devices. First text: on the phone. Performance: phone / desktop. "
    "Others: accessibility, best practices, SEO, each the lower of both devices. "
)
ONE_RUN = "Measured with `{command}`: {versions}, one run each, {date}, on {machine}."
SEVERAL = "Measured with `{command}`: {versions}, median of {runs} runs each, {date}, on {machine}."


def scores(page: dict[str, Any], category: str) -> list[int]:
    """Scores of the phone and of the desktop."""
    return [page[device]["scores"][category] for device in DEVICES]


class PageQuality(SphinxDirective):
    """Table of the recorded scores, and how they were measured."""

    def run(self) -> list[Any]:
        """Return the table and a paragraph about the measurement.

        Raises
        ------
        docutils.parsers.rst.DirectiveError
            When there is no record, or it is not one of ``make lighthouse``.
        """
        path = Path(self.env.srcdir) / RECORD
        self.env.note_dependency(str(path))
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            rows = [self.row(name, page) for name, page in record["pages"].items()]
            measured = ONE_RUN if record["runs"] == 1 else SEVERAL
            how = KEY + measured.format(**record | {"versions": ", ".join(record["versions"])})
        except (OSError, ValueError, KeyError) as error:
            raise self.error(
                f"{RECORD} is no record of `make lighthouse`: {type(error).__name__} {error}"
            ) from error
        about = nodes.paragraph()
        for index, part in enumerate(how.split("`")):
            about += nodes.literal("", part) if index % 2 else nodes.Text(part)
        return [table(HEADER, rows, "The pages as Lighthouse sees them"), about]

    def row(self, name: str, page: dict[str, Any]) -> list[Any]:
        """Cells of one page."""
        return [
            page_link(self.env, name),
            text(f"{max(page[device]['bytes'] for device in DEVICES) / 1000:,.0f}"),
            text(f"{page['phone']['first_paint'] / 1000:.1f}"),
            text(" / ".join(map(str, scores(page, "performance")))),
            text(", ".join(str(min(scores(page, other))) for other in OTHERS)),
        ]


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("page-quality", PageQuality)
