"""A row of a file made a lead, or an invalid one in its place."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from attrs import Factory, evolve, frozen

from voiso_async.files.columns.aliases import normalised
from voiso_async.files.columns.cells import BadCell, Cell, is_error, with_damage_note
from voiso_async.files.columns.mapping import CAMPAIGN, OTHER_NAME, ColumnMap
from voiso_async.files.columns.phones import PhoneRule
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.prepare import FileRow, InvalidLead
from voiso_async.phone import LONGEST, SHORTEST

LONGEST_WHOLE = 18
"""Digits that a number in a cell may have before it is left as text."""

YES, NO = ("true", "yes", "y", "1", "on", "ja", "oui", "si"), ("false", "no", "n", "0", "off", "nein", "non")
_COMPOSED_FIELDS = {OTHER_NAME, "first_name", "last_name", "source.system", "source.url", CAMPAIGN}
_LETTERS = re.compile(r"[^a-z]+")
_EXTENSION = re.compile(r"[A-Za-z#,;]")
FLAGS: dict[str, bool] = {word: words is YES for words in (YES, NO) for word in words}

Fields = dict[str, Any]


@frozen(kw_only=True)
class LeadBuilder:
    """Make leads of rows: by a rule for phone numbers, and without those that are suppressed.

    ``marked`` are the numbers of rows of which the file itself says that they were suppressed before.
    """

    phones: PhoneRule
    suppressed: Container[int] = frozenset()
    suppressed_by_file: set[int] = Factory(set)

    def from_texts(self, columns: ColumnMap, row: int, cells: Sequence[str]) -> FileRow:
        """Make a lead of a row of texts: whole numbers and flags are read, blank cells are absent."""
        fields: Fields = columns.texts(cells)
        headers = columns.header_texts(cells)
        fault = None
        if "#" in "".join(cells):
            fault = _find_error(fields) or _find_error(headers)
        if "active" in fields:
            fault = fault or _parse_flag(fields)
        if "priority" in fields:
            fields["priority"] = _parse_int(fields["priority"])
        if CAMPAIGN in columns.fields:
            fault = fault or _parse_campaign(fields)
        phone = self.phones.read(value := columns.phone(cells))
        if (self.suppressed or self.suppressed_by_file or columns.outcome_columns) and self._is_suppressed(
            columns, cells, phone, value
        ):
            fault = SUPPRESSED
        lead = _invalid_lead(phone, fields, fault) or _lead(phone, fields, headers)
        return FileRow(lead=lead, row=row, cells=_cells_to_keep(columns, cells), campaign=fields.get(CAMPAIGN))

    def from_values(self, columns: ColumnMap, row: int, values: Mapping[Any, Any], line: str) -> FileRow:
        """Make a lead of a JSON object: values keep their types, and wrong ones are refused later."""
        cells = list(values.values())
        fields = columns.values(cells)
        headers: Any = columns.header_values(cells)
        nested = values.get("context_headers")
        if nested is not None:
            headers = headers | nested if isinstance(nested, dict) else nested
        fault = _parse_campaign(fields) if CAMPAIGN in columns.fields else None
        phone = self.phones.read(value := columns.phone(cells))
        if (self.suppressed or self.suppressed_by_file or columns.outcome_columns) and self._is_suppressed(
            columns, cells, phone, value
        ):
            fault = SUPPRESSED
        lead = _invalid_lead(phone, fields, fault) or _lead(phone, fields, headers)
        return FileRow(lead=lead, row=row, cells=(line,), campaign=fields.get(CAMPAIGN))

    def _is_suppressed(self, columns: ColumnMap, cells: Sequence[Any], phone: str | BadCell, value: Any) -> bool:
        """Tell whether the number of a row must not be called, also where it would have to be corrected first."""
        numbers = _possible_numbers(value) if isinstance(phone, BadCell) else [int(phone)]
        if says_suppressed(cells[place] for place in columns.outcome_columns):
            self.suppressed_by_file.update(numbers)
            return True
        return any(number in self.suppressed or number in self.suppressed_by_file for number in numbers)


def says_suppressed(values: Iterable[Any]) -> bool:
    """Tell whether a row says of itself, in the words of an earlier report, that it was suppressed."""
    return any(isinstance(value, str) and _LETTERS.sub("", normalised(value)) == "suppressed" for value in values)


def _invalid_lead(phone: str | BadCell, fields: Fields, fault: InvalidLead | None) -> InvalidLead | None:
    """Say why a row is not sent: it must not be called, or else the phone number first; with the row's key."""
    if isinstance(phone, BadCell) and fault is not SUPPRESSED:
        fault = _invalid("phone_number", phone.reason, phone.detail)
    if fault is None:
        return None
    key = fields.get("key")
    known = None if isinstance(phone, BadCell) else phone
    return evolve(fault, key=str(key) if isinstance(key, str | int) else None, phone=known)


