"""Voiso's own calling lists, which may come without a header: numbers, with addresses, or names and sources."""

from collections.abc import Callable, Mapping, Sequence

from voiso_async.errors import InputFileError
from voiso_async.files.phones import looks_like_phone

__all__ = ["SAMPLE", "headerless"]

LAYOUTS: Mapping[int, tuple[str, ...]] = {1: ("Number",), 2: ("Number", "URL"), 3: ("Number", "Name", "Source")}
ADDRESS = ("http://", "https://")
SAMPLE = 200
"""Rows below the first that are looked at before a file counts as one without a header."""

Row = tuple[int, Sequence[str]]


def headerless(rows: Sequence[Row], is_phone: Callable[[str], bool]) -> tuple[str, ...]:
    """Name the columns of a file without a header by its first rows.

    ``InputFileError`` if they fit none of Voiso's layouts, or if the first column of one row is no number with its
    country code: a column of dates, amounts or ids would be dialled.
    """
    width = len(rows[0][1])
    if width not in LAYOUTS:
        raise _no_header(
            rows[0][0], f"none of Voiso's layouts has {width} {'column' if width == 1 else 'columns'}"
        )
    for row, cells in rows:
        if not is_phone(cells[0]):
            raise _no_header(row, "its first cell is no phone number with a country code")
        if not _fits(cells):
            raise _no_header(row, "what stands beside the number fits none of Voiso's layouts")
    return LAYOUTS[width]


def _fits(cells: Sequence[str]) -> bool:
    others = cells[1:]
    addresses = [cell.strip().lower().startswith(ADDRESS) for cell in others]
    if len(others) == 1:
        return addresses[0] or not others[0].strip()
    return not any(addresses) and not any(map(looks_like_phone, others))


def _no_header(row: int, why: str) -> InputFileError:
    return InputFileError(
        f"the file begins with a number, but row {row} is none of a list of numbers ({why}): put a row such as "
        "phone_number,name above it, or delete what stands above the names of the columns",
        row=row,
        reason="no_header",
    )
