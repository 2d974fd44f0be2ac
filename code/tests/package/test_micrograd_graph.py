"""Drawn graphs: well-formed SVG with every node once, whatever labels hold."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from zerotohero.micrograd import Graph, Value, draw_graph

SVG = "{http://www.w3.org/2000/svg}"


def groups(graph: Graph, kind: str) -> dict[str, list[str]]:
    """Return the texts of every node (or edge) of a picture, by its title."""
    root = ET.fromstring(graph._repr_svg_())
    assert root.tag == f"{SVG}svg"
    found = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == kind:
            title = group.findtext(f"{SVG}title")
            assert title is not None
            assert title not in found
            texts = ["".join(t.itertext()).replace("\xa0", " ") for t in group.iter(f"{SVG}text")]
            found[title] = texts
    return found


def neuron() -> Value:
    x, w = Value(2.0, "x"), Value(-3.0, "w")
    product = x * w
    product.label = "xw"
    out = (product + 6.5).tanh()
    out.label = "o"
    out.backward()
    return out


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_every_node_with_its_numbers(direction: str) -> None:
    drawn = list(groups(draw_graph(neuron(), direction=direction), "node").values())
    for expected in (
        ["x", "data 2.0000", "grad −2.3593"],
        ["w", "data −3.0000", "grad 1.5729"],
        ["xw", "data −6.0000", "grad 0.7864"],
        ["data 6.5000", "grad 0.7864"],
        ["data 0.5000", "grad 0.7864"],
        ["o", "data 0.4621", "grad 1.0000"],
        ["×"],
        ["+"],
        ["tanh"],
    ):
        assert drawn.count(expected) == 1, expected
    assert len(drawn) == 9


def test_arrows() -> None:
    graph = draw_graph(neuron())
    assert len(groups(graph, "edge")) == 3 + 5  # to each result, and from each operand


def test_direction_turns_the_picture() -> None:
    chain = Value(1.0)
    for _ in range(6):
        chain = -chain
    sizes = {}
    for direction in ("LR", "TB"):
        root = ET.fromstring(draw_graph(chain, direction=direction).svg)
        sizes[direction] = [float(x) for x in root.attrib["viewBox"].split()[2:]]
    assert sizes["LR"][0] > 3 * sizes["LR"][1]
    assert sizes["TB"][1] > 3 * sizes["TB"][0]


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_the_fields_of_a_node_are_stacked(direction: str) -> None:
    root = ET.fromstring(draw_graph(Value(1.5, "x"), direction=direction).svg)
    places = [(float(t.attrib["x"]), float(t.attrib["y"])) for t in root.iter(f"{SVG}text")]
    assert len({x for x, _ in places}) == 1
    assert [y for _, y in places] == sorted({y for _, y in places})


def test_a_shared_node_is_drawn_once_with_two_arrows() -> None:
    a = Value(3.0, "a")
    b = a + a
    b.label = "b"
    graph = draw_graph(b * b)
    drawn = list(groups(graph, "node").values())
    assert [texts[0] for texts in drawn].count("a") == 1
    assert [texts[0] for texts in drawn].count("b") == 1
    assert len(drawn) == 5
    arrows = [e for e in ET.fromstring(graph.svg).iter(f"{SVG}g") if e.get("class") == "edge"]
    assert len(arrows) == 6


def test_a_leaf_alone() -> None:
    assert list(groups(draw_graph(Value(1.5, "x")), "node").values()) == [
        ["x", "data 1.5000", "grad 0.0000"]
    ]


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize(
    "label",
    [
        '{|}<> "\\&',
        "a|b",
        "&lt;b&gt; &amp;",
        "<script>alert(1)</script>",
        "\\N \\G \\n",
        "é Ж 学",
        "x  y",
    ],
)
def test_labels_survive(label: str, direction: str) -> None:
    out = Value(1.0, label) * 2.0
    out.label = label
    drawn = list(groups(draw_graph(out, direction=direction), "node").values())
    assert drawn.count([label, "data 1.0000", "grad 0.0000"]) == 1
    assert drawn.count([label, "data 2.0000", "grad 0.0000"]) == 1


def test_a_label_of_two_lines_becomes_one() -> None:
    drawn = groups(draw_graph(Value(1.0, "one\ntwo\tthree")), "node")
    assert drawn["v0"][0] == "one two three"


def test_digits_and_special_numbers() -> None:
    assert groups(draw_graph(Value(1 / 3), digits=2), "node")["v0"] == ["data 0.33", "grad 0.00"]
    node = Value(0.0)
    node.data, node.grad = float("nan"), float("-inf")
    assert groups(draw_graph(node), "node")["v0"] == ["data nan", "grad −inf"]


class Node:
    """A reader's own class: the attributes of a node, and nothing else."""

    def __init__(self, data: float, label: str = "", children: Any = (), op: str = "") -> None:
        self.data, self.grad, self.label, self._children, self._op = data, 0, label, children, op


