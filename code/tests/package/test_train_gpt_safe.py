"""The trainer in any hand: divergence, interruptions, two at once, memory, crafted checkpoints."""

import hashlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import listing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from training import TEXT, TINY, options, tiny

from zerotohero import train_gpt
from zerotohero.gpt import GPT
from zerotohero.train_gpt import CheckpointError, Run, Settings, checkpoint, load_model, train
from zerotohero.train_gpt.command import main, make_parser, settings_from
from zerotohero.train_gpt.distributed import Group, memory_of, require_memory
from zerotohero.train_gpt.loop import _Training
from zerotohero.training import TrainingWarning

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def quiet(settings: Settings, out: Path | None = None, **options: Any) -> Run:
    return train(settings, out, **({"text": TEXT, "progress": False} | options))


@contextmanager
def before_step(number: int, act: Callable[[], None]) -> Iterator[None]:
    """Do something once, when a training is about to make a step."""

    def step(self: _Training, at: int) -> float:
        if at == number and not done:
            done.append(True)
            act()
        return original(self, at)

    done: list[bool] = []
    original = _Training._step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Training, "_step", step)
        yield


def json_of(path: Path) -> Any:
    """Parse a file as JSON itself is defined: without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{path} holds {name}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


# -- divergence --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 1, "lr": 1e30, "checkpoint_every": 1},
        {"steps": 1, "lr": 1e30, "sample_tokens": 0, "eval_every": 0},
        {"lr": 1e38, "sample_tokens": 0, "eval_every": 0, "checkpoint_every": 1},
        {"lr": 1e4, "muon_lr": 1e4, "eval_every": 1, "checkpoint_every": 1, "steps": 200},
        {"lr": 1e38, "eval_every": 0, "sample_every": 1},
        {"weight_decay": 1e300},
        {"lr": 1e38, "eval_every": 0, "optimizer": "adamw", "dtype": "bfloat16"},
    ],
)
def test_divergence_is_named_and_the_last_good_checkpoint_stays(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(FloatingPointError, match=r"^the training diverged: .* step \d+") as caught:
        quiet(tiny(**{"grad_clip": 0.0} | changes), out)
    assert "smaller learning rates, lr (it is" in str(caught.value)
    state, tensors = checkpoint.load(out)
    assert f"of step {state.step}, is in {out}" in str(caught.value)
    assert all(t.isfinite().all() for t in tensors.values())
    model, vocabulary = load_model(out)
    ids = vocabulary.encode(TEXT[:9])
    assert model(ids[None, :-1], ids[None, 1:])[1].isfinite(), "it is good: its loss is a number"
    assert not (out / "result.json").exists()
    json_of(out / "checkpoint.json")


def test_divergence_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    given = ["--preset", "smoke", "--steps", "1", "--lr", "1e30", "--quiet"]
    given += ["--out", str(tmp_path / "run"), "--text", str(tmp_path / "text.txt")]
    assert main(given) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: the training diverged: ")
    assert said.count("\n") == 1


def test_nothing_that_is_not_finite_is_saved(tmp_path: Path) -> None:
    """Whatever it is: a weight, or what an optimizer remembers."""
    out = tmp_path / "run"
    trainings: list[_Training] = []
    init = _Training.__init__

    def note(self: _Training, *arguments: Any) -> None:
        init(self, *arguments)
        trainings.append(self)

    def spoil() -> None:
        adamw = trainings[-1].optimizers["adamw"]
        next(iter(adamw.state.values()))["exp_avg_sq"][0] = math.inf  # its step is then zero

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Training, "__init__", note)
        with before_step(7, spoil), pytest.raises(FloatingPointError, match="moment after step"):
            quiet(tiny(), out)
    assert checkpoint.load(out)[0].step == 5


def test_a_rising_loss_gets_a_word() -> None:
    with pytest.warns(TrainingWarning, match=r"the loss rose: it was 3\.\d+ in the first step"):
        quiet(tiny(lr=1.0, muon_lr=1.0, steps=60, decay_start=1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet(tiny(steps=60))


# -- interruptions -----------------------------------------------------------------------------

main_thread = pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")


@main_thread
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [0, 7])
def test_an_interruption_saves_after_the_step(tmp_path: Path, number: int, at: int) -> None:
    out, whole = tmp_path / "run", quiet(tiny(dropout=0.2))
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with (
        before_step(at, lambda: os.kill(os.getpid(), number)),
        pytest.raises(KeyboardInterrupt, match=rf"^step {at + 1} of 12 is saved in "),
    ):
        quiet(tiny(dropout=0.2), out)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert checkpoint.load(out)[0].step == at + 1
    resumed = quiet(tiny(dropout=0.2), out, resume=True)
    assert (resumed.losses, resumed.evaluations) == (whole.losses, whole.evaluations)


@main_thread
def test_a_second_interruption_stops_at_once(tmp_path: Path) -> None:
    def twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with before_step(7, twice), pytest.raises(KeyboardInterrupt) as caught:
        quiet(TINY, tmp_path / "run")
    assert str(caught.value) == ""
    assert checkpoint.load(tmp_path / "run")[0].step == 5


@pytest.mark.parametrize("saved", [True, False])
def test_the_command_says_what_is_saved(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my text.txt").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_Training, "_make_steps" if saved else "__init__", stop)
    given = ["--out", "run", "--text", "my text.txt", "--preset", "smoke", "--quiet"]
    assert main(given) == 130
    said = capsys.readouterr().err
    if saved:
        expected = "step 0 of 200 is saved; to continue: python -m zerotohero.train_gpt --resume "
        assert said == f"interrupted: {expected}--quiet --out run --text 'my text.txt'\n"
    else:
        assert said == "interrupted: nothing was saved\n"


@pytest.mark.parametrize(
    "given",
    [
        ["--steps", "60", "--decay-start", "1", "--sample-every", "7"],
        ["--preset", "smoke", *options(tiny(decay_start=1.0, eval_every=4)), "--threads", "1"],
        ["--device", "cpu", "--quiet"],
    ],
)
def test_the_command_to_continue_keeps_what_was_given(
    given: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It parses to the same settings, also when they are not yet in the checkpoint."""
    out, file = tmp_path / "my run", tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    stopped_at(2, tiny(decay_start=1.0), out)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_Training, "_make_steps", stop)
    given = ["--out", str(out), "--text", str(file), "--resume", *given]
    assert main(given) == 130
    said = capsys.readouterr().err
    start = "interrupted: step 3 of 12 is saved; to continue: python -m zerotohero.train_gpt "
    assert said.startswith(start)
    parser = make_parser()
    again = parser.parse_args(shlex.split(said.removeprefix(start)))
    assert settings_from(again) == settings_from(parser.parse_args(given))
    assert vars(again) == vars(parser.parse_args(given))


