"""Checkpoints that are damaged, foreign, or an attack are refused."""

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from training import TEXT, TINY, tiny

from zerotohero.gpt import GPT
from zerotohero.train_gpt import CheckpointError, Run, Settings, checkpoint, load_model
from zerotohero.train_gpt import train as train_aloud

pytestmark = pytest.mark.usefixtures("one_thread")


def train(settings: Settings, out: Path, **options: Any) -> Run:
    return train_aloud(settings, out, **({"text": TEXT, "progress": False} | options))


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("result.json", "checkpoint.json", ".lock")
    }


# -- what is refused ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    train(tiny(steps=3), out)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a training that is finished after three steps."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def refused(out: Path, message: str, **changes: Any) -> None:
    text = changes.pop("text", TEXT)
    before = contents(out)
    with pytest.raises(CheckpointError, match=message):
        train(tiny(**({"steps": 3} | changes)), out, resume=True, text=text)
    assert contents(out) == before, "nothing was changed"


def test_no_checkpoint(tmp_path: Path) -> None:
    refused(tmp_path, r"^there is no checkpoint: .*checkpoint\.json is missing$")
    with pytest.raises(ValueError, match="resume needs out, the folder of the training"):
        train_aloud(TINY, None, text=TEXT, resume=True)


def test_other_settings(run: Path) -> None:
    refused(
        run,
        r"with other settings: n_embd: 32 here, 16 in .*; lr: 0\.1 here, 0\.003 in .*; to train",
        n_embd=32,
        lr=0.1,
    )
    refused(run, r"steps: 4 here, 3 in the .* \(the 3 steps made would have had other", steps=4)


def test_another_text(run: Path) -> None:
    refused(run, r"used another text: pass .* SHA-256 was ", text=TEXT + "a")


def test_a_missing_file(run: Path) -> None:
    (run / "checkpoint-00000003.safetensors").unlink()
    refused(run, r"checkpoint-00000003\.safetensors is missing, although checkpoint\.json refers")


@pytest.mark.parametrize("where", [0, 9, 0.3, 0.6, -1])
def test_one_wrong_bit_in_the_tensors(run: Path, where: float) -> None:
    path = run / "checkpoint-00000003.safetensors"
    data = bytearray(path.read_bytes())
    data[int(where * len(data)) if isinstance(where, float) else where] ^= 1
    path.write_bytes(data)
    refused(run, r"safetensors is damaged: its SHA-256 is \w+, checkpoint\.json says \w+$")
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(run)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_cut_off_tensors(run: Path, share: float) -> None:
    path = run / "checkpoint-00000003.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(run, "is damaged")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_cut_off_json(run: Path, share: float) -> None:
    path = run / "checkpoint.json"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(run, r"checkpoint\.json is damaged: it is not JSON")


def test_every_wrong_byte_in_the_json(run: Path) -> None:
    """No single changed byte goes unnoticed; a blank between values may differ."""
    path = run / "checkpoint.json"
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        try:
            state, _ = checkpoint.load(run)
        except CheckpointError:
            continue
        assert json.loads(changed) == json.loads(data)
        assert state.step == 3


