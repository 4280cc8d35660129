"""A batch while it is being filled from the calls that wait."""

from collections.abc import Iterator
from itertools import islice

from voiso_async.ingest.row import Row
from voiso_async.ingest.waiting import WaitingCall

__all__ = ["Filling"]


class Filling:
    """Rows with distinct ``phones``, up to a number of rows and of bytes; those given are taken already."""

    def __init__(self, max_rows: int, max_bytes: int, phones: set[str]) -> None:
        self.rows: list[Row] = []
        self.open: bool = True
        self._max_rows = max_rows
        self._bytes_left = max_bytes - 2
        self._looks_left = 2 * max_rows  # many rows with one phone must not hold the loop
        self._phones = phones
        self._deferred: dict[WaitingCall, dict[int, Row]] = {}

    def take(self, call: WaitingCall, looks: int) -> bool:
        """Look at so many rows of a call and take them, in order; say whether there was room for the last.

        A row whose phone is there already is put aside.
        """
        rows, phones, waiting = self.rows, self._phones, call.waiting
        before, bytes_left, looked = len(rows), self._bytes_left, list[int]()
        for name, row in islice(waiting.items(), min(looks, self._looks_left)):
            if len(rows) == self._max_rows:
                break
            if row.phone in phones:
                self._deferred.setdefault(call, {})[name] = row
            else:
                bytes_left -= len(row.body) + 1
                if bytes_left < 0 and rows:
                    break
                phones.add(row.phone)
                rows.append(row)
            looked.append(name)
        for name in looked:
            del waiting[name]
        self._bytes_left, self._looks_left = bytes_left, self._looks_left - len(looked)
        self.open = bytes_left >= 0 and len(rows) < self._max_rows and self._looks_left > 0
        call.hold(rows[before:])
        return bytes_left >= 0

    def give_back(self) -> Iterator[WaitingCall]:
        """Put the rows that are to wait back in their places; give the calls they belong to."""
        for call, rows in self._deferred.items():
            call.waiting = rows | call.waiting
            yield call
