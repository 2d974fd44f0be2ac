"""What the tests of the trainer share: a short text, a tiny model, runs as commands."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from zerotohero.train_gpt import Settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "code" / "zerotohero" / "data" / "names-ssa-2018.txt"
TEXT = FILE.read_text(encoding="utf-8")[:6000]

TINY = Settings(
    block_size=8,
    n_embd=16,
    n_head=2,
    n_layer=2,
    steps=12,
    batch_size=4,
    eval_every=5,
    eval_windows=4,
    sample_tokens=20,
    checkpoint_every=5,
    seed=7,
)


TRAINER = ["-m", "zerotohero.train_gpt", "--threads", "1"]


def tiny(**changes: object) -> Settings:
    return replace(TINY, **changes)  # type: ignore[arg-type] # values of any type


def options(settings: Settings) -> list[str]:
    """Return the settings as options of the command."""
    given = []
    for name, value in vars(settings).items():
        given += ["--" + name.replace("_", "-"), str(value)]
    return given


def command(*arguments: str | Path, processes: int = 1) -> subprocess.Popen[str]:
    """Start the trainer as a command, with one thread for each process."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return _start([*(launcher if processes > 1 else []), *TRAINER, *map(str, arguments)])


def together(*arguments: str | Path, processes: int) -> list[subprocess.Popen[str]]:
    """Start several processes that train together, without torchrun to look after them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    return [
        _start([*TRAINER, *map(str, arguments)], RANK=str(rank), LOCAL_RANK=str(rank), **shared)
        for rank in range(processes)
    ]


def _start(arguments: list[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str], seconds: float = 240) -> str:
    """Wait for a command to succeed, and return what it said; give a busy machine time."""
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        raise AssertionError(f"not done after {seconds} s: {said}") from None
    assert process.returncode == 0, said
    return said
