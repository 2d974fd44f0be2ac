"""The check of the topological order, for chapter 1."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from itertools import islice
from typing import Any

from ...micrograd import Value
from ..running import run
from ..verdict import checker, fail, stopped

# For each node, the positions of its children; the last node is the root.
Shape = list[tuple[int, ...]]

DEEP = (
    "Recursion goes one call deeper for each node. Keep a list of your own of what is still to do."
)
LOOK_UP = "Is a node looked up in a list? A set finds it at once, however many nodes there are."
SEEN = "Keep a set of the nodes that you have seen, and go below each of them only once."
OFTEN = "Go below each node only once: the time should grow with the number of nodes."
CHILDREN_FIRST = "A node may be listed only after all of its children."
ENDLESS = "Does every loop come to an end?"


MOST_COMPARISONS = 1_000_000


class Watch:
    """Counts what an answer does with the nodes of a graph, and ends the check in time.

    A right answer looks at the children of a node a few times, and compares no nodes.
    """

    def __init__(self) -> None:
        self.stop()

    def start(self, shown: str, nodes: int, hint: str) -> None:
        """Count from zero. ``hint`` is for too many looks at children."""
        self.looks = self.comparisons = 0
        self.most_looks, self.most_comparisons = 1000 + 50 * nodes, MOST_COMPARISONS
        self.shown, self.hint = shown, hint

    def stop(self) -> None:
        """Limit nothing any more."""
        self.start("", 0, "")
        self.most_looks = self.most_comparisons = sys.maxsize

    def look(self) -> None:
        """Count a look at the children of a node."""
        self.looks += 1
        if self.looks > self.most_looks:
            fail(f"{self.shown} was stopped: it read _children {self.looks:,} times.", self.hint)

    def compare(self) -> None:
        """Count a comparison of two nodes."""
        self.comparisons += 1
        if self.comparisons > self.most_comparisons:
            fail(f"{self.shown} was stopped after {self.comparisons:,} comparisons.", LOOK_UP)


class Watched(Value):
    """A node that is watched."""

    __slots__ = ("below", "watch")

    def __init__(self, watch: Watch, data: float, label: str, below: tuple[Watched, ...]) -> None:
        self.watch = watch
        super().__init__(data, label)
        self.below = below

    @property  # type: ignore[override] # of a slot
    def _children(self) -> tuple[Watched, ...]:
        self.watch.look()
        return self.below

    @_children.setter
    def _children(self, children: tuple[Watched, ...]) -> None:
        self.below = children

    def __eq__(self, other: object) -> bool:
        self.watch.compare()
        return self is other

    __hash__ = Value.__hash__  # lost without this line, as __eq__ is new


@checker
def topological_order(answer: Any) -> str:
    """Check a function ``(root)`` that lists every node once, children before parents."""
    for shape in SHAPES:
        _check_order(answer, shape, _written(shape), ENDLESS, ENDLESS)
    ladder = "(root) of 60 sums: c = a + b, d = b + c, e = c + d, …"
    _check_order(answer, LADDER, ladder, SEEN, SEEN)
    _check_order(answer, CHAIN, "(root) of a chain of 20,000 additions", OFTEN, LOOK_UP)
    return "Every node once, children before parents, and no recursion limit."


def _check_order(answer: Any, shape: Shape, of: str, too_often: str, too_long: str) -> None:
    """Stop unless the answer orders a graph.

    ``too_often`` is the hint for too many looks at children, ``too_long`` that for no end in time.
    """
    watch, nodes = _graph(shape)
    root = nodes[-1]
    below = _below(shape)
    call = f"topological_order{of}"
    before = [_held(node) for node in nodes]
    watch.start(call, len(nodes), too_often)
    received = run(answer, root, shown=call, too_deep=DEEP, endless=too_long, may_change=(0,))
    watch.stop()
    if any(_held(node) != held for node, held in zip(nodes, before)):
        fail(f"{call} changed a node.", "Keep what you need to remember in a set of your own.")
    if isinstance(received, (set, frozenset)):
        fail(f"{call} returned a set.", "A set has no order. Collect the nodes in a list as well.")
    try:
        order = list(islice(received, 1_000_000))  # it may have no end
    except TypeError:
        fail(f"{call} should be a list, received {received!r}.")
    position = {id(node): i for i, node in enumerate(nodes)}
    for item in order:
        if position.get(id(item)) not in below:
            fail(f"{call}: {_name(item)} is listed, which is not a node of the graph.")
    listed = [position[id(item)] for item in order]
    if len(listed) != len(set(listed)):
        ((twice, _),) = Counter(listed).most_common(1)
        fail(
            f"{call}: node {nodes[twice].label} is listed more than once.",
            "Remember the nodes that you have seen.",
        )
    if len(listed) != len(below):
        left_out = min(below - set(listed))
        hint = "The root itself belongs to the list, too." if nodes[left_out] is root else ""
        fail(f"{call}: node {nodes[left_out].label} is missing.", hint)
    if found := _wrong(shape, listed):
        parent, child = (nodes[i].label for i in found)
        hint = _cause(answer, shape, listed)
        fail(f"{call}: {parent} comes before {child}, its child.", hint)


# -- graphs ----------------------------------------------------------------------------


def _graph(shape: Shape) -> tuple[Watch, list[Watched]]:
    watch = Watch()
    nodes: list[Watched] = []
    for i, children in enumerate(shape):
        below = tuple(nodes[child] for child in children)
        data = [node.data for node in below]
        number = math.tanh(data[0]) if len(data) == 1 else sum(data) or 1.0
        node = Watched(watch, number, _label(i), below)
        node._op = ("", "tanh", "+")[len(data)]
        node._local_grads = (1 - number**2,) if len(data) == 1 else (1.0,) * len(data)
        nodes.append(node)
    return watch, nodes


def _label(i: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[i] if i < 26 else f"number {i}"


def _written(shape: Shape) -> str:
    """Write a small graph down: its root, the sums of two nodes, and the tanh of one."""
    root = _label(len(shape) - 1)
    if len(shape) == 1:
        return f"({root}) of a single node"
    forms = {1: "{0} = tanh {1}", 2: "{0} = {1} + {2}"}
    made = [
        forms[len(children)].format(*map(_label, (i, *children)))
        for i, children in enumerate(shape)
        if children
    ]
    return f"({root}) with {', '.join(made)}"


def _random_shape(rng: random.Random, size: int) -> Shape:
    """Draw a graph. Not all of its nodes need be below the root."""
    shape: Shape = [()]
    for i in range(1, size):
        count = 2 if i == size - 1 else rng.choice([0, 1, 2, 2, 2, 2])
        shape.append(tuple(rng.randrange(i) for _ in range(count)))
    return shape


def _chain(additions: int) -> Shape:
    """Add a number to what is there, now on its right, now on its left."""
    shape: Shape = [()]
    for i in range(0, 2 * additions, 2):
        operands = (i, i + 1)
        shape += [(), operands if i % 4 else operands[::-1]]
    return shape


_rng = random.Random(4)
SHAPES: list[Shape] = [
    [()],  # a single node
    [(), (0,)],
    [(), (0, 0)],  # both operands the same
    [(), (), (0, 1)],
    [(), (0, 0), (0, 1)],  # a + (a + a): a child is a grandchild, too
    [(), (0, 0), (1, 0)],
    [(), (0,), (1,), (0, 2)],
    [(), (0,), (1,), (2, 0)],
    [(), (0,), (0,), (1, 2)],  # a diamond
    [(), (), (0, 1), (2, 1), (0, 2), (4, 3)],
    [(), (0, 0), (1, 1), (2, 0), (3, 1)],
    *(_random_shape(_rng, size) for size in (6, 9, 14) for _ in range(20)),
]
# From the root down, there are more ways than can be walked: 1.6 to the power 60.
LADDER: Shape = [(), (), *((i, i + 1) for i in range(60))]
CHAIN = _chain(20_000)


def _below(shape: Shape) -> set[int]:
    """Return the nodes that the last one is made from, and itself."""
    found = {len(shape) - 1}
    for i in range(len(shape) - 1, -1, -1):
        if i in found:
            found.update(shape[i])
    return found


def _held(node: Watched) -> tuple[object, ...]:
    return node.data, node.grad, node.label, node._op, node.below, node._local_grads


def _name(item: Any) -> str:
    return str(item.label) if isinstance(item, Value) else repr(item)


# -- wrong orders ----------------------------------------------------------------------


def _wrong(shape: Shape, order: list[int]) -> tuple[int, int] | None:
    """Return a node that stands before its child, and that child, if there is one."""
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        for child in shape[node]:
            if place[child] > place[node]:
                return node, child
    return None


def _cause(answer: Any, shape: Shape, listed: list[int]) -> str:
    """Return a hint for a wrong order."""
    orders: list[list[int]] = []
    if stopped(lambda: orders.extend(_order_of(answer, shape) for shape in SHAPES)) is not None:
        return CHILDREN_FIRST
    known = [*zip(SHAPES, orders), (shape, listed)]
    if all(_is_right(shape, order[::-1]) for shape, order in known):
        return "The list is reversed: the root should come last."
    for turned in (False, True):
        if orders == [_marked_early(shape, turned) for shape in SHAPES]:
            return (
                "Is a node marked as seen when it goes on the stack? By then it is not its turn: "
                "mark it when it comes off."
            )
    return CHILDREN_FIRST


def _order_of(answer: Any, shape: Shape) -> list[int]:
    _, nodes = _graph(shape)
    received = run(answer, nodes[-1], shown="topological_order(root)")
    try:
        return [nodes.index(item) for item in received]
    except (TypeError, ValueError):
        return []


def _is_right(shape: Shape, order: list[int]) -> bool:
    return sorted(order) == sorted(_below(shape)) and _wrong(shape, order) is None


def _marked_early(shape: Shape, turned: bool) -> list[int]:
    """Return the order that comes out when nodes are marked as seen before their turn."""
    root = len(shape) - 1
    order, seen, stack = [], {root}, [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
            continue
        stack.append((node, True))
        for child in shape[node][:: -1 if turned else 1]:
            if child not in seen:
                seen.add(child)
                stack.append((child, False))
    return order
