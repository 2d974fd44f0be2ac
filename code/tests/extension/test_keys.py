"""The key of a chapter, and the records in the execution cache."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from bookbuild.execute import cache, key

SOURCE = '''\
"""What the module does."""

import math


class Thing:
    """A thing."""

    def area(self, r: float) -> float:
        """Area in square meters."""
        return math.pi * r**2  # a comment
'''
CELL = "from toy.shapes import Thing\nThing()"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "toy"
    write(package, "__init__.py", "")
    write(package, "shapes.py", SOURCE)
    write(package, "other.py", "import toy.shapes\n")
    write(package, "unused/__init__.py", "")
    write(package, "registry.json", '{"names": 1}')
    write(package, "../requirements.txt", "# pins\nnumpy==2.0  # arrays\n\n")
    return package


def write(package: Path, name: str, text: str) -> None:
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_text(text, encoding="utf-8")


def key_of(
    package: Path,
    editions: dict[str, str] | None = None,
    source: str = CELL,
    **settings: object,
) -> str:
    keys = key.ChapterKeys(package, package.parent / "requirements.txt", editions or {})
    page = notebook(source)
    page.metadata["zerotohero"] = settings
    return keys.key(page)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shapes.py", SOURCE.replace("What the module does.", "Other words.")),
        (
            "shapes.py",
            SOURCE.replace("A thing.", "Quite a thing.").replace("Area in", "The area in"),
        ),
        ("shapes.py", SOURCE.replace('        """Area in square meters."""\n', "")),
        (
            "shapes.py",
            SOURCE.replace("# a comment", "").replace("import math\n\n", "import math\n\n\n"),
        ),
        ("__pycache__/shapes.pyc", "byte code"),
        ("toy.egg-info/PKG-INFO", "version"),
        (".shapes.py.swp", "an editor's"),
        ("../requirements.txt", "numpy==2.0\n# other comment\n"),
        ("other.py", "import toy.shapes\nx = 1\n"),  # which the chapter does not import
        ("unused/__init__.py", "VALUE = 1\n"),
        ("unused/more.json", "{}"),
    ],
)
def test_what_changes_no_output_keeps_the_key(package: Path, name: str, text: str) -> None:
    before = key_of(package)
    write(package, name, text)
    assert key_of(package) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shapes.py", SOURCE.replace("r**2", "r**3")),
        ("shapes.py", SOURCE.replace("r: float", "r: int")),
        ("__init__.py", "VALUE = 1\n"),
        ("registry.json", '{"names": 2}'),
        ("sub/more.json", "{}"),
        ("../requirements.txt", "numpy==2.1\n"),
        ("../requirements.txt", "numpy==2.0\nurl @ https://host/#egg=x\n"),
    ],
)
def test_what_may_change_outputs_changes_the_key(package: Path, name: str, text: str) -> None:
    before = key_of(package)
    write(package, name, text)
    assert key_of(package) != before


def test_a_cell_that_is_not_python_may_import_everything(package: Path) -> None:
    before = key_of(package, source="this is no code")
    write(package, "other.py", "import toy.shapes\nx = 1\n")
    assert key_of(package, source="this is no code") != before


@pytest.mark.parametrize(
    "source",
    [
        "%%capture shown\nfrom toy import other",
        "%%time\nfrom toy import (\n    shapes,\n    other as o,\n)",
        "%time from toy import other",
        "!python -c 'from toy import other'",
        "!python -m toy.other",
        "import importlib\nimportlib.import_module('toy.other')",
    ],
)
def test_imports_in_magics_and_strings_count(package: Path, source: str) -> None:
    before, without = key_of(package, source=source), key_of(package, source="%%time\nimport toy")
    write(package, "other.py", "import toy.shapes\nx = 1\n")
    assert key_of(package, source=source) != before
    assert key_of(package, source="%%time\nimport toy") == without


def test_edition_threads_and_python_version_change_the_key(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lecture, embedded = {"names": "lecture"}, {"names": "embedded"}
    assert key_of(package, lecture) == key_of(package, embedded), "the page does not name it"
    keys = {
        key_of(package),
        key_of(package, lecture, data=["names"]),
        key_of(package, embedded, data=["names"]),
        key_of(package, threads=2),
    }
    monkeypatch.setattr(key.sys, "version_info", (3, 99, 0, "final", 0))
    keys.add(key_of(package))
    assert len(keys) == 5


def test_errors_name_the_file(package: Path) -> None:
    with pytest.raises(key.CacheKeyError, match="bookbuild_package"):
        key_of(package.parent / "nothing")
    write(package, "shapes.py", "def f(:\n")
    with pytest.raises(key.CacheKeyError, match=r"shapes\.py can't be parsed"):
        key_of(package)
    (package.parent / "requirements.txt").unlink()
    with pytest.raises(key.CacheKeyError, match="bookbuild_requirements"):
        key_of(package)


# -- records


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of the notebooks of these tests; and the classes of jupyter-cache as they were."""
    for name, method in cache.CELLS.items():
        monkeypatch.setattr(cache.JupyterCacheBase, name, method)
    cache.use_keys(lambda page: str(page.metadata.get("key")))


