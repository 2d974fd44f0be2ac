"""Every mutant of every right answer is refused, or is known to be right after all."""

import ast
import inspect
import random
import tomllib
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from chapter_source import Definition
from mutation import Mutant, mutants_of
from right_answers import CHECKS, IDS, RIGHT, Right, made

from zerotohero.check import running

HERE = Path(__file__).parent
SECONDS = 1.0  # for a mutant; a right answer has the time that a reader's has
FAST = {"tokenizer": 0.2}  # chapters in which no call takes longer than a few milliseconds
pytestmark = [
    pytest.mark.usefixtures("embedded_names", "one_thread"),
    pytest.mark.filterwarnings("ignore"),  # broken code may be warned of
]


# -- how a mutant is made, and judged --------------------------------------------------


def whole(result: Any) -> Any:
    """Return the result as whole numbers, as with a tensor of the wrong dtype."""
    if isinstance(result, torch.Tensor):
        return result.long()
    if isinstance(result, np.ndarray):
        return result.astype(int)
    return [int(item) for item in result] if isinstance(result, list) else int(result)


def turned(result: Any) -> Any:
    """Return the transpose of a matrix, of several, or of a list of rows."""
    if getattr(result, "ndim", 2) < 2:
        raise NothingToBreak
    if isinstance(result, torch.Tensor):
        return result.mT
    if isinstance(result, np.ndarray):
        return np.swapaxes(result, -1, -2)
    return [list(column) for column in zip(*result, strict=True)]


def first() -> Callable[[str, Any], Any]:
    remembered: dict[str, Any] = {}
    return lambda name, value: remembered.setdefault(name, value)


def spoiling(position: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Change an argument once the result is there: all of a tensor, an item of a list."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def spoiled(*args: Any) -> Any:
            result = function(*args)
            if inspect.isgenerator(result):
                result = list(result)
            spoil(args[position])
            return result

        return spoiled

    return decorate


class NothingToBreak(Exception):
    """The rule does nothing to this argument or result: this is not a mutant."""


def spoil(given: Any) -> None:
    if isinstance(given, torch.Tensor):
        with torch.no_grad():
            given.copy_(~given if given.dtype == torch.bool else given + 1)
    elif isinstance(given, np.ndarray):
        given += 1
    elif isinstance(given, list | dict | set) and given:
        given.pop() if not isinstance(given, dict) else given.popitem()
    elif isinstance(given, SimpleNamespace) and vars(given):
        spoil(next(iter(vars(given).values())))
    elif hasattr(given, "parameters"):  # a model
        spoil(next(iter(given.parameters())))
    elif hasattr(given, "grad"):  # a node
        given.data += 1
    else:
        raise NothingToBreak


def judge(right: Right, tree: Definition) -> str:
    """Return "refused", "stopped" or "accepted"; "" for what is not a mutant."""
    random.seed(0)
    torch.manual_seed(0)
    try:
        answer = made(right, tree, whole=whole, turned=turned, first=first(), spoiling=spoiling)
    except Exception:  # does not even run: a reader sees that without a check
        return ""
    try:
        verdict = CHECKS[right.chapter][right.check](answer)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"the check raised {error!r}"
    if verdict:
        return "accepted"
    if "NothingToBreak" in verdict.message:
        return ""
    return "stopped" if "was stopped: it did not end" in verdict.message else "refused"


@cache
def equivalent(chapter: str) -> dict[str, dict[str, str]]:
    """Read which mutants are right after all: by answer, by key, the reason."""
    path = HERE / "equivalent" / f"{chapter}.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found: dict[str, dict[str, str]] = {}
    for group in tomllib.loads(text).get("group", []):
        assert group["reason"].strip()
        for key in group["mutants"]:
            assert key not in found.setdefault(group["answer"], {}), f"twice: {key}"
            found[group["answer"]][key] = group["reason"]
    return found


# -- the tests -------------------------------------------------------------------------


@pytest.mark.parametrize("right", RIGHT, ids=IDS)
def test_no_mutant_is_accepted(
    right: Right, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    assert CHECKS[right.chapter][right.check](made(right)), "else all mutants are refused"
    monkeypatch.setattr(running, "SECONDS", FAST.get(right.chapter, SECONDS))
    known = equivalent(right.chapter).get(right.name, {})
    counts = dict.fromkeys(("mutants", "refused", "stopped", "equivalent"), 0)
    unexplained, met = [], set()
    for mutant in mutants_of(right.tree):
        outcome = judge(right, mutant.tree)
        if not outcome:
            continue
        counts["mutants"] += 1
        if outcome in ("refused", "stopped"):
            counts[outcome] += 1
            if outcome == "stopped":
                met.add(mutant.key)
        elif outcome == "accepted" and mutant.key in known:
            counts["equivalent"] += 1
            met.add(mutant.key)
        else:
            unexplained.append(f"{outcome}: {mutant.key}")
    record_property("mutants", [f"{right.chapter}.{right.check}", counts])
    assert not unexplained, "\n" + "\n".join(unexplained)
    assert not (stale := [*known.keys() - met]), f"no such mutant, or refused: {stale}"


def test_every_list_is_of_an_answer() -> None:
    for chapter in CHECKS:
        assert set(equivalent(chapter)) <= {r.name for r in RIGHT if r.chapter == chapter}


def test_every_chapter_with_its_own_time_has_answers() -> None:
    assert set(FAST) <= set(CHECKS)
    assert all(0 < seconds < SECONDS for seconds in FAST.values())


def assert_mutants(code: str, *expected: str) -> None:
    (definition,) = ast.parse(code).body
    assert isinstance(definition, Definition)
    made = [ast.unparse(mutant.tree.body[-1]) for mutant in mutants_of(definition)]
    for text in expected:
        assert ast.unparse(ast.parse(text)) in made, text


def test_the_rules() -> None:
    """A few by hand: what a rule makes of a line."""
    assert_mutants("def f(x):\n return x.sum(1, keepdim=True)", "return x.sum(1)", "return x")
    assert_mutants("def f(x):\n return x.sum(1, keepdim=True)", "return x.sum(2, keepdim=True)")
    assert_mutants("def f(x):\n return x[1:]", "return x", "return x[1 + 1:]", "return x[1:-1]")
    assert_mutants("def f(a, b):\n return a @ b.T", "return a @ b", "return b.T @ a", "return a")
    assert_mutants("def f(x):\n x += 1", "x -= 1", "x = 1", "x += 2")
    assert_mutants("def f(v, e):\n return (v + e) ** -0.5", "return v ** -0.5")
    assert_mutants("def f(a):\n for x in a: g(x)", "for x in [*a][1:]:\n    g(x)")
    assert all(isinstance(m, Mutant) for m in mutants_of(ast.parse("def f(): g()").body[0]))  # type: ignore[arg-type] # a definition
