"""The front door to files of leads: forms, options, digests, estimates, and files that change underneath."""

import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from lead_files import hostile_book, leads_in, rows_in

from voiso_async import ConfigurationError, InputFileError
from voiso_async.files import LeadFile, open_leads
from voiso_async.files.disk import path_from_text, path_to_text
from voiso_async.files.sniff import foreign_format
from voiso_async.ingest.prepare import InvalidLead

PHONE = "441632960123"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("leads.csv", b"phone\n441632960123\n", "csv"),
        ("leads.txt", b"441632960123\n", "csv"),
        ("leads", b'{"phone": 441632960123}\n', "jsonl"),
        ("leads.csv", b'\xef\xbb\xbf {"phone": 441632960123}\n', "jsonl"),
        ("leads.jsonl", b"441632960123\n", "jsonl"),
        ("leads.NDJSON", b'"441632960123"\n', "jsonl"),
    ],
)
async def test_a_form_is_told_by_the_first_bytes_then_by_the_name(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    async with open_leads(path) as leads:
        assert (expected, expected) == (leads.format, leads.options["format"])
        assert [PHONE] == [row.lead["phone_number"] async for row in leads]


async def test_a_workbook_is_one_whatever_its_name(tmp_path: Path) -> None:
    async with open_leads(hostile_book(tmp_path / "leads.csv")) as leads:
        assert "xlsx" == leads.format


OTHER_TEXTS = [
    ("<html><head><meta charset='utf-8'></head><body><table><tr><th>Phone</th></tr></table></html>", "web page"),
    ("<!DOCTYPE html>\n<html>", "web page"),
    ("\n <!-- made by a <CRM> -->\n\n<TABLE border=1><tr><td>Phone</td></tr></TABLE>", "web page"),
    (f"<!-- {'x' * 10_000} -->", "web page"),
    ('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">\n<html xmlns="x">', "web page"),
    ("<style>td {mso-number-format: x}</style><table>", "web page"),
    ("MIME-Version: 1.0\nContent-Type: multipart/related\n\n--x\nPhone\n", "MHTML"),
    ('From: "Excel"\r\nSubject: =?x?=\r\n\tfolded\r\nMIME-Version: 1.0\r\n', "MHTML"),
    ('<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook xmlns="x">', "XML spreadsheet"),
    ('<ss:Workbook xmlns:ss="x">', "XML spreadsheet"),
    ('<?xml version="1.0"?><leads><lead/></leads>', "XML"),
    ('<?xml version="1.0"', "XML"),
    ("{\\rtf1\\ansi{\\fonttbl}", "text document"),
    ("BEGIN:VCARD\r\nVERSION:3.0\r\n", "contacts"),
    ("ID;PWXL;N;E\r\n", "SYLK"),
]


@pytest.mark.parametrize("name", ["leads.xls", "leads.csv", "leads.xlsx", "leads.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
async def test_a_text_that_is_no_list_is_named_whatever_its_name(tmp_path: Path, name: str, encoding: str) -> None:
    for text, what in OTHER_TEXTS:
        (tmp_path / name).write_text(text, encoding=encoding, newline="")
        for wanted in (None, "csv", "jsonl", "xlsx"):
            with pytest.raises(InputFileError, match=what) as caught:
                await open_leads(tmp_path / name, format=wanted).open()
            assert "wrong_format" == caught.value.reason
            assert "(UTF-8)" in str(caught.value)
            assert str(caught.value).startswith(f"{name}: it is ") or what == "contacts"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 100, "old Excel workbook"),
        (b"\x09\x00\x04\x00\x02\x00", "very old Excel workbook"),
        (b"\x1f\x8b\x08", "compressed: unpack it"),
        (b"BZh91AY&SY", "compressed"),
        (b"\xfd7zXZ\x00", "compressed"),
        (b"PK\x05\x06" + b"\0" * 18, "empty zip archive"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"GIF89a", "picture"),
        (b"\x00\x00\x00\x18ftypheic", "picture"),
        (b"SQLite format 3\x00", "database"),
        (b"PAR1\x15\x04", "Parquet"),
    ],
)
@pytest.mark.parametrize("name", ["leads.xls", "leads.csv", "leads.xlsx", "leads.jsonl"])
async def test_bytes_that_are_no_list_are_named_whatever_their_name(
    tmp_path: Path, name: str, start: bytes, what: str
) -> None:
    (tmp_path / name).write_bytes(start)
    with pytest.raises(InputFileError, match=f"^{name}: it is an? .*{what}|^{name}: it is {what}") as caught:
        await open_leads(tmp_path / name).open()
    assert "wrong_format" == caught.value.reason


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("xl/workbook.bin", "xlsb"),
        ("content.xml", "OpenDocument"),
        ("Index/Document.iwa", "Numbers"),
        ("Index.zip", "Numbers"),
        ("word/document.xml", "Word"),
        ("leads.csv", "zip archive, and no workbook: unpack it"),
    ],
)
async def test_another_zip_than_a_workbook_is_named(tmp_path: Path, part: str, what: str) -> None:
    path = tmp_path / "leads.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(part, "x")
    with pytest.raises(InputFileError, match=f"leads.xlsx: it is an? .*{what}") as caught:
        await open_leads(path).open()
    assert "wrong_format" == caught.value.reason
    with pytest.raises(InputFileError, match="it is a workbook or a zip archive: name no format"):
        await open_leads(path, format="csv").open()


