"""Numbers that must not be called: lists of them, in a form that two million fit into 20 MB."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from voiso_async.errors import InputFileError
from voiso_async.files.disk import name_of
from voiso_async.files.reading import Reading
from voiso_async.files.threads import in_thread
from voiso_async.ingest.intake import InvalidLead
from voiso_async.phone import PhoneFault, canonical

__all__ = ["Suppression"]

SHARDS = 1024
WORST_SHARE = 0.03
"""A list with more lines than this that are no phone is the wrong file, or the wrong column."""


class Suppression:
    """A set of phone numbers that are never sent; leads with one of them become INVALID, reason ``suppressed``.

    ``paths`` are the files it was read from, ``refused`` counts their lines that hold no phone number.
    """

    def __init__(self, phones: Iterable[str | int] = ()) -> None:
        self.refused: int = 0
        self._shards = [array("Q") for _ in range(SHARDS)]
        for phone in phones:
            digits = canonical(phone)
            if isinstance(digits, PhoneFault):
                self.refused += 1
            else:
                self._add(int(digits))
        self.paths: tuple[str, ...] = ()
        self._settle()

    @classmethod
    async def load(
        cls,
        *paths: str | os.PathLike[str],
        column: str | None = None,
        region: str | None = None,
        international: bool = False,
    ) -> Self:
        """Read lists: a phone a line, or the column of a CSV, XLSX or JSON Lines file.

        ``column`` names it, if its name is not a usual one. Numbers are read by the same rule as leads: one
        without its country code would match nobody, so it is refused. ``InputFileError`` if more than 3 %
        of a list are.
        """
        suppression = cls()
        mapping = None if column is None else {"phone_number": column}
        reading = Reading.of(
            mapping=mapping, region=region, international=international, hidden_rows="send", suppression=True
        )  # what a filter hides is on the list all the same
        for path in paths:
            await suppression._read(path, reading)
        await in_thread(lambda: suppression._settle(paths))
        return suppression

    def __contains__(self, phone: object) -> bool:
        """Whether a number, as canonical digits or as an integer, is on a list."""
        if isinstance(phone, str):
            phone = int(phone) if phone.isascii() and phone.isdigit() else -1
        if not isinstance(phone, int) or phone < 0:
            return False
        shard = self._shards[phone % SHARDS]
        place = bisect_left(shard, phone)
        return place < len(shard) and shard[place] == phone

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    async def _read(self, path: str | os.PathLike[str], reading: Reading) -> None:
        rows = refused = 0
        async with await reading.open(path) as file:
            async for row in file:
                rows += 1
                if isinstance(row.lead, InvalidLead):
                    refused += 1
                else:
                    self._add(int(row.lead["phone_number"]))
        if refused > rows * WORST_SHARE:
            raise InputFileError(
                f"{name_of(path)}: {refused} of its {rows} rows hold no phone number that can be compared: "
                "write them with + and the country code, or give the region; nothing was sent",
                reason="not_a_phone_list",
            )
        self.refused += refused

    def _add(self, phone: int) -> None:
        self._shards[phone % SHARDS].append(phone)

    def _settle(self, paths: Iterable[str | os.PathLike[str]] = ()) -> None:
        self.paths = tuple(str(Path(path).absolute()) for path in paths)
        self._shards = [array("Q", sorted(set(shard))) for shard in self._shards]
