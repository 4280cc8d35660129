"""How a file is to be read: a caller's options, checked before the file is opened."""

import codecs
import io
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from attrs import Factory, evolve, frozen

from voiso_async.errors import ConfigurationError, InputFileError
from voiso_async.files.beginning import ZIP, start_of, stranger, text_of
from voiso_async.files.columns import Wishes
from voiso_async.files.disk import Source, name_of, opened
from voiso_async.files.leadfile import LeadFile
from voiso_async.files.leads import LeadMaker
from voiso_async.files.mapping import checked_mapping
from voiso_async.files.numbering import Numbering
from voiso_async.files.phones import PhoneRule
from voiso_async.files.rows import DEFAULT_ENCODING, CsvRows
from voiso_async.files.sheet import HIDDEN_ROWS, HiddenRows, SheetRows
from voiso_async.files.tables import Objects, Table
from voiso_async.files.threads import in_thread

__all__ = ["FileFormat", "Reading", "found_format"]

FileFormat = Literal["csv", "jsonl", "xlsx"]
FORMATS: tuple[FileFormat, ...] = ("csv", "jsonl", "xlsx")
ENDINGS: Mapping[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


@frozen(kw_only=True)
class Reading:
    """The options of ``open_leads`` that can be written down."""

    format: FileFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    hidden_rows: HiddenRows | None = None
    mapping: Mapping[str, str] = Factory(dict)
    key_column: str | None = None
    campaign_column: str | None = None
    region: str | None = None
    international: bool = False

    @classmethod
    def of(cls, *, mapping: Mapping[str, str] | None, **options: Any) -> Self:
        """Check options; ``ConfigurationError`` names the one that cannot be."""
        reading = cls(mapping=checked_mapping(mapping), **options)
        if reading.format not in (None, *FORMATS):
            raise ConfigurationError(f"there is no format {reading.format!r}; there are {', '.join(FORMATS)}")
        if reading.hidden_rows not in (None, *HIDDEN_ROWS):
            raise ConfigurationError("hidden_rows must be send or skip")
        delimiter = reading.delimiter
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0 '):
            raise ConfigurationError("the delimiter must be one character, and no quote, blank or line end")
        if reading.encoding == DEFAULT_ENCODING:
            reading = evolve(reading, encoding=None)
        _check_texts(reading)
        if reading.encoding is not None:
            _check_encoding(reading.encoding)
        if reading.region is not None and reading.international:
            raise ConfigurationError(
                "give a region or international: numbers without + cannot be national and complete"
            )
        return reading

    async def open(self, source: Source, suppressed: Container[int] = frozenset()) -> LeadFile:
        """Open a file and read its header, in a worker thread."""
        return await in_thread(lambda: self._opened(source, suppressed))

    def as_options(self) -> dict[str, Any]:
        """Give the options that differ from the usual as plain JSON values."""
        options = {
            "format": self.format,
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "sheet": self.sheet,
            "hidden_rows": self.hidden_rows,
            "mapping": dict(self.mapping),
            "key_column": self.key_column,
            "campaign_column": self.campaign_column,
            "region": self.region,
            "international": self.international,
        }
        return {name: value for name, value in options.items() if value}

    def _opened(self, source: Source, suppressed: Container[int]) -> LeadFile:
        numbering = Numbering(self.region) if self.region is not None else None
        phones = PhoneRule(international=self.international, numbering=numbering)
        maker = LeadMaker(phones=phones, suppressed=suppressed)
        name, stream = name_of(source), opened(source)
        try:
            reading = evolve(self, format=found_format(source, name, stream, self.format))
            return LeadFile(
                stream,
                name,
                lambda stream: reading.begin(stream, maker),
                format=str(reading.format),
                options=reading.as_options(),
            )
        except BaseException:
            stream.close()
            raise

    def begin(self, stream: io.BufferedReader, maker: LeadMaker) -> Table | Objects:
        """Begin to read a stream from where it is."""
        wishes = Wishes(mapping=self.mapping, key_column=self.key_column, campaign_column=self.campaign_column)
        if self.format == "jsonl":
            return Objects(stream, wishes, maker)
        if self.format == "xlsx":
            return Table(SheetRows(stream, sheet=self.sheet, hidden_rows=self.hidden_rows), wishes, maker)
        rows = CsvRows(stream, delimiter=self.delimiter, encoding=self.encoding or DEFAULT_ENCODING)
        return Table(rows, wishes, maker)


def _check_texts(reading: Reading) -> None:
    """Refuse what a shell hands over that is no text: no column and no sheet can have such a name."""
    options = reading.as_options()
    texts = {**options.pop("mapping", {}), **options}
    for name, text in texts.items():
        try:
            f"{name}{text}".encode()
        except UnicodeEncodeError:
            fault = "a mapping" if name in reading.mapping else name
        else:
            continue
        raise ConfigurationError(f"{fault} holds bytes that are not UTF-8")


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, TypeError):
        pass
    else:
        return
    raise ConfigurationError(f"there is no text encoding named {name!r}; give one such as utf-8 or cp1252")


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
