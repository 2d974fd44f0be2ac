"""Constructs of the book that need more than one page or a list of references, in a notebook."""

import re

import nbformat
import pytest
import yaml
from build_scratch import FRONT, STRICT, SVG, Book

FORK = {"GITHUB_REPOSITORY": "Ada/fork", "GITHUB_SERVER_URL": "https://github.com"}
SITE = "https://ada.github.io/fork/"
BIB = """\
@article{noether, author = {Emmy Noether}, title = {Invariants}, journal = {J}, year = {1918}}
"""
PAGE = (
    FRONT.replace("SETTINGS", "data: [names]")
    + """\
# The page

As {cite:t}`noether` says {cite}`noether`, a {term}`logit` is a number. So says {prf:ref}`thm-a`.

```{code-cell}
from IPython.display import HTML
HTML("<table><tr><td>raw</td></tr></table>")
```

```{prf:theorem} Sums
:label: thm-a
The sum of $a$ and $b$ is $a + b$.
```

```{figure} square.svg
:name: fig-drawn
:alt: A square drawn beforehand

A square.
```

{numref}`fig-drawn` and {numref}`tab-list` show it.

```{list-table} Sizes
:name: tab-list
:header-rows: 1

* - name
  - size
* - $x$
  - `2|3`
```
"""
)
REST = """\
# Rest

```{glossary}
logit
  A number before the softmax.
```

```{bibliography}
```
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Text of the notebook, from a strict build."""
    pages = {"book/01-one.md": PAGE, "book/rest.md": REST, "book/square.svg": SVG}
    book = Book.create(tmp_path_factory.mktemp("nodes"), {**pages, "book/references.bib": BIB})
    config = yaml.safe_load((book.folder / "_config.yml").read_text(encoding="utf-8"))
    config["bibtex_bibfiles"] = ["book/references.bib"]
    config["sphinx"]["config"]["bibtex_reference_style"] = "author_year"
    book.write("_config.yml", yaml.safe_dump(config))
    status, log = book.build("--all", *STRICT, **FORK)
    assert status == 0, log
    notebook = nbformat.read(book.html / "notebooks" / "01-one.ipynb", as_version=4)
    (raw,) = [o for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    assert raw["data"]["text/html"] == "<table><tr><td>raw</td></tr></table>"
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_citations_lead_to_the_references(text: str) -> None:
    assert text.count(f"]({SITE}book/rest.html#id") == 2
    assert "Noether" in text
    assert "1918" in text
    assert "noether" not in text.replace("Noether", "")


def test_terms_lead_to_the_glossary(text: str) -> None:
    assert f"[logit]({SITE}book/rest.html#term-logit)" in text.replace("*", "")


def test_proofs(text: str) -> None:
    assert "The sum of $a$ and $b$ is $a + b$." in text
    assert '<a id="thm-a"></a>> **Theorem' not in text  # a quote starts its line
    assert re.search(r"^> \*\*Theorem 1(\.1)? \(Sums\)\*\*$", text, re.MULTILINE)
    assert '<a id="thm-a"></a>' in text
    assert "](#thm-a)" in text


def test_figures_of_the_text(text: str) -> None:
    assert f"![A square drawn beforehand]({SITE}_images/" in text
    assert "A square." in text
    assert "](#fig-drawn)" in text


def test_tables_of_lists(text: str) -> None:
    assert "\n\n| name | size |\n| --- | --- |\n| $x$ | `2\\|3` |" in text
    assert "Sizes" in text
    assert "](#tab-list)" in text
