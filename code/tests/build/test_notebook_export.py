"""Notebooks that a build of a small book exports: what plain Jupyter shows of each construct."""

import json
import re
import shutil
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from build_scratch import ROOT, STRICT, Book, executed
from nbformat import NotebookNode
from notebook_page import PAGE

from notebook_export.flaws import flaws

FORK = {"GITHUB_REPOSITORY": "Ada/fork", "GITHUB_SERVER_URL": "https://github.com"}
SHA = "0123456789abcdef0123456789abcdef01234567"
SITE = "https://ada.github.io/fork/"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The book, built strictly as in a fork."""
    pages = {"book/01-one.md": PAGE}
    book = Book.create(tmp_path_factory.mktemp("export") / "a book", pages)
    toc = {"file": "book/01-one"}, {"file": "book/02-two"}
    part = {"caption": "A part", "numbered": True, "chapters": list(toc)}
    others = {"caption": "Rest", "chapters": [{"file": "book/reproduced"}, {"file": "book/times"}]}
    config = {"format": "jb-book", "root": "book/index", "parts": [part, others]}
    book.write("_toc.yml", json.dumps(config))
    status, log = book.build("--all", *STRICT, **FORK, GITHUB_SHA=SHA)
    assert status == 0, log
    return book


@pytest.fixture(scope="module")
def notebook(book: Book) -> NotebookNode:
    return nbformat.read(book.html / "notebooks" / "01-one.ipynb", as_version=4)


@pytest.fixture(scope="module")
def chapter(book: Book) -> list[NotebookNode]:
    path = book.folder / "_build" / "executed" / "book" / "01-one.ipynb"
    cells: list[NotebookNode] = nbformat.read(path, as_version=4).cells
    return cells


@pytest.fixture(scope="module")
def text(notebook: NotebookNode) -> str:
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def holding(notebook: NotebookNode, part: str) -> NotebookNode:
    """Return the one cell whose source holds `part`."""
    (cell,) = [c for c in notebook.cells if part in c.source]
    return cell


def test_it_has_no_flaw(book: Book, notebook: NotebookNode, chapter: list[NotebookNode]) -> None:
    assert flaws(notebook, chapter, book.folder) == []


def test_the_first_cell_names_the_commit_of_the_fork(notebook: NotebookNode) -> None:
    first = notebook.cells[0]
    assert (first.id, first.cell_type) == ("first", "code")
    assert f'"toy[book] @ https://github.com/Ada/fork/archive/{SHA}.zip"' in first.source


def test_title_and_origin(notebook: NotebookNode) -> None:
    lines = notebook.cells[1].source.splitlines()
    assert lines[0] == "# 1. The page"
    assert f"[Read it as a page]({SITE}book/01-one.html)" in lines[2]
    assert f"[Neural Networks: Zero to Hero]({SITE})" in lines[2]
    assert notebook.metadata.title == "The page"


def test_text_within_a_line(text: str) -> None:
    assert r"Costs $x_i$ or \$5, a\*b, `a|b` and *so* **on** [https://example.org/a](" in text
    assert "The answer is 42." in text


def test_links(text: str) -> None:
    assert "See [Fig. 1.1](#fig-square), [(1.1)](#equation-eq-line), " in text
    assert f"[the other]({SITE}book/02-two.html), [below](#below) and " in text
    assert "and [Exercise 1.1](#ex-first)." in text
    for anchor in ("fig-square", "equation-eq-line", "below", "ex-first"):
        assert text.count(f'<a id="{anchor}"></a>') == 1
    assert '<a id="a-section">' not in text  # nothing leads there


def test_formulas(text: str) -> None:
    assert r"$$ \begin{split} a &= b \\ &= c \end{split} \tag{1.1} $$" in text
    assert r"\begin{align} x &= y \end{align}" in text
    assert r"> $$ p = q $$" in text or r"$p = q$" in text


def test_blocks(text: str) -> None:
    assert "> **Trap: a note**\n>\n> With a formula, " in text
    assert "> ```python\n> x = 1\n> ```" in text
    assert "- one `a`\n\n  more of one\n\n- two\n\n  1. inner\n  2. inner two" in text
    assert "**Term**\n\nWhat it means." in text
    assert "| a | $p(a \\vert b)$ |\n| --- | --- |\n| `x\\|y` | 42 |" in text
    assert '**The package**\n\n```python\n"""Toy."""\n\nVALUE = 1\n```' in text


def test_caption_follows_its_figure(notebook: NotebookNode) -> None:
    caption = holding(notebook, "**Fig. 1.1.**")
    assert caption.source.endswith(
        "**Fig. 1.1.** The square of $x$, as in [(1.1)](#equation-eq-line)."
    )
    before = notebook.cells[notebook.cells.index(caption) - 1]
    assert before.source.startswith("from IPython.display import SVG")
    assert any("image/svg+xml" in output.get("data", {}) for output in before.outputs)


def test_what_the_page_folds_or_leaves_out_is_folded(notebook: NotebookNode) -> None:
    folded = holding(notebook, "from IPython.display import SVG").metadata
    assert folded.jupyter.source_hidden
    assert folded.cellView == "form"
    assert folded.tags == ["hide-input"]
    for source in ("hidden = 1", "last = True"):
        cell = holding(notebook, source)
        assert cell.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
    assert holding(notebook, 'print("hello"').metadata == {}
    assert notebook.cells[-1].source == "last = True"


def test_records_of_the_build_are_left_out(notebook: NotebookNode) -> None:
    assert "papermill" not in json.dumps(notebook)
    assert holding(notebook, 'print("hello"').outputs[0].text == "hello 1\n"


def test_exercises_and_solutions(notebook: NotebookNode) -> None:
    assert "### Exercise 1.1 (Do it)\n\nWrite `f`." in holding(notebook, "Write `f`").source
    assert "### Exercise 1.2\n\nAgain." in holding(notebook, "Again.").source
    hint = holding(notebook, "Think of").source
    assert hint == "<details>\n<summary>Hint 1</summary>\n\nThink of $x < y$.\n\n</details>"
    solution = holding(notebook, "### Solution to [Exercise 1.1 (Do it)](#ex-first)")
    assert solution.metadata["jp-MarkdownHeadingCollapsed"]
    assert solution.metadata["heading_collapsed"]
    assert holding(notebook, "return 1").metadata.jupyter.source_hidden
    assert "jupyter" not in holding(notebook, "def f(): ...").metadata
    assert holding(notebook, "Done.").cell_type == "markdown"


def test_no_text_is_hidden_with_a_solution(notebook: NotebookNode) -> None:
    """Jupyter hides all up to the next heading; what is no part of the solution must not go."""
    solution = holding(notebook, "### Solution to [Exercise 1.2](#ex-second)")
    after = holding(notebook, "Text after the solution.")
    assert notebook.cells.index(after) == notebook.cells.index(solution) + 2
    assert "jp-MarkdownHeadingCollapsed" not in solution.metadata


def test_menus_of_the_page(book: Book) -> None:
    links = set(
        re.findall(r'href="([^"]*(?:ipynb|mybinder|colab\.)[^"]*)"', book.page("book/01-one.html"))
    )
    assert links == {
        "https://mybinder.org/v2/gh/Ada/fork/notebooks?urlpath=lab/tree/01-one.ipynb",
        "https://colab.research.google.com/github/Ada/fork/blob/notebooks/01-one.ipynb",
        "../notebooks/01-one.ipynb",
    }
    assert not list((book.html / "_sources").rglob("*.ipynb"))
    index = book.page("book/index.html")
    assert "mybinder" not in index
    assert ".ipynb" not in index


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
def test_the_page_of_times_shows_the_memory(book: Book) -> None:
    table = BeautifulSoup(book.page("book/times.html"), "html.parser").table
    assert table is not None
    head, *rows = [[cell.get_text(strip=True) for cell in row("p")] for row in table("tr")]
    assert head[2] == "Memory (MB)"
    assert len(rows) == 2
    assert all(30 < float(row[2]) < 500 for row in rows), rows


def test_two_builds_give_the_same_bytes_and_execute_nothing(book: Book, tmp_path: Path) -> None:
    shutil.copytree(book.folder, tmp_path / "again")
    again = Book(tmp_path / "again")
    (again.html / "notebooks" / "gone.ipynb").write_text("{}", encoding="utf-8")
    status, log = again.build("--all", *STRICT, **FORK, GITHUB_SHA=SHA)
    assert status == 0, log
    assert executed(log) == []
    names = sorted(path.name for path in (again.html / "notebooks").iterdir())
    assert names == ["01-one.ipynb", "02-two.ipynb"]
    for name in names:
        old, new = (b.html / "notebooks" / name for b in (book, again))
        assert old.read_bytes() == new.read_bytes()


def test_a_node_that_is_not_known_fails_the_build(tmp_path: Path) -> None:
    page = "\n```{eval-rst}\n.. productionlist::\n   try: `this`\n   this: that\n```\n"
    front = PAGE[: PAGE.index("# The page")]
    cell = "\n```{code-cell}\n1 + 1\n```\n"
    book = Book.create(tmp_path, {"book/01-one.md": f"{front}# One\n{cell}{page}"})
    status, log = book.build("--all", *STRICT)
    assert status != 0
    assert re.search(r"notebook of book/01-one: there is no rule for <production", log), log


# -- the check of a notebook sees what is wrong ------------------------------------------


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda nb: nb.cells[1].update(source="See {eq}`x`."), "a role is left over"),
        (lambda nb: nb.cells[1].update(source="```{note}\nx\n```"), "a directive is left over"),
        (lambda nb: nb.cells[1].update(source=":::{admonition} x\n:::"), "a directive is left"),
        (lambda nb: nb.cells[1].update(source="It is {glue:text}x."), "a number to be filled in"),
        (lambda nb: nb.cells[1].update(source="[Fig. %s](#below)"), "a number to be filled in"),
        (lambda nb: nb.cells[1].update(source="(label)=\n## x"), "a target is left over"),
        (lambda nb: nb.cells[1].update(source="[x](None)"), "'None' leads nowhere"),
        (lambda nb: nb.cells[1].update(source="[x]()"), "'' leads nowhere"),
        (lambda nb: nb.cells[1].update(source="[x](02-two.html#y)"), "leads nowhere outside"),
        (lambda nb: nb.cells[1].update(source="[x](#nowhere)"), "the link to #nowhere leads"),
        (lambda nb: nb.cells[1].update(source="<details>\nx"), "a fold is not closed"),
        (lambda nb: nb.cells[1].update(source="costs $5"), "a formula is not closed"),
        (lambda nb: nb.cells[2].update(source="print(1)"), "are not the chapter's"),
        (lambda nb: nb.cells[2].metadata.update(tags=["other"]), "the tags of its code cells"),
        (lambda nb: nb.cells.pop(2), "code cells are not the chapter's"),
        (lambda nb: nb.cells.pop(0), "not the one that installs the package"),
        (lambda nb: nb.cells[2].update(id="first"), "two cells have the same id"),
        (lambda nb: nb.cells[3].outputs.clear(), "images of the chapter's cell"),
        (lambda nb: nb.cells[2].pop("outputs"), "it is not a valid notebook"),
    ],
)
def test_flaws_are_seen(
    harm: object, message: str, book: Book, notebook: NotebookNode, chapter: list[NotebookNode]
) -> None:
    harmed = deepcopy(notebook)
    harm(harmed)  # type: ignore[operator] # a function of the list above
    assert any(message in flaw for flaw in flaws(harmed, chapter, book.folder))


def test_the_path_of_the_machine_is_seen(
    book: Book, notebook: NotebookNode, chapter: list[NotebookNode]
) -> None:
    harmed = deepcopy(notebook)
    harmed.cells[1].source = f"see {book.folder.resolve()}"
    assert any("path of the folder" in flaw for flaw in flaws(harmed, chapter, book.folder))


def test_code_is_no_flaw() -> None:
    fine = "Use `{glue:text}` or `$x` or `[a](b)`:\n\n```md\n[x](None) $5\n```\n"
    cells = [nbformat.v4.new_code_cell("1", metadata={"tags": ["first"]})]
    cells.append(nbformat.v4.new_markdown_cell(fine.replace("{glue:text}", "glue")))
    assert flaws(nbformat.v4.new_notebook(cells=cells), [], ROOT) == []
