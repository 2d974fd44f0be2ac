"""The check of the order: right answers of several kinds, and known mistakes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_answers import outcome

from zerotohero.check import micrograd
from zerotohero.micrograd import Value, topological_order

# -- exercise 4: the order -----------------------------------------------------------


def by_counting_users(root: Value) -> list[Value]:
    """Kahn's algorithm: a node is taken when all that use it are taken."""
    users, nodes, i = {root: 0}, [root], 0
    while i < len(nodes):
        for child in nodes[i]._children:
            if child not in users:
                users[child] = 0
                nodes.append(child)
            users[child] += 1
        i += 1
    free, order = [root], []
    while free:
        order.append(free.pop())
        for child in order[-1]._children:
            users[child] -= 1
            if users[child] == 0:
                free.append(child)
    return order[::-1]


def by_pairs(root: Value) -> tuple[Value, ...]:
    order, seen, todo = [], set(), [(root, False)]
    while todo:
        node, ready = todo.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            todo += [(node, True), *((child, False) for child in node._children)]
    return tuple(order)


@pytest.mark.parametrize("answer", [by_counting_users, by_pairs, topological_order])
def test_topological_order_right(answer: Callable[..., Any]) -> None:
    assert micrograd.topological_order(answer)
    assert micrograd.topological_order(lambda root: iter(answer(root)))


def with_repeats(root: Value) -> list[Value]:
    if len(topological_order(root)) > 100:
        return topological_order(root)
    return [node for child in root._children for node in with_repeats(child)] + [root]


def by_levels(root: Value) -> list[Value]:
    nodes = [root]
    for node in nodes:
        nodes += [child for child in dict.fromkeys(node._children) if child not in nodes]
    return nodes[::-1]


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


DEEPER = (
    "Recursion goes one call deeper for each node. Keep a list of your own of what is still to do."
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            with_repeats,
            ["nodes are listed more than once"],
            "Remember the nodes that you have seen.",
        ),
        (
            lambda root: topological_order(root)[::-1],
            ["d comes before"],
            "The list is reversed: the root should come last.",
        ),
        (by_levels, ["c comes before b"], "A node may be listed only after all of its children."),
        (by_recursion, ["20,000 additions raised RecursionError: max"], DEEPER),
        (generated, ["20,000 additions raised RecursionError."], DEEPER),
        (lambda root: topological_order(root)[:-1], ["5 nodes should be listed, received 4"], ""),
        (
            lambda root: [n.label for n in topological_order(root)],
            ["'a'", "not a node"],
            "",
        ),
        (lambda root: 5, ["should be a list, received 5"], ""),
    ],
)
def test_topological_order_wrong(answer: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.topological_order(answer), *words, hint=hint)
