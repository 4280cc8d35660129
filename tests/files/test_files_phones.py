"""Phone numbers as files hold them: what spreadsheets did to them is named, and nothing is guessed."""

import datetime as dt
import os
import re
import sys
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import hostile_book, leads_in, reasons_in, sheet_of

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import open_leads
from voiso_async.files.columns.cells import BadCell
from voiso_async.files.columns.phones import NumberingPlan, PhoneRule
from voiso_async.phone import canonical

PHONE = "441632960123"


def read(value: Any, **options: Any) -> str:
    found = PhoneRule(**options).read(value)
    return found.reason if isinstance(found, BadCell) else found


@pytest.mark.row(168)
@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("4.41E+11", "scientific_notation"),
        ("4,41E+11", "scientific_notation"),
        ("4.41632960123e11", "scientific_notation"),
        ("#N/A", "spreadsheet_error"),
        ("#REF!", "spreadsheet_error"),
        ("#NAME?", "spreadsheet_error"),
        ("########", "spreadsheet_error"),
        ("=A1", "formula"),
        ('="letters"', "formula"),
        ('=HYPERLINK("https://example.com")', "formula"),
        (f"={PHONE}", "formula"),
        ("2024-05-17", "date"),
        ("2024-05-17 10:00:00", "date"),
        ("17.05.2024", "date"),
        ("5/17/2024", "date"),
        (f"{PHONE}.5", "decimal"),
        (f"{PHONE}.00", "decimal"),
        ("01632 960123", "national_without_region"),
        ("0 1632 960123", "national_without_region"),
        ("2015550123", "national_without_region"),
        ("00441632960123", "leading_zero"),
        ("TRUE", "letters"),
        ("", "empty"),
        (None, "empty"),
        (True, "not_text"),
        (f"+{PHONE}", PHONE),
        (f'="{PHONE}"', PHONE),
        (f'="+{PHONE}"', PHONE),
        (f"{PHONE}.0", PHONE),
        (f" {PHONE} ", PHONE),
        (int(PHONE), PHONE),
        (float(PHONE), PHONE),
    ],
)
def test_what_a_cell_says(cell: Any, expected: str) -> None:
    assert expected == read(cell)


def test_international_takes_short_numbers_but_no_leading_zero() -> None:
    assert ["2015550123", "leading_zero"] == [read(text, international=True) for text in ("2015550123", "0201555")]


@given(st.text(max_size=24) | st.text("0123456789+-=\"#.,eE/' ", max_size=24))
def test_any_text_is_a_number_or_a_reason(text: str) -> None:
    found = PhoneRule(international=True).read(text)
    assert isinstance(found, BadCell) or found == canonical(found)
    if isinstance(found, BadCell):
        assert found.reason
        assert found.detail


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("(201) 555-0123", "US", "12015550123"),
        ("201.555.0123", "us", "12015550123"),
        ("12015550123", "US", "12015550123"),
        (2015550123, "US", "12015550123"),
        (2015550123.0, "US", "12015550123"),
        ("+12015550123", "GB", "12015550123"),
        ("0012015550123", "GB", "12015550123"),
        (f"+{PHONE}", "GB", PHONE),  # with a + nothing is looked up, and no plan has numbers for fiction
        (PHONE, "GB", "not_in_numbering_plan"),
        ("01632 960123", "GB", "not_in_numbering_plan"),
        ("12015550123", "GB", "not_in_numbering_plan"),
        ("555-0123", "US", "not_in_numbering_plan"),
        ("123", "US", "not_in_numbering_plan"),
        ("201-555-0123 ext. 4", "US", "extension"),
        ("1-800-LETTERS", "US", "letters"),
        ("4.41E+11", "US", "scientific_notation"),
        ("2024-05-17", "US", "date"),
        ("", "US", "empty"),
        (None, "US", "empty"),
    ],
)
def test_a_region_completes_national_numbers(cell: Any, region: str, expected: str) -> None:
    assert expected == read(cell, plan=NumberingPlan(region))


