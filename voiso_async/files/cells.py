"""Cells as texts: what a workbook knows about one, and the guard that keeps spreadsheets from running one."""

import re
from typing import Self

__all__ = ["Cell", "guarded", "unguarded"]

# A spreadsheet runs a cell that begins so; some make full-width forms narrow and drop leading blanks.
_RISKY = re.compile("'*[\\s\ufeff\u200b]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class Cell(str):
    """A cell of a workbook that is no plain text: ``mark`` says why it is no phone number."""

    __slots__ = ("mark",)

    def __new__(cls, text: str, mark: str) -> Self:
        """Keep a cell's text, and its mark: ``formula``, ``date``, ``rounded`` or ``spreadsheet_error``."""
        cell = super().__new__(cls, text)
        cell.mark = mark
        return cell

    mark: str


def guarded(text: str) -> str:
    """Put one ``'`` before a text that a spreadsheet would run, or that ``unguarded`` would change."""
    return "'" + text if _RISKY.match(text) else text


def unguarded(text: str) -> str:
    """Take back what ``guarded`` did; every other text stays as it is."""
    return text[1:] if text[:1] == "'" and _RISKY.match(text) else text
