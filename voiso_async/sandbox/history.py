"""The record of every request: what the client sent and what the sandbox did."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen


@frozen(kw_only=True)
class Exchange:
    """One request and its result; times are those of the sandbox's clock.

    ``path`` is what follows ``/api/v4``, undecoded; ``headers`` have lower-case names and lack Authorization.
    ``began`` is when the headers had arrived; ``ended`` is when processing ended, before the first byte of the
    reply, and is ``None`` until then. ``status`` is ``None`` if no status line was sent. ``applied`` holds the
    numbers that were created or updated. ``early`` marks a lead request that came before the cooldown had
    passed, whatever the reply.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict, repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    authorization_count: int = 0
    key_right: bool = False
    key_elsewhere: bool = False
    """Whether the key is in the target, in another header or in the body, where it must not be."""
    body: bytes = field(default=b"", repr=False)
    connection: int = 0
    began: float
    ended: float | None = None
    status: int | None = None
    applied: tuple[str, ...] = field(default=(), repr=False)
    fault: str | None = None
    early: bool = False


class History:
    """Keeps the exchanges in the order they began; with ``limit``, only the last ones."""

    def __init__(self, limit: int | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self._limit = limit
        self._seen = 0

    def next_number(self) -> int:
        """Return the number of a new request; the first is 1."""
        self._seen += 1
        return self._seen

    def add(self, exchange: Exchange) -> None:
        """Add a request that has just begun."""
        self.exchanges.append(exchange)
        if self._limit is not None:
            del self.exchanges[: -self._limit]

    def update(self, exchange: Exchange, **changes: Any) -> Exchange:
        """Replace the record of a request, unless it was dropped already; return the new one."""
        later = evolve(exchange, **changes)
        for position in range(len(self.exchanges) - 1, -1, -1):
            if self.exchanges[position].number == exchange.number:
                self.exchanges[position] = later
                break
        return later
