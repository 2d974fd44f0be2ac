"""The execution cache: jupyter-cache, in one folder for each key."""

import functools
import os
import re
import shutil
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import JupyterCacheBase
from nbformat import NotebookNode
from sphinx.util import logging
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["FOLDERS_KEPT", "hash_tags_only", "lookup", "open_cache", "put", "use_folder"]

FOLDERS_KEPT = 5
logger = logging.getLogger(__name__)


def hash_tags_only() -> None:
    """Let captions and other cell metadata come from the page, not from the cache.

    jupyter-cache hashes all metadata of a cell, and on a match returns the cached metadata. A new
    caption or alternative text would execute the chapter again. Of all metadata only the tags
    steer execution ("raises-exception", "skip-execution"). Both methods take what we want as an
    argument, but myst-nb calls them with the defaults; so the defaults change.
    """
    if isinstance(JupyterCacheBase.__dict__["create_hashed_notebook"], functools.partialmethod):
        return
    JupyterCacheBase.create_hashed_notebook = functools.partialmethod(
        JupyterCacheBase.create_hashed_notebook, cell_metadata=("tags",)
    )
    JupyterCacheBase.merge_match_into_notebook = functools.partialmethod(
        JupyterCacheBase.merge_match_into_notebook, cell_meta=()
    )


def use_folder(root: Path, key: str) -> Path:
    """Folder of `key` below `root`, marked as used now; only the last `FOLDERS_KEPT` are kept."""
    folder = root / key
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    # Only folders that are named by a key: others below `root` are not ours to delete.
    ours = [p for p in root.iterdir() if p.is_dir() and re.fullmatch(r"[0-9a-f]{24}", p.name)]
    ours.remove(folder)
    ours.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for old in ours[FOLDERS_KEPT - 1 :]:
        shutil.rmtree(old)
    return folder


def open_cache(folder: Path) -> JupyterCacheBase:
    """Open the cache in `folder` and drop what a killed build may have left half-written."""
    cache = get_cache(folder)
    try:
        records = cache.list_cache_records()
    except (RuntimeError, SQLAlchemyError) as error:  # jupyter-cache wraps some of them
        logger.info("bookbuild: the execution cache is unreadable (%s); starting anew", error)
        shutil.rmtree(folder)
        folder.mkdir(parents=True)
        cache = get_cache(folder)
        records = cache.list_cache_records()
    executed = folder / "executed"
    sound = set()
    for record in records:
        if flaw := record_flaw(cache, record):
            logger.info("bookbuild: dropped a cached execution of %s: %s", record.uri, flaw)
            NbCacheRecord.remove_records([record.pk], cache.db)
        else:
            sound.add(record.hashkey)
    for path in executed.iterdir() if executed.is_dir() else ():
        if path.name not in sound:
            shutil.rmtree(path)
    return cache


def record_flaw(cache: JupyterCacheBase, record: Any) -> str | None:
    """Say what is wrong with a record, or None."""
    try:
        notebook = cache.get_cache_bundle(record.pk).nb
        _, hashkey = cache.create_hashed_notebook(notebook)
    except KeyError:
        return "its file is missing"
    except (ValueError, TypeError, AttributeError, OSError) as error:
        return f"its file is not a notebook ({type(error).__name__})"
    return None if hashkey == record.hashkey else "its file holds other cells"


def lookup(cache: JupyterCacheBase, notebook: NotebookNode, threads: int | str) -> Any:
    """Record of the executed `notebook`, or None when it has not been executed with `threads`."""
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return None
    # The number of threads changes the order of sums, and with it last digits.
    return record if (record.data or {}).get("threads") == threads else None


def put(cache: JupyterCacheBase, executed: NotebookNode, path: Path, data: dict[str, Any]) -> None:
    """Store an executed notebook, with `data` about its execution."""
    bundle = CacheBundleIn(executed, str(path), data=data)
    # The check of validity wants consecutive execution counts; empty cells have none.
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
