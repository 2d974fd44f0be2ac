"""Counting the steps of an answer, which tells a loop."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from zerotohero.check.gpt.steps import Steps, has_script
from zerotohero.check.running import of_library

T = torch.Tensor


def steps_of(answer: Callable[[T], Any], n: int) -> int:
    steps = Steps()
    steps.counted(answer)(torch.arange(float(n)))
    return steps.taken


def squares(x: T) -> Iterator[T]:
    for item in x:
        yield item**2


def with_a_function_for_an_item(x: T) -> np.ndarray:
    return np.vectorize(lambda item: item**2)(x.numpy())


def while_there_is_more(x: T) -> int:
    i = 0
    while i < len(x): i += 1  # fmt: skip # noqa: E701
    return i


@pytest.mark.parametrize(
    "answer",
    [
        squares,
        with_a_function_for_an_item,
        while_there_is_more,
        lambda x: [item**2 for item in x],
        lambda x: [item**2 for item in x.tolist()],
        lambda x: sum(item**2 for item in x.tolist()),
        lambda x: list(map(torch.square, x.split(1))),
        lambda x: list(map(np.sum, x.numpy())),
        lambda x: {i: item**2 for i, item in enumerate(x.tolist())},
    ],
)
def test_a_loop_takes_more_steps_for_more_items(answer: Callable[[T], Any]) -> None:
    assert steps_of(answer, 3) < steps_of(answer, 4) < steps_of(answer, 40)


@pytest.mark.parametrize(
    "answer",
    [
        torch.square,
        lambda x: x**2,
        lambda x: (x.numpy() ** 2).tolist(),
        lambda x: torch.vmap(lambda item: item**2)(x),
        lambda x: [factor * x for factor in (1, 2, 3)],
        lambda x: torch.einsum("i,j->ij", x, x).diagonal(),
    ],
)
def test_work_on_whole_tensors_takes_the_same_steps(answer: Callable[[T], Any]) -> None:
    steps_of(answer, 3)  # what is loaded at the first call
    assert steps_of(answer, 3) == steps_of(answer, 40)


def test_an_earlier_trace_goes_on() -> None:
    def trace(*_: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        steps_of(torch.square, 3)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


def test_what_is_no_function_stays_as_it_is() -> None:
    assert Steps().counted(5) == 5  # type: ignore[arg-type, comparison-overlap] # a wrong answer


def test_files_of_a_library_and_others() -> None:
    for file in (torch.__file__, np.__file__, Steps.counted.__code__.co_filename, "<frozen os>"):
        assert of_library(file)
    for file in (__file__, "<stdin>", "ipykernel_1/2.py"):
        assert not of_library(file)


class Script(torch.jit.ScriptFunction):
    """Stands for a compiled function: compiling takes long."""


compiled = Script.__new__(Script)


def test_a_script_of_torch_and_who_names_one() -> None:
    assert has_script(compiled)
    assert has_script(lambda x: compiled(x))
    assert not has_script(lambda x: torch.square(x))
    assert not has_script(torch.square)
    assert not has_script(5)
