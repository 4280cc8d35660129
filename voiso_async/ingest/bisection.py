"""Bisection: the search for the rows for which a whole batch was refused.

A refused batch is split: rows that the server named by index go alone first, then one part for each submission,
then halves, until what is refused is a single row. Two disjoint parts that are refused with the same text mean
that the fault is not in the rows, unless the server has accepted rows of this operation.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.ingest.rows import Row

_INDEX = re.compile(r"(?:[A-Za-z_]+[.\[])?\[?([0-9]{1,4})\]?(?:[.\[].*)?")


class Refusal(RedactedRepr, Struct, frozen=True):
    """What the server said when it refused a whole batch: status, text and field errors.

    The text may echo what was sent, such as a name: it stays out of the repr.
    """

    status: int
    text: str
    fields: Mapping[str, tuple[str, ...]]

    _redacted: ClassVar[AbstractSet[str]] = {"text", "fields"}

    def indexes(self, rows: int) -> list[int]:
        """Give the positions in the batch that the field errors name, in order."""
        found = (_INDEX.fullmatch(name) for name in self.fields)
        return sorted({int(match[1]) for match in found if match and int(match[1]) < rows})

    def same_as(self, other: "Refusal") -> bool:
        """Whether another refusal has the same status and text."""
        return self.status == other.status and self.text == other.text


class BatchBisection:
    """The search in one refused batch: ``parts`` wait, and each POST costs one of ``posts_left``."""

    def __init__(self, rows: Sequence[Row], refusal: Refusal, max_posts: int) -> None:
        self.refusal = refusal
        self.posts_left: int = max_posts
        self.parts: deque[Sequence[Row]] = deque()
        self.any_accepted: bool = False
        self._tried = False
        self._singled_out: set[int] = set()
        self._refused: list[tuple[Refusal, frozenset[int]]] = []
        self._queue(rows, refusal)

    def next_part(self) -> Sequence[Row] | None:
        """Give the next part to send, or ``None`` if nothing is left or no POST may be spent any more."""
        if not self.parts or self.posts_left <= 0:
            return None
        self.posts_left -= 1
        return self.parts.popleft()

    def accepted(self) -> None:
        """Note that a part was accepted: the fault is in rows."""
        self.any_accepted = True

    def refused(self, part: Sequence[Row], refusal: Refusal) -> bool:
        """Note that a part was refused; split it, or say ``True`` if it is a single row."""
        self._tried = True
        named = refusal.indexes(len(part))
        ids = frozenset(id(row) for row in part)
        # Evidence against the request as a whole: a part that the server did not pick out itself was refused, and
        # its text blames no row or all of them alike.
        if not ids <= self._singled_out and len(named) in {0, len(part)}:
            self._refused.append((refusal, ids))
        if len(part) == 1:
            return True
        self._queue(part, refusal)
        return False

    def fault_is_common(self) -> bool:
        """Whether two disjoint parts that the server did not single out were refused alike, and none accepted."""
        if self.any_accepted or not self._refused:
            return False
        latest, rows = self._refused[-1]
        return any(latest.same_as(other) and rows.isdisjoint(others) for other, others in self._refused[:-1])

    @property
    def all_refused(self) -> bool:
        """Whether parts were tried and every one was refused."""
        return self._tried and not self.any_accepted

    def remaining(self) -> Iterator[Row]:
        """Give up: take every row that has no result."""
        while self.parts:
            yield from self.parts.popleft()

    def _queue(self, rows: Sequence[Row], refusal: Refusal) -> None:
        # Rows that the server named are the likeliest cause. One of them goes first; the others go after the parts
        # of the unnamed rows, so that leads without a fault need not wait for every single row.
        named, parts = split(rows, refusal)
        self._singled_out.update(id(row) for row in named)
        singles = [[row] for row in named]
        self.parts.extendleft(reversed([*singles[:1], *(parts if named else ()), *singles[1:]]))
        self.parts.extend(() if named else parts)


def split(rows: Sequence[Row], refusal: Refusal) -> tuple[list[Row], list[Sequence[Row]]]:
    """Split refused rows into those that the server singled out, and parts of the others."""
    indexes = set(refusal.indexes(len(rows)))
    if len(indexes) == len(rows):
        indexes = set()
    named = [row for i, row in enumerate(rows) if i in indexes]
    by_owner: dict[int, list[Row]] = {}
    for i, row in enumerate(rows):
        if i not in indexes:
            by_owner.setdefault(id(row.submission), []).append(row)
    parts: list[Sequence[Row]] = list(by_owner.values())
    if len(parts) == 1 and not named:
        middle = (len(rows) + 1) // 2
        parts = [part for part in (rows[:middle], rows[middle:]) if part]
    return named, parts
