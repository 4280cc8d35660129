"""The zip file that an Excel workbook is: looked at with distrust, and read part by part, never whole."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator
from copy import copy
from typing import NoReturn, Protocol
from xml.parsers import expat

from voiso_async.errors import InputFileError
from voiso_async.files.disk import read_at
from voiso_async.files.sniff import HOW_TO_SAVE, ZIP, peek

MEBIBYTE = 1024 * 1024
MOST_ENTRIES = 4000
LARGEST_DIRECTORY = MEBIBYTE
LARGEST_FILE = 1024 * MEBIBYTE
LARGEST_TOTAL = 2048 * MEBIBYTE
RATIO_FROM = 8 * MEBIBYTE
"""Smaller parts may be packed as tightly as they like."""
HIGHEST_RATIO = 100
BLOCK = 64 * 1024

SUPPORTED_COMPRESSION = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
ENCRYPTED_FLAG = 1
DIRECTORY_END, DIRECTORY_END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
SAVE_AS_CSV = "save the sheet as CSV (UTF-8)"

OTHER_ARCHIVES = (  # by the name of a part, in lower case
    ("xl/workbook.bin", f"a binary workbook (.xlsb): {HOW_TO_SAVE}"),
    ("content.xml", f"an OpenDocument file (.ods): {HOW_TO_SAVE}"),
    ("index.zip", "a Numbers file: export it as .xlsx, or as CSV (UTF-8)"),
    ("index/document.iwa", "a Numbers file: export it as .xlsx, or as CSV (UTF-8)"),
    ("word/document.xml", f"a Word document: {HOW_TO_SAVE}"),
    ("ppt/presentation.xml", "a presentation, and no table"),
)
"""Other files that are zip archives too."""


class Archive:
    """A workbook's parts by name; everything that could make reading one dangerous is refused at once."""

    def __init__(self, stream: io.BufferedReader) -> None:
        _check_start(stream)
        _check_directory(stream)
        self._zip = _unzipped(stream)
        self._parts = {info.filename.replace("\\", "/").lstrip("/").lower(): info for info in self._zip.infolist()}
        _check_parts(self._zip.infolist(), self._parts)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._parts

    def blocks(self, name: str) -> Iterator[bytes]:
        """Unpack a part block by block; it is a fault to be longer than was declared."""
        info = self._parts.get(name.lower())
        if info is None:
            raise damaged_workbook()
        declared, taken = info.file_size, 0
        info = copy(info)
        info.file_size += 2 * BLOCK  # else a part that is longer than it says would be cut, and called damaged
        try:
            with self._zip.open(info) as part:
                while block := part.read(BLOCK):
                    taken += len(block)
                    if taken > declared:
                        break
                    yield block
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            struct.error,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ):
            taken = -1
        if taken < 0:
            raise damaged_workbook()
        if taken > declared:
            raise _too_large("a part of it is larger than it says")


def damaged_workbook() -> InputFileError:
    """Say that a workbook cannot be understood."""
    return InputFileError(
        f"it is a damaged workbook, or none: open it in Excel and {SAVE_AS_CSV}", reason="damaged"
    )


def _too_large(why: str) -> InputFileError:
    return InputFileError(f"it is not read, because {why}: {SAVE_AS_CSV}", reason="too_large")


def _unzipped(stream: io.BufferedReader) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError, IndexError):
        pass
    raise damaged_workbook()


def _check_start(stream: io.BufferedReader) -> None:
    if not stream.seekable():
        raise InputFileError("a workbook cannot be read from a pipe: save it to a file", reason="pipe")
    start = peek(stream)
    if not start:
        raise InputFileError("it is empty: there is nothing to send", reason="empty")
    if not start.startswith(ZIP):
        raise InputFileError(
            "it is no Excel workbook, whatever its name says: if it is CSV, name it .csv", reason="not_xlsx"
        )


