"""The tests of the chapters believe a recorded execution only if it is of these very cells."""

from collections.abc import Callable
from pathlib import Path

import pytest
from executed_pages import cache_folder, recorded
from jupyter_cache import get_cache
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat.v4 import new_output

from bookbuild.execute.cache import hash_tags_only, put

PAGE = """---
kernelspec:
  name: python3
zerotohero:
  threads: 2
---

# A page

```{code-cell} ipython3
a = 1
```

```{code-cell} ipython3
print(a)
a + 1
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, page: Path) -> Path:
    """A cache that holds the page, executed."""
    hash_tags_only()
    notebook = read_myst_markdown_notebook(PAGE, path=str(page))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].outputs = [
        new_output("stream", name="stdout", text="1\n"),
        new_output("execute_result", {"text/plain": "2"}, execution_count=2),
    ]
    folder = tmp_path / "cache"
    put(get_cache(folder), notebook, page, {"threads": 2})
    return folder


def test_what_a_cell_showed_in_the_end(page: Path, folder: Path) -> None:
    assert recorded(page, folder) == ["", "2"]


def test_text_may_change(page: Path, folder: Path) -> None:
    page.write_text(PAGE.replace("A page", "Another title"), encoding="utf-8")
    assert recorded(page, folder) == ["", "2"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("a = 1", "a = 2"),
        lambda text: text.replace("print(a)\n", ""),
        lambda text: text + "\n```{code-cell} ipython3\na\n```\n",
        lambda text: text.replace("threads: 2", "threads: 1"),
    ],
)
def test_cells_and_threads_may_not(page: Path, folder: Path, change: Callable[[str], str]) -> None:
    page.write_text(change(PAGE), encoding="utf-8")
    assert recorded(page, folder) is None


def test_no_build_no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder(tmp_path) is None
    (tmp_path / ".jupyter_cache" / "of-another-package").mkdir(parents=True)
    monkeypatch.setattr("executed_pages.cache_key", lambda *_: "of-this-package")
    monkeypatch.setattr("executed_pages.editions", lambda *_: {})
    assert cache_folder(tmp_path) is None
    (tmp_path / ".jupyter_cache" / "of-this-package").mkdir()
    assert cache_folder(tmp_path) == tmp_path / ".jupyter_cache" / "of-this-package"
