"""What a workbook says about its sheets: their names and parts, the texts they share, which styles are dates."""

import posixpath
import re
from array import array
from collections.abc import Iterator, Sequence

from attrs import frozen

from voiso_async.errors import InputFileError
from voiso_async.files.columns.aliases import listed, shown
from voiso_async.files.xlsx.archive import Archive, Reader, damaged, walk

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
    sheet: str
    others: tuple[str, ...]
    hidden: tuple[str, ...]
    texts: str | None
    dates: frozenset[str]
    from_1904: bool

    @classmethod
    def of(cls, archive: Archive, sheet: str | int | None) -> "Workbook":
        """Find a sheet by its name, by its place among ``sheets_in``, or the first that is not hidden."""
        found, links, sheets = _contents(archive)
        chosen = sheets[sheet] if isinstance(sheet, int) else _chosen(sheets, sheet)
        others = [
            other for other in sheets if other is not chosen and _has_cells(archive, links[other.link].target)
        ]
        by_kind = {link.kind: link.target for link in links.values()}
        styles = _Styles()
        if "styles" in by_kind and by_kind["styles"] in archive:
            _read(archive, by_kind["styles"], styles)
        return cls(
            name=chosen.name,
            sheet=links[chosen.link].target,
            others=tuple(other.name for other in others if not other.hidden),
            hidden=tuple(other.name for other in others if other.hidden),
            texts=by_kind.get("sharedStrings"),
            dates=frozenset(styles.dates),
            from_1904=found.from_1904,
        )


def sheets_in(archive: Archive) -> "Sequence[_Sheet]":
    """List the sheets of a workbook in their order."""
    return _contents(archive)[2]


class SharedTexts:
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
            raise damaged()
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
            self._bytes += unescaped("".join(self._parts)).encode("utf-8", "replace")
            self._ends.append(len(self._bytes))
            self._parts.clear()

    def text(self, text: str) -> None:
        """Hear a piece of text."""
        if self._wanted:
            self._parts.append(text)


@frozen
class _Link:
    kind: str
    target: str


@frozen
class _Sheet:
    name: str
    link: str
    hidden: bool


class _Silent:
    """Listens to no text and to no ends."""

    def end(self, name: str) -> None:
        pass

    def text(self, text: str) -> None:
        pass


class _Links(_Silent):
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.found: dict[str, _Link] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        target = posixpath.normpath(posixpath.join("/", self.folder, attributes.get("Target", "")))
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.found[attributes.get("Id", "")] = _Link(kind, target.lstrip("/"))


class _Book(_Silent):
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


class _AnyCell(_Silent):
    def __init__(self) -> None:
        self.found = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        self.found = self.found or name in {"v", "t", "f"}


class _Styles(_Silent):
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
                raise damaged()

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False


def unescaped(text: str) -> str:
    """Read the characters that a workbook writes by their numbers, such as ``_x000D_``."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _contents(archive: Archive) -> "tuple[_Book, dict[str, _Link], list[_Sheet]]":
    """Read a workbook's list of sheets, and which part is which."""
    root = _links(archive, ROOT_LINKS, "")
    book = next((link.target for link in root.values() if link.kind == "officeDocument"), "xl/workbook.xml")
    folder, name = posixpath.split(book)
    links = _links(archive, f"{folder}/_rels/{name}.rels", folder)
    found = _Book()
    _read(archive, book, found)
    sheets = [sheet for sheet in found.sheets if sheet.link in links and links[sheet.link].kind == "worksheet"]
    return found, links, sheets


def _read(archive: Archive, part: str, reader: Reader) -> None:
    for _ in walk(archive.blocks(part), reader):
        pass


def _links(archive: Archive, part: str, folder: str) -> dict[str, _Link]:
    links = _Links(folder)
    if part in archive:
        _read(archive, part, links)
    return links.found


def _has_cells(archive: Archive, part: str) -> bool:
    """Look into a sheet as far as its first cell; one that cannot be read may well have some."""
    cell = _AnyCell()
    try:
        return any(cell.found for _ in walk(archive.blocks(part), cell))
    except InputFileError:
        return True


def _chosen(sheets: list[_Sheet], name: str | None) -> _Sheet:
    if not sheets:
        raise damaged()
    if name is None:
        return next((sheet for sheet in sheets if not sheet.hidden), sheets[0])
    for sheet in _by_name(sheets, name):
        return sheet
    raise InputFileError(
        f"no sheet is named {shown(name)!r}; there are {listed([sheet.name for sheet in sheets])}",
        reason="no_such_sheet",
    )


def _by_name(sheets: list[_Sheet], name: str) -> Iterator[_Sheet]:
    wanted = name.strip().casefold()
    yield from (sheet for sheet in sheets if sheet.name.strip().casefold() == wanted)