def _check_directory(stream: io.BufferedReader) -> None:
    """Look at the size of the list of parts before it is read into memory."""
    descriptor = stream.fileno()
    size = os.fstat(descriptor).st_size
    if size > LARGEST_FILE:
        raise _too_large(f"it has {size // MEBIBYTE} MiB")
    start = max(0, size - BLOCK - 22)
    tail = read_at(descriptor, size - start, start)
    end = tail.rfind(DIRECTORY_END)
    if end < 0 or len(tail) < end + 22:
        raise damaged_workbook()
    entries, length = struct.unpack_from("<HI", tail, end + 10)
    locator = tail[max(0, end - 20) : end]
    if locator[:4] == LOCATOR_64:
        record = read_at(descriptor, 56, struct.unpack_from("<Q", locator, 8)[0] & 2**62 - 1)
        if record[:4] != DIRECTORY_END_64 or len(record) < 56:
            raise damaged_workbook()
        entries, length = struct.unpack_from("<QQ", record, 32)
    if entries > MOST_ENTRIES or length > LARGEST_DIRECTORY:
        raise _too_large(f"it has {entries} parts")


def _check_parts(infos: list[zipfile.ZipInfo], names: dict[str, zipfile.ZipInfo]) -> None:
    if len(names) != len(infos) or not all(0 <= info.header_offset < LARGEST_FILE for info in infos):
        raise damaged_workbook()
    _refuse_other_archives(names)
    if any(info.flag_bits & ENCRYPTED_FLAG for info in infos):
        raise InputFileError(f"it has a password: {SAVE_AS_CSV}, or without a password", reason="encrypted")
    if any(name.endswith("vbaproject.bin") for name in names):
        raise InputFileError("it holds macros: save it as .xlsx, which holds none", reason="macros")
    if any(name.startswith("xl/externallinks/") for name in names):
        raise InputFileError(
            f"it takes values from other files, which are not read: {SAVE_AS_CSV}", reason="external_links"
        )
    if sum(info.file_size for info in infos) > LARGEST_TOTAL:
        raise _too_large("unpacked it is larger than 2 GiB")
    for info in infos:
        if info.compress_type not in SUPPORTED_COMPRESSION:
            raise damaged_workbook()
        if info.file_size > RATIO_FROM and info.file_size > HIGHEST_RATIO * info.compress_size:
            raise _too_large(f"a part of it is packed more than {HIGHEST_RATIO} times")


def _refuse_other_archives(names: Container[str]) -> None:
    for part, what in OTHER_ARCHIVES:
        if part in names:
            raise InputFileError(f"it is {what}", reason="wrong_format")
    if "_rels/.rels" not in names and "xl/workbook.xml" not in names:
        raise InputFileError("it is a zip archive, and no workbook: unpack it first", reason="wrong_format")


DEEPEST = 64
LONGEST_TOKEN = 1024 * 1024
"""Bytes that one tag or one stretch of text may take."""


class XmlHandler(Protocol):
    """What listens to a walk; names come without the prefix that the root has."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Hear that an element begins."""
        ...

    def end(self, name: str) -> None:
        """Hear that an element ends."""
        ...

    def text(self, text: str) -> None:
        """Hear a piece of text."""
        ...


def parse_xml(blocks: Iterator[bytes], reader: XmlHandler) -> Iterator[None]:
    """Read a part, giving way after each block; whatever is no plain XML is an ``InputFileError``."""
    parser = _parser(reader)
    fed = 0
    for block in blocks:
        fed += len(block)
        _parse(parser, block, last=False)
        if fed - parser.CurrentByteIndex > LONGEST_TOKEN:
            raise damaged_workbook()
        yield
    _parse(parser, b"", last=True)
    yield


def _parser(reader: XmlHandler) -> expat.XMLParserType:
    depth = 0
    prefix = ""
    start_of, end_of = reader.start, reader.end

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, prefix
        if depth == 0:
            prefix = name[: name.rfind(":") + 1]
        depth += 1
        if depth > DEEPEST:
            raise damaged_workbook()
        start_of(name.removeprefix(prefix) if prefix else name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        end_of(name.removeprefix(prefix) if prefix else name)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = reader.text
    return parser


def _parse(parser: expat.XMLParserType, block: bytes, *, last: bool) -> None:
    try:
        parser.Parse(block, last)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InputFileError):
            raise
    else:
        return
    raise damaged_workbook()


def _refuse(*_: object) -> NoReturn:
    raise InputFileError(
        "it defines entities of its own, as no spreadsheet program does: it is not read", reason="entities"
    )
