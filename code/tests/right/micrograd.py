"""Right answers to the exercises of chapter 1, and what the solutions of its page need."""

import math
from collections import deque

import numpy as np
import torch

from zerotohero.micrograd import Value


class Closure:
    """The fourth version of the chapter's class."""

    def __init__(self, data, label="", _children=(), _op=""):
        self.data = data
        self.grad = 0.0
        self.label = label
        self._children = _children
        self._op = _op
        self._backward = lambda: None

    def __add__(self, other):
        out = type(self)(self.data + other.data, _children=(self, other), _op="+")

        def _backward():
            self.grad += 1.0 * out.grad
            other.grad += 1.0 * out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        out = type(self)(self.data * other.data, _children=(self, other), _op="×")

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = type(self)(t, _children=(self,), _op="tanh")

        def _backward():
            self.grad += (1 - t**2) * out.grad

        out._backward = _backward
        return out


def order_by_recursion(node, order, seen):
    if node not in seen:
        seen.add(node)
        for child in node._children:
            order_by_recursion(child, order, seen)
        order.append(node)
    return order


def backward(root):
    root.grad = 1.0
    for node in reversed(order_by_recursion(root, [], set())):
        node._backward()


# -- 1: derivatives on paper -----------------------------------------------------------


def analytic_gradient__with_roots(a, b, c):
    return -3 * a**2 - 1 / (2 * a**0.5), 3 * math.cos(3 * b) + 2.5 * b**1.5, c**-2.0


def analytic_gradient__in_an_array(a, b, c):
    da = -3 * np.square(a) - 0.5 * a**-0.5
    db = 3 * np.cos(3 * b) + 5 / 2 * b * np.sqrt(b)
    return np.array([da, db, 1 / (c * c)])


def analytic_gradient__in_single_precision(a, b, c):
    a, b, c = torch.tensor([a, b, c])
    return torch.stack([-3 * a**2 - 0.5 / a.sqrt(), 3 * (3 * b).cos() + 2.5 * b**1.5, 1 / c**2])


def analytic_gradient__by_autograd(a, b, c):
    a, b, c = leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b, c)]
    (-(a**3) + (3 * b).sin() - 1 / c + b**2.5 - a.sqrt()).backward()
    return [x.grad for x in leaves]


def analytic_gradient__by_value(a, b, c):
    a, b, c = Value(a), Value(b), Value(c)
    (-(a**3) - c**-1 + b**2.5 - a**0.5).backward()
    yield a.grad
    yield b.grad + 3 * math.cos(3 * b.data)
    yield c.grad


# -- 2 and 3: differences --------------------------------------------------------------


def numerical_gradient__nudged_and_undone(f, point, h):
    here = f(*point)
    slopes = []
    for i in range(len(point)):
        old = point[i]
        point[i] += h
        slopes.append((f(*point) - here) / h)
        point[i] = old
    return slopes


def numerical_gradient__with_an_array(f, point, h):
    x = np.array(point)
    return np.array([f(*(x + row)) - f(*x) for row in h * np.eye(len(x))]) / h


def numerical_gradient__with_slices(f, point, h):
    for i, x in enumerate(point):
        yield (f(*point[:i], x + h, *point[i + 1 :]) - f(*point)) / h


def numerical_gradient__with_tensors(f, point, h):
    x = torch.tensor(point, dtype=torch.float64)
    steps = h * torch.eye(len(point))
    return torch.tensor([f(*(x + step)) - f(*x) for step in steps]) / h


def numerical_gradient__in_one_line(f, point, h):
    return tuple(
        (f(*[x + h * (k == i) for k, x in enumerate(point)]) - f(*point)) / h
        for i in range(len(point))
    )


def symmetric_gradient__nudged_and_undone(f, point, h):
    slopes = []
    for i in range(len(point)):
        old = point[i]
        point[i] = old + h
        ahead = f(*point)
        point[i] = old - h
        slopes.append((ahead - f(*point)) / 2 / h)
        point[i] = old
    return slopes


