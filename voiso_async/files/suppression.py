"""Numbers that must not be called: lists of them, in a form that two million fit into 20 MB."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from voiso_async.errors import ConfigurationError
from voiso_async.files.columns.phones import PhoneRule
from voiso_async.files.disk import run_in_thread
from voiso_async.files.number_list import ListReport, NumberList
from voiso_async.phone import PhoneFault, canonical

SHARDS = 1024
MOST_SHOWN = 5


class Suppression:
    """A set of phone numbers that are never sent; leads with one of them become SUPPRESSED.

    A value that is no phone number is a ``ConfigurationError``: whoever it means would be called. ``lenient``
    passes such values over, and ``refused`` counts them. ``paths`` are the files that were read, ``remarks`` say
    what could surprise: columns and sheets where there are several, and what was passed over.
    """

    def __init__(self, phones: Iterable[str | int] = (), *, lenient: bool = False) -> None:
        if isinstance(phones, str | bytes):
            raise ConfigurationError("give an iterable of phone numbers; Suppression.load reads files of them")
        self.refused: int = 0
        self.paths: tuple[str, ...] = ()
        self.remarks: tuple[str, ...] = ()
        self._shards = [array("Q") for _ in range(SHARDS)]
        first: list[str] = []
        for place, phone in enumerate(phones):
            digits = canonical(phone)
            if not isinstance(digits, PhoneFault):
                self._add(int(digits))
                continue
            self.refused += 1
            if len(first) < MOST_SHOWN:
                first.append(f"{place} ({digits.value.replace('_', ' ')})")
        if self.refused and not lenient:
            raise ConfigurationError(
                f"{self.refused} values of the list not to be called are no phone numbers, so somebody would be "
                f"called: index {', '.join(first)}; correct them, or pass them over by lenient=True"
            )
        self._finish()

    @classmethod
    async def load(
        cls,
        *paths: str | os.PathLike[str],
        column: str | Sequence[str] | None = None,
        region: str | None = None,
        international: bool = False,
        lenient: bool = False,
    ) -> Self:
        """Read lists in full: a phone a line, or the columns of a CSV, XLSX or JSON Lines file.

        Every column with a usual name is read, or those that ``column`` names, by the same rule as leads: a number
        without its country code would match nobody. ``InputFileError`` if any row is not understood, or if a list
        has no number; ``lenient`` passes such rows over. All sheets are read, and hidden rows and columns too;
        hidden sheets are not.
        """
        lists = NumberList(
            phones=PhoneRule.of(region, international=international),
            columns=(column,) if isinstance(column, str) else tuple(column or ()),
            lenient=lenient,
        )
        suppression = cls()
        parts: list[ListReport] = []
        for path in paths:
            await suppression._read(lists, path, parts)
        suppression.refused = sum(part.unreadable for part in parts)
        suppression.remarks = tuple(remark for part in parts for remark in part.remarks)
        await run_in_thread(lambda: suppression._finish(paths))
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

    async def _read(self, lists: NumberList, path: str | os.PathLike[str], parts: list[ListReport]) -> None:
        steps = lists.read(path, parts)
        while (numbers := await run_in_thread(lambda: next(steps, None))) is not None:
            for number in numbers:
                self._add(number)

    def _add(self, phone: int) -> None:
        self._shards[phone % SHARDS].append(phone)

    def _finish(self, paths: Iterable[str | os.PathLike[str]] = ()) -> None:
        self.paths = tuple(str(Path(path).absolute()) for path in paths)
        self._shards = [array("Q", sorted(set(shard))) for shard in self._shards]
