"""Results and rejects: inert in spreadsheets, and read back as they were."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lead_files import hostile_book, leads_in, rows_in, sheet_of

from voiso_async import ConfigurationError
from voiso_async.files import open_leads, write_rejects, write_results
from voiso_async.files.columns.cells import escape_formula, unescape_formula
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.jobs import JobOutcome

PHONE = "441632960123"
RISKY = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def outcome(index: int = 0, **fields: Any) -> JobOutcome:
    made: dict[str, Any] = {"outcome": Outcome.INVALID, "campaign": 3, "row": index + 2, "reason": "empty"}
    return JobOutcome(**(made | {"index": index} | fields))


async def each(outcomes: Iterable[JobOutcome]) -> AsyncIterator[JobOutcome]:
    for one in outcomes:
        yield one


async def rejects_of(path: Path, again: Path, **options: Any) -> int:
    """Write every row of a file as a reject, as a job that read it would."""
    async with open_leads(path, **options) as leads:
        outcomes = [outcome(place, row=row.row, cells=row.cells) async for place, row in aenumerate(leads)]
        return await write_rejects(again, each(outcomes), leads.header)


async def aenumerate(source: Any) -> AsyncIterator[tuple[int, Any]]:
    place = 0
    async for item in source:
        yield place, item
        place += 1


def raw(path: Path) -> list[list[str]]:
    """What another program reads."""
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


DANGEROUS = [
    "=1+1",
    "+44 1632 960123",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    "  =1",
    "\u00a0=1",
    "\ufeff=1",
    "'=1",
    "''=1",
    "'  =1",
]
HARMLESS = ["", "'", "'a", "a'=1", "Ada", "1", " a", "#N/A", '"=1"', "a,b;c\t", "\u4e16"]


@pytest.mark.row(184)
@pytest.mark.parametrize("text", DANGEROUS)
def test_a_text_that_a_spreadsheet_would_run_gets_one_quote(text: str) -> None:
    assert f"'{text}" == escape_formula(text)
    assert text == unescape_formula(escape_formula(text))


@pytest.mark.row(184)
@pytest.mark.parametrize("text", HARMLESS)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert text == escape_formula(text) == unescape_formula(text)


@pytest.mark.row(184)
@given(st.text() | st.text("'=+-@ \t\uff1da", max_size=6))
def test_what_is_guarded_is_inert_and_comes_back(text: str) -> None:
    assert not RISKY.match(escape_formula(text))
    assert text == unescape_formula(escape_formula(text))


CELLS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
    | st.text("'=+-@ \t\r\n\",;\uff1da", max_size=6),
    min_size=2,
    max_size=2,
)


@pytest.mark.row(184)
@settings(deadline=2000)
@given(st.lists(CELLS, max_size=4))
def test_rejects_are_read_back_exactly(rows: list[list[str]]) -> None:
    async def check() -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rejects.csv"
            outcomes = [outcome(place, cells=tuple(cells)) for place, cells in enumerate(rows)]
            assert len(rows) == await write_rejects(path, each(outcomes), ("phone", "+note"))
            assert not [cell for row in raw(path) for cell in row if RISKY.match(cell)]
            async with open_leads(path) as leads:
                assert ("phone", "+note") == leads.header[:2]
                assert rows == [list(row.cells[:2]) async for row in leads]

    anyio.run(check)


@pytest.mark.row(184)
@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("leads.csv", "phone,name\n'+441632960123,=Ada\n2015550123,'=x\n,Ben\n", {}),
        ("leads.csv", "phone;first name;last name;x-plan\n+44 1632 960123;Ada;'Moss;gold\n", {}),
        ("list.csv", f"{PHONE},Ada,Web\n{PHONE},=Ben,\n", {}),
        ("list.csv", f'{PHONE}\n="{PHONE}"\n', {}),
        ("leads.csv", f"Nr,Who,id\n{PHONE},-Ada-,7\n", {"mapping": {"phone_number": "Nr", "name": "{Who}!"}}),
        (
            "leads.jsonl",
            f'{{"phone": {PHONE}, "source": {{"system": "=x"}}, "priority": "7"}}\n{{"name": "Ada"}}\n',
            {},
        ),
        ("leads.jsonl", f'{PHONE}\n"+{PHONE}"\n{{"tel": "4.41E+11", "key": "k"}}\n', {}),
    ],
)
async def test_rejects_that_are_pushed_again_mean_the_same(
    tmp_path: Path, name: str, content: str, options: dict[str, Any]
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    before = await leads_in(path, **options)
    once, twice = tmp_path / f"1{path.suffix}", tmp_path / f"2{path.suffix}"
    await rejects_of(path, once, **options)
    assert before == await leads_in(once, **options)
    await rejects_of(once, twice, **options)
    assert before == await leads_in(twice, **options)
    assert twice.read_bytes().replace(b'"voiso_row":"3"', b"") == once.read_bytes().replace(
        b'"voiso_row":"3"', b""
    ) or (
        name == "list.csv"  # whose rows have moved down by the header that the rejects have
    )
    async with open_leads(once, **options) as leads:
        await leads.check()
        assert not [column for column in leads.columns.unused if "voiso" in column]


async def test_the_rejects_of_a_workbook_mean_what_its_cells_meant(tmp_path: Path) -> None:
    cells = (
        '<row r="1"><c t="str"><v>phone</v></c><c t="str"><v>name</v></c></row>'
        '<row r="2"><c><v>441632960123</v></c><c t="str"><f>A1</f><v>Ada</v></c></row>'
        '<row r="3"><c><f>A2</f><v>441632960123</v></c></row>'
        '<row r="4"><c t="e"><v>#N/A</v></c></row><row r="5"><c t="d"><v>2024-05-17</v></c></row>'
        '<row r="6"><c t="str"><v>\'+441632960123</v></c></row>'
    )
    path = hostile_book(tmp_path / "leads.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(cells)})
    before = await leads_in(path)
    assert [("phone_number", reason) for reason in ("formula", "spreadsheet_error", "date")] == before[1:4]
    await rejects_of(path, tmp_path / "rejects.csv")
    assert before == await leads_in(tmp_path / "rejects.csv")


async def test_rejects_have_the_original_cells_and_three_columns_more(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    outcomes = [
        outcome(0, cells=("0163", 'Zo\u00eb, "x"'), reason="national_without_region"),
        outcome(1, cells=("12",), outcome=Outcome.REJECTED, reason=None, detail="=the server's words"),
        outcome(2, cells=None, row=None),
    ]
    assert 3 == await write_rejects(path, each(outcomes), ("phone", "name"))
    assert path.read_bytes().startswith(
        b'\xef\xbb\xbf"phone","name","voiso_outcome","voiso_reason","voiso_row"\r\n'
    )
    assert [
        ["0163", 'Zo\u00eb, "x"', "invalid", "national_without_region", "2"],
        ["12", "", "rejected", "'=the server's words", "3"],
        ["", "", "invalid", "empty", ""],
    ] == raw(path)[1:]


async def test_rejects_that_came_from_no_file_have_their_number_and_key(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    outcomes = [outcome(0, phone=PHONE, key="k1", outcome=Outcome.REJECTED), outcome(1, row=None)]
    await write_rejects(path, each(outcomes), ())
    assert ["phone_number", "key", "voiso_outcome", "voiso_reason", "voiso_row"] == raw(path)[0]
    assert [f"'+{PHONE}", "k1"] == raw(path)[1][:2]
    assert [{"phone_number": PHONE, "key": "k1"}, ("phone_number", "empty")] == await leads_in(path)


async def test_rejects_of_json_lines_keep_their_objects(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    lines = ['{"phone": 1, "voiso_row": "9"}', '"12"', "13", "[1]", "null", "torn", '{"a": "\\ud83d\\ude00"}']
    outcomes = [outcome(place, cells=(line,)) for place, line in enumerate(lines)]
    assert 8 == await write_rejects(path, each([*outcomes, outcome(7)]), ("json",))
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    word = {"voiso_outcome": "invalid", "voiso_reason": "empty"}
    assert {"phone": 1, "voiso_row": "2"} | word == found[0]
    assert ["12", 13] == [line["phone_number"] for line in found[1:3]]
    assert [{"phone_number": None, "lead": lead} for lead in ([1], None, None)] == [
        {name: line[name] for name in ("phone_number", "lead")} for line in found[3:6]
    ]
    assert "\U0001f600" == found[6]["a"]
    assert 8 == len(await rows_in(path))


async def test_results_as_csv_and_as_json_lines(tmp_path: Path) -> None:
    outcomes = [
        outcome(0, outcome=Outcome.CREATED, phone=PHONE, key="=k", reason=None),
        outcome(1, reason="too_short", field="phone_number", detail="at least 7 digits", campaign=None),
        outcome(2, outcome=Outcome.REPEATED, first=0, reason=None, row=None, phone=PHONE),
        outcome(3, outcome=Outcome.NOT_SENT, pending=True, reason=None),
    ]
    table, lines = tmp_path / "results.csv", tmp_path / "results.jsonl"
    assert (
        4
        == await write_results(table, each(outcomes))
        == await write_results(lines, each(outcomes), format="jsonl")
    )
    assert [
        ["row", "campaign", "key", "phone", "outcome", "reason", "field", "detail", "pending"],
        ["2", "3", "'=k", f"'+{PHONE}", "created", "", "", "", ""],
        ["3", "", "", "", "invalid", "too_short", "phone_number", "at least 7 digits", ""],
        ["", "3", "", f"'+{PHONE}", "repeated", "", "", "", ""],
        ["5", "3", "", "", "not_sent", "", "", "", "yes"],
    ] == raw(table)
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert {"index": 0, "row": 2, "campaign": 3, "key": "=k", "phone": PHONE, "outcome": "created"} == found[0]
    assert (0, True) == (found[2]["first"], found[3]["pending"])
    async with open_leads(table) as leads:
        assert ("2", "3", "=k", f"+{PHONE}") == (await anext(leads)).cells[:4]


async def test_results_have_no_third_form(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give csv or jsonl"):
        await write_results(tmp_path / "results.xml", each([]), format="xml")  # type: ignore[arg-type]
    assert not (tmp_path / "results.xml").exists()


async def test_what_no_csv_can_hold_is_shown_as_a_replacement(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    await write_rejects(path, each([outcome(cells=("a\0b\ud800", "x"))]), ("phone", "name"))
    assert [("a\ufffdb?", "x", "invalid", "empty", "2")] == [row.cells for row in await rows_in(path)]


async def test_who_must_not_be_called_is_in_no_file_of_rejects(tmp_path: Path) -> None:
    table, lines = tmp_path / "rejects.csv", tmp_path / "rejects.jsonl"
    held = outcome(0, outcome=Outcome.SUPPRESSED, phone=PHONE, cells=(PHONE,), reason="suppressed")
    for path, header in ((table, ("phone",)), (tmp_path / "bare.csv", ()), (lines, ("json",))):
        assert 1 == await write_rejects(path, each([held, outcome(1, cells=("12",))]), header)
        assert PHONE not in path.read_text(encoding="utf-8")
    results = tmp_path / "results.csv"
    assert 1 == await write_results(results, each([held]))
    assert ["2", "3", "", f"'+{PHONE}", "suppressed", "suppressed"] == raw(results)[1][:6]
