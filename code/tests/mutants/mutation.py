"""Wrong answers made from right ones: each mutant breaks a function in one place, by rule.

`mutants_of` yields every mutant of a definition. A mutant is known by the line that changed and by
what it became, so that a list of the harmless ones stays readable and survives other edits.
"""

import ast
import copy
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

Definition = ast.FunctionDef | ast.ClassDef
Functions = ast.FunctionDef | ast.Lambda

# What one operator becomes.
OPERATORS: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Div, ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.LShift: [ast.RShift],
    ast.RShift: [ast.LShift],
    ast.BitOr: [ast.BitAnd],
    ast.BitAnd: [ast.BitOr],
}
COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}
# What a function is likely to be confused with.
NAMES = {
    "sum": ["mean"],
    "mean": ["sum"],
    "max": ["min"],
    "min": ["max"],
    "amax": ["amin"],
    "argmax": ["argmin"],
    "var": ["std"],
    "std": ["var"],
    "exp": ["expm1", "exp2"],
    "log": ["log2", "log1p"],
    "sin": ["cos"],
    "cos": ["sin"],
    "tanh": ["sigmoid"],
    "sigmoid": ["tanh"],
    "relu": ["leaky_relu", "gelu"],
    "sqrt": ["square"],
    "softmax": ["log_softmax"],
    "log_softmax": ["softmax"],
    "zeros": ["ones"],
    "ones": ["zeros"],
    "zeros_like": ["ones_like"],
    "ones_like": ["zeros_like"],
    "randn": ["zeros", "rand"],
    "tril": ["triu"],
    "triu": ["tril"],
    "any": ["all"],
    "all": ["any"],
    "append": ["insert"],
    "extend": ["append"],
    "find": ["rfind"],
    "index_add_": ["index_copy_"],
    "scatter_add_": ["scatter_"],
    "reshape": ["flatten"],
    "repeat_interleave": ["repeat"],
    "keys": ["values"],
}


class Mutant(NamedTuple):
    """A definition with one mistake, and the words that say which."""

    key: str
    tree: Definition


def mutants_of(definition: Definition) -> Iterator[Mutant]:
    """Yield the mutants of a function or class, each different from it and from the others."""
    definition = _without_docstrings(definition)
    original = ast.unparse(definition)
    old_lines = set(original.split("\n"))
    first_lines = _first_lines(definition)
    seen = {original}
    keys: dict[str, int] = {}
    for node in [*ast.walk(definition)]:
        for change, replaced in _changes(node):
            tree, target = _copied(definition, node)
            changed = _apply(tree, target, change, replaced)
            if changed is None:
                continue
            code = ast.unparse(ast.fix_missing_locations(changed))
            if code in seen:
                continue
            seen.add(code)
            before, after = first_lines[node], _difference(old_lines, code)
            key = f"{before}  →  {after}" if after else f"{before}  →  (gone)"
            keys[key] = keys.get(key, 0) + 1
            yield Mutant(key if keys[key] == 1 else f"{key}  #{keys[key]}", changed)


def _copied(definition: Definition, node: ast.AST) -> tuple[Definition, ast.AST]:
    """Copy a definition, as far as a change of the node may reach, and find the node's copy."""
    for i, statement in enumerate(definition.body):
        for place, inner in enumerate(ast.walk(statement)):
            if inner is node:
                tree = copy.copy(definition)
                tree.body = [*definition.body]
                tree.body[i] = copy.deepcopy(statement)
                return tree, _nth(tree.body[i], place)
    tree = copy.deepcopy(definition)
    place = next(i for i, inner in enumerate(ast.walk(definition)) if inner is node)
    return tree, _nth(tree, place)


def _nth(tree: ast.AST, place: int) -> ast.AST:
    return next(islice(ast.walk(tree), place, None))


def _without_docstrings(definition: Definition) -> Definition:
    definition = copy.deepcopy(definition)
    for node in ast.walk(definition):
        if isinstance(node, Definition) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return definition


