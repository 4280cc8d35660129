"""What a lane asks of a call that waits in it, whether its rows come from a caller or from an outbox."""

from collections.abc import Collection, Iterable
from typing import Protocol

from voiso_async.errors import VoisoError
from voiso_async.ingest.row import Row, RowOwner

__all__ = ["WaitingCall"]


class WaitingCall(RowOwner, Protocol):
    """A call as its lane sees it: ``waiting`` rows to send, in order, ``backlog`` more that a turn may bring.

    The garbage collector looks at neither the rows nor a ``dict`` of them, but it would look at a ``deque``.
    """

    waiting: dict[int, Row]
    backlog: int
    queued: bool
    reading: bool

    @property
    def offers(self) -> bool:
        """Whether the lane may take rows now."""
        ...

    @property
    def wants_turn(self) -> bool:
        """Whether the lane has to wait for a turn because of it: it offers rows, or some that left go again."""
        ...

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make its batch fuller."""
        ...

    @property
    def finished(self) -> bool:
        """Whether every row that came has its outcome and no more will come."""
        ...

    def hold(self, rows: Iterable[Row]) -> None:
        """Note that the lane has taken rows."""
        ...

    def leave(self) -> None:
        """Withdraw what waits."""
        ...

    def ground(self, flying: Collection[Row]) -> None:
        """Take the word on the rows that the lane holds and that are not in the POST in flight: they stay here."""
        ...

    def seal(self, error: VoisoError) -> None:
        """Take no more rows; what waits still goes, then the caller gets ``error``."""
        ...

    def stop(self, error: VoisoError) -> None:
        """The lane gave up on it."""
        ...
