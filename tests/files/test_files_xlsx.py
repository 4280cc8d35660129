"""Excel workbooks as a source of leads: what their cells mean."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from lead_files import BOOK, PHONE_ROWS, hostile_book, leads_in, reasons_in, rows_in, sheet_of

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import Suppression, open_leads
from voiso_async.ingest.prepare import InvalidLead

PHONE = 441632960123


def book(path: Path, *rows: list[Any], sheet: str = "Leads") -> Path:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.title = sheet
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


@pytest.mark.row(182)
@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (PHONE, None),
        (float(PHONE), None),
        ("+44 1632 960123", None),
        (999999999999999, None),
        ("=1+1", "formula"),
        (f"={PHONE}", "formula"),
        (True, "letters"),
        ("#N/A", "spreadsheet_error"),
        (dt.datetime(2024, 5, 17), "date"),  # noqa: DTZ001
        (dt.date(2024, 5, 17), "date"),
        (dt.time(10, 0), "date"),
        (dt.timedelta(hours=30), "date"),
        (PHONE + 0.5, "decimal"),
        (4.41e20, "scientific_notation"),
        (2015550123, "national_without_region"),
        (12, "too_short"),
        (None, "empty"),
    ],
)
async def test_what_a_phone_cell_says(tmp_path: Path, cell: Any, reason: str | None) -> None:
    path = book(tmp_path / "leads.xlsx", ["phone", "note"], [cell, "x"])
    assert [reason] == await reasons_in(path)


@pytest.mark.row(182)
async def test_numbers_are_exact_whatever_their_format(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    formats = ["General", "0", "0.00E+00", '"+"0', "#,##0", "[Red]0", r"\d0", "_d0", "@", '0.00 "my"']
    sheet.append(["phone"])
    for place, name in enumerate(formats, start=2):
        sheet.cell(place, 1, PHONE + place).number_format = name
    for place, name in enumerate(["yyyy", "d/m", "[h]:mm", "mm:ss"], start=20):
        sheet.cell(place, 1, PHONE).number_format = name
    made.save(tmp_path / "leads.xlsx")
    rows = await leads_in(tmp_path / "leads.xlsx")
    assert [{"phone_number": str(PHONE + place)} for place in range(2, 12)] == rows[:10]
    assert [("phone_number", "date")] * 4 == rows[10:]


@pytest.mark.row(182)
async def test_hidden_and_merged_rows_are_read_and_blank_ones_passed_over(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet["B3"], sheet["C3"] = "phone", "name"
    sheet["B4"], sheet["B9"], sheet["C9"] = PHONE, PHONE + 1, "Ada"
    sheet["E12"] = "a remark"
    sheet.row_dimensions[4].hidden = True
    sheet.merge_cells("C9:C11")
    sheet["B1048576"] = PHONE + 2
    made.save(tmp_path / "leads.xlsx")
    rows = await rows_in(tmp_path / "leads.xlsx", hidden_rows="send")
    assert [4, 9, 12, 1048576] == [row.row for row in rows]
    assert [None, "Ada", "empty", None] == [
        row.lead.reason if isinstance(row.lead, InvalidLead) else row.lead.get("name") for row in rows
    ]
    async with open_leads(tmp_path / "leads.xlsx", hidden_rows="send") as leads:
        assert ("", "phone", "name") == leads.header
        await leads.check()
        assert (
            "1 row is hidden, as by a filter, and read like others",
            "cells to the right of the column names are not read: 1 row has some (12)",
        ) == leads.shape.remarks


def filtered(path: Path, *hidden: int, rows: int = 20) -> Path:
    """Write a workbook whose rows were chosen by a filter."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.append(["phone", "list"])
    for place in range(2, rows + 1):
        sheet.append([PHONE + place, "a" if place in hidden else "b"])
    sheet.auto_filter.ref = f"A1:B{rows}"
    for place in hidden:
        sheet.row_dimensions[place].hidden = True
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("hidden", "says"),
    [
        ((5,), "row 5 is hidden, as by a filter: say whether hidden rows are sent, by hidden_rows='send', or not"),
        ((5, 7, 20), "3 rows are hidden, as by a filter, the first of them row 5: say whether"),
        ((1,), "row 1 is hidden"),
    ],
)
async def test_hidden_rows_are_a_fault_until_somebody_says_whether_they_are_sent(
    tmp_path: Path, hidden: tuple[int, ...], says: str
) -> None:
    path = filtered(tmp_path / "leads.xlsx", *hidden)
    with pytest.raises(InputFileError, match=says) as caught:
        async with open_leads(path) as leads:
            await leads.check()
    assert ("hidden_rows", hidden[0]) == (caught.value.reason, caught.value.row)
    with pytest.raises(InputFileError, match=says):
        await rows_in(path)


