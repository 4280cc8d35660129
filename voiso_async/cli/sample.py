"""A file of leads for a demonstration: names are invented, numbers come from ranges reserved for fiction."""

import csv
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

from attrs import frozen

__all__ = ["FEWEST", "MOST", "Sample", "write_sample"]

FEWEST, MOST = 100, 50_000
KNOWN_SHARE, REPEATED_SHARE, INVALID_SHARE = 0.05, 0.02, 0.012
SEED = 2026

HEADER = ("Customer ID", "Phone number", "First name", "Last name", "Priority", "Active", "Source", "X-Plan")
FIRST_NAMES = ("Ada", "Ben", "Chidi", "Dora", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam")
LAST_NAMES = ("Moss", "Tanaka", "Obi", "Lind", "Kaya", "Ade", "Holm", "Reyes", "Rocha", "Falk", "Novak", "Byrne")
PLANS = ("gold", "silver", "basic")
UNUSABLE = (
    "",
    "ask for it",
    "07700 900123",
    "4.41633E+11",
    "2025550147",
    "12025550147 ext 7",
    "+44 (0)1632 960456",
    "960123",
)
"""What stands where a number should: each is refused for another reason."""

UK_RANGES = (range(441632960100, 441632961000), range(447700900000, 447700901000))  # the sandbox knows the rest
AREA_CODES = range(201, 990)  # in each, 555-0100 to 555-0199


@frozen(kw_only=True)
class Sample:
    """What was written: how many rows, and which of their phones the campaign should know already."""

    rows: int
    known: Sequence[str]


def write_sample(path: Path, rows: int) -> Sample:
    """Write a new file of so many rows; some are unusable, some repeat an earlier one. Same rows, same file."""
    dice = random.Random(SEED)  # noqa: S311 - a demonstration that is the same each time
    repeated, unusable = int(rows * REPEATED_SHARE), int(rows * INVALID_SHARE)
    phones = list(islice(_phones(), rows - repeated - unusable))
    known = phones[:: round(1 / KNOWN_SHARE)]
    cells = [_written(phone, dice) for phone in phones]
    for _ in range(repeated):
        place = dice.randrange(len(phones))
        cells.insert(dice.randrange(place, len(cells) + 1), _written(phones[place], dice))
    for turn in range(unusable):
        cells.insert(dice.randrange(len(cells) + 1), UNUSABLE[turn % len(UNUSABLE)])
    with path.open("x", encoding="utf-8", newline="") as file:
        _write(file, cells, dice)
    return Sample(rows=len(cells), known=known)


def _write(file: TextIO, cells: Sequence[str], dice: random.Random) -> None:
    table = csv.writer(file)
    table.writerow(HEADER)
    for number, phone in enumerate(cells, start=1):
        names = (dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES))
        table.writerow((f"C-{number:05}", phone, *names, dice.randint(1, 9), "yes", "demo", dice.choice(PLANS)))


def _phones() -> Iterator[str]:
    for numbers in UK_RANGES:
        yield from map(str, numbers)
    for area in AREA_CODES:
        if area % 100 != 11:  # such codes are services, not areas
            yield from (f"1{area}5550{last}" for last in range(100, 200))


def _written(phone: str, dice: random.Random) -> str:
    """Write a number as people do: bare, with a plus, or with blanks."""
    return dice.choice((phone, f"+{phone}", f"+{phone[:2]} {phone[2:6]} {phone[6:]}"))
