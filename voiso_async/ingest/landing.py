"""What one attempt led to: for its rows, for the gate, and for the lane."""

import asyncio
from collections.abc import Iterable

from voiso_async.errors import ClientClosedError, IngestError, VoisoError
from voiso_async.events import logger
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.row import Carried, Operation, Row, RowOwner, RowResult
from voiso_async.ingest.status import LaneState
from voiso_async.ingest.verdict import Refused
from voiso_async.values import Struct, field

__all__ = ["Landing", "Stop", "stop_after"]


class Stop(Struct, frozen=True):
    """The lane gives up on calls: those of some operations, or only the owners of some rows."""

    error: VoisoError
    operations: frozenset[Operation]
    owners: frozenset[int] | None = None

    def concerns(self, call: RowOwner) -> bool:
        """Whether this call is given up."""
        return call.operation in self.operations and (self.owners is None or id(call) in self.owners)


def stop_after(task: "asyncio.Task[None]") -> Stop | None:
    """Why a lane's task ended, if it did not end by itself."""
    if task.cancelled():
        error: VoisoError = ClientClosedError(
            "the client was closed before every lead was sent; see .report for each"
        )
    elif (cause := task.exception()) is None:
        return None
    elif isinstance(cause, VoisoError):
        error = cause
    else:
        logger.error("a lane ended unexpectedly: %s", type(cause).__name__)
        error = IngestError(
            f"the lane ended unexpectedly ({type(cause).__name__}); rows are UNKNOWN if they were on their way, "
            "else NOT_SENT: see .report"
        )
        error.__cause__ = cause
    return Stop(error, frozenset(Operation))


class Landing(Struct, kw_only=True):
    """What one attempt led to; a ``hold`` of ``None`` means that nothing was sent, ``pause`` precedes the next."""

    verdict: str = ""
    results: list[RowResult] = field(default_factory=list)
    rows: int = 0
    owners: tuple[RowOwner, ...] = ()
    anomalies: int = 0
    carried: Carried | None = None
    hold: float | None = None
    pause: float = 0.0
    state: LaneState = "waiting"
    reason: str | None = None
    stop: Stop | None = None

    def carry(self, *, fresh: bool, seconds: float) -> None:
        """Note the attempt in the books of everybody who had rows in it."""
        self.carried = Carried(
            fresh=fresh,
            seconds=seconds,
            busy=self.state == "busy",
            refused=self.verdict == Refused.__name__,
            anomalies=self.anomalies,
        )
        for owner in self.owners:
            owner.carried(self.carried)

    def settle(
        self, rows: Iterable[Row], outcome: Outcome, reason: str | None = None, detail: str | None = None
    ) -> None:
        """Give rows the same final word."""
        for row in rows:
            open_ = row.doubted and outcome is Outcome.REJECTED  # an earlier attempt may have been applied
            self.results.append(RowResult(row, Outcome.UNKNOWN if open_ else outcome, reason, detail))
