"""XML parts of a workbook, read element by element: no entities, no documents elsewhere, no bottomless nesting."""

from collections.abc import Iterator
from typing import NoReturn, Protocol
from xml.parsers import expat

from voiso_async.errors import InputFileError
from voiso_async.files.archive import damaged

__all__ = ["Reader", "walk"]

DEEPEST = 64
LONGEST_TOKEN = 1024 * 1024
"""Bytes that one tag or one stretch of text may take."""


class Reader(Protocol):
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


def walk(blocks: Iterator[bytes], reader: Reader) -> Iterator[None]:
    """Read a part, giving way after each block; whatever is no plain XML is an ``InputFileError``."""
    parser = _parser(reader)
    fed = 0
    for block in blocks:
        fed += len(block)
        _parse(parser, block, last=False)
        if fed - parser.CurrentByteIndex > LONGEST_TOKEN:
            raise damaged()
        yield
    _parse(parser, b"", last=True)
    yield


def _parser(reader: Reader) -> expat.XMLParserType:
    depth = 0
    prefix = ""
    start_of, end_of = reader.start, reader.end

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, prefix
        if depth == 0:
            prefix = name[: name.rfind(":") + 1]
        depth += 1
        if depth > DEEPEST:
            raise damaged()
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
    raise damaged()


def _refuse(*_: object) -> NoReturn:
    raise InputFileError(
        "it defines entities of its own, as no spreadsheet program does: it is not read", reason="entities"
    )
