"""Checks in general: they never raise, and tell a stub from a wrong answer."""

import functools
import itertools
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from check_modules import checks_of

from zerotohero.check import micrograd
from zerotohero.check.numbers import close, expect_numbers, written
from zerotohero.check.running import run
from zerotohero.check.verdict import Verdict, checker, fail

CHECKS = checks_of(micrograd)


@checker
def pair(answer: Any) -> str:
    """Check a function of one number that returns it, and its square."""
    expect_numbers(run(answer, 3.0, shown="answer(3.0)"), [3.0, 9.0], "answer(3.0)")
    return "Both."


# -- answers that misbehave ------------------------------------------------------


class Hostile:
    """Refuses to be printed, compared, hashed, converted, iterated or called."""

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        object.__setattr__(self, "error", error)

    def _refuse(self, *_: object) -> NoReturn:
        raise object.__getattribute__(self, "error")("no")

    __repr__ = __str__ = __eq__ = __hash__ = __float__ = __iter__ = __len__ = _refuse
    __call__ = __getattr__ = __bool__ = __index__ = __sub__ = __rsub__ = _refuse


class Unspeakable(Exception):
    """Cannot say what it is: its text raises another one of its kind."""

    def __str__(self) -> str:
        raise Unspeakable


def raising(error: BaseException) -> Callable[..., Any]:
    def answer(*_: Any) -> Any:
        raise error

    return answer


def returning(result: Any) -> Callable[..., Any]:
    return lambda *_: result


def generator(*_: Any) -> Any:
    yield 1.0
    raise ValueError("in the middle")


def deep(*_: Any) -> Any:
    def endless() -> Any:  # without *_: Python 3.13.0 forgets to count the depth of such calls
        return endless()

    return endless()


WRONG: dict[str, Any] = {
    "3": 3,
    "x": "x",
    "list": [1, 2, 3],
    "class": int,
    "instance": object(),
    "module": sys,
    "hostile": Hostile(),
    "hostile exit": Hostile(SystemExit),
    "no arguments": lambda: 1.0,
    "too many": lambda a, b, c, d, e: 1.0,
    "keyword only": lambda *, a: 1.0,
    "exception": raising(ZeroDivisionError("division by zero")),
    "key error": raising(KeyError("b")),
    "exit": raising(SystemExit(1)),
    "stop": raising(StopIteration()),
    "unspeakable": raising(Unspeakable()),
    "assertion": raising(AssertionError()),
    "recursion": deep,
    "a generator": generator,
    "an endless generator": lambda *_: itertools.repeat("x"),
    "nan": returning(float("nan")),
    "nans": returning([float("nan")] * 3),
    "infinite": returning([float("inf")] * 3),
    "number": returning(1.5),
    "huge": returning([10**400] * 3),
    "complex": returning([1j, 2j, 3j]),
    "text": returning("abc"),
    "digits": returning("123"),
    "bytes": returning(b"123"),
    "empty": returning([]),
    "dictionary": returning({"a": 1}),
    "nested": returning([[1.0], [2.0], [3.0]]),
    "array": returning(np.zeros((3, 3))),
    "tensor": returning(torch.zeros(3)),
    "hostile result": returning(Hostile()),
    "hostile exits": returning([Hostile(SystemExit)] * 3),
    "ellipsis inside": returning([..., ..., ...]),
    "partial": functools.partial(lambda a, b: 1.0, 1.0),
}


@pytest.mark.parametrize("name", [*CHECKS, "pair"])
@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "an endless generator"])
def test_wrong_whatever_the_answer_is(kind: str, name: str) -> None:
    verdict = {**CHECKS, "pair": pair}[name](WRONG[kind])
    assert isinstance(verdict, Verdict)
    assert verdict.status == "wrong"
    assert not verdict
    assert verdict.message
    assert ET.fromstring(verdict._repr_html_().replace("<br>", "<br/>")).tag == "div"


@pytest.mark.parametrize("name", ["analytic_gradient", "numerical_gradient", "symmetric_gradient"])
def test_a_generator_without_an_end(name: str) -> None:
    assert CHECKS[name](WRONG["an endless generator"]).status == "wrong"


def test_an_interrupt_is_passed_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        pair(raising(KeyboardInterrupt()))


def test_what_went_wrong_is_said() -> None:
    assert "ZeroDivisionError: division by zero" in pair(WRONG["exception"]).message
    assert "SystemExit: 1" in pair(WRONG["exit"]).message
    assert "Unspeakable" in pair(WRONG["unspeakable"]).message
    assert "RecursionError" in pair(WRONG["recursion"]).message
    assert "takes 0 positional arguments" in pair(WRONG["no arguments"]).message
    assert "Expected a function, received 3" in pair(3).message
    assert "entry 0 should be 3, received inf" in pair(returning([float("inf"), 9])).message
    assert "should return 2 numbers, received [3.0, nan]" in pair(lambda x: [x, np.nan]).message
    assert "should return 2 numbers, received ['3', '9']" in pair(lambda x: ["3", "9"]).message


