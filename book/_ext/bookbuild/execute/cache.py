"""The execution cache: jupyter-cache, which also asks for the key of each chapter."""

import hashlib
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import JupyterCacheBase
from nbformat import NotebookNode
from sphinx.util import logging
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["KEPT", "lookup", "open_cache", "put", "use_keys"]

KEPT = 5  # executions of each page: of this state of the code, and of others before it
logger = logging.getLogger(__name__)

# Of the metadata of a cell, only these tags say how it is executed.
STEERING = {"raises-exception", "skip-execution"}
# jupyter-cache's own, before `use_keys`; its hash is one of the cells.
CELLS = {
    name: getattr(JupyterCacheBase, name)
    for name in ("create_hashed_notebook", "merge_match_into_notebook")
}


def use_keys(key: Callable[[NotebookNode], str]) -> None:
    """Let jupyter-cache find a notebook by its cells and by its `key`.

    A new caption, alternative text or tag that folds a cell executes nothing, and comes from the
    page, not from the cache.
    """

    def create_hashed_notebook(cache: Any, notebook: NotebookNode) -> tuple[NotebookNode, str]:
        bare, cells = hash_cells(cache, notebook)
        return bare, hashlib.sha256(f"{cells} {key(notebook)}".encode()).hexdigest()[:32]

    def merge_match_into_notebook(cache: Any, notebook: NotebookNode) -> tuple[int, NotebookNode]:
        merged: tuple[int, NotebookNode]
        merged = CELLS["merge_match_into_notebook"](cache, notebook, cell_meta=())
        return merged

    JupyterCacheBase.create_hashed_notebook = create_hashed_notebook
    JupyterCacheBase.merge_match_into_notebook = merge_match_into_notebook


def hash_cells(cache: JupyterCacheBase, notebook: NotebookNode) -> tuple[NotebookNode, str]:
    """Return the notebook as it is stored, and a hash of its cells alone."""
    bare = deepcopy(notebook)
    for cell in bare.cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag in STEERING]
        cell.metadata = {"tags": tags} if tags else {}
    hashed: tuple[NotebookNode, str] = CELLS["create_hashed_notebook"](cache, bare)
    return hashed


def open_cache(folder: Path) -> JupyterCacheBase:
    """Open the cache in `folder`, and drop what is old or was left half-written by a killed build.

    Of each page the `KEPT` executions stay that were used last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(folder)
    try:
        records = cache.list_cache_records()
    except (RuntimeError, SQLAlchemyError) as error:  # jupyter-cache wraps some of them
        logger.info("the execution cache can't be read (%s): all chapters are executed", error)
        shutil.rmtree(folder)
        folder.mkdir(parents=True)
        cache = get_cache(folder)
        records = cache.list_cache_records()
    count: dict[str, int] = {}
    sound = set()
    for record in sorted(records, key=lambda r: (r.accessed, r.pk), reverse=True):
        flaw = record_flaw(cache, record)
        if flaw is None and count.get(record.uri, 0) < KEPT:
            count[record.uri] = count.get(record.uri, 0) + 1
            sound.add(record.hashkey)
            continue
        if flaw:
            logger.info("removed a cached execution of %s: %s", record.uri, flaw)
        NbCacheRecord.remove_records([record.pk], cache.db)
    executed = folder / "executed"
    for path in executed.iterdir() if executed.is_dir() else ():
        if path.name not in sound:
            shutil.rmtree(path)
    return cache


def record_flaw(cache: JupyterCacheBase, record: Any) -> str | None:
    """Say what is wrong with a record, or None."""
    try:
        _, cells = hash_cells(cache, cache.get_cache_bundle(record.pk).nb)
    except KeyError:
        return "its file is missing"
    except (ValueError, TypeError, AttributeError, OSError) as error:
        return f"its file is not a notebook ({type(error).__name__})"
    return None if cells == (record.data or {}).get("cells") else "its file holds other cells"


def lookup(cache: JupyterCacheBase, notebook: NotebookNode) -> Any:
    """Record of the executed `notebook`, now the one used last; None when it is not there."""
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return None
    NbCacheRecord.touch(record.pk, cache.db)
    return record


def put(cache: JupyterCacheBase, executed: NotebookNode, path: Path, data: dict[str, Any]) -> None:
    """Store an executed notebook, with `data` about its execution."""
    data = {**data, "cells": hash_cells(cache, executed)[1]}
    bundle = CacheBundleIn(executed, str(path), data=data)
    # The check of validity wants consecutive execution counts; empty cells have none.
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