def test_ctrl_c_while_torch_is_loading_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    code = Path(train_gpt.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "zerotohero.train_gpt", "--out", str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(code)])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_all_public_names_can_be_imported() -> None:
    assert set(train_gpt.__all__) <= set(dir(train_gpt))
    assert all(hasattr(train_gpt, name) for name in train_gpt.__all__)
    assert not hasattr(train_gpt, "no_such_name")


def test_in_another_thread_there_are_no_signals() -> None:
    found: list[Run] = []
    thread = threading.Thread(target=lambda: found.append(quiet(tiny(steps=2))))
    thread.start()
    thread.join()
    assert len(found) == 1


# -- what may change on the way ----------------------------------------------------------------


def stopped_at(step: int, settings: Settings, out: Path) -> None:
    interrupt = before_step(step, lambda: signal.raise_signal(signal.SIGINT))
    with interrupt, pytest.raises(KeyboardInterrupt):
        quiet(settings, out)


def test_what_only_watches_may_change(tmp_path: Path) -> None:
    stopped_at(6, tiny(dropout=0.2), tmp_path / "run")
    other = {"eval_every": 2, "eval_windows": 9, "sample_every": 4, "sample_tokens": 3}
    resumed = quiet(tiny(dropout=0.2, checkpoint_every=1, **other), tmp_path / "run", resume=True)
    assert resumed.losses == quiet(tiny(dropout=0.2)).losses
    assert [step for step, _ in resumed.evaluations] == [0, 5, 8, 10, 12]
    assert checkpoint.load(tmp_path / "run")[0].settings.sample_tokens == 3


