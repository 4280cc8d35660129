"""A row of a file made a lead, or an invalid one in its place."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from voiso_async.files.cells import Cell
from voiso_async.files.columns import Columns
from voiso_async.files.mapping import CAMPAIGN, OTHER_NAME
from voiso_async.files.phones import BadCell, PhoneRule, is_error, marked
from voiso_async.ingest.intake import FileRow, InvalidLead

__all__ = ["LeadMaker"]

LONGEST_WHOLE = 18
"""Digits that a number in a cell may have before it is left as text."""

YES, NO = ("true", "yes", "y", "1", "on", "ja", "oui", "si"), ("false", "no", "n", "0", "off", "nein", "non")
_PARTS = {OTHER_NAME, "first_name", "last_name", "source.system", "source.url", CAMPAIGN}
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
        headers = columns.header_texts(cells)
        fault = None
        if "#" in "".join(cells):
            fault = _error_in(fields) or _error_in(headers)
        if "active" in fields:
            fault = fault or _read_flag(fields)
        if "priority" in fields:
            fields["priority"] = _whole(fields["priority"])
        if CAMPAIGN in columns.places:
            fault = fault or _read_campaign(fields)
        phone = self.phones.read(columns.phone(cells))
        lead = self._fault_of(phone, fields, fault) or _lead(phone, fields, headers)
        return FileRow(lead=lead, row=row, cells=_as_read(columns, cells), campaign=fields.get(CAMPAIGN))

    def of_values(self, columns: Columns, row: int, values: Mapping[Any, Any], line: str) -> FileRow:
        """Make a lead of a JSON object: values keep their types, and wrong ones are refused later."""
        cells = list(values.values())
        fields = columns.values(cells)
        headers: Any = columns.header_values(cells)
        nested = values.get("context_headers")
        if nested is not None:
            headers = headers | nested if isinstance(nested, dict) else nested
        fault = _read_campaign(fields) if CAMPAIGN in columns.places else None
        phone = self.phones.read(columns.phone(cells))
        lead = self._fault_of(phone, fields, fault) or _lead(phone, fields, headers)
        return FileRow(lead=lead, row=row, cells=(line,), campaign=fields.get(CAMPAIGN))

    def _fault_of(self, phone: str | BadCell, fields: Fields, fault: InvalidLead | None) -> InvalidLead | None:
        """Say why a row cannot be sent, the phone number first; the fault carries the row's key."""
        if isinstance(phone, BadCell):
            fault = _invalid("phone_number", phone.reason, phone.detail)
        elif fault is None and self.suppressed and int(phone) in self.suppressed:
            fault = _SUPPRESSED
        if fault is None:
            return None
        key = fields.get("key")
        return evolve(fault, key=str(key) if isinstance(key, str | int) else None)


def _lead(phone: Any, fields: Fields, headers: Any) -> Fields:
    lead = {"phone_number": phone, **(fields if _PARTS.isdisjoint(fields) else _composed(fields))}
    if headers:
        lead["context_headers"] = headers
    return lead


def _composed(fields: Fields) -> Fields:
    """Put together what stands in several columns, and leave out what is no part of a lead."""
    whole = {field: value for field, value in fields.items() if field not in _PARTS}
    if "name" not in whole and (name := _full_name(fields) or fields.get(OTHER_NAME)):
        whole["name"] = name
    if "source.system" in fields or "source.url" in fields:
        whole["source"] = _source(fields)
    return whole


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
    """Keep a row's cells as plain texts; what is no phone number is still none when it is read again."""
    if Cell not in map(type, cells):
        return tuple(cells)
    phones = columns.phone_places
    return tuple(
        marked(cell) if isinstance(cell, Cell) and place in phones else str(cell)
        for place, cell in enumerate(cells)
    )


def _read_campaign(fields: Fields) -> InvalidLead | None:
    """Read the campaign of a row: a whole number above 0."""
    value = fields.pop(CAMPAIGN, None)
    number = _whole(value) if isinstance(value, str) else value
    if type(number) is not int or number <= 0:
        return _invalid(CAMPAIGN, "bad_campaign", "write the campaign's id, a whole number above 0")
    fields[CAMPAIGN] = number
    return None


def _read_flag(fields: Fields) -> InvalidLead | None:
    fields["active"] = FLAGS.get(fields["active"].lower())
    if fields["active"] is not None:
        return None
    return _invalid("active", "not_a_flag", "write yes or no, true or false, 1 or 0")


def _whole(text: str) -> int | str:
    """Read a whole number; any other text stays as it is, and is refused with the reason when it is prepared."""
    text = text.strip()
    digits = text.removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_WHOLE else text


def _error_in(texts: Mapping[str, Any]) -> InvalidLead | None:
    for field, text in texts.items():
        if is_error(text):
            fault = BadCell.of("spreadsheet_error")
            return _invalid(field, fault.reason, fault.detail)
    return None


def _invalid(field: str, reason: str, detail: str) -> InvalidLead:
    return InvalidLead(field=field, reason=reason, detail=detail)


_SUPPRESSED = _invalid("phone_number", "suppressed", "the number is on the list of those that must not be called")
