"""The check of the topological order, for chapter 1."""

from __future__ import annotations

import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from ...micrograd import Value
from ..running import run
from ..verdict import Verdict, checker, fail, stop, stopped

# For each node, the positions of its children; the last node is the root.
Shape = list[tuple[int, ...]]

DEEP = (
    "Recursion goes one call deeper for each node. Keep a list of your own of what is still to do."
)
LOOK_UP = "Is a node looked up in a list? A set finds it at once, however many nodes there are."
SEEN = "Keep a set of the nodes that you have seen, and go below each of them only once."
OFTEN = "Go below each node only once: the time should grow with the number of nodes."
CHILDREN_FIRST = "A node may be listed only after all of its children."
KEPT = (
    "Is a set or list made only once, as a default argument or outside of the function? Then it "
    "still holds the nodes of the call before."
)
ALIKE = (
    "Different nodes may hold the same number and no label. Put the nodes themselves into the set."
)
SQUARE = (
    "The time should grow with the number of nodes, not with its square. Is a list searched, or a "
    "list or set copied, for each node?"
)
REMEMBER = "Keep what you need to remember in a set of your own."
# How readers call what they would like to write on a node.
MARK = re.compile("visit|seen|done|mark|flag|colou?r|state|status|order|index|listed|temp|perm")
LIMIT = 1000  # of recursion: Python's own, which some environments raise
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
        self.written = False  # whether a node was given an attribute that it can't have

    def stop(self) -> None:
        """Limit nothing any more."""
        self.start("", 0, "")
        self.most_looks = self.most_comparisons = sys.maxsize

    def look(self) -> None:
        """Count a look at the children of a node."""
        self.looks += 1
        if sys.getrecursionlimit() != LIMIT:
            fail(f"{self.shown} changed Python's recursion limit.", DEEP)
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

    def __setattr__(self, name: str, value: object) -> None:
        if not hasattr(type(self), name):
            self.watch.written = True
        super().__setattr__(name, value)

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


# What Python says about a node should name the class that readers know.
Watched.__name__ = Watched.__qualname__ = Value.__name__
Watched.__module__ = Value.__module__


@checker
def topological_order(answer: Any) -> str:
    """Check a function ``(root)`` that lists every node once, children before parents."""
    with _recursion_limit():
        for shape in SHAPES:
            _check_order(answer, _graph(shape), _written(shape), ENDLESS, ENDLESS, twice=True)
        for shape in SHAPES[:15]:
            of = f"{_written(shape)}, all equal to 0 and without a label"
            _check_order(answer, _graph(shape, alike=True), of, ENDLESS, ENDLESS, missing=ALIKE)
        ladder = "(root) of 60 sums: c = a + b, d = b + c, e = c + d, …"
        _check_order(answer, _graph(LADDER), ladder, SEEN, SEEN)
        _check_time(answer)
    return "Every node once, children before parents, and no recursion limit."


@contextmanager
def _recursion_limit() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(LIMIT)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _check_time(answer: Any) -> None:
    """Stop unless the answer orders a long chain, in a time that grows like its length."""
    seconds = []
    for length in (20_000, 2000):
        graph, of = _graph(_chain(length)), f"(root) of a chain of {length:,} additions"
        start = time.process_time()
        _check_order(answer, graph, of, OFTEN, SQUARE)
        seconds.append(time.process_time() - start)
        if seconds[0] < 1:
            return
    if seconds[0] > 30 * seconds[1]:  # ten times would do
        fail(
            f"topological_order(root) took {seconds[0]:.1f} seconds for a chain of 20,000 "
            f"additions, and {seconds[1]:.2f} for one of 2,000.",
            SQUARE,
        )


def _check_order(
    answer: Any,
    graph: Graph,
    of: str,
    too_often: str,
    too_long: str,
    missing: str = "",
    twice: bool = False,
) -> None:
    """Stop unless the answer orders a graph; where ``twice``, also when it is called again.

    ``too_often`` is the hint for too many looks at children, ``too_long`` that for no end in time,
    ``missing`` that for a node that is not listed.
    """
    call = f"topological_order{of}"
    _check_list(answer, graph, call, too_often, too_long, missing)
    if twice:
        problem = stopped(lambda: _check_list(answer, graph, call, too_often, too_long, missing))
        if problem is not None:
            message = f"When it is called twice on the same graph: {problem.message}"
            stop(Verdict(problem.status, message, KEPT))


