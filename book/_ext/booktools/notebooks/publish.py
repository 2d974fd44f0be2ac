"""Publish the notebooks of a built site on a branch of their own, for Colab and Binder to open.

The branch holds nothing but them, a short README and Binder's files, in one commit without a
history: old outputs would make the repository large. Neither working tree nor index is touched.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from bookbuild.book import address
from bookbuild.book.settings import PACKAGE
from booktools.notebooks.binder import FOLDER, SCRIPT, binder_files
from notebook_export.first import requirement
from notebook_export.launch import BRANCH

__all__ = ["PublishError", "publish"]

README = """\
The chapters of {site} as notebooks, with their outputs, for Colab, Binder and download. They are
made by the build of the book, from commit {commit} of {repository}: changes belong there.
"""


class PublishError(RuntimeError):
    """The notebooks can't be published; the message says why."""


def git(root: Path, *arguments: str, text: str | None = None) -> str:
    """Run git and return what it prints."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise PublishError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def entry(root: Path, name: str, text: str) -> str:
    """Store a text, and return what a tree says of it; Binder's script can be executed."""
    blob = git(root, "hash-object", "-w", "--stdin", text=text)
    return f"{'100755' if name == SCRIPT else '100644'} blob {blob}"


def write_tree(root: Path, entries: Mapping[str, str]) -> str:
    """Store a folder, whose entries are given by name, and return its hash."""
    return git(root, "mktree", text="".join(f"{what}\t{name}\n" for name, what in entries.items()))


def publish(root: Path, folder: Path, remote: str | None) -> str:
    """Commit the notebooks of `folder` to the branch, and push it.

    Parameters
    ----------
    root
        The checkout.
    folder
        Where the build wrote the notebooks.
    remote
        Name or address of the repository to push to; None to leave the branch here.

    Returns
    -------
    str
        The commit.

    Raises
    ------
    PublishError
        If there is no notebook or no commit, or git fails.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise PublishError(f"there is no notebook in {folder}: build the book first")
    built, repository = address.commit(root), address.repository(root)
    if built is None:
        raise PublishError(f"there is no commit in {root.resolve()}")
    readme = README.format(site=address.site(root), commit=built, repository=repository)
    binder = binder_files(root, requirement(Path(PACKAGE).name, repository, built))
    tree = write_tree(root, {name: entry(root, name, text) for name, text in binder.items()})
    entries = {FOLDER: f"040000 tree {tree}", "README.md": entry(root, "README.md", readme)}
    for path in notebooks:
        blob = git(root, "hash-object", "-w", "--", str(path.resolve()))
        entries[path.name] = f"100644 blob {blob}"
    tree = write_tree(root, entries)
    commit = git(root, "commit-tree", tree, "-m", f"Notebooks of {built}")
    git(root, "update-ref", f"refs/heads/{BRANCH}", commit)
    if remote is not None:
        git(root, "push", "--force", remote, f"{commit}:refs/heads/{BRANCH}")
    return commit
