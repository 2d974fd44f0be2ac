"""The checks of the exercises: the modules of `zerotohero.check`, and what each one offers."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import zerotohero.check
from zerotohero.check.verdict import Verdict

MODULES: dict[str, ModuleType] = {
    found.name: importlib.import_module(f"zerotohero.check.{found.name}")
    for found in pkgutil.iter_modules(zerotohero.check.__path__)
}


def checks_of(module: ModuleType) -> dict[str, Callable[[Any], Verdict]]:
    """What `checker` has made, also what comes from a neighboring module; nothing cached."""
    return {
        name: member
        for name, member in vars(module).items()
        if hasattr(member, "__wrapped__") and not hasattr(member, "cache_info")
    }
