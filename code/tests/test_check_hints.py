"""No idle hint: every hint that a check can give is asked for in its tests."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
CHECKS = TESTS.parent / "zerotohero" / "check"


def sentences(path: Path) -> set[str]:
    """Return the texts in a module that are sentences, but no docstring, no praise, no f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Return):
            skipped |= set(ast.walk(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and node not in skipped
        and isinstance(node.value, str)
        and node.value.endswith((".", "?"))
    }


def test_every_hint_is_reached_by_an_answer() -> None:
    """The tests beside this one compare whole hints, so a hint that stands there is reached."""
    for path in sorted(CHECKS.glob("[!_]*.py")):
        tests = sorted(TESTS.glob(f"test_check_{path.stem}*.py"))
        if path.stem not in ("verdict", "nodes"):
            hints = sentences(path)
            assert len(hints) > 5
            tried = {text for test in tests for text in sentences(test)}
            assert hints <= tried, f"{path.name}: no test for {sorted(hints - tried)}"
