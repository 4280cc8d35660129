"""The phones that a job has had, in flat memory: a few in a dict, many in a private file that nobody can open."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from voiso_async.convert import decode
from voiso_async.outbox.lead_reader import Entry
from voiso_async.outbox.sqlite.database import as_json

MOST_IN_MEMORY = 20_000
BLOCK = 200
PHONES = 1 << 50
"""A phone has at most 15 digits."""
SLOTS = 1 << 12
"""Campaigns of one table: a key is the campaign's slot and the phone."""


class JobPhoneIndex:
    """Say which valid row of a job came first with a phone, campaign by campaign."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._few: dict[int, int] | None = {}
        self._many: sqlite3.Connection | None = None
        self._tables = 0

    def mark_repeats(self, entries: Sequence[Entry]) -> None:
        """Make REPEATED what came before; the others are remembered."""
        if not entries:
            return
        bases = {campaign: self._base(campaign or 0) for campaign in {entry.campaign for entry in entries}}
        keys = [bases[entry.campaign] + (entry.phone or 0) for entry in entries]
        first = {key: entry.index for key, entry in zip(reversed(keys), reversed(entries), strict=True)}
        known = self._add(first, entries[0].index)
        if not known and len(first) == len(entries):
            return
        first |= known
        for key, entry in zip(keys, entries, strict=True):
            if first[key] != entry.index:
                entry.repeats(first[key], entry.reason)

    def restore(self, places: Sequence[Sequence[int]]) -> None:
        """Remember rows, as campaign, phone and index, that were stored before."""
        self._add({self._base(campaign) + phone: index for campaign, phone, index in places}, 0)

    def close(self) -> None:
        """Forget all."""
        self._few = {}
        if self._many is not None:
            self._many.close()

    def _base(self, campaign: int) -> int:
        """The key of a phone is so much more than the phone."""
        return self._slots.setdefault(campaign, len(self._slots)) * PHONES

    def _add(self, new: dict[int, int], first: int) -> dict[int, int]:
        """Remember; give the keys that were there before index ``first``, with their places."""
        if self._few is not None:
            known = {key: self._few[key] for key in new.keys() & self._few.keys()}
            self._few = new | self._few
            if len(self._few) > MOST_IN_MEMORY:
                few, self._few = self._few, None
                self._write(few)
            return known
        return {} if self._write(new) == len(new) else self._look_up(new, first)

    def _write(self, new: dict[int, int]) -> int:
        """Write what is not there yet; say how many that was."""
        many, written = self._opened(), 0
        for table, own in _by_table(sorted(new.items())):
            for start in range(0, len(own), BLOCK):
                block = own[start : start + BLOCK]
                sql = f"INSERT OR IGNORE INTO seen{table} VALUES {', '.join(['(?, ?)'] * len(block))}"  # noqa: S608
                written += many.execute(sql, list(chain.from_iterable(block))).rowcount
        return written

    def _look_up(self, new: dict[int, int], first: int) -> dict[int, int]:
        known: dict[int, int] = {}
        for table, items in _by_table([(key, key) for key in sorted(new)]):
            own = dict(items)
            found = self._opened().execute(
                f"""SELECT json_group_array(json_array(seen{table}.id, place)) FROM json_each(?)
                JOIN seen{table} ON seen{table}.id = value WHERE place < ?""",  # noqa: S608
                (as_json(list(own)), first),
            )
            known.update((own[key], place) for key, place in decode(found.fetchone()[0].encode()))
        return known

    def _opened(self) -> sqlite3.Connection:
        """A file without a name, which ends with the connection; a table for so many campaigns each."""
        if self._many is None:
            self._many = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000"):
                self._many.execute(f"PRAGMA {pragma}")
        while self._tables * SLOTS < len(self._slots):
            self._many.execute(f"CREATE TABLE seen{self._tables} (id INTEGER PRIMARY KEY, place INTEGER)")
            self._tables += 1
        return self._many


def _by_table(items: Sequence[tuple[int, int]]) -> Iterator[tuple[int, Sequence[tuple[int, int]]]]:
    """Give what belongs to each table, under its id there; the items come by their keys."""
    span = PHONES * SLOTS
    if items and items[-1][0] < span:  # as with fewer campaigns than one table takes
        yield 0, items
        return
    for table, own in groupby(items, key=lambda item: item[0] // span):
        yield table, [(key - table * span, place) for key, place in own]
