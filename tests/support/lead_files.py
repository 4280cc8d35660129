"""Writes files of leads for tests, and reads them."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voiso_async.files import open_leads
from voiso_async.ingest.prepare import FileRow, InvalidLead

SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def sheet_of(rows: str, *, top: str = "") -> str:
    """The XML of a sheet with these rows."""
    return f'<?xml version="1.0"?>{top}<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData></worksheet>'


PHONE_ROWS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
    '<row r="2"><c r="A2"><v>441632960001</v></c></row>'
)
BOOK: Mapping[str, str] = {
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{DOCUMENT}/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{DOCUMENT}"><sheets>'
    '<sheet name="Leads" sheetId="1" r:id="s1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
    f'<Relationship Id="s1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="s2" Type="{DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/>'
    f'<Relationship Id="s3" Type="{DOCUMENT}/styles" Target="/xl/styles.xml"/></Relationships>',
    "xl/worksheets/sheet1.xml": sheet_of(PHONE_ROWS),
}
"""The parts of the smallest workbook."""


def hostile_book(path: Path, parts: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write a workbook with these parts replaced, or removed (None)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**BOOK, **(parts or {})}.items():
            if content is not None:
                archive.writestr(name, content)
    return path


async def rows_in(path: Path, **options: Any) -> list[FileRow]:
    """Every row of a file."""
    async with open_leads(path, **options) as leads:
        return [row async for row in leads]


async def leads_in(path: Path, **options: Any) -> Sequence[Any]:
    """Every lead of a file; an invalid one as its field and reason."""
    return [_seen(row.lead) for row in await rows_in(path, **options)]


async def reasons_in(path: Path, **options: Any) -> list[str | None]:
    """Why each row of a file is invalid."""
    return [
        row.lead.reason if isinstance(row.lead, InvalidLead) else None for row in await rows_in(path, **options)
    ]


def _seen(lead: Any) -> Any:
    return (lead.field, lead.reason) if isinstance(lead, InvalidLead) else lead
