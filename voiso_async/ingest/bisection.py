"""The search for the rows for which a whole batch was refused.

A refused batch is divided: rows that the server named by index stand alone first, then one part for each call,
then halves, until what is refused stands alone. Two disjoint parts refused with the same words mean that the
cause is not in the rows, unless the server has accepted rows of this operation before or since.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

from voiso_async.ingest.rows import Row
from voiso_async.values import Discreet, Struct

_INDEX = re.compile(r"(?:[A-Za-z_]+[.\[])?\[?([0-9]{1,4})\]?(?:[.\[].*)?")


class Refusal(Discreet, Struct, frozen=True):
    """A complete no to a whole batch: status, the server's text, and its field errors.

    The text may echo what was sent, a name for one: it stays out of the repr.
    """

    status: int
    text: str
    fields: Mapping[str, tuple[str, ...]]

    _hidden: ClassVar[AbstractSet[str]] = {"text", "fields"}

    def indexes(self, rows: int) -> list[int]:
        """The positions in the batch that the field errors name, in order."""
        found = (_INDEX.fullmatch(name) for name in self.fields)
        return sorted({int(match[1]) for match in found if match and int(match[1]) < rows})

    def same_as(self, other: "Refusal") -> bool:
        """Whether two refusals say the same."""
        return self.status == other.status and self.text == other.text


class BatchBisection:
    """One refused batch being searched; ``parts`` wait for their turn, each POST costs one of ``posts_left``."""

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
        """The next part to send, or ``None`` if nothing is left or no POST may be spent any more."""
        if not self.parts or self.posts_left <= 0:
            return None
        self.posts_left -= 1
        return self.parts.popleft()

    def accepted(self) -> None:
        """A part was taken: the cause is in the rows."""
        self.any_accepted = True

    def refused(self, part: Sequence[Row], refusal: Refusal) -> bool:
        """A part was refused; say whether it stands alone, else divide it further."""
        self._tried = True
        named = refusal.indexes(len(part))
        ids = frozenset(id(row) for row in part)
        if not ids <= self._singled_out and len(named) in {0, len(part)}:
            self._refused.append((refusal, ids))
        if len(part) == 1:
            return True
        self._queue(part, refusal)
        return False

    def fault_is_common(self) -> bool:
        """Whether two disjoint parts that the server did not single out were refused alike, and none was taken."""
        if self.any_accepted or not self._refused:
            return False
        latest, rows = self._refused[-1]
        return any(latest.same_as(other) and rows.isdisjoint(others) for other, others in self._refused[:-1])

    @property
    def all_refused(self) -> bool:
        """Whether every part that was tried was refused."""
        return self._tried and not self.any_accepted

    def remaining(self) -> Iterator[Row]:
        """Give up the search: every row that has not been judged."""
        while self.parts:
            yield from self.parts.popleft()

    def _queue(self, rows: Sequence[Row], refusal: Refusal) -> None:
        named, parts = split(rows, refusal)
        self._singled_out.update(id(row) for row in named)
        singles = [[row] for row in named]
        self.parts.extendleft(reversed([*singles[:1], *(parts if named else ()), *singles[1:]]))
        self.parts.extend(() if named else parts)


def split(rows: Sequence[Row], refusal: Refusal) -> tuple[list[Row], list[Sequence[Row]]]:
    """Split refused rows into those that the server singled out, and the parts that the others make."""
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
