"""The phone number in a cell of a file: what spreadsheets did to it is named, and nothing is guessed."""

import re
from typing import Any

from attrs import frozen

from voiso_async.files.cells import Cell
from voiso_async.files.numbering import Numbering
from voiso_async.phone import PhoneFault, canonical

__all__ = ["BadCell", "PhoneRule", "is_error", "looks_like_phone"]

LONGEST_NATIONAL = 10
"""A number without ``+`` and with no more digits than this may well lack its country code."""

_QUOTED = re.compile(r'="(\+?[0-9]{7,15})"')  # how exports keep a spreadsheet from reading a number: exact
_WHOLE = re.compile(r"([0-9]{7,15})\.0")  # how data frames write a whole number: exact
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?|[0-9]{1,2}([./])[0-9]{1,2}\2[0-9]{4}( .*)?", re.DOTALL)
_ERROR = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|ERROR!|#{2,})")
_NUMBERLIKE = {PhoneFault.LEADING_ZERO, PhoneFault.EXPONENT, PhoneFault.DECIMAL, PhoneFault.TRUNK_ZERO}

HINTS = {
    "formula": "it is a formula, whose result may be old: paste the column as values",
    "spreadsheet_error": "a spreadsheet put an error in place of the value: mend the formula behind it",
    "date": "a spreadsheet made a date of it, or it stands in the wrong column: export the column as text",
    "scientific_notation": PhoneFault.EXPONENT.hint,
    "not_in_numbering_plan": "no such number can exist in that region",
    "national_without_region": f"with at most {LONGEST_NATIONAL} digits, or a 0 in front, the country code is "
    "missing: write it, with a +",
}
_RENAMED = {PhoneFault.EXPONENT: "scientific_notation"}


@frozen
class BadCell:
    """Why a cell's value cannot be used: a reason code, and what to do about it."""

    reason: str
    detail: str

    @classmethod
    def of(cls, reason: str) -> "BadCell":
        """Take the usual detail of a reason."""
        return cls(reason, HINTS[reason])


@frozen(kw_only=True)
class PhoneRule:
    """How numbers without ``+`` are read: refused if short, as ``international``, or by a region's plan."""

    international: bool = False
    numbering: Numbering | None = None

    def read(self, value: Any) -> str | BadCell:
        """Give the canonical digits of what stands in a cell, or why there are none."""
        if isinstance(value, str):
            if value[:1] == "+" and type(value) is str and isinstance(phone := canonical(value), str):
                return phone
            text = _unwrapped(value)
            if isinstance(text, BadCell):
                return text
            value = text
        phone = canonical(value)
        text = str(value) if isinstance(value, str | int) else ""
        if self.numbering and "+" not in text:
            return self._by_plan(self.numbering, text or phone, phone)
        if isinstance(phone, PhoneFault):
            lone_zero = phone is PhoneFault.LEADING_ZERO and text[:2] != "00" and not self.international
            return BadCell.of("national_without_region") if lone_zero and text[:1] == "0" else _named(phone)
        if len(phone) <= LONGEST_NATIONAL and not self.international and "+" not in text:
            return BadCell.of("national_without_region")
        return phone

    def _by_plan(self, plan: Numbering, text: str | PhoneFault, phone: str | PhoneFault) -> str | BadCell:
        if isinstance(phone, PhoneFault) and phone not in {PhoneFault.LEADING_ZERO, PhoneFault.TOO_SHORT}:
            return _named(phone)
        found = plan.international(str(text))
        return BadCell.of("not_in_numbering_plan") if found is None else found


def is_error(value: Any) -> bool:
    """Tell whether a spreadsheet put one of its errors there, such as ``#N/A``."""
    return isinstance(value, str) and value[:1] == "#" and _ERROR.fullmatch(value.strip()) is not None


def looks_like_phone(text: str) -> bool:
    """Tell whether a cell of the first row is a number to call, and so no column's name."""
    text = text.strip()
    wrapped = _QUOTED.fullmatch(text) or _WHOLE.fullmatch(text)
    phone = canonical(wrapped[1] if wrapped else text)
    return not isinstance(phone, PhoneFault) or phone in _NUMBERLIKE


def _unwrapped(value: str) -> str | BadCell:
    """Take off what exports wrap around a number and what is exact; name what is damaged."""
    if isinstance(value, Cell) and value.mark:
        return BadCell.of(value.mark)
    text = str(value).strip()
    if text.isdigit():
        return text
    if wrapped := _QUOTED.fullmatch(text) or _WHOLE.fullmatch(text):
        return wrapped[1]
    if text[:1] == "=":
        return BadCell.of("formula")
    if is_error(text):
        return BadCell.of("spreadsheet_error")
    return BadCell.of("date") if _DATE.fullmatch(text) else text


def _named(fault: PhoneFault) -> BadCell:
    return BadCell(_RENAMED.get(fault, fault.value), fault.hint)