def _check_list(
    answer: Any, graph: Graph, call: str, too_often: str, too_long: str, missing: str
) -> None:
    shape, watch, nodes = graph
    root = nodes[-1]
    below = _below(shape)
    before = [_held(node) for node in nodes]
    watch.start(call, len(nodes), too_often)
    results: list[Any] = []

    def call_it() -> None:
        options: dict[str, Any] = {"too_deep": DEEP, "endless": too_long, "may_change": (0,)}
        results.append(run(answer, root, shown=call, **options))

    if (problem := stopped(call_it)) is not None:
        hint = problem.hint or (_marks_nodes(problem, watch) and REMEMBER)
        stop(Verdict(problem.status, problem.message, hint or ""))
    (received,) = results
    watch.stop()
    if any(_held(node) != held for node, held in zip(nodes, before)):
        fail(f"{call} changed a node.", REMEMBER)
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
            f"{call}: node {_label(twice)} is listed more than once.",
            "Remember the nodes that you have seen.",
        )
    if len(listed) != len(below):
        left_out = min(below - set(listed))
        hint = missing
        if nodes[left_out] is root:
            hint = "The root itself belongs to the list, too."
        if _by_number(answer, graph, below, set(listed)):
            hint = ALIKE
        fail(f"{call}: node {_label(left_out)} is missing.", hint)
    if found := _wrong(shape, listed):
        parent, child = map(_label, found)
        hint = _cause(answer, shape, listed)
        fail(f"{call}: {parent} comes before {child}, its child.", hint)


def _marks_nodes(problem: Verdict, watch: Watch) -> bool:
    """Whether an exception is about a node that should remember something."""
    found = re.search(r"'Value' object has no attribute '(\w+)'", problem.message)
    return found is not None and (watch.written or MARK.search(found[1].lower()) is not None)


def _by_number(answer: Any, graph: Graph, below: set[int], listed: set[int]) -> bool:
    """Whether nodes are left out just because others hold the same numbers."""
    numbers = {graph.nodes[i].data for i in listed}
    if not all(graph.nodes[i].data in numbers for i in below - listed):
        return False
    other = _graph(graph.shape, numbers=range(1, len(graph.nodes) + 1))
    orders: list[list[int]] = []
    problem = stopped(lambda: orders.append(_places(answer, other)))
    return problem is None and sorted(orders[0]) == sorted(below)


# -- graphs ----------------------------------------------------------------------------


class Graph(NamedTuple):
    """A graph of watched nodes."""

    shape: Shape
    watch: Watch
    nodes: list[Watched]


def _graph(shape: Shape, alike: bool = False, numbers: Sequence[float] = ()) -> Graph:
    """Make the nodes; where ``alike``, all of them hold 0 and have no label.

    Where there are ``numbers``, the nodes hold these.
    """
    watch = Watch()
    nodes: list[Watched] = []
    for i, children in enumerate(shape):
        below = tuple(nodes[child] for child in children)
        data = [node.data for node in below]
        number = math.tanh(data[0]) if len(data) == 1 else sum(data, 0.0)
        if not alike:
            number = number or 1.0
        if numbers:
            number = numbers[i]
        node = Watched(watch, number, "" if alike else _label(i), below)
        node.grad = 0.25  # from before: it should stay
        node._op = ("", "tanh", "+")[len(data)]
        node._local_grads = (1 - number**2,) if len(data) == 1 else (1.0,) * len(data)
        nodes.append(node)
    return Graph(shape, watch, nodes)


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
    return str(item.label) if isinstance(item, Value) and item.label else repr(item)


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
    return _places(answer, _graph(shape))


def _places(answer: Any, graph: Graph) -> list[int]:
    """Return the answer's order, as positions; empty where there is something else in it."""
    nodes = graph.nodes
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
