"""The check of the exercise on operators, tried with classes of several styles."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome
from right.micrograd import Closure as OfThePage
from right.micrograd import backward
from right.micrograd import operators__on_torch as Torch
from right.micrograd import operators__with_shares as Closure

from zerotohero.check import micrograd
from zerotohero.check.verdict import Verdict
from zerotohero.micrograd import Value


def closure(name: str, method: Callable[..., Any]) -> type:
    """Return the class with closures, with one method replaced."""
    return type("MyValue", (Closure,), {name: method})


def assigning(method: Callable[..., Closure]) -> Callable[..., Closure]:
    """Return the method with ``=`` in place of ``+=`` where it sends back."""

    def replaced(self: Closure, *others: Closure) -> Closure:
        out = method(self, *others)
        send = out._backward

        def overwrite() -> None:
            for node in out._children:
                node.grad = 0.0
            send()

        out._backward = overwrite
        return out

    return replaced


def divide(top: float, bottom: float) -> Callable[[Closure, Closure], Closure]:
    """Return a division whose two slopes are off by these factors."""

    def division(a: Closure, b: Closure) -> Closure:
        slopes = (a, top / b.data), (b, -bottom * a.data / b.data**2)
        return a._then(a.data / b.data, *slopes)

    return division


def slopes(bottom: Callable[[float, float], float]) -> Callable[[Closure, Closure], Closure]:
    """Return a division with this derivative with respect to the divisor."""

    def division(a: Closure, b: Closure) -> Closure:
        shares = (a, 1 / b.data), (b, bottom(a.data, b.data))
        return a._then(a.data / b.data, *shares)

    return division


EXP = "eˣ is its own derivative."
LOG = "The derivative of log x is 1/x."
TOP = "∂(a/b)/∂a = 1/b."
BOTTOM = "∂(a/b)/∂b = −a/b²."
MINUS = "∂(a/b)/∂b = −a/b²: mind the minus."
FACTOR = "∂(a/b)/∂b = −a/b²: the factor a is missing."
SQUARED = "∂(a/b)/∂b = −a/b²: b is squared."
FLOWS = "Multiply by out.grad: what flows in."
ARRIVES = "No gradient arrives. Is the result made with _children, and is out._backward set?"
LEFT_OUT = (
    "The other operand gets its gradient, and this one none. _backward has to add to "
    "the gradients of both."
)
NO_CHILD = "The gradient reaches x * a, and not x. Is each operand in _children?"
ADD_UP = "x is used more than once. Does every use add to the gradient, with += and not =?"


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            closure("exp", lambda x: x._then(math.exp(x.data), (x, x.data))),
            [
                "With x = 0.35, a = 2 and b = 3, the gradient of x in (x * a).exp() * b",
                f"should be {6 * math.exp(0.7):.8g}, received 4.2",
            ],
            EXP,
        ),
        (
            closure("log", lambda x: x._then(math.log(x.data), (x, x.data))),
            ["x = 1.25", "gradient of x in (x * a).log() * b should be 2.4, received 15"],
            LOG,
        ),
        (
            closure("__truediv__", divide(2, 1)),
            ["With x = 3, a = 2, c = 4 and b = 3,", "(x * a) / c * b should be 1.5, received 3"],
            TOP,
        ),
        (
            closure("__truediv__", divide(1, -1)),
            [
                "With x = 2, a = 2, c = 6 and b = 3,",
                "c / (x * a) * b should be -2.25, received 2.25",
            ],
            MINUS,
        ),
        (closure("__truediv__", slopes(lambda a, b: -1 / b**2)), ["-2.25"], FACTOR),
        (closure("__truediv__", slopes(lambda a, b: -a / b)), ["-2.25"], SQUARED),
        (closure("__truediv__", slopes(lambda a, b: -b / a**2)), ["-2.25"], BOTTOM),
        (closure("exp", assigning(Closure.exp)), ["x.exp() / x", "should be 3.54"], ADD_UP),
        (closure("log", assigning(Closure.log)), ["x.log() * x", "should be 3.54"], ADD_UP),
        (
            closure("__truediv__", assigning(Closure.__truediv__)),
            ["x.exp() / x", "should be 3.54"],
            ADD_UP,
        ),
        (closure("__mul__", assigning(Closure.__mul__)), ["should be 3.54"], ADD_UP),
        (closure("__add__", lambda x, y: x._then(x.data, (x, 1.0), (y, 1.0))), ["hold 5.08"], ""),
        (
            closure("exp", lambda x: x._then(x.data, (x, 1.0))),
            ["MyValue(0.7).exp() should hold 2.0137527, received 0.7"],
            "",
        ),
        (closure("exp", lambda x: math.exp(x.data)), ["should be a node of the class"], ""),
        (closure("backward", lambda x, y: None), ["backward() on (x * a).exp() * b raised"], ""),
        (Closure(1.0), ["Pass the class itself, not an object of it"], ""),
    ],
)
def test_operators_wrong(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.operators(answer), *words, hint=hint)


def cut_off(method: Callable[..., Closure], first: int, last: int) -> Callable[..., Closure]:
    """Return the method with only some of its children handed on."""

    def replaced(self: Closure, *others: Closure) -> Closure:
        out = method(self, *others)
        out._children = out._children[first:last]
        return out

    return replaced


def without_children(method: Callable[..., Closure]) -> Callable[..., Closure]:
    return cut_off(method, 0, 0)


def silent(method: Callable[..., Closure]) -> Callable[..., Closure]:
    """Return the method with ``out._backward = _backward`` left out."""

    def replaced(self: Closure, *others: Closure) -> Closure:
        out = method(self, *others)
        out._backward = lambda: None
        return out

    return replaced


def without_out_grad(method: Callable[..., Closure]) -> Callable[..., Closure]:
    """Return the method with its local derivatives sent back as they are."""

    def replaced(self: Closure, *others: Closure) -> Closure:
        out = method(self, *others)
        send = out._backward

        def start_afresh() -> None:
            out.grad = 1.0
            send()

        out._backward = start_afresh
        return out

    return replaced


GRAPHS = {
    "exp": "(x * a).exp() * b",
    "log": "(x * a).log() * b",
    "__truediv__": "(x * a) / c * b",
}


@pytest.mark.parametrize(("name", "graph"), GRAPHS.items())
def test_the_chain_goes_on_below_and_above(name: str, graph: str) -> None:
    method = getattr(Closure, name)
    for change, hint in ((silent, ARRIVES), (without_children, NO_CHILD)):
        verdict = micrograd.operators(closure(name, change(method)))
        outcome(verdict, f"gradient of x in {graph}", "received 0.", hint=hint)
    verdict = micrograd.operators(closure(name, without_out_grad(method)))
    outcome(verdict, f"gradient of x in {graph}", hint=FLOWS)


@pytest.mark.parametrize(
    ("first", "last", "graph"), [(1, 2, "(x * a) / c * b"), (0, 1, "c / (x * a) * b")]
)
def test_both_sides_of_a_division_are_children(first: int, last: int, graph: str) -> None:
    method = cut_off(Closure.__truediv__, first, last)
    verdict = micrograd.operators(closure("__truediv__", method))
    outcome(verdict, graph, "received 0.", hint=NO_CHILD)


@pytest.mark.parametrize(("kept", "graph"), [(1, "(x * a) / c * b"), (0, "c / (x * a) * b")])
def test_both_sides_of_a_division_get_a_gradient(kept: int, graph: str) -> None:
    def division(a: Closure, b: Closure) -> Closure:
        share = [(a, 1 / b.data), (b, -a.data / b.data**2)][kept]
        out = a._then(a.data / b.data, share)
        out._children = (a, b)
        return out

    verdict = micrograd.operators(closure("__truediv__", division))
    outcome(verdict, graph, "received 0.", hint=LEFT_OUT)


@pytest.mark.parametrize("place", [0, 1])
def test_out_grad_counts_on_both_sides_of_a_division(place: int) -> None:
    def division(a: Closure, b: Closure) -> Closure:
        out = type(a)(a.data / b.data, (a, b))

        def send() -> None:
            flowing_in = [1.0 if i == place else out.grad for i in range(2)]
            a.grad += flowing_in[0] / b.data
            b.grad -= flowing_in[1] * a.data / b.data**2

        out._backward = send
        return out

    graph = ["(x * a) / c * b", "c / (x * a) * b"][place]
    outcome(micrograd.operators(closure("__truediv__", division)), graph, hint=FLOWS)


def test_a_gradient_of_none_is_none_that_arrives() -> None:
    class Detached(Torch):
        def exp(self) -> Torch:
            return Torch(self.tensor.detach().exp())

    outcome(micrograd.operators(Detached), "(x * a).exp() * b", "received None", hint=ARRIVES)


@pytest.mark.parametrize(
    ("done", "call"),
    [
        ([], "MyValue(0.7).exp()"),
        (["exp"], "MyValue(2.5).log()"),
        (["exp", "log"], "MyValue(6.0) / MyValue(4.0)"),
    ],
)
def test_what_is_not_done_yet_is_named(done: list[str], call: str) -> None:
    def stub(self: Closure) -> None: ...

    def stub_of_two(self: Closure, other: Closure) -> None: ...

    stubs = {"exp": stub, "log": stub, "__truediv__": stub_of_two}
    methods = {name: method for name, method in stubs.items() if name not in done}
    assert micrograd.operators(type("MyValue", (Closure,), methods)) == Verdict(
        "not done yet", f"{call} returns nothing yet. Fill in the stub, then run the cell again."
    )


@pytest.mark.parametrize("name", ["exp", "log", "__truediv__"])
def test_a_missing_method_is_named(name: str) -> None:
    methods = {k: v for c in Closure.__mro__[1::-1] for k, v in vars(c).items() if k != name}
    verdict = micrograd.operators(type("MyValue", (), methods))
    assert verdict == Verdict("wrong", f"The class has no method {name}.")


def test_what_goes_missing_in_only_one_order_is_found() -> None:
    """An engine that sends back from the other branch first does not hide ``=``."""

    class OtherWayRound(Closure):
        __truediv__ = assigning(Closure.__truediv__)

        def __add__(self, other: Closure) -> Closure:
            return self._then(self.data + other.data, (other, 1.0), (self, 1.0))

    outcome(micrograd.operators(OtherWayRound), "should be 3.54", hint=ADD_UP)


# -- mistakes that end in an exception -----------------------------------------------------


def of_the_page(name: str, method: Callable[..., Any]) -> type:
    """Return the class of the exercise's solution, with one method replaced."""

    class MyValue(OfThePage):
        def exp(self) -> Any:
            out = MyValue(math.exp(self.data), _children=(self,))

            def _backward() -> None:
                self.grad += out.data * out.grad

            out._backward = _backward
            return out

        def log(self) -> Any:
            out = MyValue(math.log(self.data), _children=(self,))

            def _backward() -> None:
                self.grad += 1 / self.data * out.grad

            out._backward = _backward
            return out

        def __truediv__(self, other: Any) -> Any:
            out = MyValue(self.data / other.data, _children=(self, other))

            def _backward() -> None:
                self.grad += 1 / other.data * out.grad
                other.grad -= self.data / other.data**2 * out.grad

            out._backward = _backward
            return out

        def backward(self) -> None:
            backward(self)

    assert micrograd.operators(MyValue)
    setattr(MyValue, name, method)
    return MyValue


