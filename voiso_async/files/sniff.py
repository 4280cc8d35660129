"""What the first bytes of a file say: the mark of its encoding, and whether it is no list of leads at all."""

import codecs
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from voiso_async.errors import InputFileError
from voiso_async.files.disk import Source

FileFormat = Literal["csv", "jsonl", "xlsx"]
FORMATS: tuple[FileFormat, ...] = ("csv", "jsonl", "xlsx")
SUFFIXES: Mapping[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}

PEEK_BYTES = 4096
ZIP = b"PK\x03\x04"
HOW_TO_SAVE = "save it as .xlsx, or as CSV (UTF-8)"

BOMS = (  # that of UTF-32 before that of UTF-16, which it begins with
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_COMPRESSED = "compressed: unpack it first"
_PICTURE = "a picture: a list of leads is a table, " + HOW_TO_SAVE
_WEB_PAGE = f"a web page (HTML), whatever its name says: open it in Excel and {HOW_TO_SAVE}"
_XML = f"XML: open it in Excel and {HOW_TO_SAVE}"
_SIGNATURES = (
    (
        rb"\xd0\xcf\x11\xe0",
        f"an old Excel workbook (.xls), or one with a password: {HOW_TO_SAVE}, without a password",
    ),
    (rb"\t[\x00\x02\x04][\x04\x06]\x00", f"a very old Excel workbook (.xls): {HOW_TO_SAVE}"),
    (rb"PK\x05\x06", "an empty zip archive: there is nothing to send"),
    (rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a", _COMPRESSED),
    (rb"%PDF", "a PDF: save the table as .xlsx, or as CSV (UTF-8)"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*|RIFF....WEBP|\x00\x00\x00.ftyp", _PICTURE),
    (rb"SQLite format 3\x00", "an SQLite database: export its table as CSV (UTF-8)"),
    (rb"PAR1\x15", "a Parquet file: export it as CSV (UTF-8)"),
)
_TEXT_SIGNATURES = (
    (r"\{\\rtf", f"a text document (RTF): open it and {HOW_TO_SAVE}"),
    (r"begin:vcard", "contacts (vCard): export them as CSV (UTF-8)"),
    (r"id;pwxl", f"a table in Excel's old form SYLK: open it in Excel and {HOW_TO_SAVE}"),
    (
        r"([\w-]+:.*\n([ \t].*\n)*)*mime-version:",
        f"a web page in one file (MHTML), or a mail: open it in Excel and {HOW_TO_SAVE}",
    ),
    (
        r"<(\w+:)?workbook\b",
        f"an XML spreadsheet of Excel 2003, whatever its name says: open it in Excel and {HOW_TO_SAVE}",
    ),
    (r"<(html|head|meta|title|style|script|body|table|div|span|font|center|tr|!doctype html)\b|<!--", _WEB_PAGE),
    (r"<(\?|!doctype\b|[\w-]+:[\w-]+[\s>])", _XML),
)
_FOREIGN_BYTES = [(re.compile(pattern, re.DOTALL), what) for pattern, what in _SIGNATURES]
_FOREIGN_TEXT = [(re.compile(pattern, re.IGNORECASE), what) for pattern, what in _TEXT_SIGNATURES]
_PROLOGUE = re.compile(r"(\s+|<\?.*?\?>|<!--.*?-->)+", re.DOTALL)


def peek(stream: io.BufferedReader) -> bytes:
    """Look at the first bytes of a stream; they stay in it."""
    return stream.peek(PEEK_BYTES)[:PEEK_BYTES]


def bom_encoding(start: bytes) -> str | None:
    """Tell by its mark which Unicode encoding a text has."""
    return next((encoding for mark, encoding in BOMS if start.startswith(mark)), None)


def ascii_text(start: bytes) -> str:
    """Read the ASCII characters of a file's start, whichever encoding it has."""
    for mark, _ in BOMS:
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").decode("ascii", "replace")


def foreign_format(start: bytes) -> str | None:
    """Name what is no list of leads, whatever its name says, and what to do with it."""
    for pattern, what in _FOREIGN_BYTES:
        if pattern.match(start):
            return what
    text = ascii_text(start).lstrip()
    root = text[found.end() :] if (found := _PROLOGUE.match(text)) else text
    for strange, what in _FOREIGN_TEXT:
        if strange.match(root):
            return what
    return _XML if text.startswith("<?xml") else None


def detect_format(source: Source, name: str, stream: io.BufferedReader, wanted: FileFormat | None) -> FileFormat:
    """Judge by the first bytes, which do not lie about what is no list, then by the file's name."""
    try:
        start = peek(stream)
    except OSError:  # a folder, say: beginning to read it tells the reason
        return wanted or "csv"
    if what := foreign_format(start):
        raise InputFileError(f"{name}: it is {what}", reason="wrong_format")
    if start.startswith(ZIP) and wanted not in (None, "xlsx"):
        raise InputFileError(f"{name}: it is a workbook or a zip archive: name no format", reason="wrong_format")
    return wanted or _guess_format(source, start)


def _guess_format(source: Source, start: bytes) -> FileFormat:
    if start.startswith(ZIP):
        return "xlsx"
    if ascii_text(start).lstrip()[:1] in ("{", "["):
        return "jsonl"
    ending = "" if isinstance(source, int) else Path(os.fsdecode(source)).suffix.lower()
    return SUFFIXES.get(ending, "csv")


WESTERN = "cp1252"

_NOT_WESTERN = re.compile(
    # what no Western text holds
    rb"[^\x00-\x7f\x80\x85\x8a\x8c\x8e\x91-\x97\x99\x9a\x9c\x9e-\xa1\xa3\xa7\xa9-\xab\xae\xb0\xb4\xb7\xba\xbb"
    rb"\xbf-\xd6\xd8-\xf6\xf8-\xff]"
    rb"|[\xc0-\xff]{3}"  # what Cyrillic or Greek looks like
    rb"|[a-z][\x8a\x8c\x8e\x9f\xc0-\xde]"  # what other code pages make of a small letter: a capital in a word
)


def guess_encoding(line: bytes) -> str | None:
    """Name the encoding in which a line that is not UTF-8 makes sense, if there is one that is usual."""
    return None if not line or _NOT_WESTERN.search(line) else WESTERN


def utf16_without_bom(start: bytes) -> str | None:
    """Tell UTF-16 whose mark is missing by where its NUL bytes stand."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd) or max(even, odd) * 5 < len(start):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def decode_western(line: bytes) -> str:
    """Read a line that is not UTF-8 so that its ASCII characters are right, and most of the others."""
    return line.decode(WESTERN, "replace")