# -- right answers of every kind --------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: [x, x * x],
        lambda x: (int(x), int(x * x)),
        lambda x: np.array([x, x * x], dtype=np.float32),
        lambda x: torch.tensor([x, x * x]),
        lambda x: [torch.tensor(x), np.float64(x * x)],
        lambda x: (y for y in (x, x * x)),
        lambda x: [x, x * x * (1 + 1e-9)],
        functools.partial(lambda k, x: [x, x**k], 2),
    ],
)
def test_right_answers(answer: Callable[..., Any]) -> None:
    verdict = pair(answer)
    assert verdict
    assert verdict == Verdict("right", "Both.")


def test_close_is_relative_above_one() -> None:
    assert close(1e9 + 100, 1e9)
    assert not close(1e9 + 10_000, 1e9)
    assert close(1e-7, 0.0)
    assert not close(1e-5, 0.0)
    assert not close(float("nan"), 0.0)
    assert not close("0.0", 0.0)


def test_a_set_of_several_numbers_has_no_order() -> None:
    expected = Verdict(
        "wrong", "answer(3.0) should return 2 numbers, received a set.", "A set has no order."
    )
    assert pair(lambda x: {3.0, 9.0}) == expected
    assert pair(lambda x: frozenset({3.0, 9.0})) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [(-0.0, "0"), (-1.5, "-1.5"), (np.float64(-0.0), "0"), (1 / 3, "0.33333333"), (None, "None")],
)
def test_a_number_is_written_with_8_digits_and_without_a_negative_zero(
    number: Any, text: str
) -> None:
    assert written(number) == text


def test_a_misconception_counts_only_where_the_number_is_wrong() -> None:
    @checker
    def hinted(answer: Any) -> str:
        hints = [(0, 1.0, "about the right entry"), (1, 5.0, "about five")]
        expect_numbers(answer, [1.0, 2.0], "answer", hints, otherwise="something else")
        return "fine"

    assert hinted([1.0, 5.0]).hint == "about five"
    assert hinted([1.0, 6.0]).hint == "something else"
    assert hinted([1.0, 2.0])


# -- stubs -------------------------------------------------------------------------


BODIES = [
    "...",
    '"""Say what to do."""',
    '"""Say what to do."""; ...',
    "pass",
    "return None",
    "return ...",
    "raise NotImplementedError",
    '"""Say what to do."""; raise NotImplementedError("your turn")',
]


def stub(body: str, arguments: str = "*arguments") -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(f"def untouched({arguments}):\n    {body}", namespace)
    function: Callable[..., Any] = namespace["untouched"]
    return function


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("arguments", ["a", "a: float = 2, *rest: float, key: str = 'x'"])
def test_a_stub_is_not_done_yet(body: str, arguments: str) -> None:
    verdict = pair(stub(body, arguments))
    assert verdict.status == "not done yet"
    assert not verdict
    words = "returns nothing yet. Fill in the stub, then run the cell again."
    assert verdict.message == f"answer(3.0) {words}"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", [name for name in CHECKS if name != "operators"])
def test_a_stub_of_every_exercise(name: str, body: str) -> None:
    assert CHECKS[name](stub(body)).status == "not done yet"


@pytest.mark.parametrize("body", BODIES)
def test_a_stub_of_a_class(body: str) -> None:
    class MyValue:
        def __init__(self, data: float) -> None:
            self.data, self.grad = data, 0.0

        exp = log = __truediv__ = stub(body)

    assert micrograd.operators(MyValue).status == "not done yet"


@pytest.mark.parametrize("answer", [None, ...])
@pytest.mark.parametrize("name", CHECKS)
def test_no_answer_at_all(name: str, answer: Any) -> None:
    verdict = CHECKS[name](answer)
    assert verdict == Verdict("not done yet", "Fill in the stub, then run the cell again.")


def test_a_body_that_forgets_to_return_is_wrong() -> None:
    def forgets(x: float) -> None:
        [x, x * x]  # without a return: the mistake that is tested

    verdict = pair(forgets)
    assert verdict.status == "wrong"
    assert "returned None" in verdict.message
    assert "return" in verdict.hint


def test_a_recursion_too_deep_has_a_hint_of_its_own() -> None:
    @checker
    def walked(answer: Any) -> str:
        run(answer, shown="answer()", too_deep="Go around.")
        return "fine"

    assert walked(deep).hint == "Go around."
    assert walked(raising(RuntimeError("another"))).hint == ""
    assert pair(deep).hint == ""


def test_fail_and_the_name_of_a_check() -> None:
    @checker
    def always(answer: Any) -> str:
        """Say no."""
        fail("It is wrong.", "Always.")

    assert always(1) == Verdict("wrong", "It is wrong.", "Always.")
    assert (always.__name__, always.__doc__) == ("always", "Say no.")
