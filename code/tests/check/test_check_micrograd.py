"""The check of the order: known mistakes, each with its hint, and when it is stopped."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_answers import outcome

from zerotohero.check import micrograd, running
from zerotohero.check.micrograd import order
from zerotohero.micrograd import Value, topological_order

# -- wrong orders ----------------------------------------------------------------------


def with_repeats(root: Value) -> list[Value]:
    return [node for child in root._children for node in with_repeats(child)] + [root]


def by_levels(root: Value) -> list[Value]:
    nodes = [root]
    for node in nodes:
        nodes += [child for child in dict.fromkeys(node._children) if child not in nodes]
    return nodes[::-1]


def before_its_children(root: Value) -> list[Value]:
    """List a node as it comes off the stack."""
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        if node not in order:
            order.append(node)
            stack += node._children
    return order


def marked_when_pushed(step: int) -> Callable[[Value], list[Value]]:
    def answer(root: Value) -> list[Value]:
        order, seen, stack = [], {root}, [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
                continue
            stack.append((node, True))
            for child in node._children[::step]:
                if child not in seen:
                    seen.add(child)
                    stack.append((child, False))
        return order

    return answer


def by_recursion(root: Value) -> list[Value]:
    order: list[Value] = []

    def visit(node: Value) -> None:
        if node not in order:
            for child in node._children:
                visit(child)
            order.append(node)

    visit(root)
    return order


def generated(root: Value) -> Iterator[Value]:
    """Yield by recursion: the call itself returns at once."""
    seen: set[Value] = set()

    def visit(node: Value) -> Iterator[Value]:
        if node not in seen:
            seen.add(node)
            for child in node._children:
                yield from visit(child)
            yield node

    yield from visit(root)


def by_the_way(root: Value) -> list[Value]:
    """Use gradients as marks."""
    order = topological_order(root)
    for node in order:
        node.grad = 1.0
    return order


DEEPER = (
    "Recursion goes one call deeper for each node. Keep a list of your own of what is still to do."
)
CHILDREN_FIRST = "A node may be listed only after all of its children."
REVERSED = "The list is reversed: the root should come last."
EARLY = (
    "Is a node marked as seen when it goes on the stack? By then it is not its turn: "
    "mark it when it comes off."
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            with_repeats,
            ["topological_order(b) with b = a + a: node a is listed more than once"],
            "Remember the nodes that you have seen.",
        ),
        (
            lambda root: topological_order(root)[::-1],
            ["topological_order(b) with b = tanh a: b comes before a, its child."],
            REVERSED,
        ),
        (before_its_children, ["b comes before a"], CHILDREN_FIRST),
        (
            lambda root: before_its_children(root)[::-1],
            ["topological_order(c) with b = a + a, c = b + a: b comes before a, its child."],
            CHILDREN_FIRST,
        ),
        (by_levels, ["c = a + b: b comes before a"], CHILDREN_FIRST),
        (marked_when_pushed(1), ["c = a + b: b comes before a"], EARLY),
        (marked_when_pushed(-1), ["c = b + a: b comes before a"], EARLY),
        (by_recursion, ["20,000 additions raised RecursionError: max"], DEEPER),
        (generated, ["20,000 additions raised RecursionError: max"], DEEPER),
        (
            lambda root: topological_order(root)[:-1],
            ["topological_order(a) of a single node: node a is missing"],
            "The root itself belongs to the list, too.",
        ),
        (
            lambda root: [n for n in topological_order(root) if n._children or n is root],
            ["topological_order(b) with b = tanh a: node a is missing"],
            "",
        ),
        (lambda root: [n.label for n in topological_order(root)], ["'a' is listed", "not a"], ""),
        (lambda root: [*topological_order(root), Value(1.0, "z")], ["z is listed", "not a"], ""),
        (
            lambda root: {*topological_order(root)},
            ["topological_order(a) of a single node returned a set."],
            "A set has no order. Collect the nodes in a list as well.",
        ),
        (
            by_the_way,
            ["of a single node changed a node."],
            "Keep what you need to remember in a set of your own.",
        ),
        (lambda root: 5, ["should be a list, received 5"], ""),
        (lambda root: root.nodes, ["The line that raised it: (lambda root: root.nodes"], ""),
    ],
)
def test_topological_order_wrong(answer: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.topological_order(answer), *words, hint=hint)


def test_a_wrong_order_is_told_even_where_other_graphs_fail_in_other_ways() -> None:
    def answer(root: Value) -> Any:
        order = marked_when_pushed(1)(root)
        return None if len(order) > 4 else order

    outcome(micrograd.topological_order(answer), "c = a + b: b comes before a", hint=CHILDREN_FIRST)


# -- what is kept between calls, and nodes that look alike -----------------------------

FROM_OUTSIDE: set[Value] = set()


def with_a_default(root: Value, seen: set[Value] = set()) -> list[Value]:  # noqa: B006 the mistake
    if root in seen:
        return []
    seen.add(root)
    return [node for child in root._children for node in with_a_default(child, seen)] + [root]


def with_a_global(root: Value) -> list[Value]:
    order = [node for node in topological_order(root) if node not in FROM_OUTSIDE]
    FROM_OUTSIDE.update(order)
    return order


def in_a_default(root: Value, order: list[Value] = []) -> list[Value]:  # noqa: B006 the mistake
    order += topological_order(root)
    return order


def seen_by(key: Callable[[Value], object]) -> Callable[[Value], list[Value]]:
    def answer(root: Value) -> list[Value]:
        order, seen, stack = [], set(), [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif key(node) not in seen:
                seen.add(key(node))
                stack += [(node, True), *((child, False) for child in node._children)]
        return order

    return answer


def by_first_child(root: Value) -> list[Value]:
    """Go below the first child only."""
    order = [root]
    while order[-1]._children:
        order.append(order[-1]._children[0])
    return order[::-1]


def asks_and_marks(root: Value) -> list[Value]:
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        if not hasattr(node, "visited"):
            node.visited = True  # type: ignore[attr-defined]
            order.append(node)
            stack += node._children
    return order[::-1]


def marks(name: str) -> Callable[[Value], list[Value]]:
    def answer(root: Value) -> list[Value]:
        setattr(root, name, True)
        return topological_order(root)

    return answer


def zeroes_the_gradients(root: Value) -> list[Value]:
    order = topological_order(root)
    for node in order:
        node.grad = 0.0
    return order


KEPT = (
    "Is a set or list made only once, as a default argument or outside of the function? Then it "
    "still holds the nodes of the call before."
)
ALIKE = (
    "Different nodes may hold the same number and no label. Put the nodes themselves into the set."
)
REMEMBER = "Keep what you need to remember in a set of your own."
TWICE = "When it is called twice on the same graph: topological_order(a) of a single node: node a"


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (with_a_default, [TWICE, "is missing."], KEPT),
        (with_a_global, [TWICE, "is missing."], KEPT),
        (in_a_default, [TWICE, "is listed more than once."], KEPT),
        (
            seen_by(lambda node: node.label),
            ["b = tanh a, all equal to 0 and without a label: node a is missing."],
            ALIKE,
        ),
        (seen_by(repr), ["all equal to 0 and without a label: node a is missing."], ALIKE),
        (
            seen_by(lambda node: (node.data, node._op, node.label)),
            ["all equal to 0 and without a label: node "],
            ALIKE,
        ),
        (seen_by(lambda node: node.data), ["(c) with c = a + b: node a is missing."], ALIKE),
        (by_first_child, ["(c) with c = a + b: node b is missing."], ""),
        (asks_and_marks, ["'Value' object has no attribute 'visited'"], REMEMBER),
        (marks("abc"), ["'Value' object has no attribute 'abc'"], REMEMBER),
        (
            lambda root: [] if root.visited else [root],  # type: ignore[attr-defined]
            ["'Value' object has no attribute 'visited'"],
            REMEMBER,
        ),
        (lambda root: root.children, ["'Value' object has no attribute 'children'"], ""),  # type: ignore[attr-defined]
        (
            zeroes_the_gradients,
            ["of a single node changed a node."],
            "Keep what you need to remember in a set of your own.",
        ),
        (
            lambda root: [*topological_order(root), Value(1.0)],
            ["of a single node: Value(data=1.0, grad=0.0) is listed, which is not a node"],
            "",
        ),
    ],
)
def test_what_is_kept_or_alike(answer: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.topological_order(answer), *words, hint=hint)


def test_a_list_may_be_used_again() -> None:
    buffer: list[Value] = []

    def answer(root: Value) -> list[Value]:
        order = topological_order(root)[::-1]
        buffer.clear()
        buffer.extend(order)
        return buffer

    outcome(micrograd.topological_order(answer), "b comes before a", hint=REVERSED)


@pytest.mark.parametrize("put_back", [False, True])
def test_the_recursion_limit_is_not_to_be_raised(put_back: bool) -> None:
    def answer(root: Value) -> list[Value]:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(50_000)
        order = seen_by_recursion(root, set())
        if put_back:
            sys.setrecursionlimit(limit)
        return order

    before = sys.getrecursionlimit()
    words = "of a single node changed Python's recursion limit."
    outcome(micrograd.topological_order(answer), words, hint=DEEPER)
    assert sys.getrecursionlimit() == before


def test_a_limit_that_was_raised_before_does_not_help() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        verdict = micrograd.topological_order(lambda root: seen_by_recursion(root, set()))
        assert sys.getrecursionlimit() == 50_000
    finally:
        sys.setrecursionlimit(before)
    outcome(verdict, "20,000 additions raised RecursionError", hint=DEEPER)


def seen_by_recursion(node: Value, seen: set[Value]) -> list[Value]:
    if node in seen:
        return []
    seen.add(node)
    order: list[Value] = []
    for child in node._children:
        order += seen_by_recursion(child, seen)
    return [*order, node]


# -- answers that take too long --------------------------------------------------------


def looked_up_in_a_list(root: Value) -> list[Value]:
    order: list[Value] = []
    stack = [root]
    while stack:
        node = stack[-1]
        waiting = [child for child in node._children if child not in order]
        stack += waiting
        if not waiting:
            stack.pop()
            if node not in order:
                order.append(node)
    return order


def seen_in_a_list(root: Value) -> list[Value]:
    order, seen, stack = [], [], [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.append(node)
            stack += [(node, True), *((child, False) for child in node._children)]
    return order


def every_way(root: Value) -> list[Value]:
    order, listed, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if not done:
            stack += [(node, True), *((child, False) for child in node._children)]
        elif node not in listed:
            listed.add(node)
            order.append(node)
    return order


def again_and_again(root: Value) -> list[Value]:
    """Pass over all nodes until none is left."""
    waiting, listed, order = topological_order(root)[::-1], set(), []
    while waiting:
        for node in waiting:
            if listed.issuperset(node._children) and node not in listed:
                listed.add(node)
                order.append(node)
        waiting = [node for node in waiting if node not in listed]
    return order


def without_an_end(root: Value) -> list[Value]:
    stack = [root]
    while stack:
        if all(child in stack for child in stack[-1]._children):
            continue
    return stack


SQUARE = (
    "The time should grow with the number of nodes, not with its square. Is a list searched, or a "
    "list or set copied, for each node?"
)
LIST = "Is a node looked up in a list? A set finds it at once, however many nodes there are."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            looked_up_in_a_list,
            ["a chain of 20,000 additions was stopped after", "1,000,001 comparisons"],
            LIST,
        ),
        (seen_in_a_list, ["a chain of 20,000 additions was stopped after", "comparisons"], LIST),
        (
            every_way,
            ["(root) of 60 sums: c = a + b, d = b + c, e = c + d, … was stopped: it read _chi"],
            "Keep a set of the nodes that you have seen, and go below each of them only once.",
        ),
        (
            again_and_again,
            ["a chain of 20,000 additions was stopped: it read _children 2,001,051 times."],
            "Go below each node only once: the time should grow with the number of nodes.",
        ),
        (without_an_end, ["of a single node was stopped"], "Does every loop come to an end?"),
    ],
)
def test_what_takes_too_long_is_stopped(
    answer: Callable[..., Any], words: list[str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SECONDS", 60.0)  # by counting, not by the clock
    outcome(micrograd.topological_order(answer), *words, hint=hint)


def seen_in_a_list_of_numbers(root: Value) -> list[Value]:
    order, seen, stack = [], [], [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.append(id(node))
            stack += [(node, True), *((child, False) for child in node._children)]
    return order


def copies_the_set(root: Value) -> list[Value]:
    order, listed, stack = [], frozenset[Value](), [root]
    while stack:
        waiting = [child for child in stack[-1]._children if child not in listed]
        if waiting:
            stack.append(waiting[0])
        else:
            order.append(stack.pop())
            listed = listed | {order[-1]}
    return order


def runs_on(root: Value) -> list[Value]:
    while True:
        pass


def test_a_time_that_grows_with_the_square_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", 60.0)
    words = ["topological_order(root) took", "for a chain of 20,000 additions, and 0.0"]
    clock = iter([0.0, 4.0, 4.0, 4.05])  # of a machine on which this takes four seconds
    monkeypatch.setattr(order.time, "process_time", lambda: next(clock))
    outcome(micrograd.topological_order(topological_order), *words, hint=SQUARE)


def test_a_slow_machine_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 4.0, 4.4])
    monkeypatch.setattr(order.time, "process_time", lambda: next(clock))
    assert micrograd.topological_order(topological_order)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (seen_in_a_list_of_numbers, "20,000 additions was stopped: it did not end", SQUARE),
        (copies_the_set, "20,000 additions was stopped: it did not end", SQUARE),
        (runs_on, "a single node was stopped: it did not end", "Does every loop come to an end?"),
    ],
)
def test_what_cannot_be_counted_is_stopped_by_the_clock(
    answer: Callable[..., Any], words: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SECONDS", 1.0)
    outcome(micrograd.topological_order(answer), words, hint=hint)


def test_a_right_answer_stays_far_below_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", running.SECONDS / 4)
    start = time.perf_counter()
    assert micrograd.topological_order(topological_order)
    assert time.perf_counter() - start < 30  # on a busy machine