def notebook(source: str, **metadata: object) -> NotebookNode:
    cells = [nbformat.v4.new_code_cell(source, metadata=metadata, execution_count=1)]
    cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=source)]
    return nbformat.v4.new_notebook(cells=cells)


def filled(folder: Path) -> dict[str, Path]:
    """Fill a cache with four notebooks; return the file of each."""
    folder.mkdir()
    store = cache.open_cache(folder)
    for name in "abcd":
        cache.put(store, notebook(name), folder / name, {"threads": 1})
    return {
        name: folder / "executed" / cache.lookup(store, notebook(name)).hashkey / "base.ipynb"
        for name in "abcd"
    }


def test_damaged_records_are_dropped(tmp_path: Path) -> None:
    files = filled(tmp_path / "cache")
    files["a"].write_bytes(files["a"].read_bytes()[:50])  # cut short
    files["b"].unlink()
    files["c"].write_bytes(files["d"].read_bytes())  # other cells
    orphan = tmp_path / "cache" / "executed" / "0123"
    orphan.mkdir()
    store = cache.open_cache(tmp_path / "cache")
    found = {name for name in "abcd" if cache.lookup(store, notebook(name))}
    assert found == {"d"}
    assert [p.name for p in (tmp_path / "cache" / "executed").iterdir()] == [files["d"].parent.name]
    # and what was dropped can be stored again
    cache.put(store, notebook("a"), tmp_path / "a", {"threads": 1})
    assert cache.lookup(cache.open_cache(tmp_path / "cache"), notebook("a"))


@pytest.mark.parametrize("content", [b"", b"not a database"])
def test_damaged_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path / "cache")
    (tmp_path / "cache" / "global.db").write_bytes(content)
    store = cache.open_cache(tmp_path / "cache")
    assert store.list_cache_records() == []
    cache.put(store, notebook("a"), tmp_path / "a", {"threads": 1})
    assert cache.lookup(store, notebook("a"))


def test_only_cells_tags_and_the_key_count(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    store = cache.open_cache(folder)
    cache.put(store, notebook("a", mystnb={"figure": {"caption": "old"}}), folder, {"threads": 1})
    page = notebook("a", mystnb={"figure": {"caption": "new"}})
    page.cells[0].outputs = []
    assert cache.lookup(store, page)
    assert cache.lookup(store, notebook("a", tags=["hide-input", "check"]))
    assert cache.lookup(store, notebook("a", tags=["raises-exception"])) is None
    _, merged = store.merge_match_into_notebook(page)
    assert merged.cells[0].metadata.mystnb.figure.caption == "new"
    assert merged.cells[0].outputs[0].text == "a"
    page.metadata["key"] = "other"
    assert cache.lookup(store, page) is None


def test_of_each_page_the_last_used_executions_are_kept(tmp_path: Path) -> None:
    store = cache.open_cache(tmp_path / "cache")
    texts = [f"x = {n}" for n in range(cache.KEPT + 2)]
    for text in texts:
        cache.put(store, notebook(text), tmp_path / "page", {"threads": 1})
    cache.put(store, notebook("y"), tmp_path / "another", {"threads": 1})
    cache.lookup(store, notebook(texts[0]))  # uses it
    store = cache.open_cache(tmp_path / "cache")
    kept = [text for text in texts if cache.lookup(store, notebook(text))]
    assert kept == [texts[0], *texts[-cache.KEPT + 1 :]]
    assert cache.lookup(store, notebook("y"))
