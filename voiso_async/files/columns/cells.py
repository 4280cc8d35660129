"""Cells as texts: what a spreadsheet did to one, and the escape that keeps it from running one as a formula."""

import re
from typing import Any, Self

from attrs import frozen

from voiso_async.phone import LONGEST_NATIONAL, PhoneFault

# A spreadsheet runs a cell that begins so; some make full-width forms narrow and drop leading blanks.
_RISKY = re.compile("'*[\\s\ufeff\u200b]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_ERROR = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|ERROR!|#{2,})")

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


class Cell(str):
    """A cell of a workbook that is not plain text: ``mark`` says why it is not a phone number."""

    __slots__ = ("damage",)

    def __new__(cls, text: str, mark: str) -> Self:
        """Make a cell; ``mark`` is ``formula``, ``date``, ``rounded`` or ``spreadsheet_error``."""
        cell = super().__new__(cls, text)
        cell.damage = mark
        return cell

    damage: str


@frozen
class BadCell:
    """Why a cell's value cannot be used: a reason code, and what to do about it."""

    reason: str
    detail: str

    @classmethod
    def of(cls, reason: str) -> "BadCell":
        """Use the standard detail of a reason."""
        return cls(reason, HINTS[reason])


def is_error(value: Any) -> bool:
    """Tell whether the value is an error of a spreadsheet, such as ``#N/A``."""
    return isinstance(value, str) and value[:1] == "#" and _ERROR.fullmatch(value.strip()) is not None


def with_damage_note(cell: Cell) -> str:
    """Write a cell of a workbook so that it is refused again for the same reason, unless somebody corrects it."""
    if cell.damage == "formula":
        return f"={cell}"
    return f"{cell} ({cell.damage})" if cell.damage in {"date", "rounded"} else str(cell)


def escape_formula(text: str) -> str:
    """Put one ``'`` before a text that a spreadsheet would run, or that ``unguarded`` would change."""
    return "'" + text if _RISKY.match(text) else text


def unescape_formula(text: str) -> str:
    """Remove what ``guarded`` added; other texts stay unchanged."""
    return text[1:] if text[:1] == "'" and _RISKY.match(text) else text
