"""The trainer from Python: steps, schedules, optimizers, evaluation, files, errors."""

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import listing
from training import TEXT, TINY, tiny

from zerotohero import data
from zerotohero.gpt import GPT, Muon, Vocabulary
from zerotohero.train_gpt import PRESETS, Settings, load_model, train
from zerotohero.train_gpt.distributed import Group
from zerotohero.train_gpt.evaluate import loss_on, whole_loss, window_starts
from zerotohero.train_gpt.loop import _Training
from zerotohero.train_gpt.optimizers import lr_factor, make_optimizers
from zerotohero.train_gpt.text import Corpus, batch_starts, seed_of, windows

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)


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
        starts = batch_starts(ids, 4, 8, seed_of(7, step, 1)).tolist()
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
    with pytest.raises(FloatingPointError, match=r"the loss is nan in step \d+: is a learning"):
        quiet(tiny(optimizer="adamw", lr=1e20, grad_clip=0.0, steps=50))


def test_tiny_shakespeare_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "shakespeare", lambda: TEXT)
    assert quiet(tiny(steps=2), text=None).losses == quiet(tiny(steps=2)).losses


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_head": 3}, ValueError, "n_head must divide n_embd, got n_head=3 and n_embd=16"),
        ({"steps": -1}, ValueError, "steps must be at least 0, got -1"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"dropout": 1.0}, ValueError, "dropout must be from 0 to 0.99, got 1.0"),
        ({"decay_start": 1.2}, ValueError, "decay_start must be from 0 to 1, got 1.2"),
        ({"lr": math.nan}, ValueError, "lr must be at least 0, got nan"),
        ({"lr": math.inf}, ValueError, "lr must be finite, got inf"),
        ({"optimizer": "sgd"}, ValueError, "optimizer must be one of muon, adamw, got 'sgd'"),
        ({"dtype": "float64"}, ValueError, "dtype must be one of auto, float32, bfloat16, got"),
        ({"accumulate": 3}, ValueError, "accumulate must divide batch_size, got 3 and 4"),
        ({"steps": 2.0}, TypeError, "steps must be of type int, got 2.0"),
        ({"steps": True}, TypeError, "steps must be of type int, got True"),
        ({"lr": "0.1"}, TypeError, "lr must be of type float, got '0.1'"),
    ],
)
def test_bad_settings(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        tiny(**changes)


def test_settings_travel_as_a_dictionary() -> None:
    assert Settings.from_dict(json.loads(json.dumps(vars(TINY)))) == TINY
    with pytest.raises(ValueError, match="settings are missing or unknown: speed, steps"):
        Settings.from_dict({k: v for k, v in vars(TINY).items() if k != "steps"} | {"speed": 1})


def test_the_preset_of_the_lecture() -> None:
    s = PRESETS["lecture"]
    with torch.device("meta"):
        model = GPT(s.config(65))
    assert sum(p.numel() for p in model.parameters()) == 10_788_929
    assert (s.batch_size, s.block_size, s.steps, s.lr) == (64, 256, 5000, 3e-4)
    assert (s.dropout, s.optimizer) == (0.2, "adamw")
    assert {lr_factor(step, s) for step in range(5000)} == {1.0}


# -- schedule and optimizers -------------------------------------------------------------------


def test_schedule() -> None:
    s = tiny(steps=100, warmup=4, decay_start=0.3, final_lr=0.1)
    factors = [lr_factor(step, s) for step in range(100)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[4:31] == [1.0] * 27
    assert factors[65] == pytest.approx(0.55)
    assert factors[99] == pytest.approx(0.1 + 0.9 / 70)
    assert all(a > b for a, b in itertools.pairwise(factors[30:]))


def test_the_learning_rates_follow_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    step = Muon.step
    monkeypatch.setattr(
        Muon, "step", lambda self: (seen.append(self.param_groups[1]["lr"]), step(self))
    )
    quiet(tiny(muon_lr=0.5))
    assert seen == pytest.approx([0.5 * lr_factor(i, TINY) for i in range(12)])


def test_every_parameter_has_one_optimizer() -> None:
    model = GPT(TINY.config(27))
    names = {p: name for name, p in model.named_parameters()}
    found = make_optimizers(model, tiny(weight_decay=0.1, muon_weight_decay=0.2))
    groups = [g for o in found.values() for g in o.param_groups]
    params = [p for group in groups for p in group["params"]]
    assert len(params) == len({id(p) for p in params}) == len(names)
    muon = {names[p]: g["parts"] for g in found["muon"].param_groups for p in g["params"]}
    ends = ("attention.proj.weight", "feed_forward.net.0.weight", "feed_forward.net.2.weight")
    expected = {f"blocks.{i}.{end}": 1 for i in range(2) for end in ends}
    expected |= {f"blocks.{i}.attention.qkv.weight": 3 for i in range(2)}
    assert muon == expected
    assert {g["weight_decay"] for g in found["muon"].param_groups} == {0.2}
    decayed = {names[p] for p in found["adamw"].param_groups[0]["params"]}
    assert decayed == {"token_embedding.weight", "position_embedding.weight", "lm_head.weight"}
    assert [g["weight_decay"] for g in found["adamw"].param_groups] == [0.1, 0.0]


def test_adamw_alone_takes_all() -> None:
    model = GPT(TINY.config(27))
    (adamw,) = make_optimizers(model, tiny(optimizer="adamw")).values()
    assert isinstance(adamw, torch.optim.AdamW)
    assert sum(len(g["params"]) for g in adamw.param_groups) == len(list(model.parameters()))


# -- text and evaluation -----------------------------------------------------------------------


def test_the_text_is_cut_at_nine_tenths() -> None:
    corpus = Corpus.from_text(TEXT, 8, CPU)
    train_part = corpus.vocabulary.decode(corpus.train)
    assert train_part + corpus.vocabulary.decode(corpus.val) == TEXT
    assert len(train_part) == int(0.9 * len(TEXT))


@pytest.mark.parametrize(("length", "right"), [(90, True), (89, False)])
def test_a_text_that_is_too_short(length: int, right: bool) -> None:
    if right:
        Corpus.from_text(TEXT[:length], 8, CPU)
    else:
        Corpus.from_text(TEXT[:length], 7, CPU)
        with pytest.raises(ValueError, match=r"text must be longer for block_size = 9: .* got 80"):
            Corpus.from_text(TEXT[:length], 9, CPU)


def test_windows_and_what_follows() -> None:
    ids = torch.arange(100)
    x, y = windows(ids, torch.tensor([0, 40, 91]), 8)
    assert x[1].tolist() == list(range(40, 48))
    assert torch.equal(y, x + 1)
    starts = batch_starts(ids, 5000, 8, 1)
    assert (int(starts.min()), int(starts.max())) == (0, 91)  # the last one reaches the end


@pytest.mark.parametrize("length", [9, 10, 17, 18, 100, 203])
def test_the_whole_validation_loss_leaves_no_token_out(length: int) -> None:
    model = GPT(TINY.config(27), generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(model.lm_head.weight)
    ids = torch.randint(0, 27, (length,), generator=torch.Generator().manual_seed(2))
    total = 0.0
    for i in range(1, length):  # every token but the first, from what is before it in its window
        start = (i - 1) // 8 * 8
        logits, _ = model(ids[None, start:i])
        total += F.cross_entropy(logits[0, -1], ids[i]).item()
    assert whole_loss(model, ids, ALONE) == pytest.approx(total / (length - 1), abs=1e-5)
    assert model.training


def test_windows_of_an_estimate_are_spread() -> None:
    ids = torch.arange(801)
    assert window_starts(ids, 8).tolist() == list(range(0, 793, 8))
    assert window_starts(ids, 8, 4).tolist() == [0, 200, 400, 600]
    assert len(window_starts(ids, 8, 1000)) == 100


def test_windows_at_once_do_not_matter() -> None:
    model = GPT(TINY.config(27))
    ids = torch.randint(0, 27, (300,))
    starts = window_starts(ids, 8)
    losses = [loss_on(model, ids, starts, ALONE, dtype="float32", at_once=n) for n in (1, 7, 99)]
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)


# -- files -------------------------------------------------------------------------------------


def test_what_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    run = quiet(tiny(sample_every=5), out)
    assert listing(out) == [
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
    with pytest.raises(FileExistsError, match=r"out is there already, .*run: resume it, or"):
        quiet(tiny(steps=1), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(FileExistsError, match="out is there already"):
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
