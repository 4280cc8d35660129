"""How a file is to be read: a caller's options, checked before the file is opened."""

import codecs
import io
from collections.abc import Container, Mapping
from typing import Any, Self

from attrs import Factory, evolve, frozen

from voiso_async.errors import ConfigurationError
from voiso_async.files.beginning import FORMATS, FileFormat, found_format
from voiso_async.files.columns import Wishes
from voiso_async.files.disk import Source, name_of, opened
from voiso_async.files.leadfile import LeadFile
from voiso_async.files.leads import LeadMaker
from voiso_async.files.mapping import checked_mapping
from voiso_async.files.phones import PhoneRule, check_region
from voiso_async.files.rows import DEFAULT_ENCODING, CsvRows
from voiso_async.files.sheet import HIDDEN_ROWS, HiddenRows, SheetRows
from voiso_async.files.tables import Objects, Table
from voiso_async.files.threads import in_thread

__all__ = ["FileFormat", "Reading", "found_format"]


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
        check_region(reading.region, international=reading.international)
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
        phones = PhoneRule.of(self.region, international=self.international)
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
