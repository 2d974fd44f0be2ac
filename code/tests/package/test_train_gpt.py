"""The trainer from Python: steps, schedules, optimizers, evaluation, files, errors."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import listing
from training import TEXT, TINY, tiny

from zerotohero import data
from zerotohero.gpt import GPT, Vocabulary
from zerotohero.train_gpt import Settings, load_model, train
from zerotohero.train_gpt.corpus import seed_of
from zerotohero.train_gpt.distributed import Group
from zerotohero.train_gpt.loop import _Training

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def quiet(settings: Settings, out: Path | None = None, **options: Any) -> Any:
    return train(settings, out, **({"text": TEXT, "progress": False} | options))


# -- a training --------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_it_learns(optimizer: str) -> None:
    run = quiet(tiny(steps=150, optimizer=optimizer, batch_size=16, eval_every=0))
    assert len(run.losses) == 150
    assert run.losses[0] == pytest.approx(math.log(len(set(TEXT))), abs=0.1)
    assert run.val_loss < 2.6  # the frequencies of the letters alone give 2.9
    assert run.evaluations == []
    assert not run.model.training
    assert set(run.sample) <= set(TEXT)
    assert len(run.sample) == TINY.sample_tokens
    assert run.seconds > 0


def test_the_same_settings_give_the_same_losses() -> None:
    settings = tiny(dropout=0.2, optimizer="muon")
    before = torch.get_rng_state()
    first, same = quiet(settings), quiet(settings)
    assert first.losses == same.losses
    assert first.evaluations == same.evaluations
    assert first.val_loss == same.val_loss
    assert first.sample == same.sample
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers are untouched"
    assert quiet(tiny(dropout=0.2, seed=8)).losses != first.losses


def test_what_is_looked_at_changes_nothing() -> None:
    settings = tiny(dropout=0.2)
    often = quiet(tiny(dropout=0.2, eval_every=1, sample_every=1, eval_windows=99))
    assert often.losses == quiet(settings).losses
    assert [step for step, _ in often.evaluations] == list(range(13))


def test_dropout_differs_from_step_to_step_and_from_process_to_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds: list[int] = []
    manual_seed = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda seed: (seeds.append(seed), manual_seed(seed)))
    monkeypatch.setattr(Group, "sum", lambda _, numbers: numbers)  # nobody to talk to
    monkeypatch.setattr(Group, "wrap", lambda _, model: model)
    for rank in (0, 1):
        made = _Training(tiny(dropout=0.1, dtype="float32"), None, TEXT, False, Group(rank, 2, CPU))
        for step in range(12):
            made._step(step)
    assert len(set(seeds)) == 24


def test_steps_are_those_of_a_plain_loop() -> None:
    """Without schedule, clipping and Muon, nothing is left but PyTorch's AdamW."""
    settings = tiny(optimizer="adamw", decay_start=1.0, grad_clip=0.0, dtype="float32")
    run = quiet(settings)
    vocabulary = Vocabulary(TEXT)
    ids = vocabulary.encode(TEXT)[: int(0.9 * len(TEXT))]
    draw = torch.Generator().manual_seed(seed_of(7, 0, 0))
    model = GPT(settings.config(len(vocabulary)), generator=draw)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.lr, betas=(0.9, settings.beta2), weight_decay=0
    )
    for step, expected in enumerate(run.losses):
        draw = torch.Generator().manual_seed(seed_of(7, step, 1))
        starts = torch.randint(0, len(ids) - 8, (4,), generator=draw).tolist()
        x = torch.stack([ids[i : i + 8] for i in starts])
        y = torch.stack([ids[i + 1 : i + 9] for i in starts])
        _, loss = model(x, y)
        assert loss.item() == pytest.approx(expected, abs=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for p, q in zip(model.parameters(), run.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_batch_in_parts_is_the_same_batch(optimizer: str) -> None:
    whole, parts = (
        quiet(tiny(optimizer=optimizer, accumulate=n, dtype="float32")).losses for n in (1, 4)
    )
    assert parts == pytest.approx(whole, abs=1e-4)


def test_clipping_bounds_a_step() -> None:
    """With SGD-like betas one step of Muon forgets the scale; AdamW's epsilon shows it."""
    free, clipped = (quiet(tiny(optimizer="adamw", grad_clip=c)).losses for c in (0.0, 1e-9))
    assert clipped[0] == free[0]
    assert abs(clipped[-1] - free[-1]) > 0.01


def test_no_step_at_all() -> None:
    run = quiet(tiny(steps=0, eval_every=0))
    assert run.losses == []
    assert run.val_loss == pytest.approx(math.log(len(set(TEXT))), abs=0.1)


def test_a_lost_loss_is_named() -> None:
    with pytest.raises(FloatingPointError, match=r"diverged: the loss in step \d+ is nan; try"):
        quiet(tiny(optimizer="adamw", lr=1e20, grad_clip=0.0, steps=50))


def test_tiny_shakespeare_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "shakespeare", lambda: TEXT)
    assert quiet(tiny(steps=2), text=None).losses == quiet(tiny(steps=2)).losses


# -- files -------------------------------------------------------------------------------------


def test_what_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    run = quiet(tiny(sample_every=5), out)
    assert listing(out) == [
        ".lock",
        "checkpoint-00000012.safetensors",
        "checkpoint.json",
        "losses.csv",
        "result.json",
        "samples",
    ]
    with (out / "losses.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train"]) for row in rows if row["train"]] == run.losses
    found = [(int(row["updates"]), float(row["val"])) for row in rows if row["val"]]
    assert found == run.evaluations
    assert [step for step, _ in found] == [0, 5, 10]
    samples = sorted((out / "samples").iterdir())
    assert [path.name for path in samples] == ["00000005.txt", "00000010.txt", "00000012.txt"]
    assert samples[-1].read_text(encoding="utf-8") == run.sample
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["val_loss"] == run.val_loss
    assert result["tokens"] == 12 * 4 * 8
    assert Settings.from_dict(result["settings"]) == run.settings