def symmetric_gradient__with_an_array(f, point, h):
    x = np.array(point)
    return np.array([f(*(x + row)) - f(*(x - row)) for row in h * np.eye(len(x))]) / (2 * h)


def symmetric_gradient__mean_of_two(f, point, h):
    here = f(*point)
    for i, x in enumerate(point):
        ahead, back = [*point], [*point]
        ahead[i], back[i] = x + h, x - h
        yield ((f(*ahead) - here) / h + (here - f(*back)) / h) / 2


def symmetric_gradient__in_one_line(f, point, h):
    def at(i, step):
        return f(*(x + step * (k == i) for k, x in enumerate(point)))

    return tuple(0.5 / h * (at(i, h) - at(i, -h)) for i in range(len(point)))


# -- 4: the order ----------------------------------------------------------------------


def topological_order__of_the_package(root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for child in node._children:
                if child not in seen:
                    stack.append((child, False))
    return order


def topological_order__by_counting_users(root):
    users, nodes = {root: 0}, [root]
    for node in nodes:
        for child in node._children:
            if child not in users:
                users[child] = 0
                nodes.append(child)
            users[child] += 1
    free, order = [root], []
    while free:
        node = free.pop()
        order.append(node)
        for child in node._children:
            users[child] -= 1
            if users[child] == 0:
                free.append(child)
    return order[::-1]


def topological_order__by_counting_children(root):
    parents, waiting, todo = {}, {}, [root]
    while todo:
        node = todo.pop()
        if node in waiting:
            continue
        waiting[node] = len(set(node._children))
        for child in dict.fromkeys(node._children):
            parents.setdefault(child, []).append(node)
            todo.append(child)
    ready = deque(node for node, count in waiting.items() if count == 0)
    order = deque()
    while ready:
        node = ready.popleft()
        order.append(node)
        for parent in parents.get(node, []):
            waiting[parent] -= 1
            if waiting[parent] == 0:
                ready.append(parent)
    return order


def topological_order__with_iterators(root):
    seen, stack = {id(root)}, [(root, iter(root._children))]
    while stack:
        node, children = stack[-1]
        for child in children:
            if id(child) not in seen:
                seen.add(id(child))
                stack.append((child, iter(child._children)))
                break
        else:
            yield node
            stack.pop()


def topological_order__in_a_dict(root):
    order, stack = {}, [root]
    while stack:
        node = stack[-1]
        left = [child for child in node._children if child not in order]
        stack.extend(left)
        if not left:
            order[stack.pop()] = None
    return order


# -- 5: operators ----------------------------------------------------------------------


class _WithShares:
    """With one closure for all operations."""

    def __init__(self, data, _children=()):
        self.data, self.grad, self._children = data, 0.0, _children
        self._backward = lambda: None

    def _then(self, data, *shares):
        out = type(self)(data, tuple(node for node, _ in shares))

        def send():
            for node, slope in shares:
                node.grad += slope * out.grad

        out._backward = send
        return out

    def __add__(self, other):
        return self._then(self.data + other.data, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        return self._then(self.data * other.data, (self, other.data), (other, self.data))

    def backward(self):
        order = []

        def visit(node):
            if node not in order:
                for child in node._children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()


class operators__with_shares(_WithShares):
    def exp(self):
        return self._then(math.exp(self.data), (self, math.exp(self.data)))

    def log(self):
        return self._then(math.log(self.data), (self, 1 / self.data))

    def __truediv__(self, other):
        out = self.data / other.data
        return self._then(out, (self, 1 / other.data), (other, -out / other.data))


class _LocalGradients:
    """With pairs of child and local derivative; sends back along every path."""

    def __init__(self, data, shares=()):
        self.data, self.grad, self.shares = data, 0.0, shares

    def __add__(self, other):
        return type(self)(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        return type(self)(self.data * other.data, ((self, other.data), (other, self.data)))

    def backward(self, flowing_in=1.0):
        self.grad += flowing_in
        for node, slope in self.shares:
            node.backward(slope * flowing_in)


class operators__local_gradients(_LocalGradients):
    def __truediv__(self, other):
        return self * type(self)(1 / other.data, ((other, -1 / other.data**2),))

    def exp(self):
        return type(self)(math.exp(self.data), ((self, math.exp(self.data)),))

    def log(self):
        return type(self)(math.log(self.data), ((self, 1 / self.data),))


class _OnTorch:
    """With PyTorch beneath: data and gradients are tensors."""

    def __init__(self, data):
        self.tensor = torch.as_tensor(data, dtype=torch.float64)
        if self.tensor.is_leaf:
            self.tensor.requires_grad_()

    data = property(lambda self: self.tensor.detach())
    grad = property(lambda self: self.tensor.grad if self.tensor.is_leaf else None)

    def __add__(self, other):
        return type(self)(self.tensor + other.tensor)

    def __mul__(self, other):
        return type(self)(self.tensor * other.tensor)

    def backward(self):
        self.tensor.backward()


class operators__on_torch(_OnTorch):
    def __truediv__(self, other):
        return type(self)(self.tensor / other.tensor)

    def exp(self):
        return type(self)(self.tensor.exp())

    def log(self):
        return type(self)(self.tensor.log())


class operators__of_the_package(Value):
    pass


# -- 6: softmax ------------------------------------------------------------------------


def softmax_nll__all_probabilities(logits, label):
    counts = [z.exp() for z in logits]
    probabilities = [count / sum(counts) for count in counts]
    return -probabilities[label].log()


def softmax_nll__shifted(logits, label):
    largest = max(z.data for z in logits)
    counts = [(z - largest).exp() for z in logits]
    total = counts[0]
    for count in counts[1:]:
        total += count
    return (total / counts[label]).log()


def softmax_nll__log_of_the_sum(logits, label):
    return sum(z.exp() for z in logits).log() - logits[label]


def softmax_nll__differences(logits, label):
    return sum((z - logits[label]).exp() for z in logits).log()


def softmax_nll__with_numpy(logits, label):
    counts = np.exp(np.array(logits))
    return -1.0 * (counts[label] / counts.sum()).log()


# -- 7: a step of training -------------------------------------------------------------


def training_step__in_loops(model, xs, ys, learning_rate):
    for p in model.parameters():
        p.grad = 0.0
    total = 0
    for i in range(len(xs)):
        error = ys[i] - model(xs[i])
        total = total + error * error
    total.backward()
    for p in model.parameters():
        p.data = p.data - learning_rate * p.grad
    return total.data


def training_step__example_by_example(model, xs, ys, learning_rate):
    model.zero_grad()
    losses = []
    for x, y in zip(xs, ys):
        loss = (model(x) - y) ** 2
        loss.backward()
        losses.append(loss.data)
    for p in model.parameters():
        p.data += -learning_rate * p.grad
    return np.sum(losses)


def training_step__with_copies(model, xs, ys, learning_rate):
    for layer in model.layers:
        layer.zero_grad()
    outputs = [model(x.copy()) for x in xs]
    loss = sum((out - y) ** 2 for out, y in zip(outputs, ys))
    loss.backward()
    for p in model.parameters():
        p.data -= learning_rate * p.grad
    return loss


def training_step__on_extended_lists(model, xs, ys, learning_rate):
    model.zero_grad()
    examples = [x + [] for x in xs]
    loss = sum((model(x) - y) ** 2 for x, y in zip(examples, ys))
    loss.backward()
    for p in model.parameters():
        p.data -= learning_rate * p.grad
    return loss


def training_step__all_gradients_first(model, xs, ys, learning_rate):
    model.zero_grad()
    parameters = model.parameters()
    loss = sum([(model(x) - y) ** 2 for x, y in zip(xs, ys)])
    loss.backward()
    gradients = np.array([p.grad for p in parameters])
    for p, step in zip(parameters, learning_rate * gradients):
        p.data = p.data - step
    return loss
