"""Shows, after the tests, how many mutants each exercise had and what became of them."""

from collections import Counter

import pytest

COLUMNS = ("mutants", "refused", "stopped", "equivalent")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", []):
                if name == "mutants" and getattr(report, "when", "") == "call":
                    exercise, counts = value
                    table.setdefault(exercise, Counter()).update(counts)
    if not table:
        return
    total = sum(table.values(), Counter())
    terminalreporter.section("wrong answers, generated")
    width = max(map(len, table))
    terminalreporter.write_line(
        f"{'':{width}}" + "".join(f"{c:>12}" for c in (*COLUMNS, "unexplained"))
    )
    for name, row in [*sorted(table.items()), ("all", total)]:
        left = row["mutants"] - sum(row[c] for c in COLUMNS[1:])
        numbers = [*(row[c] for c in COLUMNS), left]
        terminalreporter.write_line(f"{name:{width}}" + "".join(f"{n:12,}" for n in numbers))