def test_any_class_of_nodes_will_do() -> None:
    top = Node(6, "top", (Node(2, "left"), Node(3, "right")), 'odd "op" <&|>')
    drawn = list(groups(draw_graph(top), "node").values())  # type: ignore[arg-type] # as documented
    assert sorted(texts[0] for texts in drawn) == ["left", 'odd "op" <&|>', "right", "top"]


@pytest.mark.parametrize("root", [3.0, None, "x", [Value(1.0)]])
def test_root_must_be_a_node(root: Any) -> None:
    with pytest.raises(TypeError, match="root must be a Value, got") as caught:
        draw_graph(root)
    assert repr(root) in str(caught.value)


@pytest.mark.parametrize("digits", [-1, 21, 2.0, "2", True])
def test_digits_must_be_a_count(digits: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="digits must be"):
        draw_graph(Value(1.0), digits=digits)


def test_a_graph_too_large_to_look_at_is_refused_at_once() -> None:
    total = Value(0.0)
    for _ in range(100_000):
        total = total + 1.0
    with pytest.raises(ValueError, match=r"root must have .* at most 1,000 values, got 200,001"):
        draw_graph(total)


@pytest.mark.parametrize("label", ["\x00", "a\x01b", "\ud800", "\ufffe", "\x1b[31m"])
def test_what_no_picture_can_hold_is_marked(label: str) -> None:
    drawn = groups(draw_graph(Value(1.0, label)), "node")
    assert drawn["v0"][0] == "".join(c if "\x20" <= c < "\x7f" else "\ufffd" for c in label)


@pytest.mark.parametrize("label", [5, ("a", "b"), 2.5])
def test_a_label_that_is_not_a_string_is_written(label: Any) -> None:
    assert groups(draw_graph(Value(1.0, label)), "node")["v0"][0] == str(label)


@pytest.mark.parametrize("direction", ["RL", "lr", "", None])
def test_direction_must_be_known(direction: Any) -> None:
    with pytest.raises(ValueError, match=r'direction must be "LR" or "TB", got') as caught:
        draw_graph(Value(1.0), direction=direction)
    assert repr(direction) in str(caught.value)


def test_the_same_graph_gives_the_same_bytes() -> None:
    one, two = draw_graph(neuron()), draw_graph(neuron())
    assert one.dot == two.dot
    assert one.svg == two.svg


def test_no_program_beside_python_is_needed() -> None:
    program = """
from zerotohero.micrograd import Value, draw_graph
print(draw_graph(Value(2.0, "x") * 3.0).svg)
"""
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert ET.fromstring(done.stdout).tag == f"{SVG}svg"


def test_drawing_changes_nothing() -> None:
    out = neuron()
    before = [(out.data, out.grad), *((c.data, c.grad) for c in out._children)]
    draw_graph(out)
    assert [(out.data, out.grad), *((c.data, c.grad) for c in out._children)] == before


def test_the_text_of_a_graph_holds_no_address() -> None:
    a = Value(1.0)
    assert repr(draw_graph(a * 2 + a)) == "Graph(4 values, 2 operations)"
    a.label = "v7 [shape=record]; op7 [shape=ellipse]"
    assert repr(draw_graph(a * 2 + a)) == "Graph(4 values, 2 operations)"
