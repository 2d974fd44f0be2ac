"""How an answer is run: not without an end, and told what it changed and which line failed."""

import itertools
import signal
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from zerotohero.check import running
from zerotohero.check.running import guarded, run
from zerotohero.check.verdict import Verdict, stopped
from zerotohero.micrograd import MLP, Value


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.1)


def verdict(answer: Any, *args: Any, **options: Any) -> Verdict:
    found = stopped(lambda: run(answer, *args, shown="f(x)", **options))
    return Verdict("right", "") if found is None else found  # a wrong one is false


# -- answers without an end ------------------------------------------------------------


def loops(x: Any) -> None:
    while True:
        pass


def loops_past_its_own_except(x: Any) -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def sleeps(x: Any) -> None:
    time.sleep(100)


def generates(x: Any) -> Any:
    while True:
        pass
    yield x


ENDLESS = [loops, loops_past_its_own_except, generates]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_a_sleep_is_stopped() -> None:
    assert "was stopped" in verdict(sleeps, 1).message


@pytest.mark.parametrize("answer", ENDLESS)
def test_without_an_alarm_as_by_ctrl_c(
    answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(signal, "setitimer", raising=False)
    assert "was stopped" in verdict(answer, 1).message
    time.sleep(0.3)  # no interrupt is left
    assert verdict(lambda x: x, 1)


@pytest.mark.parametrize("alarm", [True, False])
def test_a_real_ctrl_c_is_passed_on(alarm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(x: Any) -> None:
        raise KeyboardInterrupt

    if not alarm:
        monkeypatch.delattr(signal, "setitimer", raising=False)
    with pytest.raises(KeyboardInterrupt):
        verdict(interrupted, 1)


@pytest.mark.parametrize("answer", ENDLESS)
def test_an_answer_that_does_not_end_is_stopped(answer: Callable[..., Any]) -> None:
    start = time.monotonic()
    found = verdict(answer, 1)
    assert time.monotonic() - start < 5
    assert found.message == "f(x) was stopped: it did not end within 0.1 seconds."
    assert found.hint == "Does every loop come to an end?"
    assert verdict(answer, 1, endless="Which list grows?").hint == "Which list grows?"


def test_what_comes_after_is_not_stopped() -> None:
    assert not verdict(loops, 1)
    time.sleep(0.3)  # no alarm is left
    assert verdict(lambda x: x, 1)


def test_more_time_where_the_check_gives_it() -> None:
    def slow(x: int) -> int:
        time.sleep(0.3)
        return x

    assert not verdict(slow, 1)
    assert verdict(slow, 1, seconds=5)


def test_a_call_inside_a_call_leaves_the_outer_limit() -> None:
    def outer(x: Any) -> Any:
        run(lambda: 1, shown="g()")
        return loops(x)

    assert "was stopped" in verdict(outer, 1).message


def test_in_another_thread_nothing_is_limited() -> None:
    found: list[Verdict] = []
    thread = threading.Thread(target=lambda: found.append(verdict(lambda x: x, 1)))
    thread.start()
    thread.join()
    assert found == [Verdict("right", "")]


def test_an_iterator_is_read_to_its_end() -> None:
    assert run(lambda n: (i for i in range(n)), 3, shown="f(3)") == [0, 1, 2]
    assert run(lambda n: map(str, range(n)), 2, shown="f(2)") == ["0", "1"]
    endless = verdict(lambda x: itertools.count(), 1, seconds=20)
    assert endless.message == "f(x) yields more than 1,000,000 items."


# -- what an answer changes ------------------------------------------------------------


def pops(x: Any) -> int:
    x.pop()
    return 1


def sets(x: Any) -> int:
    x[0] = x[0] + 1
    return 1


def adds(x: Any) -> int:
    x += 1
    return 1


TENSOR = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
LIST = "Methods such as sort, shuffle and append change the list itself. Work on a copy."


def adds_to_a_tensor_inside(x: Any) -> int:
    x.a += 1
    return 1


def steps(model: Any) -> int:
    next(iter(model.parameters())).data += 1.0
    return 1


def flows(x: Value) -> Value:
    out = x * 2.0
    out.backward()
    return out


@pytest.mark.parametrize(
    ("answer", "given", "name", "hint"),
    [
        (pops, [1, 2], "x", LIST),
        (sets, [1, 2], "x", LIST),
        (lambda rows: rows[0].append(1) or 1, [[1], 2], "rows", LIST),
        (sets, [Value(1.0)], "x", LIST),
        (lambda d: d.popitem() and 1, {"a": 1}, "d", "Work on a copy."),
        (pops, {3}, "x", "Work on a copy."),
        (adds, torch.zeros(3), "x", TENSOR),
        (adds, torch.zeros(()), "x", TENSOR),
        (adds, np.zeros(3), "x", "Work on a copy."),
        (lambda t: t.t_() is t, torch.zeros(2, 3), "t", TENSOR),
        (adds_to_a_tensor_inside, SimpleNamespace(a=torch.zeros(2)), "x", "Work on a copy."),
        (adds_to_a_tensor_inside, (SimpleNamespace(a=np.zeros(2)),), "x", ""),
        (steps, MLP(2, [1]), "model", "Work on a copy."),
        (steps, torch.nn.Linear(2, 1), "model", "Work on a copy."),
        (flows, Value(1.0), "x", "Work on a copy."),
    ],
)
def test_an_answer_that_changes_what_it_is_given(
    answer: Any, given: Any, name: str, hint: str
) -> None:
    given = given[0] if isinstance(given, tuple) else given
    found = verdict(answer, given)
    assert found.message == f"f(x) changed {name}, which it was given."
    assert found.hint == (hint or "Work on a copy.")
    assert found.status == "wrong"


def test_a_change_that_the_task_asks_for() -> None:
    assert verdict(lambda x, y: x.append(y) or 1, [1], 2, may_change=(0,))


def test_copies_and_undone_changes_are_fine() -> None:
    def undone(point: list[float]) -> int:
        saved = point[0]
        point[0] += 0.1
        point[0] = saved
        return 1

    assert verdict(lambda x: sorted(x), [3, 1])
    assert verdict(lambda x: x.clone().add_(1), torch.zeros(2))
    assert verdict(lambda x: x, torch.tensor([float("nan")]))
    assert verdict(undone, [0.3])


# -- exceptions ------------------------------------------------------------------------


def fails_itself(x: Any) -> Any:
    numbers = [1]
    return numbers[5]


def fails_in_the_package(x: Any) -> Any:
    return Value(1.0) * "two"  # type: ignore[operator] # the mistake that is tested


def fails_in_a_library(x: Any) -> Any:
    return torch.zeros(2, 3) @ torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (fails_itself, "return numbers[5]"),
        (fails_in_the_package, 'return Value(1.0) * "two"'),
        (fails_in_a_library, "return torch.zeros(2, 3) @ torch.zeros(2, 3)"),
    ],
)
def test_an_exception_is_told_with_the_line_of_the_answer(answer: Any, line: str) -> None:
    assert f"\nThe line that raised it: {line}" in verdict(answer, 1).message


def test_a_part_of_an_answer_is_guarded_too() -> None:
    found = stopped(lambda: guarded(lambda: loops(1), "backward()"))
    assert found is not None
    assert found.message == "backward() was stopped: it did not end within 0.1 seconds."
    assert guarded(lambda: None, "backward()") is None


def test_only_a_stub_that_says_so_is_not_done_yet() -> None:
    def stub(x: Any) -> Any:
        raise NotImplementedError("your turn")

    def deeper(x: Any) -> Any:
        return stub(x)

    def not_in_torch(x: Any) -> Any:
        return torch.bincount(torch.tensor([0.5]))

    assert verdict(stub, 1).status == verdict(deeper, 1).status == "not done yet"
    found = verdict(not_in_torch, 1)
    assert found.status == "wrong"
    assert "raised NotImplementedError" in found.message
    assert "return torch.bincount" in found.message


def test_a_long_exception_is_cut() -> None:
    def fails(x: Any) -> None:
        raise ValueError("x" * 10_000)

    assert len(verdict(fails, 1).message) < 600
