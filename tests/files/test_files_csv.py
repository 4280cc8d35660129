"""A CSV file as a source of leads: strict, bounded, exact about where a fault stands."""

import csv
import io
import os
import threading
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_in import report_in

from voiso_async import ConfigurationError, InputFileError, SourceError, VoisoClient
from voiso_async.files import open_leads
from voiso_async.files.csv_rows import LONGEST_ROW, CsvRows
from voiso_async.sandbox import Sandbox

PHONE = "441632960123"


def rows(content: bytes, **options: Any) -> list[tuple[int, list[str]]]:
    return list(CsvRows(io.BufferedReader(io.BytesIO(content)), **options))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n1,2\n", [(2, ["1", "2"])]),
        (b"a,b\r\n1,2\r\n3,4", [(2, ["1", "2"]), (3, ["3", "4"])]),
        (b"a,b\r1,2\r", [(2, ["1", "2"])]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [(2, ["1", "2"])]),
        (b"a;b\n1;2,5\n", [(2, ["1", "2,5"])]),
        (b"a\tb\n1\t2\n", [(2, ["1", "2"])]),
        (b"a|b\n1|2,5\n", [(2, ["1", "2,5"])]),
        ("a,b\n1,\u0418\n".encode("utf-16"), [(2, ["1", "\u0418"])]),
        (b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"), [(2, ["1", "2"])]),
        (b'a,b\n"1\n\n1","2""3"\n4,5\n', [(2, ["1\n\n1", '2"3']), (3, ["4", "5"])]),
        (b"\n\na,b\n\n1,2\n , \n,\n3,4\n\n", [(5, ["1", "2"]), (8, ["3", "4"])]),
        (b'"a\nx",b\n1,2\n', [(2, ["1", "2"])]),
        (b"a,b\n", []),
        ("a,b\nZo\u00eb,\u4e16\n".encode(), [(2, ["Zo\u00eb", "\u4e16"])]),
        ("a,b\n1,2\n".encode("utf-32"), [(2, ["1", "2"])]),
        (b'"a\nx";"b"\n"1";"2"\n', [(2, ["1", "2"])]),
        (b'"a\r\n\r\nx"\t"b"\r\n1\t2\r\n', [(2, ["1", "2"])]),
        (b'"a, and ""b"",\nc,d"|b\n1|2\n', [(2, ["1", "2"])]),
        (b'12" a;b\n1;2\n', [(2, ["1", "2"])]),
        (b"a;b\n1;2;;;\n3;4; ;\n5;6\n", [(2, ["1", "2"]), (3, ["3", "4"]), (4, ["5", "6"])]),
        (b"a;b;;\n1;2\n3;4;\n", [(2, ["1", "2", "", ""]), (3, ["3", "4", "", ""])]),
        (b"a;b\r\n1;2\r\n\x1a", [(2, ["1", "2"])]),
        (b"a;b\n1;2\x1a\x1a\x1a", [(2, ["1", "2"])]),
        (b"a;b\n1;2\n\x1a\r\n", [(2, ["1", "2"])]),
        (b"a\n1\x1a\n2\n\x1a", [(2, ["1\x1a"]), (3, ["2"])]),
        ("a;b\n1;2\n\x1a".encode("utf-16"), [(2, ["1", "2"])]),
        (b"a\n1\n\n\n\x1a", [(2, ["1"])]),
    ],
)
def test_rows_and_their_numbers(content: bytes, expected: list[tuple[int, list[str]]]) -> None:
    assert expected == rows(content)


