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
ENDINGS: Mapping[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}

LOOK = 4096
ZIP = b"PK\x03\x04"
SAVE = "save it as .xlsx, or as CSV (UTF-8)"

MARKS = (  # that of UTF-32 before that of UTF-16, which it begins with
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_COMPRESSED = "compressed: unpack it first"
_PICTURE = "a picture: a list of leads is a table, " + SAVE
_WEB_PAGE = f"a web page (HTML), whatever its name says: open it in Excel and {SAVE}"
_XML = f"XML: open it in Excel and {SAVE}"
_BYTES = (
    (rb"\xd0\xcf\x11\xe0", f"an old Excel workbook (.xls), or one with a password: {SAVE}, without a password"),
    (rb"\t[\x00\x02\x04][\x04\x06]\x00", f"a very old Excel workbook (.xls): {SAVE}"),
    (rb"PK\x05\x06", "an empty zip archive: there is nothing to send"),
    (rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a", _COMPRESSED),
    (rb"%PDF", "a PDF: save the table as .xlsx, or as CSV (UTF-8)"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*|RIFF....WEBP|\x00\x00\x00.ftyp", _PICTURE),
    (rb"SQLite format 3\x00", "an SQLite database: export its table as CSV (UTF-8)"),
    (rb"PAR1\x15", "a Parquet file: export it as CSV (UTF-8)"),
)
_TEXT = (
    (r"\{\\rtf", f"a text document (RTF): open it and {SAVE}"),
    (r"begin:vcard", "contacts (vCard): export them as CSV (UTF-8)"),
    (r"id;pwxl", f"a table in Excel's old form SYLK: open it in Excel and {SAVE}"),
    (
        r"([\w-]+:.*\n([ \t].*\n)*)*mime-version:",
        f"a web page in one file (MHTML), or a mail: open it in Excel and {SAVE}",
    ),
    (
        r"<(\w+:)?workbook\b",
        f"an XML spreadsheet of Excel 2003, whatever its name says: open it in Excel and {SAVE}",
    ),
    (r"<(html|head|meta|title|style|script|body|table|div|span|font|center|tr|!doctype html)\b|<!--", _WEB_PAGE),
    (r"<(\?|!doctype\b|[\w-]+:[\w-]+[\s>])", _XML),
)
_STRANGE_BYTES = [(re.compile(pattern, re.DOTALL), what) for pattern, what in _BYTES]
_STRANGE_TEXT = [(re.compile(pattern, re.IGNORECASE), what) for pattern, what in _TEXT]
_PROLOGUE = re.compile(r"(\s+|<\?.*?\?>|<!--.*?-->)+", re.DOTALL)


def start_of(stream: io.BufferedReader) -> bytes:
    """Look at the first bytes of a stream; they stay in it."""
    return stream.peek(LOOK)[:LOOK]


def marked_encoding(start: bytes) -> str | None:
    """Tell by its mark which Unicode encoding a text has."""
    return next((encoding for mark, encoding in MARKS if start.startswith(mark)), None)


def text_of(start: bytes) -> str:
    """Read the ASCII characters of a file's start, whichever encoding it has."""
    for mark, _ in MARKS:
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").decode("ascii", "replace")


def stranger(start: bytes) -> str | None:
    """Name what is no list of leads, whatever its name says, and what to do with it."""
    for pattern, what in _STRANGE_BYTES:
        if pattern.match(start):
            return what
    text = text_of(start).lstrip()
    root = text[found.end() :] if (found := _PROLOGUE.match(text)) else text
    for strange, what in _STRANGE_TEXT:
        if strange.match(root):
            return what
    return _XML if text.startswith("<?xml") else None


def found_format(source: Source, name: str, stream: io.BufferedReader, wanted: FileFormat | None) -> FileFormat:
    """Judge by the first bytes, which do not lie about what is no list, then by the file's name."""
    try:
        start = start_of(stream)
    except OSError:  # a folder, say: beginning to read it tells the reason
        return wanted or "csv"
    if what := stranger(start):
        raise InputFileError(f"{name}: it is {what}", reason="wrong_format")
    if start.startswith(ZIP) and wanted not in (None, "xlsx"):
        raise InputFileError(f"{name}: it is a workbook or a zip archive: name no format", reason="wrong_format")
    return wanted or _likely_format(source, start)


def _likely_format(source: Source, start: bytes) -> FileFormat:
    if start.startswith(ZIP):
        return "xlsx"
    if text_of(start).lstrip()[:1] in ("{", "["):
        return "jsonl"
    ending = "" if isinstance(source, int) else Path(os.fsdecode(source)).suffix.lower()
    return ENDINGS.get(ending, "csv")


WESTERN = "cp1252"

_STRANGE = re.compile(
    # what no Western text holds
    rb"[^\x00-\x7f\x80\x85\x8a\x8c\x8e\x91-\x97\x99\x9a\x9c\x9e-\xa1\xa3\xa7\xa9-\xab\xae\xb0\xb4\xb7\xba\xbb"
    rb"\xbf-\xd6\xd8-\xf6\xf8-\xff]"
    rb"|[\xc0-\xff]{3}"  # what Cyrillic or Greek looks like
    rb"|[a-z][\x8a\x8c\x8e\x9f\xc0-\xde]"  # what other code pages make of a small letter: a capital in a word
)


def likely_encoding(line: bytes) -> str | None:
    """Name the encoding in which a line that is not UTF-8 makes sense, if there is one that is usual."""
    return None if not line or _STRANGE.search(line) else WESTERN


def unmarked_utf16(start: bytes) -> str | None:
    """Tell UTF-16 whose mark is missing by where its NUL bytes stand."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd) or max(even, odd) * 5 < len(start):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def western(line: bytes) -> str:
    """Read a line that is not UTF-8 so that its ASCII characters are right, and most of the others."""
    return line.decode(WESTERN, "replace")
