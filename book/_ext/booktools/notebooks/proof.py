"""Prove that notebooks run: from an empty folder, where only the package is installed, offline.

The kernel is a process of another environment, without the checkout on its path, with a home of
its own, and without a network: where the system allows it (Linux) in a network namespace in which
there is nothing, elsewhere behind proxies that lead nowhere. With ``ZEROTOHERO_REQUIRE_OFFLINE=1``
only the first will do.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from bookbuild.execute.kernels import THREAD_VARIABLES, peak_memory, use_sockets

__all__ = ["Run", "environment", "run_notebook"]

NOWHERE = "http://127.0.0.1:9"  # the port "discard": nobody listens
MIRROR = "ZEROTOHERO_DATA_MIRROR"
REQUIRE = "ZEROTOHERO_REQUIRE_OFFLINE"


@dataclass(frozen=True)
class Run:
    """What came of one notebook.

    Attributes
    ----------
    name
        Its file's name, without the ending.
    seconds
        How long its cells took.
    memory
        Peak of the memory of the kernel and the processes it started, in bytes.
    offline
        What kept it from the network.
    load
        Processes that wanted a core, on average over the last minute, before it started; None
        where the system does not tell.
    cores
        Cores of the machine.
    failure
        What went wrong, or None.
    """

    name: str
    seconds: float
    memory: int
    offline: str
    load: float | None
    cores: int | None
    failure: str | None = None

    def as_record(self) -> dict[str, Any]:
        """Return it for a JSON file, rounded."""
        return asdict(self) | {"seconds": round(self.seconds, 1)}


def environment(home: Path, mirror: str | None, threads: int | str = 1) -> dict[str, str]:
    """Environment of a kernel that knows nothing of this checkout, user or network.

    Parameters
    ----------
    home
        An empty folder.
    mirror
        Folder with the data sets, or None.
    threads
        Threads of the numerical libraries; ``"all"`` leaves it to them.
    """
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    proxies = dict.fromkeys(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], NOWHERE)
    count = {} if threads == "all" else dict.fromkeys(THREAD_VARIABLES, str(threads))
    data = {MIRROR: mirror} if mirror else {}
    homes = {"HOME": str(home), "USERPROFILE": str(home), "IPYTHONDIR": str(home / ".ipython")}
    pip = {"PIP_NO_INDEX": "1", "PIP_RETRIES": "0"}
    debugger = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # else it warns on the terminal
    return {**base, **homes, **proxies, **count, **data, **pip, **debugger}


def without_network() -> tuple[list[str], str]:
    """Return the words before a command that take the network away, and what to call that."""
    unshare = shutil.which("unshare")
    if unshare and sys.platform == "linux":
        # as root; and as a user, who is root in a namespace of users of its own
        for options in (["--net"], ["--user", "--map-root-user", "--net"]):
            command = [unshare, *options, "--"]
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command, "network namespace"
    if os.environ.get(REQUIRE) == "1":
        raise RuntimeError(f"{REQUIRE}=1, but there are no network namespaces here")
    return [], "proxies to nowhere"


class Manager(AsyncKernelManager):
    """Starts the kernel of a given Python, whatever kernels are installed for the user."""

    argv: list[str]

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel that `argv` starts."""
        return KernelSpec(argv=self.argv, display_name="Python 3", language="python")


@contextmanager
def watched(peak: list[int], pid: Any) -> Iterator[None]:
    """Note the largest memory of a process and its children, which `pid` tells once it runs."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            number = pid()
            if number is None:
                continue
            try:
                kernel = psutil.Process(number)
                tree = [kernel, *kernel.children(recursive=True)]
                peak[0] = max(peak[0], sum(process.memory_info().rss for process in tree))
            except psutil.Error:  # it is gone, or a child is
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run_notebook(
    path: Path,
    python: Path,
    mirror: str | None,
    *,
    threads: int | str = 1,
    timeout: int = 1200,
    folder: Path | None = None,
) -> Run:
    """Execute a notebook with the kernel of another environment.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    python
        Interpreter of the environment.
    mirror
        Folder with the data sets, the only place they can come from.
    threads, timeout
        Threads of the kernel; seconds that one cell may take.
    folder
        Where it runs; by default in an empty folder, which it has to leave empty.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    prefix, offline = without_network()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    failure, peak = None, [0]
    with TemporaryDirectory(prefix="nb-") as name:
        empty, home = Path(name) / "empty", Path(name) / "home"
        empty.mkdir()
        home.mkdir()
        resources = {"metadata": {"path": str(folder or empty)}}
        client = NotebookClient(notebook, timeout=timeout, resources=resources)
        client.kernel_manager_class = Manager
        use_sockets(client, Path(name) / "k.json")
        client.km.argv = [*prefix, str(python), "-m", "ipykernel_launcher", "-f"]
        client.km.argv.append("{connection_file}")

        def pid() -> int | None:
            # there is no manager before the start and after the end, and no process in between
            return getattr(getattr(client.km, "provisioner", None), "pid", None)

        def note(cell: Any, cell_index: int, execute_reply: Any) -> None:
            peak[0] = max(peak[0], peak_memory(pid() or -1) or 0)

        client.on_cell_executed = note
        start = time.perf_counter()
        try:
            with watched(peak, pid):
                client.execute(env=environment(home, mirror, threads))
            assert_ran(notebook)
        except CellExecutionError as error:
            failure = str(error)
        except Exception as error:  # a kernel that can't start raises all sorts of things
            failure = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        if left := sorted(p.name for p in empty.iterdir()):
            failure = failure or f"it leaves files behind: {', '.join(left)}"
    return Run(path.stem, seconds, peak[0], offline, load, os.cpu_count(), failure)


def assert_ran(notebook: Any) -> None:
    """Raise if a cell with code was not executed."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise RuntimeError(f"cell {cell.get('id')} was not executed")