@pytest.mark.row(177)
@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "utf-8", "latin-1"])
def test_a_declared_encoding(encoding: str) -> None:
    text = "\u0418\u043c\u044f" if encoding in {"cp1251", "utf-16"} else "a"
    assert [(2, [text])] == rows(f"a\n{text}\n".encode(encoding), encoding=encoding)


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("sep=;", ";"),
        ("sep=,", ","),
        ("sep=|", "|"),
        ("sep=~", "~"),
        ("sep=\t", "\t"),
        (r"sep=\t", "\t"),
        ("SEP=;", ";"),
        ('"sep=;"', ";"),
        ('"Sep=,"', ","),
        ('"sep=;";;', ";"),
        ("sep=;;", ";"),
        ("sep=", ";"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_may_name_the_delimiter_and_is_no_row(line: str, delimiter: str, encoding: str) -> None:
    text = f"{line}\r\na;,b{delimiter}c\r\n\r\n1{delimiter}2,3;4\r\n" if delimiter == "~" else ""
    text = text or f"{line}\r\na{delimiter}c\r\n\r\n1{delimiter}2\r\n"
    assert [(3, ["1", "2,3;4" if delimiter == "~" else "2"])] == rows(text.encode(encoding))


def test_a_delimiter_that_is_given_counts_more_than_the_first_line() -> None:
    assert [(2, ["1;2", "3"])] == rows(b"sep=;\na;b,c\n1;2,3\n", delimiter=",")


def test_only_the_first_line_names_a_delimiter() -> None:
    assert [(2, ["sep=;"]), (3, ["sep=|"])] == rows(b"a\nsep=;\nsep=|\n")
    assert [(3, ["a", "b"])] == rows(b"\nsep=;\na;b\n")


ENCODINGS = ["utf-8", "utf8", "UTF-8", "utf_8", "U8", "cp65001", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-32"])
@pytest.mark.parametrize("written", ["utf-8-sig", "utf-16"])
def test_the_mark_knows_better_which_unicode_encoding_a_file_has(encoding: str, written: str) -> None:
    assert [(2, ["\u0418"])] == rows('"a"\n"\u0418"\n'.encode(written), encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "U8", "cp65001"])
async def test_the_mark_is_no_part_of_a_first_lead(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"+{PHONE}\n+441632960124\n", encoding="utf-8-sig")
    async with open_leads(path, encoding=encoding) as leads:
        assert [1, 2] == [row.row async for row in leads]


@pytest.mark.parametrize("written", ["utf-8-sig", "utf-16"])
def test_another_encoding_than_the_mark_says_is_a_fault(written: str) -> None:
    with pytest.raises(
        InputFileError, match=r"the mark of UTF-(8|16), so it is not cp1252: name no encoding"
    ) as caught:
        rows("a\n1\n".encode(written), encoding="cp1252")
    assert "encoding" == caught.value.reason


def test_a_cell_may_be_as_long_as_a_row_and_the_limit_of_the_host_program_stays() -> None:
    longest = "1" * (LONGEST_ROW - 1)
    limit = csv.field_size_limit(10)
    try:
        assert [(2, [longest])] == rows(f"a\n{longest}\n".encode())
        assert [(2, [f"{longest[:-4]}\n1"])] == rows(f'a\n"{longest[:-4]}\n1"'.encode())
        assert [(2, ["1", "2"])] == rows(f'"{longest[:-5]}\n";b\n1;2\n'.encode())
        assert 10 == csv.field_size_limit()
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize("content", [f"a\n{'1' * LONGEST_ROW}\n", 'a\n"' + "1\n" * LONGEST_ROW])
def test_a_row_that_is_too_long_is_told_the_limit(content: str) -> None:
    with pytest.raises(InputFileError, match="row 2: it has more than 1048576 characters"):
        rows(content.encode())


FAULTS: list[tuple[bytes, int | None, str]] = [
    (b"", None, "empty"),
    (b"\n\r\n\n", None, "empty"),
    (b",,\n", None, "empty"),
    (b"a,b\n1,2\n3\n", 3, "ragged"),
    (b"a,b\n1,2,3\n", 2, "ragged"),
    (b'a,b\n1,"2\n3,4\n', 2, "open_quote"),
    (b'a,b\n1,2\n"3"4,5\n', 3, "stray_quote"),
    (b"a,b\n1,\x00\n", 2, "nul"),
    (b"a,\x00b\n1,2\n", 1, "nul"),
    (b"a,b\n1,2\n3,\xe9\n", 3, "encoding"),
    (b"a,\xe9\n", 1, "encoding"),
    (b"a\n" + b"1" * (LONGEST_ROW + 1), 2, "too_large"),
    (b'a\n1\n"' + b"1\n" * LONGEST_ROW, 3, "too_large"),
    (b'a\n"' + b'\n","' * LONGEST_ROW, 2, "too_large"),
    (b"a\n" + b"1" * LONGEST_ROW + b"\n", 2, "too_large"),
    (b"," * 10_000 + b"a\n", 1, "too_wide"),
    (b"a;b;\n1;2;;3\n", 2, "ragged"),
    (b"a;b;\n1\n", 2, "ragged"),
    (b"sep=;\na;b\n1\n", 2, "ragged"),
    (b"a;b\n1;2\n\x1a\n3;4\n", 3, "ragged"),
    (b'"a\nb";c\n1\n', 2, "ragged"),
    (b"\x1a", None, "empty"),
    (b"sep=;\n", None, "empty"),
    (bytes(range(256)), 1, "nul"),
]


@pytest.mark.row(176, 177, 178, 179)
@pytest.mark.parametrize(("content", "row", "reason"), FAULTS, ids=[reason for _, _, reason in FAULTS])
def test_what_is_wrong_names_its_row(content: bytes, row: int | None, reason: str) -> None:
    with pytest.raises(InputFileError) as caught:
        rows(content)
    assert (row, reason) == (caught.value.row, caught.value.reason)
    assert str(caught.value).isprintable()


def test_a_truncated_utf16_file_is_a_fault_of_its_row() -> None:
    with pytest.raises(InputFileError) as caught:
        rows("a\n1\n2\n".encode("utf-16")[:-1], encoding="utf-16")
    assert "encoding" == caught.value.reason


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_fault_of_the_file(content: bytes) -> None:
    with suppress(InputFileError):
        assert all(row > 1 for row, _ in rows(content))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.lists(TEXTS, min_size=1))
