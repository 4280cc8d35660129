"""What came over the wire, as frozen records."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

__all__ = ["Exchange", "History"]


@frozen(kw_only=True)
class Exchange:
    """One request and what became of it; times are those of the sandbox's clock.

    ``path`` is what follows ``/api/v4``, undecoded; ``headers`` have lower-case names and lack Authorization.
    ``began`` is when the request's headers had arrived; ``ended`` is stamped when the processing was over,
    before the first byte of the answer, and is ``None`` while the request is being processed. ``status`` is
    ``None`` if no status line was sent. ``applied`` holds the numbers that were newly created or updated.
    ``early`` tells that a lead call broke the two-second rule, whatever it was answered.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict, repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    authorization_count: int = 0
    key_right: bool = False
    key_elsewhere: bool = False
    """The key stands in the target, in another header or in the body: it must not."""
    body: bytes = field(default=b"", repr=False)
    connection: int = 0
    began: float
    ended: float | None = None
    status: int | None = None
    applied: tuple[str, ...] = field(default=(), repr=False)
    fault: str | None = None
    early: bool = False


class History:
    """Keeps the exchanges in the order in which they began, at most ``limit`` of them."""

    def __init__(self, limit: int | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self._limit = limit
        self._seen = 0

    def number(self) -> int:
        """Count one more request; the first is 1."""
        self._seen += 1
        return self._seen

    def add(self, exchange: Exchange) -> None:
        """Keep a request that has just begun."""
        self.exchanges.append(exchange)
        if self._limit is not None:
            del self.exchanges[: -self._limit]

    def note(self, exchange: Exchange, **changes: Any) -> Exchange:
        """Put what is known now in the place of what was known before."""
        later = evolve(exchange, **changes)
        for place in range(len(self.exchanges) - 1, -1, -1):
            if self.exchanges[place].number == exchange.number:
                self.exchanges[place] = later
                break
        return later