@pytest.mark.parametrize("region", ["", "XX", "United States", "001", "G\0B"])
async def test_a_region_that_is_none(tmp_path: Path, region: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n")
    with pytest.raises(ConfigurationError, match="the region must be a code of two letters"):
        await open_leads(path, region=region).open()


async def test_a_region_and_international_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give a region or international"):
        await open_leads(tmp_path / "leads.csv", region="US", international=True).open()


async def test_without_the_extra_a_region_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n2015550123\n")
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'voiso-async\[phone\]'"):
        await open_leads(path, region="US").open()
    assert ["national_without_region"] == await reasons_in(path)


URL = "https://crm.example.net/c/9"
LAYOUTS: list[tuple[str, dict[str, Any]]] = [
    (PHONE, {}),
    (f"+44 1632-960123,{URL}", {"source": {"url": URL}}),
    (f"{PHONE},Ada Moss,Web form", {"name": "Ada Moss", "source": {"system": "Web form"}}),
    (f"{PHONE},Ada Moss,", {"name": "Ada Moss"}),
]


TITLES = ("Number", "Number,URL", "Number,Name,Source")


@pytest.mark.row(178)
@pytest.mark.parametrize("with_header", [True, False])
@pytest.mark.parametrize(("line", "fields"), LAYOUTS)
async def test_the_three_calling_lists_of_voiso(
    tmp_path: Path, *, with_header: bool, line: str, fields: dict[str, Any]
) -> None:
    titles = TITLES[line.count(",")]
    header = f"{titles}\n" if with_header else ""
    path = tmp_path / "list.csv"
    path.write_text(f"{header}{line}\n{line}\n")
    assert [{"phone_number": PHONE} | fields] * 2 == await leads_in(path)
    async with open_leads(path) as leads:
        assert [1 + with_header, 2 + with_header] == [row.row async for row in leads]
        assert ("first row" if with_header else titles.replace(",", ", ")) in leads.columns.layout
        assert "Number" == leads.columns.recognised["phone_number"]
        assert 2 == await leads.estimate()


@pytest.mark.parametrize("damaged", ["4.41E+11", "0201555", "26.11.2026", "12:30", "1,250.00", "remark", ""])
@pytest.mark.parametrize("row", [1, 2, 150])
async def test_a_list_without_a_header_holds_nothing_but_numbers(tmp_path: Path, row: int, damaged: str) -> None:
    """Else another column than that of the numbers would be dialled; with a header the row alone is refused."""
    lines = [f"{PHONE},Ada,Web"] * 160
    lines[row - 1] = f'"{damaged}",Ada,Web'
    path = tmp_path / "list.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputFileError) as caught:
        await open_leads(path).open()
    assert caught.value.reason in {"no_header", "no_phone_column"}
    assert row == caught.value.row
    path.write_text("\n".join(["Number,Name,Source", *lines]))
    assert 159 == (await reasons_in(path)).count(None)


IDS = [range(900441632960, 900441632990), range(10000000001, 10000000031), range(30)]


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("others", ["Ada,Web", "https://crm.example.net/c/9", f"{PHONE},Ada", None])
async def test_ids_are_no_numbers_to_call(tmp_path: Path, ids: range, others: str | None) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join(str(one) if others is None else f"{one},{others}" for one in ids))
    with pytest.raises(InputFileError):
        await open_leads(path).open()


ABOVE = [
    "26.11.2026,,",
    "2026-11-26 10:30,,",
    "12:30,,",
    "1250.00,,",
    "441632960999,,",
    "Report 12345678,,",
    "7,,",
]


@pytest.mark.parametrize("above", ABOVE)
async def test_a_line_above_the_header_is_pointed_at(tmp_path: Path, above: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"{above}\nCustomer ID,Phone,Name\n900441632960,+{PHONE},Ann\n")
    with pytest.raises(InputFileError, match="row 2 looks like the names of the columns") as caught:
        await open_leads(path).open()
    assert (2, "header_below") == (caught.value.row, caught.value.reason)
    assert not re.search(r"\d{7}", str(caught.value))


@pytest.mark.parametrize("title", ["Phone", "Telefon", "=441632960999", "+441632960999"])
@pytest.mark.parametrize("width", [1, 2])
async def test_a_title_that_could_be_a_header_or_a_number_is_neither(
    tmp_path: Path, title: str, width: int
) -> None:
    book = openpyxl.Workbook()
    rows: list[list[Any]] = [
        [title, "Report"][:width],
        ["Customer ID", "Name", "Phone"],
        [312441632960, "Ann", f"+{PHONE}"],
    ]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "leads.xlsx")
    lines = [",".join([*map(str, row), "", ""][:3]) for row in rows]
    (tmp_path / "leads.csv").write_text("\n".join(lines))
    for name in ("leads.xlsx", "leads.csv"):
        with pytest.raises(InputFileError, match="row 2 looks like the names of the columns"):
            await reasons_in(tmp_path / name)


async def test_a_title_above_the_header_is_found_before_a_pipe_is_taken() -> None:
    there, here = os.pipe()
    with os.fdopen(here, "wb") as pipe:
        pipe.write(f"Phone,,\nCustomer ID,Phone,Name\n312441632960,+{PHONE},Ann\n".encode())
    with os.fdopen(there, "rb"), pytest.raises(InputFileError, match="row 2 looks like the names of the columns"):
        await open_leads(there).open()


@pytest.mark.parametrize("row", [1, 2])
async def test_a_source_named_like_the_phone_is_no_header(tmp_path: Path, row: int) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "\n".join(f"44163296000{number},Ada,{'Phone' if number == row else 'Web'}" for number in (1, 2))
    )
    assert ["441632960001", "441632960002"] == [lead["phone_number"] for lead in await leads_in(path)]
    path.write_text(f"Phone,Name,Source\nn/a,Ada,Phone\n{PHONE},Ben,Phone\n")
    assert ["letters", None] == await reasons_in(path)


