"""A row of a file made a lead, or an invalid one in its place."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from voiso_async.files.cells import Cell
from voiso_async.files.columns import Columns
from voiso_async.files.mapping import CAMPAIGN
from voiso_async.files.phones import BadCell, PhoneRule, is_error
from voiso_async.ingest.intake import FileRow, InvalidLead

__all__ = ["LeadMaker"]

LONGEST_WHOLE = 18
"""Digits that a number in a cell may have before it is left as text."""

YES, NO = ("true", "yes", "y", "1", "on", "ja", "oui", "si"), ("false", "no", "n", "0", "off", "nein", "non")
FLAGS: dict[str, bool] = {word: words is YES for words in (YES, NO) for word in words}

Fields = dict[str, Any]


@frozen(kw_only=True)
class LeadMaker:
    """Make leads of rows: by a rule for phone numbers, and without those that are suppressed."""

    phones: PhoneRule
    suppressed: Container[int] = frozenset()

    def of_texts(self, columns: Columns, row: int, cells: Sequence[str]) -> FileRow:
        """Make a lead of a row of texts: whole numbers and flags are read, blank cells are absent."""
        fields: Fields = columns.texts(cells)
        fields["phone_number"] = self.phones.read(columns.phone(cells))
        headers = columns.context_headers(cells)
        fault = _error_in(fields | headers) or _read_flag(fields)
        if "priority" in fields:
            fields["priority"] = _whole(fields["priority"])
        return self._row(fields, headers, fault or _read_campaign(columns, fields), row, _as_read(columns, cells))

    def of_values(self, columns: Columns, row: int, values: Mapping[Any, Any], line: str) -> FileRow:
        """Make a lead of a JSON object: values keep their types, and wrong ones are refused later."""
        cells = list(values.values())
        fields = columns.values(cells)
        fields["phone_number"] = self.phones.read(columns.phone(cells))
        headers: Any = columns.context_headers(cells)
        nested = values.get("context_headers")
        if nested is not None:
            headers = headers | nested if isinstance(nested, dict) else nested
        return self._row(fields, headers, _read_campaign(columns, fields), row, (line,))

    def _row(
        self, fields: Fields, headers: Any, fault: InvalidLead | None, row: int, cells: tuple[str, ...]
    ) -> FileRow:
        found = _phone_fault(fields["phone_number"]) or fault or self._suppressed(fields["phone_number"])
        if found:
            key = fields.get("key")
            found = evolve(found, key=str(key) if isinstance(key, str | int) else None)
        return FileRow(lead=found or _lead(fields, headers), row=row, cells=cells, campaign=fields.get(CAMPAIGN))

    def _suppressed(self, phone: str) -> InvalidLead | None:
        if int(phone) not in self.suppressed:
            return None
        return _invalid("phone_number", "suppressed", "the number is on the list of those that must not be called")


def _lead(fields: Fields, headers: Any) -> Fields:
    lead = {"phone_number": fields["phone_number"]}
    name = fields["name"] if "name" in fields else _full_name(fields)
    if name != "":
        lead["name"] = name
    if "source.system" in fields or "source.url" in fields:
        lead["source"] = _source(fields)
    if headers:
        lead["context_headers"] = headers
    for field in ("priority", "active", "key"):
        if field in fields:
            lead[field] = fields[field]
    return lead


def _full_name(fields: Fields) -> str:
    parts = [fields[field] for field in ("first_name", "last_name") if field in fields]
    return " ".join(part.strip() for part in parts if isinstance(part, str))


def _source(fields: Fields) -> Fields:
    system, url = fields.get("source.system"), fields.get("source.url")
    source: Fields = dict(system) if isinstance(system, Mapping) else {"system": system}
    if url is not None:
        source["url"] = url
    return {name: value for name, value in source.items() if value is not None}


def _as_read(columns: Columns, cells: Sequence[str]) -> tuple[str, ...]:
    """Keep a row's cells as plain texts; a formula in place of a phone number stays one when it is read again."""
    texts = tuple(map(str, cells))
    formulas = {
        place for place in columns.phone_places if isinstance(cell := cells[place], Cell) and cell.is_formula
    }
    if not formulas:
        return texts
    return tuple("=" + text if place in formulas else text for place, text in enumerate(texts))


def _read_campaign(columns: Columns, fields: Fields) -> InvalidLead | None:
    """Read the campaign of a row, if the file has a column for it: a whole number above 0."""
    if CAMPAIGN not in columns.places:
        return None
    value = fields.pop(CAMPAIGN, None)
    number = _whole(value) if isinstance(value, str) else value
    if type(number) is not int or number <= 0:
        return _invalid(CAMPAIGN, "bad_campaign", "write the campaign's id, a whole number above 0")
    fields[CAMPAIGN] = number
    return None


def _read_flag(fields: Fields) -> InvalidLead | None:
    if "active" not in fields:
        return None
    fields["active"] = FLAGS.get(fields["active"].lower())
    if fields["active"] is not None:
        return None
    return _invalid("active", "not_a_flag", "write yes or no, true or false, 1 or 0")


def _whole(text: str) -> int | str:
    """Read a whole number; any other text stays as it is, and is refused with the reason when it is prepared."""
    text = text.strip()
    digits = text.removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_WHOLE else text


def _phone_fault(phone: str | BadCell) -> InvalidLead | None:
    return _invalid("phone_number", phone.reason, phone.detail) if isinstance(phone, BadCell) else None


def _error_in(texts: Mapping[str, Any]) -> InvalidLead | None:
    for field, text in texts.items():
        if is_error(text):
            fault = BadCell.of("spreadsheet_error")
            return _invalid(field, fault.reason, fault.detail)
    return None


def _invalid(field: str, reason: str, detail: str) -> InvalidLead:
    return InvalidLead(field=field, reason=reason, detail=detail)
