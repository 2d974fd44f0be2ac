"""The trainer as a command: options, errors, killed and resumed, with two processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training import FILE, TEXT, TINY, command, finish, options, tiny

from zerotohero.gpt import GPT
from zerotohero.train_gpt import PRESETS, Settings, checkpoint, cli, train
from zerotohero.train_gpt.__main__ import main

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8", newline="")
    return path


def losses(out: Path) -> list[float]:
    with (out / "losses.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["train"]) for row in csv.DictReader(file) if row["train"]]


# -- options -----------------------------------------------------------------------------------


def parsed(*arguments: str) -> Settings:
    return cli.settings_from(cli.make_parser().parse_args(["--out", "x", *arguments]))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    assert parsed("--preset", preset) == PRESETS[preset]
    assert parsed() == PRESETS["cpu"]


def test_every_setting_can_be_overridden() -> None:
    assert parsed(*options(TINY)) == TINY
    assert parsed("--preset", "lecture", *options(TINY)) == TINY
    assert parsed("--preset", "smoke", "--lr", "0.5").lr == 0.5


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name in vars(TINY):
        assert "--" + name.replace("_", "-") + " " in shown


def test_it_trains_on_a_file(tmp_path: Path, text: Path) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--text", str(text), "--quiet", *options(TINY)]
    assert main(arguments) == 0
    run = train(TINY, text=TEXT, progress=False)
    assert losses(tmp_path / "run") == run.losses
    state, _ = checkpoint.load(tmp_path / "run")
    assert state.characters == run.vocabulary.characters


def test_line_ends_are_kept(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"a\r\nb\rc\n")
    assert cli.read(tmp_path / "text.txt") == "a\r\nb\rc\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-head", "3"], "n_head must divide n_embd, got n_head=3 and n_embd=16"),
        (["--steps", "-1"], "steps must be at least 0, got -1"),
        (["--threads", "0"], "threads must be at least 1, got 0"),
        (["--device", "tpu"], "device must be cpu, cuda, cuda:0, cuda:1, … or mps, got 'tpu'"),
        (["--text", "no-such-file"], "No such file or directory: 'no-such-file'"),
        (["--text", "latin-1.txt"], "text must be UTF-8: latin-1.txt: "),
        (["--text", "short.txt"], "text must be longer for block_size = 8: "),
        (["--text", "empty.txt"], "text must hold at least one character, got none"),
        (["--resume"], "there is no checkpoint: run/checkpoint.json is missing"),
        (["--out", "full"], "out is there already, full: resume it, or name another folder"),
        (["--lr", "1e30", "--optimizer", "adamw", "--grad-clip", "0"], "the loss is nan in step"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin-1.txt").write_bytes("é".encode("latin-1") * 500)
    Path("short.txt").write_text("short", encoding="utf-8")
    Path("empty.txt").touch()
    Path("full").mkdir()
    Path("full", "mine").touch()
    given = ["--out", "run", "--text", str(text), "--quiet", *options(TINY), *arguments]
    assert main(given) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert message in said


@pytest.mark.parametrize(
    "arguments", [[], ["--out", "x", "--steps", "many"], ["--out", "x", "--optimizer", "sgd"]]
)
def test_bad_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_interrupted_from_the_keyboard(
    tmp_path: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--text", str(text), "--quiet"]
    calls = 0
    forward = GPT.forward

    def interrupt(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise KeyboardInterrupt
        return forward(*given)

    with monkeypatch.context() as patch:
        patch.setattr(GPT, "forward", interrupt)
        assert main([*arguments, *options(TINY)]) == 130
    assert "--resume goes on from the last checkpoint" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    assert losses(tmp_path / "run") == train(TINY, text=TEXT, progress=False).losses


def test_resuming_needs_no_settings_but_checks_those_it_gets(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--text", str(text), "--quiet"]
    assert main([*arguments, *options(TINY)]) == 0
    assert main([*arguments, "--resume"]) == 0
    assert main([*arguments, "--resume", *options(TINY)]) == 0
    assert main([*arguments, "--resume", "--seed", "8"]) == 1
    assert "with other settings: seed is 8, there 7" in capsys.readouterr().err
    assert main([*arguments, "--resume", "--preset", "smoke"]) == 1
    assert "with other settings: block_size is 32, there 8; " in capsys.readouterr().err
    assert main([*arguments, "--resume", "--text", str(FILE)]) == 1
    assert "is of a training on another text" in capsys.readouterr().err


# -- killed ------------------------------------------------------------------------------------


def kill_after(process: subprocess.Popen[str], out: Path, step: int) -> None:
    """Wait for a checkpoint at or after a step, and kill the training in the middle of things."""
    deadline = time.monotonic() + 240
    while True:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no checkpoint at step {step}"
        try:
            if json.loads((out / "checkpoint.json").read_bytes())["state"]["step"] >= step:
                break
        except FileNotFoundError:
            pass
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(
    sys.platform == "win32", reason="no SIGKILL, and a file that is being read cannot be replaced"
)
def test_killed_twice_and_resumed(tmp_path: Path, text: Path) -> None:
    settings = tiny(steps=400, checkpoint_every=7, eval_every=50, dropout=0.1)
    out = tmp_path / "run"
    where = ["--out", out, "--text", text]
    kill_after(command(*where, *options(settings)), out, 14)
    kill_after(command(*where, "--resume"), out, 90)
    reached = checkpoint.load(out)[0].step
    assert 90 <= reached < 400
    resumed = train(settings, out, text=TEXT, resume=True, progress=False)
    whole = train(settings, text=TEXT, progress=False)
    assert resumed.losses == losses(out) == whole.losses
    assert resumed.evaluations == whole.evaluations
    assert resumed.val_loss == whole.val_loss
    assert resumed.sample == whole.sample


# -- two processes -----------------------------------------------------------------------------

TOGETHER = tiny(dtype="float32", accumulate=2, batch_size=8, warmup=2)


together = pytest.mark.skipif(
    sys.platform == "win32" or not torch.distributed.is_available(),
    reason="PyTorch without distributed, or without libuv, which torchrun needs",
)


@together
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_two_processes_train_as_one(tmp_path: Path, text: Path, optimizer: str) -> None:
    settings = tiny(**vars(TOGETHER) | {"optimizer": optimizer})
    out = tmp_path / "run"
    said = finish(command("--out", out, "--text", text, *options(settings), processes=2))
    assert said.count("validation loss on the whole split") == 1, "one process reports"
    alone = train(settings, text=TEXT, progress=False)
    assert losses(out) == pytest.approx(alone.losses, abs=1e-4)
    state, _ = checkpoint.load(out)
    assert [step for step, _ in state.evaluations] == [step for step, _ in alone.evaluations]
    found, expected = ([loss for _, loss in e] for e in (state.evaluations, alone.evaluations))
    assert found == pytest.approx(expected, abs=1e-4)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["val_loss"] == pytest.approx(alone.val_loss, abs=1e-4)
    assert result["processes"] == 2

    if optimizer == "muon":  # what two have begun, one can look at; and two refuse to overwrite
        again = command("--out", out, "--text", text, *options(settings), processes=2)
        _, said = again.communicate(timeout=240)
        assert again.returncode != 0
        assert "error: out is there already" in said


@together
def test_two_processes_resume(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process begins and is stopped at a checkpoint; two go on."""
    out = tmp_path / "run"
    save = checkpoint.save

    def stop(*arguments: Any) -> None:
        save(*arguments)
        if arguments[1].step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(TOGETHER, out, text=TEXT, progress=False)
    assert checkpoint.load(out)[0].step == 5
    finish(command("--out", out, "--text", text, "--resume", processes=2))
    alone = train(TOGETHER, text=TEXT, progress=False)
    assert losses(out)[:5] == alone.losses[:5]
    assert losses(out) == pytest.approx(alone.losses, abs=1e-4)


def test_a_batch_that_cannot_be_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from zerotohero.train_gpt import loop
    from zerotohero.train_gpt.distributed import Group

    class Three:
        def __enter__(self) -> Group:
            return Group(0, 3, torch.device("cpu"))

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(loop, "processes", lambda _: Three())
    with pytest.raises(ValueError, match="multiple of accumulate times processes, 6, got 8"):
        train(tiny(batch_size=8, accumulate=2), text=TEXT)
