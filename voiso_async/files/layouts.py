"""Voiso's own calling lists, which may come without a header: numbers, with addresses, or names and sources."""

from collections.abc import Mapping, Sequence

from voiso_async.errors import InputFileError
from voiso_async.files.phones import looks_like_phone

__all__ = ["headerless"]

LAYOUTS: Mapping[int, tuple[str, ...]] = {1: ("Number",), 2: ("Number", "URL"), 3: ("Number", "Name", "Source")}
ADDRESS = ("http://", "https://")


def headerless(first: Sequence[str]) -> tuple[str, ...] | None:
    """Name the columns of a file whose first row is a lead already; ``None`` if that row is a header.

    ``InputFileError`` if the row holds a phone number and fits none of the layouts: nothing is guessed.
    """
    phones = [looks_like_phone(cell) for cell in first]
    if not any(phones):
        return None
    if phones[0] and _fits(first, phones):
        return LAYOUTS[len(first)]
    raise InputFileError(
        "the first row holds a phone number, so the names of the columns are missing: put a row such as "
        "phone_number,name above it",
        row=1,
        reason="no_header",
    )


def _fits(first: Sequence[str], phones: Sequence[bool]) -> bool:
    addresses = [cell.strip().lower().startswith(ADDRESS) for cell in first]
    if len(first) == 2:
        return addresses[1]
    return len(first) in LAYOUTS and not any(phones[1:]) and not any(addresses)