def test_the_model_can_be_had_back(tmp_path: Path) -> None:
    run = quiet(TINY, tmp_path / "run")
    model, vocabulary = load_model(tmp_path / "run")
    assert vocabulary.characters == run.vocabulary.characters
    assert not model.training
    x = vocabulary.encode(TEXT[:8])[None]
    assert torch.equal(model(x)[0], run.model(x)[0])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "run"
    quiet(tiny(steps=1), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError, match=r"run already exists and is not empty: pass resume"):
        quiet(tiny(steps=1), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(FileExistsError, match="already exists and is not a folder"):
        quiet(tiny(steps=1), out / "losses.csv")
    (tmp_path / "empty").mkdir()
    quiet(tiny(steps=1), tmp_path / "empty")


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quiet(TINY)
    assert listing(tmp_path) == []


# -- devices and numbers -----------------------------------------------------------------------


@pytest.mark.parametrize("device", ["gpu", "cpu:0", "cuda:x", "mps:1", "", "meta"])
def test_unknown_devices(device: str) -> None:
    with pytest.raises(ValueError, match=r"^device must be cpu, cuda, .* or mps, got '"):
        quiet(TINY, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="device is 'cuda', but PyTorch finds 0 CUDA devices"):
        quiet(TINY, device="cuda")


def test_bfloat16_is_near() -> None:
    exact, rough = (quiet(tiny(dtype=d)) for d in ("float32", "bfloat16"))
    assert rough.losses != exact.losses
    assert rough.losses == pytest.approx(exact.losses, abs=0.05)
    assert {p.dtype for p in rough.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32"), ({"bf16": True}, "bfloat16")],
)
def test_bfloat16_where_the_processor_has_it(
    found: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert quiet(tiny(steps=0)).settings.dtype == expected
    assert quiet(tiny(steps=0, dtype="float32")).settings.dtype == "float32"


# -- progress ----------------------------------------------------------------------------------


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    quiet(TINY)
    assert capsys.readouterr() == ("", "")
    run = quiet(TINY, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"step 0 of 12, val {run.evaluations[0][1]:.4f}"
    mean = sum(run.losses[:5]) / 5
    assert lines[1].startswith(f"step 5 of 12, train {mean:.4f}, val {run.evaluations[1][1]:.4f}, ")
    assert " tokens/s, " in lines[1]
    assert lines[1].endswith(" s left")
    assert lines[-2].startswith("step 12 of 12, train ")
    assert lines[-1] == f"validation loss on the whole split: {run.val_loss:.4f}"
