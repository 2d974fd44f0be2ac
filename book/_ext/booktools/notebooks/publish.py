"""Publish the notebooks of a built site on a branch of their own, for Colab to open.

The branch holds nothing but them and a short README, in one commit without a history: old outputs
would make the repository large. Neither working tree nor index is touched.
"""

import subprocess
from pathlib import Path

from bookbuild.book import address
from notebook_export.launch import BRANCH

__all__ = ["PublishError", "publish"]

README = """\
The chapters of {site} as notebooks, with their outputs, for Colab and for download. They are made
by the build of the book, from commit {commit} of {repository}: changes belong there.
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
        If there is no notebook, or git fails.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise PublishError(f"there is no notebook in {folder}: build the book first")
    built = address.commit(root)
    readme = README.format(
        site=address.site(root), commit=built, repository=address.repository(root)
    )
    blob = git(root, "hash-object", "-w", "--stdin", text=readme)
    entries = [f"100644 blob {blob}\tREADME.md"]
    for path in notebooks:
        blob = git(root, "hash-object", "-w", "--", str(path.resolve()))
        entries.append(f"100644 blob {blob}\t{path.name}")
    tree = git(root, "mktree", text="\n".join(entries) + "\n")
    commit = git(root, "commit-tree", tree, "-m", f"Notebooks of {built}")
    git(root, "update-ref", f"refs/heads/{BRANCH}", commit)
    if remote is not None:
        git(root, "push", "--force", remote, f"{commit}:refs/heads/{BRANCH}")
    return commit
