"""Executes chapters side by side: a kernel, which is a process of its own, for each."""

import os
import queue
import re
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from myst_nb.core.render import strip_ansi
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from sphinx.util import logging

from bookbuild.execute.chapters import Chapter

__all__ = ["Outcome", "cores", "execute", "kernel_environment", "peak_memory", "use_sockets"]

logger = logging.getLogger(__name__)

# Threads that wait for others spin before they sleep. PyTorch's OpenMP (GNU's) spins so long that
# next to any other busy process most of the time is lost; a short spin costs nothing when idle.
SPIN = {"GOMP_SPINCOUNT": "1000"}
# The package says with a warning that the embedded edition of a data set stands in.
EDITION = "ignore:The embedded edition stands in:UserWarning"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class Outcome:
    """What came of one chapter: the executed notebook, or what failed and where.

    ``memory`` is the peak of the kernel's memory in bytes, None where the system does not tell.
    """

    chapter: Chapter
    seconds: float
    notebook: NotebookNode
    memory: int | None = None
    failure: str | None = None
    summary: str | None = None
    line: int | None = None


@dataclass
class Running:
    """Clients whose kernels may be alive; written by the threads, read on Ctrl-C."""

    clients: list[NotebookClient] = field(default_factory=list)
    stopped: bool = False

    def kill(self) -> None:
        """End the kernels at once. They lead process groups of their own."""
        self.stopped = True
        for client in list(self.clients):
            provisioner = getattr(client.km, "provisioner", None)
            pid = getattr(provisioner, "pid", None)
            if pid is not None:
                with suppress(ProcessLookupError):
                    if hasattr(os, "killpg"):
                        os.killpg(pid, signal.SIGKILL)
                    else:
                        os.kill(pid, signal.SIGTERM)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kernel_environment(
    base: Mapping[str, str], threads: int | str, package: Path, ipython: Path
) -> dict[str, str]:
    """Environment of a kernel: `base`, and what makes outputs the same on each run.

    Parameters
    ----------
    base
        Environment of the build.
    threads
        Threads of the numerical libraries, a count or ``"all"``.
    package
        Folder of the package: the kernel imports the one that the cache key was computed from,
        whether or not it is installed.
    ipython
        Folder for IPython's files, so that start-up files of the user have no say.
    """
    count = str(cores() if threads == "all" else threads)
    inherited = base.get("PYTHONPATH")
    return {
        **base,
        **dict.fromkeys(THREAD_VARIABLES, count),
        **SPIN,
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else its debugger warns on the terminal
        # The build has fetched the data, and says on the page which edition it is.
        "ZEROTOHERO_OFFLINE": "1",
        "PYTHONWARNINGS": ",".join(filter(None, [base.get("PYTHONWARNINGS"), EDITION])),
        "PYTHONPATH": os.pathsep.join([str(package.parent), *([inherited] if inherited else [])]),
        "IPYTHONDIR": str(ipython),
    }


