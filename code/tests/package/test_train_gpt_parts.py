"""The parts of the trainer: settings, schedule, optimizers, text, evaluation."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from training import TEXT, TINY, tiny

from zerotohero.gpt import GPT, Muon, Vocabulary
from zerotohero.train_gpt import PRESETS, Settings, train
from zerotohero.train_gpt.corpus import (
    Corpus,
    estimate_loss,
    window_starts,
    windows,
)
from zerotohero.train_gpt.distributed import Group
from zerotohero.train_gpt.loop import configure_optimizers

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)


def quiet(settings: Settings, out: Path | None = None, **options: Any) -> Any:
    return train(settings, out, **({"text": TEXT, "progress": False} | options))


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_head": 3}, ValueError, "n_head must divide n_embd, got n_head=3 and n_embd=16"),
        ({"steps": -1}, ValueError, "steps must be from 0 to 99999999, got -1"),
        ({"batch_size": 0}, ValueError, "batch_size must be from 1 to 2147483647, got 0"),
        ({"dropout": 1.0}, ValueError, "dropout must be from 0 to 0.99, got 1.0"),
        ({"decay_start": 1.2}, ValueError, "decay_start must be from 0 to 1, got 1.2"),
        ({"lr": math.nan}, ValueError, "lr must be finite, got nan"),
        ({"lr": math.inf}, ValueError, "lr must be finite, got inf"),
        ({"optimizer": "sgd"}, ValueError, "optimizer must be one of muon, adamw, got 'sgd'"),
        ({"dtype": "float64"}, ValueError, "dtype must be one of auto, float32, bfloat16, got"),
        ({"accumulate": 3}, ValueError, "accumulate must divide batch_size, got 3 and 4"),
        ({"steps": 2.0}, TypeError, "steps must be an int, got 2.0"),
        ({"steps": True}, TypeError, "steps must be an int, got True"),
        ({"lr": "0.1"}, TypeError, "lr must be a number, got '0.1'"),
    ],
)
def test_bad_settings(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        tiny(**changes)


def test_settings_travel_as_a_dictionary() -> None:
    assert Settings.from_dict(json.loads(json.dumps(vars(TINY)))) == TINY
    with pytest.raises(ValueError, match="missing or unknown: speed, steps"):
        Settings.from_dict({k: v for k, v in vars(TINY).items() if k != "steps"} | {"speed": 1})


def test_the_preset_of_the_lecture() -> None:
    s = PRESETS["lecture"]
    with torch.device("meta"):
        model = GPT(s.config(65))
    assert sum(p.numel() for p in model.parameters()) == 10_788_929
    assert (s.batch_size, s.block_size, s.steps, s.lr) == (64, 256, 5000, 3e-4)
    assert (s.dropout, s.optimizer) == (0.2, "adamw")
    assert {s.lr_factor(step) for step in range(5000)} == {1.0}


# -- schedule and optimizers -------------------------------------------------------------------


def test_schedule() -> None:
    s = tiny(steps=100, warmup=4, decay_start=0.3, final_lr=0.1)
    factors = [s.lr_factor(step) for step in range(100)]
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
    assert seen == pytest.approx([0.5 * TINY.lr_factor(i) for i in range(12)])


def test_every_parameter_has_one_optimizer() -> None:
    model = GPT(TINY.config(27))
    names = {p: name for name, p in model.named_parameters()}
    found = configure_optimizers(model, tiny(weight_decay=0.1, muon_weight_decay=0.2))
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
    (adamw,) = configure_optimizers(model, tiny(optimizer="adamw")).values()
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


def test_a_batch_reaches_every_token_and_is_the_same_however_it_is_divided() -> None:
    corpus = Corpus(Vocabulary("ab"), torch.arange(100), torch.arange(9))
    settings = tiny(batch_size=6000, accumulate=1)
    ((x, y),) = corpus.batch(3, settings, ALONE)
    assert torch.equal(y, x + 1)
    assert (int(x.min()), int(y.max())) == (0, 99)
    divided = [
        micro_batch
        for rank in range(3)
        for micro_batch in corpus.batch(3, tiny(batch_size=6000, accumulate=4), Group(rank, 3, CPU))
    ]
    assert [len(ids) for ids, _ in divided] == [500] * 12
    assert torch.equal(torch.cat([ids for ids, _ in divided]), x)
    assert not torch.equal(corpus.batch(4, settings, ALONE)[0][0], x)


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
    assert estimate_loss(model, ids, ALONE) == pytest.approx(total / (length - 1), abs=1e-5)
    assert model.training


def test_windows_of_an_estimate_are_spread() -> None:
    ids = torch.arange(801)
    assert window_starts(ids, 8).tolist() == list(range(0, 793, 8))
    assert window_starts(ids, 8, 4).tolist() == [0, 200, 400, 600]
    assert len(window_starts(ids, 8, 1000)) == 100


def test_windows_at_once_do_not_matter() -> None:
    model = GPT(TINY.config(27))
    ids = torch.randint(0, 27, (300,))
    losses = [estimate_loss(model, ids, ALONE, at_once=n) for n in (1, 7, 99)]
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)