@pytest.mark.parametrize("name", [b"leads.csv", b"bad\xff.csv", b"a%20 b\xff%.csv", "\u00fc.csv".encode()])
async def test_options_of_files_whose_names_are_no_text_are_json(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_text(f"phone\n{PHONE}\n", encoding="utf-8")
    assert str(path) == path_from_text(path_to_text(path))
    async with open_leads(path, suppress=path) as leads:
        options = msgspec.json.decode(msgspec.json.encode(leads.options))
    async with open_leads(path, **options) as leads:
        assert ["suppressed"] == [row.lead.reason async for row in leads if isinstance(row.lead, InvalidLead)]


@pytest.mark.parametrize(
    ("option", "value"),
    [("sheet", "\udcff"), ("delimiter", "\udcff"), ("mapping", {"name": "\udcff{a}"}), ("key_column", "\udcff")],
)
async def test_options_that_are_no_text_are_refused(tmp_path: Path, option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="holds bytes that are not UTF-8"):
        await open_leads(tmp_path / "leads.csv", **{option: value}).open()


@pytest.mark.parametrize(
    "header", ["<phone>,name", "ID;Phone;PWXL", "Phone: mobile,name", "BZhang phone,phone", "users ftyp", "PAR1"]
)
def test_an_odd_header_is_still_a_list(header: str) -> None:
    assert foreign_format(f"{header}\n1,2\n".encode()) is None


@pytest.mark.parametrize("start", ['{"phone": 441632960001}', "phone\n441632960001"])
def test_standard_input_is_told_by_its_first_byte(start: str) -> None:
    code = """
import asyncio
from voiso_async.files import open_leads
async def main():
    async with open_leads(0) as leads:
        await leads.check()
        assert await leads.estimate() is None and await leads.fingerprint() is None
        print(leads.name, leads.format, [row.lead["phone_number"] async for row in leads], leads.rows)
asyncio.run(main())
"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], input=f"{start}\n", capture_output=True, text=True, check=True, timeout=50
    )
    form = "jsonl" if start.startswith("{") else "csv"
    assert f"standard input {form} ['441632960001'] 1\n" == done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "xml"}, "there is no format 'xml'; there are csv, jsonl, xlsx"),
        ({"delimiter": ";;"}, "the delimiter must be one character"),
        ({"encoding": "klingon"}, "there is no text encoding named 'klingon'"),
        ({"encoding": "rot13"}, "there is no text encoding named 'rot13'"),
        ({"encoding": "a\0b"}, "there is no text encoding named"),
    ],
)
async def test_options_that_cannot_be_are_named_before_a_file_is_opened(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await open_leads(tmp_path / "nowhere.csv", **options).open()


async def test_options_that_are_written_down_read_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes("Nr#Given#List\n2015550123#Zo\u00eb#3\n".encode("cp1252"))
    options: dict[str, Any] = {
        "delimiter": "#",
        "encoding": "cp1252",
        "mapping": {"phone_number": "Nr", "name": "{Given} Moss"},
        "key_column": "Given",
        "campaign_column": "List",
        "region": "US",
    }
    async with open_leads(path, **options) as leads:
        again = json.loads(json.dumps(leads.options))
        assert options | {"format": "csv"} == again
        first = [row async for row in leads]
    assert first == await rows_in(path, **again)
    assert {"phone_number": "12015550123", "name": "Zo\u00eb Moss", "key": "Zo\u00eb"} == first[0].lead


async def fingerprint(path: Path, **options: Any) -> str:
    async with open_leads(path, **options) as leads:
        first = await anext(leads)
        found = await leads.fingerprint()
        assert found is not None
        assert [first.row + 1] == [row.row async for row in leads]
    return found


async def test_a_fingerprint_is_of_the_bytes_and_of_what_changes_their_meaning(tmp_path: Path) -> None:
    path, twin = tmp_path / "leads.csv", tmp_path / "copy.csv"
    for each in (path, twin):
        each.write_text(f"phone,tel 2,a\n{PHONE},12015550123,x\n{PHONE},12015550123,y\n", encoding="utf-8")
    same = await fingerprint(path)
    assert same == await fingerprint(twin) == await fingerprint(path, format="csv", international=False)
    others: list[dict[str, Any]] = [
        {"international": True},
        {"region": "US"},
        {"mapping": {"phone_number": "tel 2"}},
        {"mapping": {"name": "a"}},
        {"key_column": "a"},
        {"delimiter": ","},
    ]
    assert len(others) + 1 == len({same, *[await fingerprint(path, **options) for options in others]})
    twin.write_text(twin.read_text(encoding="utf-8").replace("y", "z"), encoding="utf-8")
    assert same != await fingerprint(twin)


@pytest.mark.parametrize(
    ("name", "line", "top"),
    [("leads.csv", f"{PHONE},Ada Moss", "phone,name"), ("leads.jsonl", f'{{"phone": {PHONE}}}', "")],
)
async def test_an_estimate_is_near_and_reads_no_row(tmp_path: Path, name: str, line: str, top: str) -> None:
    path = tmp_path / name
    path.write_text("\n".join([top, *[line] * 40_000, ""]).lstrip(), encoding="utf-8")
    async with open_leads(path) as leads:
        assert (await leads.estimate() or 0) == pytest.approx(40_000, rel=0.02)
        assert 2 - (not top) == (await anext(leads)).row
        rest = [row async for row in leads]
        assert (39_999, 40_000, 40_000) == (len(rest), leads.rows, await leads.estimate())


async def first_row(path: Path) -> LeadFile:
    leads = await open_leads(path).open()
    await anext(leads)
    return leads


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100)


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.row(183)
@pytest.mark.parametrize(
    ("change", "reason"), [(cut, "changed"), (touched, "changed"), (Path.unlink, "deleted"), (replaced, "deleted")]
)
@pytest.mark.parametrize("name", ["leads.csv", "leads.jsonl"])
async def test_a_file_that_changes_underneath(
    tmp_path: Path, change: Callable[[Path], None], reason: str, name: str
) -> None:
    path = tmp_path / name
    path.write_text("\n".join([f"{PHONE}"] * 10_000), encoding="utf-8")
    leads = await first_row(path)
    async with leads:
        change(path)
        rest = [await anext(leads) for _ in range(1999)]
        with pytest.raises(InputFileError, match=f"row 2001: the file was {reason} while it was read") as caught:
            await anext(leads)
        assert (2000, 2001, reason) == (rest[-1].row, caught.value.row, caught.value.reason)
        with pytest.raises(InputFileError):
            await leads.check()
        with pytest.raises(InputFileError):
            await leads.fingerprint()


async def test_a_fault_far_down_is_raised_when_it_is_reached_and_again(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n" + f"{PHONE}\n" * 5000 + f'"open\n{PHONE}\n', encoding="utf-8")
    async with open_leads(path) as leads:
        for row in range(2, 5002):
            assert row == (await anext(leads)).row
        with pytest.raises(InputFileError, match="row 5002"):
            await anext(leads)
        assert leads.rows is None
        with pytest.raises(InputFileError, match="row 5002"):
            await anext(leads)


async def test_the_first_row_comes_before_the_rest_of_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n" + f"{PHONE}\n" * 2_000_000, encoding="utf-8")
    async with open_leads(path) as leads:
        await anext(leads)
        assert leads._stream.tell() < path.stat().st_size / 100


@pytest.mark.row(179)
@pytest.mark.parametrize(("name", "rows"), [("leads.csv", 100_000), ("leads.jsonl", 50_000)])
async def test_the_memory_of_a_large_file_stays_flat(tmp_path: Path, name: str, rows: int) -> None:
    path = tmp_path / name
    with path.open("w", encoding="utf-8") as file:
        file.write("phone,name\n" if name.endswith("csv") else "")
        line = f"{PHONE},Ada Moss\n" if name.endswith("csv") else f'{{"phone": {PHONE}, "name": "Ada"}}\n'
        file.writelines([line] * rows)
    async with open_leads(path) as leads:
        count = 0
        async for _ in leads:
            count += 1
            if count == rows // 2:
                tracemalloc.start()
            if count == rows // 2 + 20_000:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
    assert (rows, rows) == (count, leads.rows)
    assert peak < 6_000_000


async def test_closing_twice_and_reading_a_pipe_that_nobody_closes() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"phone\n")
    leads = await open_leads(reading).open()
    with anyio.move_on_after(0.05) as scope:
        await anext(leads)
    assert scope.cancelled_caught
    await leads.aclose()
    await leads.aclose()
    os.close(writing)


async def test_a_file_without_rows_is_open_and_has_none(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n", encoding="utf-8")
    async with open_leads(path) as leads:
        await leads.check()
        assert (0, 0) == (leads.rows, await leads.estimate())
    assert [] == await leads_in(path)