def one_child(self: Any) -> Any:
    out = type(self)(math.exp(self.data), _children=(self))

    def _backward() -> None:
        self.grad += out.data * out.grad

    out._backward = _backward
    return out


def called_at_once(self: Any) -> Any:
    out = type(self)(math.log(self.data), _children=(self,))

    def _backward() -> None:
        self.grad += 1 / self.data * out.grad

    out._backward = _backward()  # type: ignore[func-returns-value] # the mistake
    return out


def of_the_base(self: Any, other: Any) -> Any:
    out = OfThePage(self.data / other.data, _children=(self, other))

    def _backward() -> None:
        self.grad += 1 / other.data * out.grad
        other.grad -= self.data / other.data**2 * out.grad

    out._backward = _backward
    return out


def of_the_package(self: Any) -> Any:
    return Value(math.exp(self.data), _children=(self,), _op="exp")  # type: ignore[call-arg]


TUPLE = "_children has to be a tuple. For one entry it needs a comma: (self,)."
CALLED = (
    "out._backward = _backward has no parentheses. With them, the function is called "
    "at once, and what it returns, None, is stored."
)
OPERAND = "An operand is a node. Its number is in its data: other.data, not other."
NUMBER = "The functions of math take a plain number: self.data, not self."
BASE = "The result is a Closure. Make it with MyValue(...)."
PACKAGE = "The result is a Value. Make it with MyValue(...)."
OTHER = "Make the result with MyValue(...). Other classes are made in other ways."


