"""The checks of the exercises: the modules of `zerotohero.check`, and what each one offers."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import zerotohero.check
from zerotohero.check.verdict import Verdict, checker

MODULES: dict[str, ModuleType] = {
    found.name: importlib.import_module(f"zerotohero.check.{found.name}")
    for found in pkgutil.iter_modules(zerotohero.check.__path__)
}


def checks_of(module: ModuleType) -> dict[str, Callable[[Any], Verdict]]:
    """What `checker` has made, also what comes from a neighboring module."""
    made = checker(lambda _: "").__code__  # type: ignore[attr-defined] # that of a function
    members = vars(module).items()
    return {name: member for name, member in members if getattr(member, "__code__", None) is made}
