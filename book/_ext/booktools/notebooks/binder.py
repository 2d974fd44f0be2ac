"""What Binder reads besides the notebooks: the checkout's ``.binder/``, with the package in place.

The checkout's own files install the book from its folder. A branch that holds notebooks alone has
no such folder; there, the package comes from the repository, in the same versions.
"""

from collections.abc import Mapping
from pathlib import Path

from booktools.notebooks.environments import pins

__all__ = ["FOLDER", "SCRIPT", "binder_files", "write_files"]

FOLDER = ".binder"
SCRIPT = "postBuild"  # executed at the end
BOOK = "-r ../requirements.txt"  # a line of the checkout's requirements


def binder_files(root: Path, source: str) -> dict[str, str]:
    """Text of each file of the published ``.binder/``, by name.

    Parameters
    ----------
    root
        The checkout.
    source
        What pip installs as the package; see `notebook_export.first.requirement`.

    Raises
    ------
    ValueError
        If the checkout's ``.binder/requirements.txt`` doesn't ask for the book.
    """
    names = ("requirements.txt", "runtime.txt", SCRIPT)
    files = {name: (root / FOLDER / name).read_text(encoding="utf-8") for name in names}
    lines = files["requirements.txt"].splitlines()
    if BOOK not in lines:
        raise ValueError(f"{FOLDER}/requirements.txt must have a line {BOOK!r}, found {lines}")
    lines[lines.index(BOOK)] = f"-c constraints.txt\n{source}"
    return files | {
        "requirements.txt": "\n".join(lines) + "\n",
        "constraints.txt": "\n".join(pins(root / "requirements.txt")) + "\n",
    }


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write `files`, as `binder_files` gives them, into a new folder."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (folder / SCRIPT).chmod(0o755)
