"""Phone numbers as files hold them: what spreadsheets did to them is named, and nothing is guessed."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_files import leads_in, reasons_in

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import open_leads
from voiso_async.files.numbering import Numbering
from voiso_async.files.phones import BadCell, PhoneRule
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
    assert expected == read(cell, numbering=Numbering(region))


@pytest.mark.parametrize("region", ["", "XX", "United States", "001", "G\0B"])
async def test_a_region_that_is_none(tmp_path: Path, region: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n")
    with pytest.raises(ConfigurationError, match="the region must be a code of two letters"):
        await open_leads(path, region=region)


async def test_a_region_and_international_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give a region or international"):
        await open_leads(tmp_path / "leads.csv", region="US", international=True)


async def test_without_the_extra_a_region_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n2015550123\n")
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'voiso-async\[phone\]'"):
        await open_leads(path, region="US")
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
    async with await open_leads(path) as leads:
        assert [1 + with_header, 2 + with_header] == [row.row async for row in leads]
        assert ("first row" if with_header else titles.replace(",", ", ")) in leads.columns.layout
        assert "Number" == leads.columns.recognised["phone_number"]
        assert 2 == await leads.estimate()


async def test_a_list_that_begins_with_a_damaged_number_is_still_a_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"4.41E+11\n0201555\n{PHONE}.0\n{PHONE}\n")
    assert ["scientific_notation", "national_without_region", None, None] == await reasons_in(path)


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
        await open_leads(path)
    assert (1, "no_header") == (caught.value.row, caught.value.reason)