@pytest.mark.parametrize(
    ("name", "method", "words", "hint"),
    [
        (
            "exp",
            one_child,
            ["(x * a).exp() * b raised TypeError", "not iterable", "in node"],
            TUPLE,
        ),
        ("log", called_at_once, ["(x * a).log() * b raised TypeError", "not callable"], CALLED),
        ("__truediv__", of_the_base, ["c * b raised AttributeError", "no attribute"], BASE),
        ("exp", of_the_package, ["MyValue(0.7).exp() raised TypeError", "return Value("], OTHER),
        ("exp", lambda x: Value(math.exp(x.data)), ["* b raised TypeError: data must be"], PACKAGE),
        ("exp", lambda x: math.exp(x), ["must be real number"], NUMBER),
        ("__truediv__", lambda x, y: x.data / y, ["'float' and 'MyValue'"], OPERAND),
        ("exp", lambda x: x.data.exp(), ["'float' object has no attribute 'exp'"], ""),
    ],
)
def test_what_raises(name: str, method: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.operators(of_the_page(name, method)), *words, hint=hint)


def test_an_operand_is_not_to_be_changed() -> None:
    def exp(x: Any) -> Any:
        x.data = math.exp(x.data)
        return x

    words = "MyValue(0.7).exp() changed the data of an operand."
    hint = "Put the result into out; self.data stays."
    outcome(micrograd.operators(closure("exp", exp)), words, hint=hint)