def rewrite(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the state in the JSON file, with a right checksum."""
    path = run / "checkpoint.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    change(whole["state"])
    canonical = json.dumps(whole["state"], sort_keys=True).encode()
    whole["sha256"] = hashlib.sha256(canonical).hexdigest()
    path.write_text(json.dumps(whole), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("step"),
        lambda state: state.update(speed=1),
        lambda state: state["settings"].pop("lr"),
        lambda state: state["settings"].update(lr="high"),
        lambda state: state["settings"].update(n_head=0),
        lambda state: state.pop("tensors_sha256"),
        lambda state: state.update(settings=[]),
        lambda state: state.update(evaluations=[1]),
        lambda state: state.update(step="3"),
        lambda state: state.update(step=-3),
        lambda state: state.update(step=[3]),
        lambda state: state.update(characters=3),
        lambda state: state.update(seconds="long"),
    ],
)
def test_another_version(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    rewrite(run, change)
    refused(run, r"checkpoint\.json was written by another version: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"model": [1, 2]}', "is not a checkpoint of this trainer: it names no format"),
        (b"[]", "is not a checkpoint of this trainer"),
        (b"7", "is not a checkpoint of this trainer"),
        (b'{"format": "pt"}', "has the format 'pt'; this trainer reads 'zerotohero"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[" * 200_000, "it is not JSON"),
        (b'{"format": "%s"}' % checkpoint.FORMAT.encode(), "is damaged: its checksum"),
        (
            b'{"format": "%s", "state": {"a": 1e999}}' % checkpoint.FORMAT.encode(),
            "is damaged: its",
        ),
        (b'{"format": NaN}', "has the format 'nan'"),
    ],
)
def test_foreign_json(run: Path, content: bytes, message: str) -> None:
    (run / "checkpoint.json").write_bytes(content)
    refused(run, message)


def replace_tensors(run: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = run / "checkpoint-00000003.safetensors"
    save_file(tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(run, lambda state: state.update(tensors_sha256=digest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model/lm_head.bias"), r"^model/lm_head\.bias has the shape None in"),
        (
            lambda t: t.pop("adamw/lm_head.bias/step"),
            r"^adamw/lm_head\.bias/step has the shape",
        ),
        (lambda t: t.update(extra=torch.ones(2)), r"^extra has the shape \(2,\) .*, None in this"),
        (
            lambda t: t.update({"model/lm_head.weight": torch.ones(3, 3)}),
            r"^model/lm_head\.weight has the shape \(3, 3\) in the checkpoint, \(\d+, 16\) in this",
        ),
        (
            lambda t: t.update({"muon/blocks.0.attention.qkv.weight/momentum": torch.ones(1)}),
            r"^muon/blocks\.0\.attention\.qkv\.weight/momentum has the shape \(1,\)",
        ),
        (lambda t: t.pop("losses"), "does not hold a checkpoint"),
        (
            lambda t: t.update(losses=torch.ones(2)),
            r"has losses of type torch.float32 and shape \(2,\) for 3 steps",
        ),
        (
            lambda t: t.update({"model/ln_f.bias": torch.ones(16, dtype=torch.int64)}),
            r"^model/ln_f\.bias is of type torch\.int64",
        ),
    ],
)
def test_tensors_of_something_else(
    run: Path, change: Callable[[dict[str, torch.Tensor]], None], message: str
) -> None:
    tensors = load_file(run / "checkpoint-00000003.safetensors")
    change(tensors)
    replace_tensors(run, tensors)
    refused(run, message)


class Attack:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (os.environ["ATTACK"],))


def test_nothing_in_a_checkpoint_can_run_code(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pickles in place of either file, with right checksums, are refused and not executed."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("ATTACK", str(trace))
    tensors = run / "checkpoint-00000003.safetensors"
    good = tensors.read_bytes()
    attacks = [pickle.dumps(Attack())]
    torch.save({"losses": Attack()}, tmp_path / "attack.pt")
    attacks.append((tmp_path / "attack.pt").read_bytes())
    for attack in attacks:
        tensors.write_bytes(attack)
        digest = hashlib.sha256(attack).hexdigest()
        rewrite(run, lambda state, digest=digest: state.update(tensors_sha256=digest))
        refused(run, "does not hold a checkpoint")
    tensors.write_bytes(good)
    for attack in attacks:
        (run / "checkpoint.json").write_bytes(attack)
        refused(run, "it is not JSON")
    assert not trace.exists()
    pickle.loads(attacks[0])
    assert trace.exists(), "the attack is a real one"


def test_a_model_of_other_sizes_is_not_filled(run: Path) -> None:
    state, tensors = checkpoint.load(run)
    other = GPT(tiny(n_layer=1).config(len(state.characters)))
    before = [p.clone() for p in other.parameters()]
    weights = {name: t for name, t in tensors.items() if name.startswith("model/")}
    with pytest.raises(CheckpointError, match=r"blocks\.1\..* None in this training"):
        checkpoint.restore(3, other, {}, weights)
    assert all(torch.equal(p, q) for p, q in zip(before, other.parameters()))
