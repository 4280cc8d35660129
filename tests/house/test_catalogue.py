"""Every row of the fault catalogue has a test or a written reason; every line of the security checklist a test."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from catalogue import EXPLAINED, PARTS, ROWS, TO_COME, named_in, part_of
from security import CHECKLIST, WITHOUT_TEST

TESTS = Path(__file__).parents[1]
INI = """
[pytest]
markers = row
addopts = -p row_report -m 'not soak'
asyncio_default_fixture_loop_scope = function
"""


def covering() -> dict[int, set[str]]:
    files: dict[int, set[str]] = defaultdict(set)
    for row, file in named_in(TESTS):
        files[row].add(file)
    return files


def test_every_row_has_a_test_or_a_reason() -> None:
    missing = set(ROWS) - set(covering()) - set(EXPLAINED) - set(TO_COME)
    assert not missing, {row: ROWS[row] for row in sorted(missing)}


def test_no_test_names_a_row_that_does_not_exist() -> None:
    assert set(covering()) <= set(ROWS)


def test_a_reason_is_no_excuse_for_a_row_that_has_a_test() -> None:
    assert not set(EXPLAINED) & set(covering())
    assert set(EXPLAINED) | set(TO_COME) <= set(ROWS)
    assert all(len(reason) > 10 for reason in [*EXPLAINED.values(), *TO_COME.values()])


def test_every_part_has_rows() -> None:
    assert set(PARTS) == {part_of(row) for row in ROWS}


@pytest.mark.parametrize(
    ("run", "told"),
    [((), "A before the request leaves: 1 of 14 covered"), (("-k", "one"), None), (("test_one.py",), None)],
)
def test_a_whole_run_tells_which_rows_it_covered(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run: tuple[str, ...], told: str | None
) -> None:
    monkeypatch.setattr("row_report.TESTS", pytester.path)
    pytester.makeini(INI)
    pytester.makepyfile(
        test_one="import pytest\n@pytest.mark.row(1)\ndef test_one(): pass",
        test_two="import pytest\n@pytest.mark.row(2)\ndef test_two(): assert False",
    )
    output = pytester.runpytest_inprocess(*run).stdout.str()
    assert (told in output) if told else ("rows of the fault catalogue" not in output)


def test_a_row_that_is_not_there_cannot_be_named(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("import pytest\n@pytest.mark.row(9999)\ndef test_it(): pass")
    assert "names rows that the catalogue does not have: [9999]" in pytester.runpytest_inprocess().stderr.str()


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_line_of_security_has_tests_that_exist() -> None:
    there = {f"{file.stem}::{name}" for file in TESTS.rglob("test_*.py") for name in names_in(file)}
    lines = [line for lines in CHECKLIST.values() for line in lines]
    assert [] == [line.what for line in lines if not line.tests]
    assert set() == {test for line in lines for test in line.tests} - there


def test_two_lines_of_security_can_have_no_test() -> None:
    """A third one needs a reason here."""
    assert {
        "a warning when TLS secrets are written to a file",
        "an audit against stored advisories",
    } == WITHOUT_TEST.keys()
