"""Prints at the end of a whole run which rows of the catalogue its tests covered, part by part."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from catalogue import EXPLAINED, PARTS, ROWS, TO_COME, part_of

WHOLE = pytest.StashKey[bool]()
TESTS = Path(__file__).parents[1]
PROPERTY = "rows of the catalogue"


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Record on each test the rows that it names, and note whether every file takes part."""
    for item in items:
        rows = {row for mark in item.iter_markers("row") for row in mark.args}
        if unknown := rows - set(ROWS):
            raise pytest.UsageError(f"{item.name} names rows that the catalogue does not have: {sorted(unknown)}")
        if rows:
            item.user_properties.append((PROPERTY, sorted(rows)))
    config.stash[WHOLE] = _is_whole(config, {item.path.name for item in items})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """The same where other processes run the tests and this one only gets their reports."""
    node.config.stash[WHOLE] = _is_whole(node.config, {Path(name.partition("::")[0]).name for name in ids})


def _is_whole(config: pytest.Config, taking_part: set[str]) -> bool:
    files = {file.name for file in TESTS.rglob("test_*.py")}
    narrowed = config.option.keyword or config.option.collectonly or config.option.markexpr != "not soak"
    return files <= taking_part and not narrowed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the rows: covered by tests that passed, explained, still to come, and missing."""
    if not config.stash.get(WHOLE, False):
        return
    covered = _rows_of(terminalreporter, "passed") - _rows_of(terminalreporter, "failed", "error")
    terminalreporter.section("rows of the fault catalogue")
    for letter, rows in groupby(sorted(ROWS), key=part_of):
        terminalreporter.write_line(f"{letter} {PARTS[letter]}: {_line(set(rows), covered)}")


def _rows_of(reporter: pytest.TerminalReporter, *outcomes: str) -> set[int]:
    reports = [report for outcome in outcomes for report in reporter.stats.get(outcome, [])]
    return {row for report in reports for name, rows in report.user_properties if name == PROPERTY for row in rows}


def _line(rows: set[int], covered: set[int]) -> str:
    missing = sorted(rows - covered - set(EXPLAINED) - set(TO_COME))
    groups = {
        "explained": sorted(rows & set(EXPLAINED)),
        "to come": sorted((rows & set(TO_COME)) - covered),
        "NOT COVERED": missing,
    }
    told = [f"{name} {', '.join(map(str, numbers))}" for name, numbers in groups.items() if numbers]
    return "; ".join([f"{len(rows & covered)} of {len(rows)} covered", *told])
