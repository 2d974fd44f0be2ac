"""The key of the execution cache, and the records in it."""

import os
from pathlib import Path

import build_scratch  # noqa: F401 # makes bookbuild importable
import nbformat
import pytest

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


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "toy"
    package.mkdir()
    (package / "shapes.py").write_text(SOURCE, encoding="utf-8")
    (package / "registry.json").write_text('{"names": 1}', encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("# pins\nnumpy==2.0  # arrays\n\n", encoding="utf-8")
    return package


def key_of(package: Path, editions: dict[str, str] | None = None) -> str:
    return key.cache_key(package, package.parent / "requirements.txt", editions or {})


def write(package: Path, name: str, text: str) -> None:
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_text(text, encoding="utf-8")


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
        ("renamed.py", SOURCE),
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


def test_edition_and_python_version_change_the_key(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {key_of(package), key_of(package, {"names": "lecture"})}
    keys.add(key_of(package, {"names": "embedded"}))
    monkeypatch.setattr(key.sys, "version_info", (3, 99, 0, "final", 0))
    keys.add(key_of(package))
    assert len(keys) == 4
    assert all(len(k) == 24 for k in keys)


def test_errors_name_the_file(package: Path) -> None:
    write(package, "broken.py", "def f(:\n")
    with pytest.raises(key.CacheKeyError, match=r"broken\.py can't be parsed"):
        key_of(package)
    with pytest.raises(key.CacheKeyError, match="bookbuild_package"):
        key_of(package.parent / "nothing")
    with pytest.raises(key.CacheKeyError, match=r"data: \[names\]"):
        key.editions(package.parent / "no_such_package", ["names"])


def test_the_last_five_folders_are_kept(tmp_path: Path) -> None:
    (tmp_path / "not ours").mkdir()
    names = [f"{n:024x}" for n in range(8)]
    for n, name in enumerate(names[:-1]):
        cache.use_folder(tmp_path, name)
        os.utime(tmp_path / name, (1000 + n, 1000 + n))  # in this order, on any file system
    cache.use_folder(tmp_path, names[2])
    os.utime(tmp_path / names[2], (2000, 2000))
    cache.use_folder(tmp_path, names[7])
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"not ours", names[2], names[4], names[5], names[6], names[7]}


def notebook(source: str, **metadata: object) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(source, metadata=metadata, execution_count=1)]
    cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=source)]
    return nbformat.v4.new_notebook(cells=cells)


def filled(folder: Path) -> dict[str, Path]:
    """Fill a cache with four notebooks; return the file of each."""
    folder.mkdir()
    cache.hash_tags_only()
    store = cache.open_cache(folder)
    for name in "abcd":
        cache.put(store, notebook(name), folder / name, {"threads": 1})
    return {
        name: folder / "executed" / cache.lookup(store, notebook(name), 1).hashkey / "base.ipynb"
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
    found = {name for name in "abcd" if cache.lookup(store, notebook(name), 1)}
    assert found == {"d"}
    assert [p.name for p in (tmp_path / "cache" / "executed").iterdir()] == [files["d"].parent.name]
    # and what was dropped can be stored again
    cache.put(store, notebook("a"), tmp_path / "a", {"threads": 1})
    assert cache.lookup(cache.open_cache(tmp_path / "cache"), notebook("a"), 1)


@pytest.mark.parametrize("content", [b"", b"not a database"])
def test_damaged_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path / "cache")
    (tmp_path / "cache" / "global.db").write_bytes(content)
    store = cache.open_cache(tmp_path / "cache")
    assert store.list_cache_records() == []
    cache.put(store, notebook("a"), tmp_path / "a", {"threads": 1})
    assert cache.lookup(store, notebook("a"), 1)


def test_only_cells_tags_and_threads_count(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    cache.hash_tags_only()
    store = cache.open_cache(folder)
    cache.put(store, notebook("a", mystnb={"figure": {"caption": "old"}}), folder, {"threads": 1})
    page = notebook("a", mystnb={"figure": {"caption": "new"}})
    page.cells[0].outputs = []
    assert cache.lookup(store, page, 1)
    assert cache.lookup(store, page, 2) is None
    assert cache.lookup(store, notebook("a", tags=["raises-exception"]), 1) is None
    _, merged = store.merge_match_into_notebook(page)
    assert merged.cells[0].metadata.mystnb.figure.caption == "new"
    assert merged.cells[0].outputs[0].text == "a"