@pytest.mark.parametrize("other", ["https://crm.example.net/c/9", "Ada,Web"])
async def test_ids_are_no_national_numbers_of_a_plan_of_many_lengths(tmp_path: Path, other: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join(f"{number},{other}" for number in range(30123456, 30123476)))
    with pytest.raises(InputFileError) as caught:
        await open_leads(path, region="DE").open()
    assert "no_header" == caught.value.reason
    path.write_text("\n".join(f"0{number},{other}" for number in range(30123456, 30123476)))
    assert [None] * 20 == await reasons_in(path, region="DE")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("4.41633E+11", "rounded"),
        ("4.416329601E+11", "rounded"),
        ("4.416330E+11", "rounded"),
        ("441633000000", "rounded"),
        ("12025550000", "rounded"),
        ("4.4163296012300000E+11", None),
        ("4.41632960123E11", None),
        ("4.41632960100E+11", None),
        ("441632960000", None),
    ],
)
async def test_a_number_cell_has_all_its_digits_or_is_refused(
    tmp_path: Path, number: str, expected: str | None
) -> None:
    cell = f"<v>{number}</v></c></row>"
    first = f'<row r="1"><c r="A1">{cell}<row r="2"><c r="A2"><v>{PHONE}</v></c></row>'
    named = f'<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row><row r="2"><c r="A2">{cell}'
    path = hostile_book(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(named)})
    assert [expected] == await reasons_in(path)
    path = hostile_book(tmp_path / "b.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(first)})
    if expected is None:
        assert [None, None] == await reasons_in(path)
        return
    with pytest.raises(InputFileError):
        await open_leads(path).open()


@pytest.mark.parametrize("above", [dt.date(2026, 11, 26), "Report", 1250.5, "7"])
async def test_a_narrow_line_above_the_header_is_pointed_at(tmp_path: Path, above: Any) -> None:
    book = openpyxl.Workbook()
    for row in ([above], ["Customer ID", "Phone"], [900441632960, f"+{PHONE}"]):
        book.active.append(row)
    book.save(tmp_path / "leads.xlsx")
    (tmp_path / "leads.csv").write_text(f"{above}\nCustomer ID,Phone\n900441632960,+{PHONE}\n")
    for name in ("leads.xlsx", "leads.csv"):
        with pytest.raises(InputFileError, match="row 2 looks like the names of the columns"):
            await open_leads(tmp_path / name).open()


@pytest.mark.row(178)
@pytest.mark.parametrize(
    "line",
    [
        f"{PHONE},Ada",
        f"Ada,{PHONE}",
        f"{PHONE},{PHONE}",
        f"{PHONE},Ada,{URL}",
        f"{PHONE},Ada,Web,x",
        f"{PHONE},Ada,{PHONE}",
    ],
)
async def test_other_files_without_a_header_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{line}\n")
    with pytest.raises(InputFileError, match="put a row such as phone_number,name above it") as caught:
        await open_leads(path).open()
    assert (1, "no_header") == (caught.value.row, caught.value.reason)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("tel:+44-1632-960123", PHONE),
        ("TEL: +441632960123", PHONE),
        (f"p:+{PHONE}", PHONE),
        (f"tel:+{PHONE};ext=5", "extension"),
        ('="+44 1632 960123"', PHONE),
        ('="+44 (0)1632 960123"', "trunk_zero"),
        ('="4.41633E+11"', "formula"),
        ("441633000000.0", "rounded"),
        (441633000000.0, "rounded"),
        (f"{PHONE} (date)", "date"),
        ("4.41633E+11 (rounded)", "rounded"),
        ("26.11.26", "date"),
        ("2026/11/26", "date"),
        ("26-11-2026", "date"),
        ("441,632,960,126", "thousands_separators"),
    ],
)
def test_what_exports_wrap_around_a_number_is_taken_off(cell: Any, expected: str) -> None:
    assert expected == read(cell)


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("491713920012", "DE", "unclear_country_code"),
        ("01713920013", "DE", "491713920013"),
        ("0049 171 3920014", "DE", "491713920014"),
        ("1713920014", "DE", "491713920014"),
        ("+491713920015", "DE", "491713920015"),
        ("0049 (0)171 3920014", "DE", "trunk_zero"),
        ("00490171 3920014", "DE", "trunk_zero"),
        ("4901713920014", "DE", "trunk_zero"),
        ("442079460958", "AT", "not_in_numbering_plan"),
        ("442079460958", "DE", "unclear_country_code"),
        ("436641234567", "AT", "436641234567"),
        ("442079460958", "US", "not_in_numbering_plan"),
        ("442079460958", "GB", "442079460958"),
        ("4401632960123", "GB", "trunk_zero"),
        ("33612345678", "FR", "33612345678"),
        ("7035550123", "US", "17035550123"),
        ("4425550123", "US", "14425550123"),
        ("3912345678", "IT", "393912345678"),
        ("0612345678", "IT", "390612345678"),
        ("0033612345678", "SG", "unclear_country_code"),
        ("00918123456789", "CO", "unclear_country_code"),
        ("905123456789", "BR", "unclear_country_code"),
        ("18002345678", "CO", "unclear_country_code"),
        ("13912345678", "CN", "8613912345678"),
        ("9123456789", "IN", "919123456789"),
    ],
)
def test_a_country_code_is_never_doubled(cell: str, region: str, expected: str) -> None:
    assert expected == read(cell, plan=NumberingPlan(region))