# -- mistakes that show only in some graphs ------------------------------------------------


def division(top: Callable[..., float], bottom: Callable[..., float]) -> Callable[..., Closure]:
    """Return a division that adds these numbers to the gradients of a and b, in this order."""

    def divide(a: Closure, b: Closure) -> Closure:
        out = type(a)(a.data / b.data, (a, b))

        def send() -> None:
            a.grad += top(a, b, out)
            b.grad += bottom(a, b, out)

        out._backward = send
        return out

    return divide


def top_of(a: Closure, b: Closure, out: Closure) -> float:
    return float(out.grad / b.data)


def bottom_of(a: Closure, b: Closure, out: Closure) -> float:
    return float(-out.grad * a.data / b.data**2)


def last_result(name: str, place: str) -> type:
    """Return a class whose operations keep their result where the next one replaces it."""

    def method(self: Any, *others: Any) -> Any:
        out = getattr(Closure, name)(self, *others)
        owner = self if place == "self" else type(self)
        owner.last = out
        send = out._backward

        def of_the_last() -> None:
            own, out.grad = out.grad, owner.last.grad
            send()
            out.grad = own

        out._backward = of_the_last
        return out

    return closure(name, method)


def exp_of(exp: Callable[[float], float]) -> type:
    return closure("exp", lambda x: x._then(float(exp(x.data)), (x, float(exp(x.data)))))


def taylor(x: float) -> float:
    return sum(x**k / math.factorial(k) for k in range(150))


def many_terms(x: float) -> float:
    total = term = 1.0
    for k in range(1, 600):
        term *= x / k
        total += term
    return total


class SendsFirst(Closure):
    """Sends back, and then goes on below, once for every use."""

    def backward(self, root: bool = True) -> None:
        if root:
            self.grad = 1.0
        self._backward()
        for child in dict.fromkeys(self._children):
            child.backward(root=False)


class SendsForEveryUse(Closure):
    def backward(self, root: bool = True) -> None:
        if root:
            self.grad = 1.0
        self._backward()
        for child in self._children:
            child.backward(root=False)


class SendsOnTheWay(Closure):
    """Goes on below each node once, but before all has flowed into it."""

    def backward(self) -> None:
        self.grad, seen, stack = 1.0, set(), [self]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                node._backward()
                stack += node._children


def log_of(shift: float) -> Callable[[Closure], Closure]:
    def log(x: Closure) -> Closure:
        return x._then(math.log(x.data + shift), (x, 1 / (x.data + shift)))

    return log


def shifted(shift: float) -> Callable[[Closure, Closure], Closure]:
    def division(a: Closure, b: Closure) -> Closure:
        below = b.data + shift
        return a._then(a.data / below, (a, 1 / below), (b, -a.data / below**2))

    return division