# -- what can be wrong with one node ---------------------------------------------------


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Yield the kinds of change that a node allows, with what they need."""
    match node:
        case ast.BinOp():
            for other in OPERATORS.get(type(node.op), []):
                yield "operator", other()
            yield "operand", "left"  # a term or a factor dropped
            yield "operand", "right"
            if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
                yield "exchange operands", None
        case ast.UnaryOp():
            yield "operand", "operand"
        case ast.Compare(ops=[op]):
            for changed in COMPARISONS.get(type(op), []):
                yield "comparison", changed()
        case ast.BoolOp():
            yield "and-or", None
            for i in range(len(node.values)):
                yield "condition", i
        case ast.Constant(value=bool()):
            yield "constant", not node.value
        case ast.Constant(value=int()):
            yield from (("constant", value) for value in (node.value + 1, node.value - 1))
        case ast.Constant(value=float()):
            yield from (("constant", value) for value in (node.value * 2, 0.0))
        case ast.Constant(value=str()) if node.value:
            yield "constant", node.value[:-1]
            yield "constant", node.value[0] + node.value
        case ast.Subscript():
            yield "operand", "value"  # not indexed at all
            if isinstance(node.slice, ast.Name):
                yield "shifted index", None
        case ast.Slice():
            for bound in ("lower", "upper", "step"):
                if getattr(node, bound) is not None:
                    yield "bound", bound
                if bound != "step":
                    yield "shifted bound", bound
        case ast.Attribute(attr="T" | "mT"):
            yield "operand", "value"
        case ast.Call():
            yield from _changes_of_call(node)
        case ast.IfExp():
            yield "operand", "body"
            yield "operand", "orelse"
        case ast.comprehension():
            for i in range(len(node.ifs)):
                yield "filter", i
            yield "iterated", "[1:]"
            yield "iterated", "[:-1]"
        case ast.For():
            yield "iterated", "[1:]"
            yield "iterated", "[:-1]"
            yield "break", None
        case ast.While():
            yield "break", None
        case ast.If():
            yield "branch", True
            yield "branch", False
        case ast.AugAssign():
            yield "assign", None  # accumulation left out
            yield "twice", None
            for other in OPERATORS.get(type(node.op), []):
                yield "operator", other()
        case ast.Return(value=ast.expr()):
            yield from (("result", kind) for kind in ("negative", "half", "whole", "turned"))
            if isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
                yield "exchange results", None
        case ast.Yield():
            yield "twice", None
        case ast.FunctionDef():
            positions = range(len(node.args.args))
            for i in positions:
                if node.args.args[i].arg != "self":
                    yield "first argument kept", i
                    yield "argument spoiled", i
        case ast.List() | ast.Set() | ast.Dict() | ast.Tuple(ctx=ast.Load()):
            entries = node.values if isinstance(node, ast.Dict) else node.elts
            if len(entries) > 1:
                yield from (("entry", i) for i in range(len(entries)))
    if isinstance(node, ast.stmt) and not isinstance(node, Definition | ast.Return | ast.Pass):
        yield "drop", None


def _changes_of_call(node: ast.Call) -> Iterator[tuple[str, object]]:
    for i, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield "keyword", i
    if len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield "exchange arguments", None
        yield "last argument", None
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if not isinstance(node.func.value, ast.Name) or node.func.value.id not in MODULES:
            yield "operand", "func.value"  # the method is not called
    else:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
    if len(node.args) == 1 and not node.keywords and name not in ("len", "range"):
        yield "only argument", None  # f(x) → x
    for other in NAMES.get(name, []):
        yield "name", other


MODULES = {"torch", "F", "math", "np", "random", "re", "itertools", "functools", "nn"}


# -- the change itself -----------------------------------------------------------------


def _apply(tree: Definition, node: ast.AST, change: str, given: object) -> Definition | None:
    """Return the definition with this change, or None where it makes no sense."""
    if change in EXPRESSIONS:
        return _replace(tree, node, EXPRESSIONS[change](node, given))
    if change in IN_PLACE:
        IN_PLACE[change](node, given)
        return tree
    return _replace_statement(tree, node, STATEMENTS[change](node))


def _operand(node: ast.AST, path: object) -> ast.AST:
    for part in str(path).split("."):
        node = getattr(node, part)
    return node


def _kept_argument(node: ast.Call) -> ast.AST:
    return ast.Call(node.func, node.args[:-1], node.keywords)


def _parse(code: str, **parts: ast.AST) -> ast.AST:
    """Return an expression in which the names of the parts are replaced by them."""

    class Insert(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.AST:
            return parts.get(name.id, name)

    return Insert().visit(ast.parse(code, mode="eval").body)


EXPRESSIONS = {
    "operand": _operand,
    "condition": lambda node, i: _without(node, i),
    "constant": lambda node, value: _constant(value),
    "only argument": lambda node, _: node.args[0],
    "last argument": lambda node, _: _kept_argument(node),
}


def _constant(value: object) -> ast.AST:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _without(node: ast.BoolOp, i: int) -> ast.AST:
    values = node.values[:i] + node.values[i + 1 :]
    return values[0] if len(values) == 1 else ast.BoolOp(node.op, values)


def _exchange_operands(node: ast.BinOp, _: object) -> None:
    node.left, node.right = node.right, node.left


def _exchange_arguments(node: ast.Call, _: object) -> None:
    node.args[0], node.args[1] = node.args[1], node.args[0]


def _exchange_results(node: ast.Return, _: object) -> None:
    assert isinstance(node.value, ast.Tuple)
    node.value.elts[0], node.value.elts[1] = node.value.elts[1], node.value.elts[0]


def _and_or(node: ast.BoolOp, _: object) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _comparison(node: ast.Compare, op: ast.cmpop) -> None:
    node.ops = [op]


def _shift(node: ast.Slice, bound: str) -> None:
    value = getattr(node, bound)
    if value is None:
        value = ast.Constant(1) if bound == "lower" else _constant(-1)
    else:
        value = ast.BinOp(value, ast.Add(), ast.Constant(1))
    setattr(node, bound, value)


def _shift_index(node: ast.Subscript, _: object) -> None:
    node.slice = ast.BinOp(node.slice, ast.Add(), ast.Constant(1))


def _rename(node: ast.Call, name: str) -> None:
    if isinstance(node.func, ast.Attribute):
        node.func.attr = name
    else:
        node.func = ast.Name(name, ast.Load())


def _iterate(node: ast.For | ast.comprehension, part: str) -> None:
    node.iter = _parse(f"[*items]{part}", items=node.iter)  # type: ignore[assignment]


def _break(node: ast.For | ast.While, _: object) -> None:
    node.body = [*node.body, ast.Break()]


def _branch(node: ast.If, taken: bool) -> None:
    node.test = ast.Constant(taken)


def _result(node: ast.Return, kind: str) -> None:
    """Return minus the result, half of it, its whole part or its transpose: of a tuple, the first.

    The answer finds the functions ``whole`` and ``turned`` where it is run.
    """
    assert node.value is not None
    codes = {"negative": "-result", "half": "0.5 * result"}
    code = codes.get(kind, f"{kind}(result)")
    if isinstance(node.value, ast.Tuple):
        if node.value.elts:
            node.value.elts[0] = _parse(code, result=node.value.elts[0])  # type: ignore[assignment]
    else:
        node.value = _parse(code, result=node.value)  # type: ignore[assignment]


def _keep_first(node: ast.FunctionDef, i: int) -> None:
    """Ignore an argument: always use that of the first call."""
    name = node.args.args[i].arg
    node.body = [*ast.parse(f"{name} = first({name!r}, {name})").body, *node.body]


def _spoil(node: ast.FunctionDef, i: int) -> None:
    """Change what is given, after the result is there."""
    spoils = ast.parse(f"spoiling({i})", mode="eval").body
    node.decorator_list = [spoils, *node.decorator_list]


def _drop_entry(node: ast.Dict | ast.List, i: int) -> None:
    if isinstance(node, ast.Dict):
        node.keys.pop(i)
        node.values.pop(i)
    else:
        node.elts.pop(i)


IN_PLACE = {
    "entry": _drop_entry,
    "operator": lambda node, op: setattr(node, "op", op),
    "exchange operands": _exchange_operands,
    "exchange arguments": _exchange_arguments,
    "exchange results": _exchange_results,
    "and-or": _and_or,
    "comparison": _comparison,
    "bound": lambda node, bound: setattr(node, bound, None),
    "shifted bound": _shift,
    "shifted index": _shift_index,
    "keyword": lambda node, i: node.keywords.pop(i),
    "name": _rename,
    "filter": lambda node, i: node.ifs.pop(i),
    "iterated": _iterate,
    "break": _break,
    "branch": _branch,
    "result": _result,
    "first argument kept": _keep_first,
    "argument spoiled": _spoil,
}


def _assignment(node: ast.AugAssign) -> list[ast.stmt]:
    return [ast.Assign([node.target], node.value)]


STATEMENTS = {
    "drop": lambda node: [ast.Pass()],
    "twice": lambda node: [node, copy.deepcopy(node)],
    "assign": _assignment,
}


def _replace(tree: Definition, old: ast.AST, new: ast.AST) -> Definition:
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    changed = Replace().visit(tree)
    assert isinstance(changed, Definition)
    return changed


def _replace_statement(tree: Definition, old: ast.AST, new: list[ast.stmt]) -> Definition | None:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and any(old is s for s in block):
                at = next(i for i, s in enumerate(block) if s is old)
                if new[0] is not old and isinstance(new[0], ast.Pass) and len(block) > 1:
                    new = []
                block[at : at + 1] = new
                return tree
    return None  # an expression, not a statement


# -- how a mutant is called ------------------------------------------------------------


def _first_lines(definition: Definition) -> dict[ast.AST, str]:
    """Return, for each node, the first line of the innermost statement that holds it."""
    found = {}
    for statement in ast.walk(definition):
        if isinstance(statement, ast.stmt | ast.ExceptHandler):  # an inner one comes later
            line = ast.unparse(statement).split("\n")[0]
            found |= dict.fromkeys(ast.walk(statement), line)
    return found


def _difference(old: set[str], after: str) -> str:
    """Return the lines of a text that are new in it."""
    return " ⏎ ".join(line.strip() for line in after.split("\n") if line not in old)
