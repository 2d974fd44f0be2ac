"""The trainer as a command: options, errors, killed and resumed, with two processes."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training import FILE, TEXT, TINY, command, finish, options, tiny, together

from zerotohero.train_gpt import PRESETS, CheckpointError, Settings, checkpoint, train
from zerotohero.train_gpt.command import main, make_parser, settings_from

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
    return settings_from(make_parser().parse_args(["--out", "x", *arguments]))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    assert parsed("--preset", preset) == PRESETS[preset]
    assert parsed() == PRESETS["cpu"]


def test_every_setting_can_be_overridden() -> None:
    assert parsed(*options(TINY)) == TINY
    assert parsed("--preset", "lecture", *options(TINY)) == TINY
    assert parsed("--preset", "smoke", "--lr", "0.5").lr == 0.5


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in vars(TINY):
        assert "--" + name.replace("_", "-") + " " in shown
    flat = " ".join(shown.split())
    assert "(smoke 32, cpu 192, lecture 384)" in flat, "each preset's value, where they differ"
    for folder in ("--resume", "--from DIR", "load_model(DIR)", "result.json"):
        assert folder in flat


def test_it_trains_on_a_file(tmp_path: Path, text: Path) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--text", str(text), "--quiet", *options(TINY)]
    assert main(arguments) == 0
    run = train(TINY, text=TEXT, progress=False)
    assert losses(tmp_path / "run") == run.losses
    state, _ = checkpoint.load(tmp_path / "run")
    assert state.characters == run.vocabulary.characters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-head", "3"], "n_head must divide n_embd, got n_head=3 and n_embd=16"),
        (["--steps", "-1"], "steps must be from 0 to 99999999, got -1"),
        (["--threads", "0"], "threads must be from 1 to "),
        (["--threads", "99999"], "threads must be from 1 to "),
        (["--n-layer", "1000", "--n-embd", "99999998"], "make n_layer, n_embd, block_size"),
        (["--batch-size", "2000000000"], "make n_layer, n_embd, block_size or batch_size smaller"),
        (["--n-embd", "9" * 60], "n_embd must be from 1 to "),
        (["--text", "huge.txt"], "huge.txt has more than 1,000,000,000 bytes, the limit"),
        (["--text", "."], ".: Is a directory"),
        (["--from", "nowhere"], "there is no checkpoint: nowhere/checkpoint.json is missing"),
        (["--from", "x", "--resume"], "choose one"),
        (["--out", "short.txt/run"], "short.txt/run: Not a directory"),
        (["--device", "tpu"], "device must be cpu, cuda, cuda:0, cuda:1, … or mps, got 'tpu'"),
        (["--text", "no-such-file"], "no-such-file: No such file or directory"),
        (["--text", "latin-1.txt"], "latin-1.txt: byte 0 is not UTF-8"),
        (["--text", "short.txt"], "text must be longer for block_size = 8: "),
        (["--text", "empty.txt"], "text must hold at least one character, got none"),
        (["--resume"], "there is no checkpoint: run/checkpoint.json is missing"),
        (["--out", "full"], "full already exists and is not empty: pass resume"),
        (
            ["--lr", "1e30", "--optimizer", "adamw", "--grad-clip", "0"],
            "the training diverged: the ",
        ),
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
    with Path("huge.txt").open("wb") as file:
        file.truncate(10**9 + 1)  # a hole, which takes no room on the disk
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
    assert main(arguments) == 2


def test_resuming_needs_no_settings_but_checks_those_it_gets(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--text", str(text), "--quiet"]
    assert main([*arguments, *options(TINY)]) == 0
    assert main([*arguments, "--resume"]) == 0
    assert main([*arguments, "--resume", *options(TINY)]) == 0
    assert main([*arguments, "--resume", "--seed", "8"]) == 1
    assert "with other settings: seed: 8 here, 7 in the checkpoint" in capsys.readouterr().err
    assert main([*arguments, "--resume", "--preset", "smoke"]) == 1
    assert "with other settings: block_size: 32 here, 8 in the " in capsys.readouterr().err
    assert main([*arguments, "--resume", "--text", str(FILE)]) == 1
    assert "used another text" in capsys.readouterr().err


# -- interrupted and killed --------------------------------------------------------------------

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="no signals, and a file that is being read cannot be replaced"
)


def reached_in(out: Path) -> int:
    """Return the step of the checkpoint, and -1 if there is none."""
    try:
        return checkpoint.load_state(out).step
    except CheckpointError:
        return -1


def wait_for(process: subprocess.Popen[str], out: Path, step: int) -> None:
    """Wait for a checkpoint at or after a step."""
    deadline = time.monotonic() + 240
    while reached_in(out) < step:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no checkpoint at step {step}"
        time.sleep(0.005)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_names_the_step(tmp_path: Path, text: Path, number: int) -> None:
    settings = tiny(steps=100_000, checkpoint_every=0, eval_every=0)
    out = tmp_path / "run"
    process = command("--out", out, "--text", text, *options(settings))
    wait_for(process, out, 0)  # the first one, before any step
    time.sleep(1)
    process.send_signal(number)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130
    step = checkpoint.load(out)[0].step
    *_, last = said.splitlines()
    assert last.startswith(f"interrupted: step {step:,} of 100,000 is saved; to continue: python ")
    assert f"--resume --out {out} --text {text} --threads 1" in last
    assert "Traceback" not in said


@posix
def test_a_second_ctrl_c_stops_at_once(tmp_path: Path, text: Path) -> None:
    settings = tiny(steps=100_000, eval_every=1, eval_windows=10**6, n_layer=40)
    process = command("--out", tmp_path / "run", "--text", text, *options(settings))
    wait_for(process, tmp_path / "run", 0)
    time.sleep(1)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in said


KILLS = int(os.environ.get("ZEROTOHERO_KILLS", "3"))  # by hand with 25


@posix
@pytest.mark.parametrize("number", [1, 2])
def test_killed_at_random_moments(tmp_path: Path, text: Path, number: int) -> None:
    """Not one loss differs from those of a training that nobody killed, to the bit."""
    settings = tiny(steps=200 // number * KILLS, checkpoint_every=7, eval_every=50, dropout=0.1)
    out, moments = tmp_path / "run", random.Random(number)
    where = ["--out", out, "--text", text]
    for kill in range(KILLS):
        more = ["--resume"] if kill else options(settings)
        reached = checkpoint.load(out)[0].step if kill else -7
        running = together(*where, *more, processes=number)
        wait_for(running[0], out, reached + 7)
        time.sleep(moments.uniform(0, 0.2))
        victim = moments.choice(running)
        assert victim.poll() is None, "it has ended before it was killed"
        os.kill(victim.pid, signal.SIGKILL)
        for process in running:
            _, said = process.communicate(timeout=240)
            assert "Traceback" not in said
            if process is not victim:
                assert process.returncode == 1
                assert said.splitlines()[-1].startswith("error: another process of this training")
    reached = checkpoint.load(out)[0].step
    assert reached < settings.steps
    for process in together(*where, "--resume", processes=number):
        finish(process, 240 + 40 * KILLS)
    whole = tmp_path / "whole"
    for process in together("--out", whole, "--text", text, *options(settings), processes=number):
        finish(process, 240 + 40 * KILLS)
    assert losses(out) == losses(whole)
    assert checkpoint.load(out)[0].evaluations == checkpoint.load(whole)[0].evaluations
    found = [json.loads((f / "result.json").read_text(encoding="utf-8")) for f in (out, whole)]
    assert found[0]["val_loss"] == found[1]["val_loss"]
    tensors = [checkpoint.load(folder)[1] for folder in (out, whole)]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[1])
    assert {p.name for p in out.iterdir()} == {p.name for p in whole.iterdir()}, "nothing is left"
    print(f"killed {KILLS} times, the last time at step {reached} or later")


# -- two processes -----------------------------------------------------------------------------

TOGETHER = tiny(dtype="float32", accumulate=2, batch_size=8, warmup=2)


by_torchrun = pytest.mark.skipif(
    sys.platform == "win32" or not torch.distributed.is_available(),
    reason="PyTorch without distributed, or without libuv, which torchrun needs",
)


@by_torchrun
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
        assert "already exists and is not empty" in said


@by_torchrun
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
    from zerotohero.train_gpt import distributed
    from zerotohero.train_gpt.distributed import Group

    class Three:
        def __enter__(self) -> Group:
            return Group(0, 3, torch.device("cpu"))

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(distributed, "processes", lambda _: Three())
    with pytest.raises(ValueError, match="multiple of accumulate times processes, 6, got 8"):
        train(tiny(batch_size=8, accumulate=2), text=TEXT)