def _possible_numbers(value: Any) -> list[int]:
    """Give the numbers that an unreadable cell may mean: so written, without an extension or a trunk zero."""
    text = str(value) if isinstance(value, str | int) else ""
    found = []
    for part in {text, _EXTENSION.split(text, maxsplit=1)[0]}:
        digits = "".join(str(int(char)) for char in part if char.isdecimal()).lstrip("0")
        shorter = [digits[:place] + digits[place + 1 :] for place in (1, 2, 3) if digits[place : place + 1] == "0"]
        found += [int(whole) for whole in (digits, *shorter) if SHORTEST <= len(whole) <= LONGEST]
    return found


def _lead(phone: Any, fields: Fields, headers: Any) -> Fields:
    lead = {"phone_number": phone, **(fields if _COMPOSED_FIELDS.isdisjoint(fields) else _compose(fields))}
    if headers:
        lead["context_headers"] = headers
    return lead


def _compose(fields: Fields) -> Fields:
    """Put together what stands in several columns, and leave out what is no part of a lead."""
    whole = {field: value for field, value in fields.items() if field not in _COMPOSED_FIELDS}
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


def _cells_to_keep(columns: ColumnMap, cells: Sequence[str]) -> tuple[str, ...]:
    """Keep a row's cells as plain texts; what is no phone number is still none when it is read again."""
    if Cell not in map(type, cells):
        return tuple(cells)
    phones = columns.phone_columns
    return tuple(
        with_damage_note(cell) if isinstance(cell, Cell) and place in phones else str(cell)
        for place, cell in enumerate(cells)
    )


def _parse_campaign(fields: Fields) -> InvalidLead | None:
    """Read the campaign of a row: a whole number above 0."""
    value = fields.pop(CAMPAIGN, None)
    number = _parse_int(value) if isinstance(value, str) else value
    if type(number) is not int or number <= 0:
        return _invalid(CAMPAIGN, "bad_campaign", "write the campaign's id, a whole number above 0")
    fields[CAMPAIGN] = number
    return None


def _parse_flag(fields: Fields) -> InvalidLead | None:
    fields["active"] = FLAGS.get(fields["active"].lower())
    if fields["active"] is not None:
        return None
    return _invalid("active", "not_a_flag", "write yes or no, true or false, 1 or 0")


def _parse_int(text: str) -> int | str:
    """Read a whole number; any other text stays as it is, and is refused with the reason when it is prepared."""
    text = text.strip()
    digits = text.removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_WHOLE else text


def _find_error(texts: Mapping[str, Any]) -> InvalidLead | None:
    for field, text in texts.items():
        if is_error(text):
            fault = BadCell.of("spreadsheet_error")
            return _invalid(field, fault.reason, fault.detail)
    return None


def _invalid(field: str, reason: str, detail: str) -> InvalidLead:
    return InvalidLead(field=field, reason=reason, detail=detail)


SUPPRESSED = InvalidLead(
    field="phone_number",
    reason="suppressed",
    detail="the number is on a list of those that must not be called, or the file says that it was",
    outcome=Outcome.SUPPRESSED,
)