async def test_hidden_rows_are_sent_or_skipped_as_somebody_says(tmp_path: Path) -> None:
    path = filtered(tmp_path / "leads.xlsx", 5, 7, 20)
    shown = [row for row in range(2, 21) if row not in {5, 7, 20}]
    assert shown == [row.row for row in await rows_in(path, hidden_rows="skip")]
    assert list(range(2, 21)) == [row.row for row in await rows_in(path, hidden_rows="send")]
    async with open_leads(path, hidden_rows="skip") as leads:
        assert {"format": "xlsx", "hidden_rows": "skip"} == leads.options
        await leads.check()
        assert (16, ("3 rows are hidden, as by a filter, and left out",)) == (leads.rows, leads.shape.remarks)
        assert shown == [row.row async for row in leads]
        assert 3 == leads.shape.hidden_rows
    with pytest.raises(ConfigurationError, match="hidden_rows must be send or skip"):
        await rows_in(path, hidden_rows="call")


async def test_hidden_rows_of_a_list_are_on_it(tmp_path: Path) -> None:
    found = await Suppression.load(filtered(tmp_path / "list.xlsx", 5, 7, 20))
    assert all(str(PHONE + row) in found for row in range(2, 21))


@pytest.mark.parametrize("mark", ['hidden="1"', 'hidden="true"'])
async def test_blank_rows_may_be_hidden_and_other_programs_write_it_otherwise(tmp_path: Path, mark: str) -> None:
    rows = PHONE_ROWS + f'<row r="3" {mark}/><row r="4" {mark}><c r="A4" s="0"/></row>'
    path = hostile_book(tmp_path / "leads.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(rows)})
    assert 1 == len(await leads_in(path))
    rows += f'<row r="5" {mark}><c r="A5"><v>441632960005</v></c></row>'
    path = hostile_book(tmp_path / "leads.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(rows)})
    with pytest.raises(InputFileError, match="row 5 is hidden"):
        await leads_in(path)


async def test_hidden_columns_are_read_and_named(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.append(["phone", "name", "crm", "size"])
    sheet.append([PHONE, "Ada", 7, 1])
    for column in "BCZ":
        sheet.column_dimensions[column].hidden = True
    made.save(tmp_path / "leads.xlsx")
    async with open_leads(tmp_path / "leads.xlsx") as leads:
        assert ("hidden columns are read like others: 'name', 'crm'",) == leads.shape.remarks
        assert ["Ada"] == [row.lead["name"] async for row in leads]


async def test_cells_to_the_right_of_the_header_are_counted_and_named(tmp_path: Path) -> None:
    rows = [[PHONE + row, "Ada", "stray" if row < 6 else None] for row in range(8)]
    path = book(tmp_path / "leads.xlsx", ["phone", "name"], *rows, [None, None, PHONE])
    async with open_leads(path) as leads:
        assert [] == [*leads.shape.remarks]
        await leads.check()
        says = "cells to the right of the column names are not read: 7 rows have some (2, 3, 4, 5, 6, …)"
        assert [says] == [*leads.shape.remarks]
        assert 9 == leads.rows
    assert [*[None] * 8, "empty"] == await reasons_in(path)


async def test_cells_below_no_name_of_a_csv_are_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"phone;name;;\n{PHONE};Ada;;\n{PHONE};Ada;;stray\n;;{PHONE};\n", encoding="utf-8")
    async with open_leads(path) as leads:
        assert [None, None, "empty"] == [getattr(row.lead, "reason", None) async for row in leads]
        assert ("cells to the right of the column names are not read: 2 rows have some (3, 4)",) == (
            leads.shape.remarks
        )
    path.write_text(f"{PHONE};Ada;\n{PHONE};Ada;Web\n", encoding="utf-8")
    async with open_leads(path) as leads:
        assert ["Web"] == [row.lead["source"]["system"] async for row in leads if "source" in row.lead]
        assert () == leads.shape.remarks


@pytest.mark.row(182)
async def test_a_million_empty_rows_are_passed_over(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{row}"/>' for row in range(3, 1_048_577))
    first = '<row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2"><c r="A2"><v>441632960001</v></c></row>'
    path = hostile_book(tmp_path / "leads.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(first + rows)})
    assert [{"phone_number": "441632960001"}] == await leads_in(path)


async def test_other_columns_take_what_a_spreadsheet_shows(tmp_path: Path) -> None:
    cells = (
        '<row r="1"><c t="str"><v>phone</v></c><c t="str"><v>name</v></c><c t="str"><v>priority</v></c>'
        '<c t="str"><v>active</v></c><c t="str"><v>X-Since</v></c><c t="str"><v>source</v></c></row>'
        '<row r="2"><c><v>4.41632960123E11</v></c><c t="str"><f>A1&amp;B1</f><v>Ada</v></c><c><v>7</v></c>'
        '<c t="b"><v>1</v></c><c s="1"><v>45429</v></c><c t="s"><v>1</v></c></row>'
        '<row r="3"><c t="inlineStr"><is><r><t>441632</t></r><r><t>960124</t></r><rPh><t>9</t></rPh></is></c>'
        '<c t="e"><v>#REF!</v></c><c/><c/><c/><c/></row>'
    )
    parts = {
        "xl/worksheets/sheet1.xml": sheet_of(cells),
        "xl/sharedStrings.xml": "<sst><si><t>no</t></si><si><r><t>Web</t></r><r><t>_x0020_form</t></r>"
        "<rPh><t>x</t></rPh></si></sst>",
        "xl/styles.xml": '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    first, second = await leads_in(hostile_book(tmp_path / "leads.xlsx", parts))
    assert {
        "phone_number": str(PHONE),
        "name": "Ada",
        "priority": 7,
        "active": True,
        "context_headers": {"X-Since": "2024-05-17"},
        "source": {"system": "Web form"},
    } == first
    assert ("name", "spreadsheet_error") == second


async def test_a_formula_stays_one_in_the_cells_that_are_kept(tmp_path: Path) -> None:
    cells = (
        '<row r="1"><c t="str"><v>phone</v></c><c t="str"><v>name</v></c></row>'
        '<row r="2"><c t="str"><f>B1</f><v>441632960123</v></c><c t="str"><f>B1</f><v>Ada</v></c></row>'
    )
    path = hostile_book(tmp_path / "leads.xlsx", {"xl/worksheets/sheet1.xml": sheet_of(cells)})
    (row,) = await rows_in(path)
    assert ("=441632960123", "Ada") == row.cells
    assert {str} == {type(cell) for cell in row.cells}


async def test_a_sheet_is_the_first_that_shows_or_the_one_named(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.title = "Notes"
    made.active.sheet_state = "hidden"
    for name, phone in (("Leads", PHONE), ("Old", PHONE + 1)):
        sheet = made.create_sheet(name)
        sheet.append(["phone"])
        sheet.append([phone])
    made.save(tmp_path / "leads.xlsx")
    assert [{"phone_number": str(PHONE)}] == await leads_in(tmp_path / "leads.xlsx")
    assert [{"phone_number": str(PHONE + 1)}] == await leads_in(tmp_path / "leads.xlsx", sheet="old ")
    with pytest.raises(
        InputFileError, match="no sheet is named 'New'; there are 'Notes', 'Leads', 'Old'"
    ) as caught:
        await open_leads(tmp_path / "leads.xlsx", sheet="New").open()
    assert "no_such_sheet" == caught.value.reason


def sheets(path: Path, **content: list[Any]) -> Path:
    """Write a workbook with these sheets, each with the rows of one column; names with a _ are hidden."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, cells in content.items():
        sheet = made.create_sheet(name)
        sheet.sheet_state = "hidden" if name.startswith("_") else "visible"
        for cell in cells:
            sheet.append([cell])
    made.save(path)
    return path


async def test_sheets_that_are_not_read_are_named(tmp_path: Path) -> None:
    lead = ["phone", PHONE]
    path = sheets(tmp_path / "leads.xlsx", Nov=lead, Empty=[], Dec=lead, _codes=["x"], _none=[])
    async with open_leads(path) as leads:
        assert ("Nov", ("Dec",), ("_codes",)) == (
            leads.shape.sheet,
            leads.shape.other_sheets,
            leads.shape.hidden_sheets,
        )
        says = "only the sheet 'Nov' is read, not 'Dec' and hidden '_codes': name another by sheet="
        assert (says,) == leads.shape.remarks
        await leads.check()
        assert (says,) == leads.shape.remarks
    async with open_leads(path, sheet="Dec") as leads:
        assert ("Dec", ("Nov",)) == (leads.shape.sheet, leads.shape.other_sheets)
    async with open_leads(sheets(path, Nov=lead, Empty=[], _none=[])) as leads:
        assert ((), ()) == (leads.shape.other_sheets, leads.shape.remarks)


@pytest.mark.parametrize(("first", "reason"), [([], "empty"), (["About this file"], "no_phone_column")])
async def test_what_is_wrong_with_the_first_sheet_names_the_others(
    tmp_path: Path, first: list[Any], reason: str
) -> None:
    path = sheets(tmp_path / "leads.xlsx", Notes=first, Leads=["phone", PHONE])
    says = "only the sheet 'Notes' is read, not 'Leads': name another by sheet="
    with pytest.raises(InputFileError, match=says) as caught:
        await open_leads(path).open()
    assert reason == caught.value.reason


async def test_another_sheet_that_is_damaged_spoils_nothing(tmp_path: Path) -> None:
    path = sheets(tmp_path / "leads.xlsx", Leads=["phone", PHONE], Other=["x"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    hostile_book(path, {**dict.fromkeys(BOOK), **parts, "xl/worksheets/sheet2.xml": b"no XML"})
    async with open_leads(path) as leads:
        assert ("Other",) == leads.shape.other_sheets
        assert 1 == len([row async for row in leads])


async def test_voisos_lists_may_come_as_workbooks_without_a_header(tmp_path: Path) -> None:
    path = book(tmp_path / "list.xlsx", [PHONE, "Ada", "Web"], [PHONE + 1, "", "Web"])
    async with open_leads(path) as leads:
        assert ("Number", "Name", "Source") == leads.header
        await leads.check()
        assert [1, 2] == [row.row async for row in leads]


async def test_dates_of_workbooks_that_count_from_1904(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.epoch = dt.datetime(1904, 1, 1)  # noqa: DTZ001
    assert made.active is not None
    made.active.append(["phone", "name"])
    made.active.append([PHONE, dt.datetime(2024, 5, 17, 8, 30)])  # noqa: DTZ001
    made.save(tmp_path / "leads.xlsx")
    (lead,) = await leads_in(tmp_path / "leads.xlsx")
    assert "2024-05-17 08:30:00" == lead["name"]


async def test_a_workbook_says_how_many_rows_it_has(tmp_path: Path) -> None:
    path = book(tmp_path / "leads.xlsx", ["phone"], *([PHONE + n] for n in range(500)))
    async with open_leads(path) as leads:
        assert ("xlsx", None, 500) == (leads.format, leads.rows, await leads.estimate())
        await leads.check()
        assert 500 == leads.rows
        assert 500 == len([row async for row in leads])
