"""Workbooks that are none, or were made to do harm: refused in time and in little memory."""

import io
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lead_files import BOOK, PHONE_ROWS, hostile_book, leads_in, reasons_in, sheet_of

from voiso_async import InputFileError
from voiso_async.files.xlsx.sheet import SheetRows

SHEET = "xl/worksheets/sheet1.xml"
MEBIBYTE = 1024 * 1024


async def reason_of(path: Path, **options: Any) -> str:
    """Why a file is refused: within a second, and within 50 MB."""
    began = time.process_time()
    tracemalloc.start()
    with pytest.raises(InputFileError) as caught:
        await leads_in(path, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
    assert time.process_time() - began < 3  # one second, with tracing and on a machine that is busy
    assert str(caught.value).startswith(f"{path.name}: ")
    return caught.value.reason


async def test_the_book_that_the_hostile_ones_are_made_of_can_be_read(tmp_path: Path) -> None:
    assert [{"phone_number": "441632960001"}] == await leads_in(hostile_book(tmp_path / "leads.xlsx"))


def bomb(path: Path, ratio: str, part: str = SHEET) -> Path:
    """A workbook with a part of 210 MB that is packed so many times."""
    block = {"419:1": b"<row><c><v>1</v></c></row>", "1000:1": b" " * 26}[ratio] * (MEBIBYTE // 26)
    hostile_book(path, {part: None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as file:
        file.write(sheet_of(PHONE_ROWS).encode().removesuffix(b"</sheetData></worksheet>"))
        for _ in range(200):
            file.write(block)
    return path


@pytest.mark.row(180)
@pytest.mark.parametrize("ratio", ["419:1", "1000:1"])
@pytest.mark.parametrize("part", [SHEET, "xl/sharedStrings.xml", "xl/media/image1.png"])
async def test_a_part_that_is_packed_too_tightly(tmp_path: Path, ratio: str, part: str) -> None:
    path = bomb(tmp_path / "leads.xlsx", ratio, part)
    assert path.stat().st_size < 2 * MEBIBYTE
    assert "too_large" == await reason_of(path)


def lying(path: Path, declared: int) -> Path:
    """A bomb that says in both of its directories that it is small."""
    bomb(path, "1000:1")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(SHEET)
    entry = content.rfind(b"PK\x01\x02", 0, content.rfind(SHEET.encode()))
    struct.pack_into("<I", content, entry + 24, declared)
    struct.pack_into("<I", content, info.header_offset + 22, declared)
    path.write_bytes(content)
    return path


@pytest.mark.row(181)
async def test_a_part_that_would_begin_before_the_file_does(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx")
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x05\x06") + 16
    struct.pack_into("<I", content, place, struct.unpack_from("<I", content, place)[0] + 4)
    path.write_bytes(content)
    assert "damaged" == await reason_of(path)


@pytest.mark.row(180)
@pytest.mark.parametrize("declared", [0, 100, 5 * MEBIBYTE])
async def test_a_part_that_lies_about_its_size(tmp_path: Path, declared: int) -> None:
    path = lying(tmp_path / "leads.xlsx", declared)
    assert "too_large" == await reason_of(path)
    with zipfile.ZipFile(path) as archive:
        assert declared == archive.getinfo(SHEET).file_size


@pytest.mark.row(180)
async def test_parts_that_are_too_large_together(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx")
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<II", content, at + 20, 0x30000000, 0x30000000)
        at = content.find(b"PK\x01\x02", at + 1)
    path.write_bytes(content)
    assert "too_large" == await reason_of(path)


@pytest.mark.row(180)
async def test_too_many_parts(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx", {f"xl/media/{n}": b"" for n in range(5000)})
    assert "too_large" == await reason_of(path)


@pytest.mark.row(180)
async def test_a_directory_that_says_it_is_endless(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rfind(b"PK\x05\x06") + 12, 0x7FFFFFFF)
    path.write_bytes(content)
    assert "too_large" == await reason_of(path)


@pytest.mark.row(180)
async def test_a_zip_of_workbooks_is_not_looked_into(tmp_path: Path) -> None:
    inner = hostile_book(tmp_path / "inner.xlsx").read_bytes()
    path = tmp_path / "leads.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.xlsx", inner)
    assert "wrong_format" == await reason_of(path)


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
DOCTYPES = {
    "expansion": f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]>',
    "file": '<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/hostname">]>',
    "network": '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/e.dtd"> %e;]>',
    "elsewhere": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/e.dtd">',
}


@pytest.mark.row(181)
@pytest.mark.parametrize("doctype", DOCTYPES)
@pytest.mark.parametrize(
    "part", [SHEET, "xl/workbook.xml", "_rels/.rels", "xl/sharedStrings.xml", "xl/styles.xml"]
)
async def test_entities_of_any_kind(tmp_path: Path, doctype: str, part: str) -> None:
    book = {
        **BOOK,
        SHEET: sheet_of('<row r="1"><c r="A1" t="s"><v>0</v></c></row>'),
        "xl/sharedStrings.xml": "<sst><si><t>&e9;</t></si></sst>",
        "xl/styles.xml": "<styleSheet/>",
    }
    plain = book[part].removeprefix('<?xml version="1.0"?>')
    path = hostile_book(tmp_path / "leads.xlsx", book | {part: DOCTYPES[doctype] + plain})
    assert "entities" == await reason_of(path)


@pytest.mark.row(181)
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"xl/vbaProject.bin": b"x"}, "macros"),
        ({"xl/externalLinks/externalLink1.xml": "<x/>"}, "external_links"),
        ({SHEET: "not XML"}, "damaged"),
        ({SHEET: ""}, "damaged"),
        ({SHEET: None}, "damaged"),
        ({SHEET: sheet_of(PHONE_ROWS)[:-30]}, "damaged"),
        ({SHEET: sheet_of("<a>" * 1000)}, "damaged"),
        ({SHEET: sheet_of("")}, "empty"),
        ({SHEET: sheet_of('<row r="2"/><row r="1"/>')}, "damaged"),
        ({SHEET: sheet_of('<row r="1048577"/>')}, "damaged"),
        ({SHEET: sheet_of('<row r="-1"/>')}, "damaged"),
        ({SHEET: sheet_of('<row><c r="ABCD1"><v>1</v></c></row>')}, "damaged"),
        ({SHEET: sheet_of('<row><c r="XFE1"><v>1</v></c></row>')}, "damaged"),
        ({SHEET: sheet_of('<row><c r="1"><v>1</v></c></row>')}, "damaged"),
        ({SHEET: sheet_of('<row><c r="ALM1"><v>1</v></c></row>')}, "too_wide"),
        ({SHEET: sheet_of('<row><c t="s"><v>0</v></c></row>')}, "damaged"),
        ({SHEET: sheet_of('<row><c t="s"><v>-1</v></c></row>')}, "damaged"),
        ({SHEET: sheet_of(f'<row><c t="str"><v>{"1" * 1_100_000}</v></c></row>')}, "too_large"),
        ({SHEET: sheet_of(f'<row><c a="{"1" * 2_000_000}"/></row>')}, "damaged"),
        ({SHEET: sheet_of(PHONE_ROWS).encode("utf-16")[:-1]}, "damaged"),
        ({SHEET: '<?xml version="1.0" encoding="klingon"?><x/>'}, "damaged"),
        ({"xl/workbook.xml": "<workbook/>"}, "damaged"),
        ({"xl/workbook.xml": None}, "damaged"),
        ({"xl/_rels/workbook.xml.rels": None}, "damaged"),
        ({"xl/styles.xml": "<styleSheet><cellXfs>" + "<xf/>" * 80_000 + "</cellXfs></styleSheet>"}, "damaged"),
        (
            {
                "xl/_rels/workbook.xml.rels": BOOK["xl/_rels/workbook.xml.rels"].replace(
                    'Target="worksheets/sheet1.xml"', 'Target="file:///etc/passwd" TargetMode="External"'
                )
            },
            "damaged",
        ),
    ],
)
async def test_parts_that_no_spreadsheet_program_writes(
    tmp_path: Path, parts: dict[str, str | bytes | None], reason: str
) -> None:
    assert reason == await reason_of(hostile_book(tmp_path / "leads.xlsx", parts))


@pytest.mark.row(181)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"phone\n441632960001\n", "not_xlsx"),
        (b"", "empty"),
        (b"PK\x03\x04", "damaged"),
        (b"PK\x03\x04" + b"x" * 1000, "damaged"),
        (b"PK\x03\x04PK\x05\x06" + b"\0" * 18, "wrong_format"),
        (b"PK\x03\x04" + b"\0" * 60 + b"PK\x06\x07" + b"\xff" * 16 + b"PK\x05\x06" + b"\xff" * 18, "damaged"),
    ],
)
async def test_files_that_only_have_the_name_of_a_workbook(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "leads.xlsx"
    path.write_bytes(content)
    assert reason == await reason_of(path)


@pytest.mark.row(181)
async def test_a_password(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx")
    content = bytearray(path.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" == await reason_of(path)


@pytest.mark.row(181)
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_an_unusual_way_of_packing(tmp_path: Path, method: int) -> None:
    path = tmp_path / "leads.xlsx"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in BOOK.items():
            archive.writestr(name, content)
    assert "damaged" == await reason_of(path, format="xlsx")


async def test_two_parts_of_one_name(tmp_path: Path) -> None:
    path = hostile_book(tmp_path / "leads.xlsx", {SHEET.upper(): "<x/>"})
    assert "damaged" == await reason_of(path)


async def test_a_workbook_cannot_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"PK\x03\x04")
    with pytest.raises(InputFileError) as caught:
        await leads_in(reading)  # type: ignore[arg-type]
    os.close(reading)
    os.close(writing)
    assert "pipe" == caught.value.reason


async def test_two_cells_far_apart_take_no_memory(tmp_path: Path) -> None:
    rows = PHONE_ROWS + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    path = hostile_book(tmp_path / "leads.xlsx", {SHEET: sheet_of(rows)})
    tracemalloc.start()
    assert [None, "empty"] == await reasons_in(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.row(180)
def test_the_memory_of_the_whole_process_stays_small(tmp_path: Path) -> None:
    """Also what no tracing sees: the parser's and the unpacker's own memory."""
    path = lying(tmp_path / "leads.xlsx", 5 * MEBIBYTE)
    deep = hostile_book(tmp_path / "deep.xlsx", {SHEET: sheet_of("<a>" * 2_000_000)})
    code = f"""
import resource, asyncio
from voiso_async import InputFileError
from voiso_async.files import open_leads
async def read(path):
    try:
        async with open_leads(path) as leads:
            await leads.check()
    except InputFileError as error:
        print(error.reason)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in {[str(path), str(deep)]!r}:
    asyncio.run(read(path))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    first, second, grown = done.stdout.split()
    assert ("too_large", "damaged") == (first, second)
    unit = 1024 if sys.platform == "darwin" else 1
    assert int(grown) / unit < 50_000


GOOD = io.BytesIO()
with zipfile.ZipFile(GOOD, "w", zipfile.ZIP_DEFLATED) as _archive:
    for _name, _content in BOOK.items():
        _archive.writestr(_name, _content)


@settings(deadline=2000)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD.getvalue()) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(GOOD.getvalue())),
)
def test_a_damaged_workbook_is_rows_or_a_fault(changes: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(GOOD.getvalue())
    for place, byte in changes:
        content[place] = byte
    with NamedTemporaryFile() as file:
        file.write(content[:cut] if cut % 3 == 0 else content)
        file.flush()
        with suppress(InputFileError), Path(file.name).open("rb") as stream:
            assert all(row > 1 for row, _ in SheetRows(stream))


@settings(deadline=2000)
@given(
    st.lists(
        st.sampled_from(
            ["<row>", "</row>", '<row r="5">', "<c>", "</c>", '<c r="B2" t="s">', "<v>", "</v>", "1", "&#0;"]
        )
        | st.text(max_size=5)
    ).map("".join)
)
def test_any_sheet_is_rows_or_a_fault(rows: str) -> None:
    with NamedTemporaryFile() as file:
        hostile_book(Path(file.name), {SHEET: sheet_of(rows).encode("utf-8", "replace")})
        with suppress(InputFileError), Path(file.name).open("rb") as stream:
            assert all(row > 1 for row, _ in SheetRows(stream))
