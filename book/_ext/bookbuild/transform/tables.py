"""Two directives that show results of the executed chapters.

``{reproduced-figures}`` sets the lectures' figures next to ours; ``{execution-times}`` lists how
long the chapters take. A page that shows a table is read again when its rows have changed.
"""

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from bookbuild.build import build_of
from bookbuild.execute.results import over_budget

__all__ = ["ExecutionTimes", "ReproducedFigures", "page_link", "setup", "table", "text"]

VERDICTS = {
    True: "✓",
    False: "✗",
    None: "– not comparable (embedded names edition)",
}


def table_pages(env: BuildEnvironment) -> dict[str, set[str]]:
    """Which tables each page shows, to read the page again when their data changed."""
    pages: dict[str, set[str]] = vars(env).setdefault("bookbuild_table_pages", {})
    return pages


def number(value: Any) -> str:
    """Write a value for the table: six significant digits for a float, lists in parentheses.

    Within a list numbers have no commas of their own. A minus is a minus, not a hyphen.
    """
    if isinstance(value, list):
        return "(" + ", ".join(number(item).replace(",", "") for item in value) + ")"
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", "−")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace("-", "−")
    return "–" if value is None else str(value)


def text(value: str) -> Any:
    """Paragraph with plain text."""
    return nodes.paragraph("", value)


def page_link(env: BuildEnvironment, page: str, shown: str = "") -> Any:
    """Paragraph with a link to a page; its text is `shown`, or else the page's title."""
    link = addnodes.pending_xref(
        "",
        nodes.inline("", shown or page),
        refdoc=env.docname,
        refdomain="std",
        reftype="doc",
        reftarget=f"/{page}",
        refexplicit=bool(shown),
        refwarn=True,
    )
    return nodes.paragraph("", "", link)


def table(header: dict[str, int], rows: list[list[Any]], caption: str) -> Any:
    """Table of paragraphs; `header` gives the names of the columns, and their widths."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=width) for width in header.values()]

    def row(cells: list[Any]) -> Any:
        return nodes.row("", *[nodes.entry("", cell) for cell in cells])

    group += nodes.thead("", row([text(name) for name in header]))
    group += nodes.tbody("", *[row(cells) for cells in rows])
    return nodes.table("", nodes.title("", caption), group, classes=["colwidths-given"])


class ReproducedFigures(SphinxDirective):
    """Table that compares the figures published with the lectures with ours."""

    def run(self) -> list[Any]:
        """Return the table, or a sentence when no chapter recorded a figure."""
        table_pages(self.env).setdefault(self.env.docname, set()).add("reproduced")
        rows = build_of(self.env.app).tables["reproduced"]
        if not rows:
            return [text("No chapter has recorded a figure to compare yet.")]
        cells = [
            [
                page_link(self.env, row["page"], f"Lecture\N{NO-BREAK SPACE}{row['lecture']}"),
                text(number(row["what"])),
                text(number(row["published"])),
                text(number(row["ours"])),
                text(VERDICTS[row["ok"]]),
            ]
            for row in rows
        ]
        header = {
            "Lecture": 15,
            "What": 40,
            "Published": 15,
            "Ours": 15,
            "Fits": 15,
        }
        return [table(header, cells, "Figures of the lectures, and ours")]


def budget(row: dict[str, Any]) -> str:
    """Write the budget of a chapter, and whether it was exceeded."""
    seconds = number(row["budget"])
    return f"{seconds} – exceeded" if over_budget(row) else seconds


class ExecutionTimes(SphinxDirective):
    """Table of the time and memory that each chapter took when it was executed."""

    def run(self) -> list[Any]:
        """Return the table and the machine, or a sentence when there is no chapter."""
        table_pages(self.env).setdefault(self.env.docname, set()).add("times")
        rows = build_of(self.env.app).tables["times"]
        if not rows:
            return [text("No chapter has been executed yet.")]
        cells = [
            [
                page_link(self.env, row["page"]),
                text(f"{row['seconds']:.1f}"),
                text("–" if row["memory"] is None else f"{row['memory'] / 1e6:,.0f}"),
                text(str(row["threads"])),
                text(budget(row)),
            ]
            for row in rows
        ]
        header = {
            "Chapter": 40,
            "Seconds": 15,
            "Memory (MB)": 15,
            "Threads": 15,
            "Budget (seconds)": 15,
        }
        # Usually one; several when the cache was filled on several machines.
        machines = sorted({row["machine"] for row in rows})
        return [
            table(header, cells, "Time to execute each chapter"),
            *[text(f"Measured with {name}.") for name in machines],
        ]


def outdated(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> set[str]:
    """Pages that show a table whose rows were others when the page was read."""
    now = build_of(app).tables
    before: dict[str, list[dict[str, Any]]] = vars(env).get("bookbuild_tables", {})
    vars(env)["bookbuild_tables"] = now  # pickled with the environment
    return {
        page
        for page, names in table_pages(env).items()
        if any(before.get(name) != now.get(name) for name in names)
    }


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget which tables a page shows: it is read again, or gone."""
    table_pages(env).pop(docname, None)


def setup(app: Sphinx) -> None:
    """Add the directives, and connect what belongs to them."""
    app.add_directive("reproduced-figures", ReproducedFigures)
    app.add_directive("execution-times", ExecutionTimes)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
