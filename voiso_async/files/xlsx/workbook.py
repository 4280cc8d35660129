"""What a workbook says about its sheets: their names and parts, the texts they share, which styles are dates."""

import posixpath
import re
from array import array
from collections.abc import Iterator, Sequence

from attrs import frozen

from voiso_async.errors import InputFileError
from voiso_async.files.columns.aliases import join_names, safe_name
from voiso_async.files.xlsx.archive import Archive, XmlHandler, damaged_workbook, parse_xml

ROOT_LINKS = "_rels/.rels"
DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
MOST_STYLES = 70_000

_NOT_DATE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_DATE = re.compile(r"[dmyhs]", re.IGNORECASE)
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


@frozen(kw_only=True)
class Workbook:
    """A workbook's one sheet to read: its name and part, the part of shared texts, its date styles and calendar.

    ``others`` names the sheets with rows that show, ``hidden`` those that do not.
    """

    name: str
    sheet_part: str
    other_sheets: tuple[str, ...]
    hidden_sheets: tuple[str, ...]
    shared_strings: str | None
    date_styles: frozenset[str]
    from_1904: bool

    @classmethod
    def of(cls, archive: Archive, sheet: str | int | None) -> "Workbook":
        """Find a sheet by its name, by its place among ``sheets_in``, or the first that is not hidden."""
        found, links, sheets = _contents(archive)
        chosen = sheets[sheet] if isinstance(sheet, int) else _select(sheets, sheet)
        others = [
            other
            for other in sheets
            if other is not chosen and _has_cells(archive, links[other.relationship].target)
        ]
        by_kind = {link.kind: link.target for link in links.values()}
        styles = _StylesHandler()
        if "styles" in by_kind and by_kind["styles"] in archive:
            _read(archive, by_kind["styles"], styles)
        return cls(
            name=chosen.name,
            sheet_part=links[chosen.relationship].target,
            other_sheets=tuple(other.name for other in others if not other.hidden),
            hidden_sheets=tuple(other.name for other in others if other.hidden),
            shared_strings=by_kind.get("sharedStrings"),
            date_styles=frozenset(styles.dates),
            from_1904=found.from_1904,
        )


def sheets_in(archive: Archive) -> "Sequence[_Sheet]":
    """List the sheets of a workbook in their order."""
    return _contents(archive)[2]


class SharedStrings:
    """The texts that cells share by number: kept in one piece, since there may be millions."""

    def __init__(self, archive: Archive, part: str | None) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")
        self._parts: list[str] = []
        self._wanted = False
        self._phonetic = False
        if part is not None and part in archive:
            _read(archive, part, self)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends):
            raise damaged_workbook()
        begin = self._ends[number - 1] if number else 0
        return self._bytes[begin : self._ends[number]].decode("utf-8", "replace")

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        """Hear that an element begins."""
        if name == "t":
            self._wanted = not self._phonetic
        elif name == "rPh":
            self._phonetic = True

    def end(self, name: str) -> None:
        """Hear that an element ends."""
        if name == "t":
            self._wanted = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self._bytes += unescape("".join(self._parts)).encode("utf-8", "replace")
            self._ends.append(len(self._bytes))
            self._parts.clear()

    def text(self, text: str) -> None:
        """Hear a piece of text."""
        if self._wanted:
            self._parts.append(text)


@frozen
class _Relationship:
    kind: str
    target: str


@frozen
class _Sheet:
    name: str
    relationship: str
    hidden: bool


class _NoTextHandler:
    """Listens to no text and to no ends."""

    def end(self, name: str) -> None:
        pass

    def text(self, text: str) -> None:
        pass


class _RelationshipsHandler(_NoTextHandler):
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.found: dict[str, _Relationship] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        target = posixpath.normpath(posixpath.join("/", self.folder, attributes.get("Target", "")))
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.found[attributes.get("Id", "")] = _Relationship(kind, target.lstrip("/"))


class _WorkbookHandler(_NoTextHandler):
    def __init__(self) -> None:
        self.sheets: list[_Sheet] = []
        self.from_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            link = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append(_Sheet(attributes.get("name", ""), link, hidden))
        elif name == "workbookPr":
            self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}


class _AnyCellHandler(_NoTextHandler):
    def __init__(self) -> None:
        self.found = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        self.found = self.found or name in {"v", "t", "f"}


class _StylesHandler(_NoTextHandler):
    def __init__(self) -> None:
        self.dates: set[str] = set()
        self._formats = set(map(str, DATE_FORMATS))
        self._inside = False
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt" and _DATE.search(_NOT_DATE.sub("", attributes.get("formatCode", ""))):
            self._formats.add(attributes.get("numFmtId", ""))
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            if attributes.get("numFmtId", "0") in self._formats:
                self.dates.add(str(self._count))
            self._count += 1
            if self._count > MOST_STYLES:
                raise damaged_workbook()

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False


def unescape(text: str) -> str:
    """Read the characters that a workbook writes by their numbers, such as ``_x000D_``."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _contents(archive: Archive) -> "tuple[_WorkbookHandler, dict[str, _Relationship], list[_Sheet]]":
    """Read a workbook's list of sheets, and which part is which."""
    root = _relationships(archive, ROOT_LINKS, "")
    book = next((link.target for link in root.values() if link.kind == "officeDocument"), "xl/workbook.xml")
    folder, name = posixpath.split(book)
    links = _relationships(archive, f"{folder}/_rels/{name}.rels", folder)
    found = _WorkbookHandler()
    _read(archive, book, found)
    sheets = [
        sheet
        for sheet in found.sheets
        if sheet.relationship in links and links[sheet.relationship].kind == "worksheet"
    ]
    return found, links, sheets


def _read(archive: Archive, part: str, reader: XmlHandler) -> None:
    for _ in parse_xml(archive.blocks(part), reader):
        pass


def _relationships(archive: Archive, part: str, folder: str) -> dict[str, _Relationship]:
    links = _RelationshipsHandler(folder)
    if part in archive:
        _read(archive, part, links)
    return links.found


def _has_cells(archive: Archive, part: str) -> bool:
    """Look into a sheet as far as its first cell; one that cannot be read may well have some."""
    cell = _AnyCellHandler()
    try:
        return any(cell.found for _ in parse_xml(archive.blocks(part), cell))
    except InputFileError:
        return True


def _select(sheets: list[_Sheet], name: str | None) -> _Sheet:
    if not sheets:
        raise damaged_workbook()
    if name is None:
        return next((sheet for sheet in sheets if not sheet.hidden), sheets[0])
    for sheet in _by_name(sheets, name):
        return sheet
    raise InputFileError(
        f"no sheet is named {safe_name(name)!r}; there are {join_names([sheet.name for sheet in sheets])}",
        reason="no_such_sheet",
    )


def _by_name(sheets: list[_Sheet], name: str) -> Iterator[_Sheet]:
    wanted = name.strip().casefold()
    yield from (sheet for sheet in sheets if sheet.name.strip().casefold() == wanted)
