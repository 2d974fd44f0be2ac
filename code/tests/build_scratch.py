"""A small book to build in tests, with the settings of the real one."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import yaml

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))

COMMAND = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
STRICT = ("-W", "-n", "--keep-going")

FRONT = """\
---
file_format: mystnb
kernelspec: {name: python3}
zerotohero: {SETTINGS}
---
"""

# A picture that needs no library: a red square.
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    '<rect width="5" height="5" fill="red"/></svg>'
)

ONE = (
    FRONT.replace("SETTINGS", "threads: 2, budget: 500, data: [names]")
    + f"""\
# One

Prose of one.

```{{code-cell}}
import os
import toy
from toy import middle
folder = os.path.basename(os.getcwd())
print("value", toy.VALUE, "threads", os.environ["OMP_NUM_THREADS"], "folder", folder)
```

```{{code-cell}}
---
mystnb: {{image: {{alt: A small red square on white}}, figure: {{caption: A square.}}}}
---
from IPython.display import SVG, display
SVG('{SVG}')
```

```{{code-cell}}
display({{
    "application/vnd.zerotohero.reproduced+json": {{
        "key": "loss", "lecture": 2, "what": "bigram loss of “José”", "published": 2.45,
        "ours": 2.4543, "tolerance": 0.01, "direction": "both", "ok": None,
        "edition": "embedded", "source": "the video",
    }},
    "text/plain": "shown",
}}, raw=True)
```
"""
)

TWO = (
    FRONT.replace("SETTINGS", "")
    + """\
# Two

Back to [one](01-one.md).

```{code-cell}
import os
from toy.check import two as check
print("hash", hash("fixed"), "threads", os.environ["OMP_NUM_THREADS"])
check.check()
```
"""
)

PAGES = {
    "book/index.md": "# Hello\n\nSee [](01-one.md) and [](02-two.md).\n",
    "book/01-one.md": ONE,
    "book/02-two.md": TWO,
    "book/reproduced.md": "# Reproduced\n\n```{reproduced-figures}\n```\n",
    "book/times.md": "# Times\n\n```{execution-times}\n```\n",
    "code/toy/__init__.py": '"""Toy."""\n\nVALUE = 1\n',
    "code/toy/data.py": """
def fetch_all(names, say):
    return {name: {"names": "embedded"}[name] for name in names}
""",
    "code/toy/middle.py": "from .base import BASE\n\nMIDDLE = BASE + 1\n",
    "code/toy/base.py": "BASE = 1\n",
    "code/toy/check/__init__.py": '"""Checks."""\n',
    "code/toy/check/two.py": '"""The check of two."""\n\n\ndef check():\n    return "fine"\n',
    "code/toy/registry.json": "{}\n",
    "requirements.txt": "# pins\nx==1  # a comment\n",
}


class Book:
    """A book in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.html = folder / "_build" / "html"

    @classmethod
    def create(cls, folder: Path, pages: dict[str, str] | None = None) -> "Book":
        """Write a book with `pages` (path → text), which may replace the usual ones."""
        book = cls(folder)
        config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
        config.pop("bibtex_bibfiles", None)
        config["sphinx"]["local_extensions"] = {
            name: str(EXTENSIONS) for name in config["sphinx"]["local_extensions"]
        }
        # Without the files of the real book: style sheets, icons, references.
        config.pop("html", None)
        config.pop("logo", None)
        config["sphinx"]["config"] = {
            name: value
            for name, value in config["sphinx"]["config"].items()
            if not name.startswith(("html_", "bibtex_", "mathjax_", "bookbuild_"))
        } | {"bookbuild_package": "code/toy"}
        book.write("_config.yml", yaml.safe_dump(config))
        for name, text in {**PAGES, **(pages or {})}.items():
            book.write(name, text)
        book.write_toc()
        return book

    def write_toc(self) -> None:
        """Put every page of the folder book/ in the table of contents."""
        names = sorted(p.stem for p in (self.folder / "book").glob("*.md") if p.stem != "index")
        chapters = [{"file": f"book/{name}"} for name in names]
        toc = {"format": "jb-book", "root": "book/index", "chapters": chapters}
        self.write("_toc.yml", yaml.safe_dump(toc))

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def page(self, name: str) -> str:
        """HTML of a page."""
        return (self.html / name).read_text(encoding="utf-8")

    def environment(self, **extra: str) -> dict[str, str]:
        """Environment of a build: this one, without what pytest or the user set for books."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ZEROTOHERO_")}
        return {**clean, **extra}

    def build(self, *options: str, **environment: str) -> tuple[int, str]:
        """Build the book. Returns the exit status and everything that was printed."""
        done = subprocess.run(
            [*COMMAND, *options],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return done.returncode, plain(done.stdout)


def plain(text: str) -> str:
    """Remove colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def executed(log: str) -> list[str]:
    """Chapters that a build executed, sorted."""
    return sorted(re.findall(r"^executed (\S+), ", log, flags=re.MULTILINE))


def fence(text: str, marker: str) -> int:
    """Line (from 1) of the code cell's fence above the line that contains `marker`."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if marker in line)
    return next(i for i in range(at, -1, -1) if lines[i].startswith("```{code-cell}")) + 1


def cell(source: str) -> str:
    """Code cell of a page."""
    return f"\n```{{code-cell}}\n{dedent(source).strip()}\n```\n"