def test_what_was_written_is_read(cells: list[str]) -> None:
    text = "a\n" + "".join('"' + cell.replace('"', '""') + '"\n' for cell in cells)
    assert [cell for cell in cells if cell.strip()] == [row[0] for _, row in rows(text.encode())]


async def test_an_open_file_knows_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f"phone\n\n{PHONE}\n,\n441632960124\n\n\n441632960125\n".replace(",", " "), encoding="utf-8")
    async with open_leads(path) as leads:
        assert ("leads.csv", None) == (leads.name, leads.rows)
        await leads.check()
        assert 3 == leads.rows
        found = [lead async for lead in leads]
        assert [3, 5, 8] == [leads.row_of(index) for index in range(3)]
    assert [3, 5, 8] == [lead.row for lead in found]


@pytest.mark.parametrize(
    ("name", "says"),
    [("nowhere.csv", "nowhere.csv: it cannot be read: no such file"), (".", "it cannot be read: is a directory")],
)
async def test_what_cannot_be_opened(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(InputFileError, match=says) as caught:
        await open_leads(tmp_path / name).open()
    assert "unreadable" == caught.value.reason


@pytest.mark.row(179)
async def test_an_endless_device_is_a_fault_and_not_a_hang() -> None:
    with pytest.raises(InputFileError) as caught:
        await open_leads("/dev/zero").open()
    assert "too_large" == caught.value.reason


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", "\0"])
async def test_a_delimiter_that_cannot_be(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ConfigurationError, match="the delimiter must be one character"):
        await open_leads(tmp_path / "leads.csv", delimiter=delimiter).open()


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "a\0b"])
async def test_an_encoding_that_is_none(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="there is no text encoding named"):
        await open_leads(path, encoding=encoding).open()


async def test_a_fault_far_down_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("phone\n" + f"{PHONE}\n" * 5000 + '"open\n', encoding="utf-8")
    async with open_leads(path) as leads:
        with pytest.raises(InputFileError, match="row 5002: it begins a quote") as caught:
            await leads.check()
    assert 5002 == caught.value.row


@pytest.mark.row(183)
async def test_a_file_that_changes_while_it_is_read_ends_the_push(
    tmp_path: Path, voiso_sandbox: Sandbox, voiso_client: VoisoClient
) -> None:
    voiso_sandbox.add_campaign(id=3)
    path = tmp_path / "leads.csv"
    phones = [f"4416329600{place % 100:02}" for place in range(2001)]
    path.write_text("\n".join(["phone", *phones, ""]), encoding="utf-8")
    async with open_leads(path) as leads:
        await leads.check()
        assert await anext(leads)
        with path.open("a", encoding="utf-8") as file:
            file.write("441632960124\n")
        with pytest.raises(SourceError) as caught:
            await voiso_client.leads.add(3, leads)
    assert isinstance(caught.value.__cause__, InputFileError)
    assert "leads.csv: row 2002: the file was changed while it was read" == str(caught.value.__cause__)
    assert f"InputFileError: {caught.value.__cause__}; what had been sent" in str(caught.value)
    assert report_in(caught.value).balanced
    assert 1999 == report_in(caught.value).rows


async def test_the_rows_of_a_pipe_come_as_they_are_written() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"phone\n441632960001\n441632960002\n")
    async with open_leads(reading) as leads:
        await leads.check()
        assert (f"file descriptor {reading}", None) == (leads.name, leads.rows)
        with anyio.fail_after(5):
            found = [await anext(leads), await anext(leads)]
            os.write(writing, b"441632960003\n")
            found.append(await anext(leads))
            os.close(writing)
            found += [lead async for lead in leads]
    os.close(reading)
    assert [2, 3, 4] == [lead.row for lead in found]


async def test_waiting_for_a_pipe_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"phone\n")
    async with open_leads(reading) as leads:
        with anyio.move_on_after(0.1) as scope:
            await anext(leads)
    os.close(writing)
    assert scope.cancelled_caught
    assert await anyio.to_thread.run_sync(threading.active_count) < 10


async def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("phone,name\n")
        file.writelines(f"{PHONE},{'n' * 400}\n" for _ in range(30_000))
    async with open_leads(path) as leads:
        tracemalloc.start()
        await leads.check()
        count = 0
        async for _ in leads:
            count += 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert 30_000 == count == leads.rows
    assert peak < 8_000_000 < path.stat().st_size