def peak_memory(pid: int) -> int | None:
    """Peak of a running process's memory in bytes; None where there is no ``/proc``."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, flags=re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def use_sockets(client: NotebookClient, connection_file: Path) -> None:
    """Let the kernel talk through socket files next to `connection_file`, not through TCP.

    TCP ports are chosen before they are bound, so kernels that start side by side can race for
    one, and others on the machine can reach them. Socket files need a POSIX system and a short path
    (at most 103 bytes on macOS); elsewhere TCP remains.
    """
    client.create_kernel_manager()
    if os.name == "posix" and len(os.fsencode(connection_file)) < 90:
        client.km.transport = "ipc"
        client.km.connection_file = str(connection_file)


def execute_one(
    chapter: Chapter, environment: dict[str, str], folder: Path, running: Running
) -> Outcome:
    """Execute one chapter in the calling thread; `folder` is for its connection to the kernel."""
    notebook = deepcopy(chapter.notebook)
    memory = None
    current = -1  # index of the cell that runs; -1 while the kernel starts

    def on_cell_start(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current
        current = cell_index

    def on_cell_executed(cell: NotebookNode, cell_index: int, execute_reply: Any) -> None:
        # After each cell: after the last one, the kernel ends before anybody is told.
        nonlocal memory
        memory = peak_memory(client.km.provisioner.pid)

    client = NotebookClient(
        notebook,
        timeout=None if chapter.timeout < 0 else chapter.timeout,
        allow_errors=chapter.allow_errors,
        record_timing=False,  # times would differ from run to run
        # myst-nb joins pieces, too, but drops the blank lines between them: a matter of chance
        coalesce_streams=True,
        on_cell_start=on_cell_start,
        on_cell_executed=on_cell_executed,
        resources={"metadata": {"path": str(chapter.path.parent)}},
    )
    use_sockets(client, folder / "kernel.json")
    running.clients.append(client)
    start = time.perf_counter()

    def failed(summary: str, details: str) -> Outcome:
        seconds = time.perf_counter() - start
        place = chapter.places().get(current)
        where = f"{chapter.label}, {place}" if place else f"{chapter.label}, before its first cell"
        summary = f"{where}: {summary}"
        failure = f"{summary}\n{strip_ansi(details)}".rstrip()
        return Outcome(
            chapter, seconds, notebook, memory, failure, summary, place.line if place else None
        )

    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        return failed(f"{error.ename}: {error.evalue}", str(error.traceback))
    except CellTimeoutError:
        return failed(
            f"not done after {chapter.timeout} s",
            "The limit for one cell is `execute: timeout` in _config.yml.",
        )
    except DeadKernelError as error:
        return failed("the kernel died (out of memory?)", str(error))
    except Exception as error:  # a kernel that can't start raises all sorts of things
        return failed("could not be executed", f"{type(error).__name__}: {error}")
    finally:
        running.clients.remove(client)
    return Outcome(chapter, time.perf_counter() - start, notebook, memory)


def execute(chapters: list[Chapter], package: Path, ipython: Path) -> Iterator[Outcome]:
    """Execute `chapters`, at most one for each core at a time, and yield each as it finishes.

    When the consumer stops early, or is interrupted, the kernels are killed.
    """
    ipython.mkdir(parents=True, exist_ok=True)
    # The longest first, so that no core idles at the end while another one is still busy with it.
    ordered = sorted(chapters, key=lambda c: c.settings.budget or 0, reverse=True)
    if ordered:
        logger.info("chapters to execute: %d (some take minutes)", len(ordered))
    running = Running()
    # The threads only report; messages and the cache's database stay in the calling thread.
    reports: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()

    def work(chapter: Chapter) -> None:
        if running.stopped:
            return
        try:
            threads = chapter.settings.threads
            environment = kernel_environment(os.environ, threads, package, ipython)
            with TemporaryDirectory(prefix="kernel-") as folder:
                outcome = execute_one(chapter, environment, Path(folder), running)
            reports.put(outcome)
        except BaseException as error:  # otherwise the caller would wait forever
            reports.put(error)

    pool = ThreadPoolExecutor(max_workers=cores(), thread_name_prefix="chapter")
    futures: list[Future[None]] = []
    try:
        futures.extend(pool.submit(work, chapter) for chapter in ordered)
        left = len(ordered)
        while left:
            report = reports.get()
            if isinstance(report, Outcome):
                left -= 1
                form = "FAILED %s, %.1f s" if report.failure else "executed %s, %.1f s"
                logger.info(form, report.chapter.label, report.seconds)
                yield report
            else:
                raise report
    finally:
        # Nothing is left to do unless Ctrl-C or an error came between. A kernel that is just
        # starting has no process id yet, hence the loop.
        for future in futures:
            future.cancel()
        while wait(futures, timeout=0.2).not_done:
            running.kill()
        pool.shutdown()