def test_more_steps_where_those_made_stay_the_same(tmp_path: Path) -> None:
    stopped_at(2, TINY, tmp_path / "run")  # the learning rates fall from step 3.6 of 12 on
    resumed = quiet(tiny(steps=20), tmp_path / "run", resume=True)
    assert resumed.losses == quiet(tiny(steps=20)).losses
    quiet(tiny(decay_start=1.0), tmp_path / "flat")
    resumed = quiet(tiny(decay_start=1.0, steps=20), tmp_path / "flat", resume=True)
    assert resumed.losses == quiet(tiny(decay_start=1.0, steps=20)).losses
    for steps, reason in ((30, "steps made would have had other"), (5, "20 steps are made")):
        message = rf"steps: {steps} here, 20 in the checkpoint \(.*{reason}.*--from"
        with pytest.raises(CheckpointError, match=message):
            quiet(tiny(steps=steps), tmp_path / "run", resume=True)


def test_training_on_from_finished_weights(tmp_path: Path) -> None:
    first = quiet(tiny(steps=60), tmp_path / "first")
    on = quiet(tiny(seed=3, dropout=0.1), tmp_path / "on", start_from=tmp_path / "first")
    assert on.losses[0] == pytest.approx(first.losses[-1], abs=0.5)
    assert on.losses[0] < quiet(TINY).losses[0] - 0.3
    assert len(on.losses) == 12, "a schedule of its own"
    # A text with fewer characters: the vocabulary stays that of the weights, also on resume.
    few = "".join(c for c in TEXT if c not in "qx")
    again = quiet(TINY, tmp_path / "few", text=few, start_from=tmp_path / "first")
    assert again.vocabulary.characters == first.vocabulary.characters
    assert quiet(TINY, tmp_path / "few", text=few, resume=True).losses == again.losses
    with pytest.raises(ValueError, match="'€' at position 6000"):
        quiet(TINY, tmp_path / "new", text=TEXT + "€", start_from=tmp_path / "first")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"n_embd": 8}, "n_embd: 8 here, 16 in the checkpoint"),
        (
            {"n_layer": 3, "n_head": 4},
            "n_head: 4 here, 2 in .*; n_layer: 3 here, 2 in the checkpoint",
        ),
        ({"block_size": 9}, "block_size: 9 here, 8 in the checkpoint"),
    ],
)
def test_weights_of_other_sizes_are_refused_by_name(
    changes: dict[str, int], named: str, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=f"with other settings: {named}$"):
        quiet(tiny(**changes), tmp_path / "new", start_from=finished)
    assert listing(tmp_path) == []