FLOWS_IN = "Does _backward read the gradient of an operand? What flows in is out.grad."
OWN = "Two results are there at once. Does the _backward of each use its own out?"
CUT_OFF = "Take math.exp of the number as it is, in double precision. Nothing is cut off."
ONCE = "y is used twice: it should send back once, when both uses have added to its gradient."
ABOVE = "The number above the line may be 0. Divide only by the one below."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            closure("__truediv__", division(top_of, lambda a, b, out: -a.grad * a.data / b.data)),
            ["With x = 2 and a = 5, the gradient of a in x / a + x * x should be -0.08"],
            FLOWS_IN,
        ),
        (
            closure(
                "__truediv__",
                division(
                    lambda a, b, out: top_of(a, b, out) if not b._children else 0.0, bottom_of
                ),
            ),
            ["With x = 2, a = 2, c = 6 and b = 3, the gradient of c in c / (x * a) * b"],
            TOP,
        ),
        (
            closure(
                "__truediv__",
                division(
                    top_of, lambda a, b, out: bottom_of(a, b, out) if not a._children else 0.0
                ),
            ),
            ["With x = 3, a = 2, c = 4 and b = 3, the gradient of c in (x * a) / c * b"],
            BOTTOM,
        ),
        (
            closure(
                "__truediv__", division(lambda a, b, out: out.data / a.data * out.grad, bottom_of)
            ),
            ["backward() on (x * a) / c * b raised ZeroDivisionError", "out.data / a.data"],
            ABOVE,
        ),
        (last_result("exp", "self"), ["gradient of x in x.exp() * a + x.exp()"], OWN),
        (last_result("exp", "class"), ["gradient of x in x.exp() * a + x.exp()"], OWN),
        (last_result("log", "self"), ["gradient of x in x.log() * a + x.log()"], OWN),
        (last_result("log", "class"), ["gradient of x in x.log() * a + x.log()"], OWN),
        (last_result("__truediv__", "self"), ["in (x / a) * x + x / a"], OWN),
        (last_result("__truediv__", "class"), ["in (x / a) * x + x / a"], OWN),
        (closure("log", log_of(1e-8)), ["MyValue(1e-06).log() should hold -13.815511"], ""),
        (closure("log", log_of(1e-12)), ["MyValue(1e-20).log() should hold -46.051702"], ""),
        (
            closure("__truediv__", shifted(1e-8)),
            ["MyValue(3e-06) / MyValue(2e-06) should hold 1.5,"],
            "",
        ),
        (
            closure("__truediv__", shifted(1e-12)),
            ["MyValue(3e-20) / MyValue(2e-20) should hold 1.5,"],
            "",
        ),
        (exp_of(lambda x: math.exp(min(x, 50))), ["MyValue(100.0).exp() should hold 2.688"], ""),
        (exp_of(taylor), ["MyValue(100.0).exp() should hold 2.688"], ""),
        (
            exp_of(lambda x: torch.tensor(x).exp().item()),
            ["MyValue(100.0).exp() should hold 2.688"],
            "",
        ),
        (exp_of(many_terms), ["MyValue(-110.0).exp() should hold 1.68"], ""),
        (
            exp_of(lambda x: math.exp(max(x, -100))),
            ["With x = -55, a = 2 and b = 1e+48, the gradient of x in", "should be 3.377"],
            CUT_OFF,
        ),
        (
            exp_of(lambda x: torch.tensor(x).exp().item() if x < 50 else math.exp(x)),
            ["b = 1e+48, the gradient of x in (x * a).exp() * b", "received 0."],
            CUT_OFF,
        ),
        (SendsForEveryUse, ["gradient of x in y * y with y = x / a"], ONCE),
        (SendsFirst, ["gradient of x in y * y.exp() with y = x / a"], ONCE),
        (SendsOnTheWay, ["gradient of x in y.exp() * y with y = x / a"], ONCE),
    ],
)
def test_what_shows_only_in_some_graphs(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.operators(answer), *words, hint=hint)


def test_a_gradient_of_minus_zero_is_written_as_zero() -> None:
    answer = closure("exp", lambda x: x._then(math.exp(x.data), (x, -0.0)))
    outcome(micrograd.operators(answer), "received 0.", hint=ARRIVES)


def test_each_call_counts_with_its_own_operands() -> None:
    kept: list[Closure] = []

    def division(a: Closure, b: Closure) -> Closure:
        kept.append(b)
        return Closure.__truediv__(a, kept[0])

    verdict = micrograd.operators(closure("__truediv__", division))
    outcome(verdict, "MyValue(-1.2) / MyValue(0.5) should hold -2.4", hint="")
