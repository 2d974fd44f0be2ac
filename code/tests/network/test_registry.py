"""Asks a package registry for the data sets that it holds."""

import hashlib
import json
from pathlib import Path

import pytest
from conftest import listing

from zerotohero import data
from zerotohero.data import registry, store

KNOWN = json.loads(Path(registry.__file__).with_name("registry.json").read_text("utf-8"))


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "names"])
def test_wheel_on_the_registry_holds_the_same_bytes(tmp_path, monkeypatch, name) -> None:
    monkeypatch.setenv("ZEROTOHERO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZEROTOHERO_DATA_MIRROR", raising=False)
    monkeypatch.setattr(store, "checkout_data", lambda: None)
    monkeypatch.setitem(
        registry.REGISTRY, name, registry._dataset(name, KNOWN[name] | {"urls": []})
    )
    path = data.fetch(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == KNOWN[name]["sha256"]
    assert listing(tmp_path / "cache") == [path.name]