def test_a_text_of_ones_own_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "a text.txt"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode("utf-8"))
    run = quiet(TINY, tmp_path / "run", text=file)
    assert run.vocabulary.characters == "".join(sorted(set(TEXT))), "a byte order mark is no token"
    with pytest.raises(CheckpointError, match=r"on a text of its own: .*--text '.*a text\.txt'"):
        train(TINY, tmp_path / "run", resume=True)
    with pytest.raises(CheckpointError, match=r"on a text of its own: .*--text '.*a text\.txt'"):
        train(TINY, tmp_path / "on", start_from=tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "options", "error", "message"),
    [
        (TINY, {"text": TEXT.encode()}, TypeError, "^text must be a string or a Path, got bytes$"),
        (TINY, {"text": [TEXT]}, TypeError, "^text must be a string or a Path, got list$"),
        (
            "smoke",
            {},
            TypeError,
            r"^settings must be Settings, as PRESETS\['smoke'\] is, got 'smoke'",
        ),
        (None, {}, TypeError, "^settings must be Settings"),
        (
            TINY,
            {"text": TEXT + "\ud800"},
            ValueError,
            r"^text must be Unicode, got '\\ud800' at .* 6000",
        ),
    ],
)
def test_arguments_of_another_kind(
    settings: Any, options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        quiet(settings, tmp_path / "run", **options)
    assert type(caught.value) is error
    assert listing(tmp_path) == []


def test_equal_settings_need_no_comparison_of_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    long = tiny(steps=99_999_999, eval_every=0)
    monkeypatch.setattr(Settings, "lr_factor", lambda *_: pytest.fail("computed step by step"))
    assert long.differences(long, long.steps) == []
    assert tiny(steps=99_999_999, eval_every=0, sample_tokens=5).differences(long, 10**7) == []


# -- files -------------------------------------------------------------------------------------


def test_files_of_others_stay(tmp_path: Path) -> None:
    out, outside = tmp_path / "run", tmp_path / "outside"
    outside.write_text("mine", encoding="utf-8")
    stopped_at(6, TINY, out)
    mine = [
        "checkpoint-best.safetensors",
        "checkpoint-00000003.safetensors",
        "checkpoint-000000005.safetensors",
        ".losses.csv.part",
        "notes.part",
    ]
    for name in mine:
        (out / name).write_text("mine", encoding="utf-8")
    for name in ("losses.csv.tmp", ".losses.csv.tmp", "result.json"):
        (out / name).symlink_to(outside)
    (out / "losses.csv").unlink()
    (out / "losses.csv").symlink_to(outside)
    (out / ".losses.csv.123-0123abcd.part").touch()  # what a crash left
    quiet(TINY, out, resume=True)
    assert outside.read_text(encoding="utf-8") == "mine"
    assert {name: (out / name).read_text(encoding="utf-8") for name in mine} == dict.fromkeys(
        mine, "mine"
    )
    assert ".losses.csv.123-0123abcd.part" not in listing(out)
    assert "checkpoint-00000007.safetensors" not in listing(out)


def test_two_cannot_train_in_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def resume() -> None:
        with pytest.raises(BlockingIOError, match=r"^another process is training in "):
            quiet(TINY, out, resume=True)

    with before_step(7, resume):
        run = quiet(TINY, out)
    assert quiet(TINY, out, resume=True).losses == run.losses, "the lock is gone"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "nofile"], "nofile: No such file or directory"),
        (["--text", "short.txt"], "text must be longer for block_size = 8"),
        (["--from", "nowhere"], "there is no checkpoint: "),
        (["--from", "run/checkpoint.json"], "must be the folder of a training, but is a file"),
        (["--from", "run", "--text", "euro.txt"], "'€' at position"),
        (["--n-embd", "99999998"], "make n_layer, n_embd, block_size"),
        (["--out", "link"], "link already exists and is not a folder"),
        (["--out", "short.txt"], "short.txt already exists and is not a folder"),
        (["--out", "run"], "run already exists and is not empty: pass resume"),
    ],
)
@pytest.mark.parametrize("rank", [0, 1])
def test_what_is_refused_leaves_nothing_behind_and_one_process_says_so(
    arguments: list[str],
    message: str,
    rank: int,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", str(rank))  # of one process: the others keep quiet
    shutil.copytree(finished, "run")
    Path("link").symlink_to("gone")
    for name, text in {"text.txt": TEXT, "short.txt": "short", "euro.txt": TEXT + "€"}.items():
        Path(name).write_text(text, encoding="utf-8")
    before = listing(tmp_path)
    given = ["--out", "new", "--text", "text.txt", "--quiet", *options(TINY), *arguments]
    assert main(given) == 1
    said = capsys.readouterr().err
    if rank == 0 or "n_layer" in message:  # memory may be one process's own
        assert said.startswith("error: ")
        assert message in said
        assert said.count("\n") == 1
    else:
        assert said == ""
    assert listing(tmp_path) == before


def test_the_tensors_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, progress, and what to do after Ctrl-C, come from the JSON file."""
    stopped_at(6, TINY, tmp_path / "run")
    read, files = checkpoint.read_limited, []
    monkeypatch.setattr(
        checkpoint,
        "read_limited",
        lambda path, limit: (files.append(path.suffix), read(path, limit))[1],
    )
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    given = ["--out", str(tmp_path / "run"), "--text", str(tmp_path / "text.txt"), "--quiet"]
    assert main([*given, "--resume", "--checkpoint-every", "1"]) == 0
    assert sorted(files) == [".json", ".json", ".safetensors"]
    assert checkpoint.load_state(tmp_path / "run").step == 12


def test_a_folder_that_another_process_filled_in_the_meantime_is_left_alone(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    init = _Training.__init__

    def fill(self: _Training, *arguments: Any) -> None:
        init(self, *arguments)
        shutil.copytree(finished, out)

    monkeypatch.setattr(_Training, "__init__", fill)
    with pytest.raises(FileExistsError, match="already exists and is not empty"):
        quiet(TINY, out)
    assert checkpoint.load_state(out).step == 3


def test_a_model_can_be_loaded_whenever_one_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer checkpoint takes the place of the one that is being read, between its two files."""
    out = tmp_path / "run"
    stopped_at(6, TINY, out)
    read, raced = checkpoint.read_limited, []

    def race(path: Path, limit: int) -> bytes:
        if path.name.endswith(".safetensors") and not raced:
            raced.append(path)
            quiet(TINY, out, resume=True)
        return read(path, limit)

    monkeypatch.setattr(checkpoint, "read_limited", race)
    load_model(out)
    assert raced
    assert not raced[0].exists()


def test_a_full_disk_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(OSError, match="checkpoints need 0 MiB here, 0 MiB are free") as caught:
        quiet(TINY, tmp_path / "run")
    assert caught.value.filename == str(tmp_path / "run")


def test_loading_leaves_random_numbers_alone(tmp_path: Path) -> None:
    quiet(tiny(steps=1), tmp_path / "run")
    before = torch.get_rng_state()
    load_model(tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)


# -- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"n_layer": 6, "n_embd": 64}, {"block_size": 500}])
def test_the_estimate_of_parameters_is_near(changes: dict[str, int]) -> None:
    sizes = tiny(**changes)
    with torch.device("meta"):
        exact = sum(p.numel() for p in GPT(sizes.config(27)).parameters())
    assert 0.85 * exact < sizes.num_parameters(27) <= exact


@pytest.mark.parametrize(
    "changes",
    [
        {"n_layer": 1000, "n_embd": 2**31 - 2},
        {"block_size": 2**31 - 1},
        {"batch_size": 2**31 - 1},
        {"n_embd": 2**20},
    ],
)
def test_absurd_sizes_are_refused_before_they_are_tried(changes: dict[str, int]) -> None:
    with pytest.raises(MemoryError, match=r"GiB at least, cpu has [\d.]+ GiB: make n_layer"):
        require_memory(tiny(**changes), 27, Group(0, 1, CPU))
    assert memory_of(CPU) > 2**28


def test_what_is_too_large_all_the_same_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(*_: Any) -> None:
        torch.empty(2**60)

    monkeypatch.setattr(GPT, "forward", forward)
    with pytest.raises(MemoryError, match="out of memory: make"):
        quiet(TINY)


# -- crafted checkpoints -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    quiet(tiny(steps=3), out)
    return out


def rewrite(out: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the state in the JSON file, with a right checksum."""
    path = out / "checkpoint.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    change(whole["state"])
    canonical = json.dumps(whole["state"], sort_keys=True).encode()
    whole["sha256"] = hashlib.sha256(canonical).hexdigest()
    path.write_text(json.dumps(whole), encoding="utf-8")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 10**8, 10**30, 10**400, 2**31 - 2])
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
FIELDS = [*checkpoint.State.__dataclass_fields__, "tensors_sha256", "extra"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=st.sampled_from([*FIELDS, *vars(TINY)]), value=VALUES)
def test_whatever_the_json_holds(finished: Path, where: str, value: Any) -> None:
    """A field of any value: refused as a ``CheckpointError``, or the very state that it was."""
    before = (finished / "checkpoint.json").read_bytes()

    def change(state: dict[str, Any]) -> None:
        (state if where in FIELDS else state["settings"])[where] = value

    try:
        rewrite(finished, change)
        try:
            state, _ = checkpoint.load(finished)
            load_model(finished)
        except CheckpointError:
            return
        json.dumps([*state.evaluations, state.seconds], allow_nan=False)
        assert state.step == 3
        assert "".join(sorted(set(state.characters))) == state.characters
    finally:
        (finished / "checkpoint.json").write_bytes(before)


@pytest.mark.parametrize("content", [b"[" * 9_000_000, b"[" + b"[]," * 3_000_000, b" " * 9_000_000])
def test_a_huge_json_is_not_parsed(content: bytes, finished: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    (out / "checkpoint.json").write_bytes(content)
    with pytest.raises(CheckpointError, match="more than 8,388,608 bytes, the limit"):
        load_model(out)


@pytest.mark.parametrize("name", ["model/ln_f.bias", "adamw/ln_f.bias/exp_avg", "losses"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_not_loaded(
    name: str, value: float, finished: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    path = out / "checkpoint-00000003.safetensors"
    tensors = load_file(path)
    tensors[name][0] = value
    save_file(tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(out, lambda state: state.update(tensors_sha256=digest))
    with pytest.raises(CheckpointError, match=f"numbers in {name} that are not finite"):
        load_model(out)


def test_a_checkpoint_of_the_first_edition_still_loads(finished: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    for name in ("text_file", "before"):
        rewrite(out, lambda state, name=name: state.pop(name))
    expected, found = load_model(finished)[0], load_model(out)[0]
    assert all(torch.equal(p, q) for p, q in zip(expected.parameters(), found.parameters()))
    quiet(tiny(steps=3), out, resume=True)
