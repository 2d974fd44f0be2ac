"""What the build of the book recorded when it executed a chapter."""

from pathlib import Path

from chapter_source import PACKAGE, ROOT
from jupyter_cache import get_cache
from myst_nb.core.read import read_myst_markdown_notebook

from bookbuild.book.settings import page_settings
from bookbuild.execute.cache import hash_tags_only, lookup
from bookbuild.execute.key import cache_key, editions


def cache_folder(build: Path = ROOT / "_build") -> Path | None:
    """Return the execution cache of this package, these pins, this Python and these data."""
    root = build / ".jupyter_cache"
    if not root.is_dir():
        return None
    names = {name for page in (ROOT / "book").glob("*.md") for name in page_settings(page).data}
    folder = root / cache_key(PACKAGE, ROOT / "requirements.txt", editions(PACKAGE, names))
    return folder if folder.is_dir() else None


def recorded(chapter: Path, folder: Path) -> list[str] | None:
    """Return what each code cell of a chapter showed in the end, as text ("": nothing).

    None if the cache holds no execution of these very cells with this number of threads.
    """
    hash_tags_only()  # as the build does
    notebook = read_myst_markdown_notebook(chapter.read_text(encoding="utf-8"), path=str(chapter))
    cache = get_cache(folder)
    record = lookup(cache, notebook, page_settings(chapter).threads)
    if record is None:
        return None
    executed = cache.get_cache_bundle(record.pk).nb
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    return [
        cell.outputs[-1].get("data", {}).get("text/plain", "") if cell.outputs else ""
        for cell in cells
    ]
