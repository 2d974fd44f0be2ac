"""A killed build must not make the next one wrong, nor leave kernels behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from build_scratch import COMMAND, FRONT, STRICT, SVG, Book, cell, executed

# Waits at the gate while there is one, after it has told who it is.
GATED = (
    FRONT.replace("SETTINGS", "")
    + "# Gated\n"
    + cell(
        f"""
        import os, time
        from pathlib import Path
        from IPython.display import SVG
        gate = Path(os.environ.get("GATE", "no such gate"))
        if gate.exists():
            gate.with_name(f"kernel-{{os.getpid()}}").touch()
        while gate.exists():
            time.sleep(0.02)
        print("passed")
        SVG('{SVG}')
        """
    ).replace(
        "{code-cell}",
        "{code-cell}\n---\nmystnb: {image: {alt: A red square}, figure: {caption: Red.}}\n---",
    )
)


posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGKILL, and no SIGINT for another process"
)


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds; two minutes are for a machine that is very busy."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[Book]:
    """A book whose second chapter waits at a gate, which opens when the test is over."""
    book = Book.create(tmp_path / "killed book", {"book/02-two.md": GATED})
    (book.folder / "book/times.md").unlink()  # the one page that is never twice the same
    book.write_toc()
    yield book
    shutil.rmtree(tmp_path / "signs", ignore_errors=True)  # lets a build go that a test forgot


def start(book: Book) -> tuple[subprocess.Popen[bytes], int]:
    """Start a build; return it and its kernel's process id, once the kernel waits at the gate."""
    signs = book.folder.parent / "signs"
    shutil.rmtree(signs, ignore_errors=True)
    signs.mkdir()
    (signs / "gate").touch()
    build = subprocess.Popen(
        COMMAND,
        cwd=book.folder,
        env=book.environment(GATE=str(signs / "gate")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore SIGINT, and what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    eventually(lambda: list(signs.glob("kernel-*")), "for the second chapter's kernel")
    executions = book.folder / "_build" / ".jupyter_cache" / "executed"
    eventually(lambda: list(executions.glob("*/base.ipynb")), "for the first chapter")
    assert build.poll() is None
    (kernel,) = signs.glob("kernel-*")
    return build, int(kernel.name.removeprefix("kernel-"))


def site(book: Book) -> dict[str, bytes]:
    """Pages and images of the built site."""
    files = [
        *book.html.rglob("*.html"),
        *book.html.rglob("_images/*"),
        book.html / "searchindex.js",
    ]
    return {path.relative_to(book.html).as_posix(): path.read_bytes() for path in sorted(files)}


def clean_site(folder: Path, like: Book) -> dict[str, bytes]:
    """Build the same book from nothing."""
    shutil.copytree(like.folder, folder, ignore=shutil.ignore_patterns("_build"))
    book = Book(folder)
    status, log = book.build(*STRICT)
    assert status == 0, log
    return site(book)


@posix
def test_kill_while_executing_twice(gated: Book, tmp_path: Path) -> None:
    for kill in (os.kill, os.killpg):
        build, kernel = start(gated)
        assert alive(kernel)
        command = psutil.Process(kernel).cmdline()
        (sockets,) = (Path(part).parent for part in command if part.endswith("kernel.json"))
        kill(build.pid, signal.SIGKILL)
        assert build.wait() == -signal.SIGKILL
        eventually(lambda pid=kernel: not alive(pid), "for the kernel to go away by itself")
        # A killed build leaves its folder for sockets in the system's temporary folder.
        shutil.rmtree(str(sockets).removeprefix("-f="))
        assert (gated.folder / "_build" / ".unfinished").exists()
    status, log = gated.build(*STRICT)
    assert status == 0, log
    assert executed(log) == ["book/02-two.md"]  # the first one was in the cache
    assert "passed" in gated.page("book/02-two.html")
    assert site(gated) == clean_site(tmp_path / "clean", gated)
    assert not (gated.folder / "_build" / ".unfinished").exists()


@posix
def test_interrupt_ends_the_kernels(gated: Book) -> None:
    build, kernel = start(gated)
    os.kill(build.pid, signal.SIGINT)
    assert build.wait(timeout=60) != 0
    eventually(lambda: not alive(kernel), "for the kernel to end")


def test_what_a_kill_while_writing_leaves_is_written_again(gated: Book, tmp_path: Path) -> None:
    status, log = gated.build(*STRICT)
    assert status == 0, log
    # As after a kill: the environment says that all is done, files are cut short, the mark is set.
    (image,) = (gated.folder / "_build" / "jupyter_execute").glob("*.svg")
    for path in (gated.html / "book/02-two.html", image, gated.html / "searchindex.js"):
        path.write_bytes(path.read_bytes()[:20])
    (gated.html / "book/index.html").unlink()
    (gated.folder / "_build" / ".unfinished").touch()
    status, log = gated.build(*STRICT)
    assert status == 0, log
    assert executed(log) == []
    assert site(gated) == clean_site(tmp_path / "clean", gated)
