"""The phone number in a cell of a file: what spreadsheets did to it is named, and nothing is guessed."""

import re
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from voiso_async.errors import ConfigurationError
from voiso_async.files.cells import Cell
from voiso_async.files.numbering import Numbering, NumberingError
from voiso_async.phone import (
    LONGEST_NATIONAL,
    PhoneFault,
    canonical,
    has_country_code,
    is_round,
    is_zero_in_brackets,
)

__all__ = ["BadCell", "PhoneRule", "is_error", "looks_like_phone", "marked"]

_QUOTED = re.compile(
    r'="(\+?[0-9][0-9 ().\-\u00a0]*)"'
)  # how exports keep a spreadsheet from reading a number: exact
_MARKED = re.compile(r".*\((date|rounded)\)", re.DOTALL)  # what ``marked`` writes
_SCHEME = re.compile(
    r"(?:tel|phone|callto|p):\s*(?://)?(.*)", re.IGNORECASE | re.DOTALL
)  # a link, and advertising exports: exact
_WHOLE = re.compile(r"([0-9]{7,15})\.0")  # how data frames write a whole number: exact
_ERROR = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|ERROR!|#{2,})")
_NUMBERLIKE = {
    PhoneFault.LEADING_ZERO,
    PhoneFault.EXPONENT,
    PhoneFault.DECIMAL,
    PhoneFault.TRUNK_ZERO,
    PhoneFault.ROUNDED,
}
_NATIONAL = {PhoneFault.LEADING_ZERO, PhoneFault.TOO_SHORT, PhoneFault.TRUNK_ZERO}
"""What a plan may read all the same: only its region tells whether the first digits are a country code."""

HINTS = {
    "formula": "it is a formula, whose result may be old: paste the column as values",
    "spreadsheet_error": "a spreadsheet put an error in place of the value: fix the formula behind it",
    "date": PhoneFault.DATE.hint,
    "scientific_notation": PhoneFault.EXPONENT.hint,
    "rounded": PhoneFault.ROUNDED.hint,
    "trunk_zero": PhoneFault.TRUNK_ZERO.hint,
    "not_in_numbering_plan": "no such number can exist in that region",
    "unclear_country_code": "it can be read with and without a country code: write it with a +, or read the file "
    "as international if each number has its country code",
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

    @classmethod
    def of(cls, region: str | None, *, international: bool) -> "PhoneRule":
        """Load the numbering plan of a region; that takes a while."""
        check_region(region, international=international)
        return cls(international=international, numbering=None if region is None else Numbering(region))

    def read(self, value: Any) -> str | BadCell:
        """Give the canonical digits of what stands in a cell, or why there are none."""
        if isinstance(value, str):
            if value[:1] == "+" and type(value) is str and isinstance(phone := canonical(value), str):
                return phone
            value = _unwrapped(value)
            if isinstance(value, BadCell):
                return value
        phone = canonical(value)
        text = str(value) if isinstance(value, str | int) else ""
        if self.numbering and "+" not in text:
            return self._by_plan(self.numbering, text or str(phone), phone)
        if isinstance(phone, PhoneFault):
            lone_zero = phone is PhoneFault.LEADING_ZERO and text[:2] != "00" and not self.international
            return BadCell.of("national_without_region") if lone_zero and text[:1] == "0" else _named(phone)
        if len(phone) <= LONGEST_NATIONAL and not self.international and "+" not in text:
            return BadCell.of("national_without_region")
        return phone

    def is_certain(self, cell: str) -> bool:
        """Tell whether a cell is a complete number, and no id or amount that looks like one."""
        phone = self.read(cell)
        if not isinstance(phone, str):
            return False
        if self.numbering is None:
            return "+" in cell or has_country_code(phone)
        return "+" in cell or cell.strip()[:1] in {"0", "("} or self.numbering.is_closed(phone)

    def _by_plan(self, plan: Numbering, text: str, phone: str | PhoneFault) -> str | BadCell:
        if isinstance(phone, PhoneFault) and (phone not in _NATIONAL or is_zero_in_brackets(text)):
            return _named(phone)
        try:
            return plan.international(text)
        except NumberingError as error:
            return BadCell.of(error.reason)


def check_region(region: str | None, *, international: bool) -> None:
    """Refuse options that contradict each other."""
    if region is not None and international:
        raise ConfigurationError(
            "give a region or international: numbers without + cannot be national and complete"
        )


def holds_phone(first: Sequence[str]) -> bool:
    """Tell whether a first row may be a lead, and no header."""
    return any(map(looks_like_phone, first))


def is_error(value: Any) -> bool:
    """Tell whether a spreadsheet put one of its errors there, such as ``#N/A``."""
    return isinstance(value, str) and value[:1] == "#" and _ERROR.fullmatch(value.strip()) is not None


def marked(cell: Cell) -> str:
    """Write a cell of a workbook so that it is refused again for the same reason, unless somebody corrects it."""
    if cell.mark == "formula":
        return f"={cell}"
    return f"{cell} ({cell.mark})" if cell.mark in {"date", "rounded"} else str(cell)


def looks_like_phone(text: str) -> bool:
    """Tell whether a cell of the first row is a number to call, and so no column's name."""
    bare = _unwrapped(text)
    phone = bare if isinstance(bare, BadCell) else canonical(bare)
    return isinstance(phone, str) or phone in _NUMBERLIKE


def _unwrapped(value: str) -> str | BadCell:
    """Take off what exports wrap around a number and what is exact; name what is damaged."""
    if isinstance(value, Cell) and value.mark:
        return BadCell.of(value.mark)
    text: str = str(value).strip()
    if text.isdigit():
        return text
    if exact := _QUOTED.fullmatch(text) or _SCHEME.fullmatch(text):
        text = exact[1].strip()
    if whole := _WHOLE.fullmatch(text):
        return BadCell.of("rounded") if is_round(whole[1]) else whole[1]
    damage = _damage_of(text)
    return BadCell.of(damage) if damage else text


def _damage_of(text: str) -> str | None:
    """Name what a spreadsheet did to a text, if it did."""
    if text[:1] == "=":
        return "formula"
    if is_error(text):
        return "spreadsheet_error"
    marked = _MARKED.fullmatch(text)
    return marked[1] if marked else None


def _named(fault: PhoneFault) -> BadCell:
    return BadCell(_RENAMED.get(fault, fault.value), fault.hint)
