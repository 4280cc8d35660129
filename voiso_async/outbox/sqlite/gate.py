"""The gate of a lane whose rows are in a file: turns that bring rows along, and write down what became of them."""

import contextlib
from collections.abc import Callable, Iterable, Sequence

import anyio

from voiso_async.errors import OutboxError, UsageError
from voiso_async.ingest.gate import ClaimRequest, ClaimSource, LocalGate, LocalSlot
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.sqlite.claim import Claim, Claimed, claim
from voiso_async.outbox.sqlite.complete import Completion, clears_doubt, complete, undo_claim, update_of
from voiso_async.outbox.sqlite.database import Database
from voiso_async.outbox.sqlite.schema import OPERATIONS
from voiso_async.outbox.sqlite.thread import DatabaseThread, result_of

TICK = 0.0001
"""No wait is shorter: a clock has to move on."""


class OutboxGate:
    """Take the turn among the lanes of this process first, then the gate in the file.

    ``on_release`` is called, from any thread, when rows may wait again. The gate opens ``early`` for a claim.
    """

    def __init__(
        self,
        worker: DatabaseThread,
        origin: str,
        *,
        policy: LanePolicy,
        clock: Callable[[], float],
        lease: float,
        early: float,
        on_release: Callable[[], None],
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.lease = lease
        self._on_release = on_release
        self._worker = worker
        self._origin = origin
        self._early = min(early, policy.cooldown / 4)
        self._local = LocalGate(
            origin, policy.cooldown, clock, early=self._early, doubt_backoff=policy.doubt_backoff
        )
        self._opens_at: dict[int, float] = {}

    async def acquire(self, campaign: int, source: ClaimSource) -> "OutboxSlot":
        """Wait until this lane may write; cancelled, it gives back what it was just being given."""
        self._worker.ensure_usable()
        local = await self._local.acquire(campaign)
        try:
            while True:
                request = source.claim_request()
                asked = self.clock()
                found = await self._claim(self._ask(campaign, request, asked))
                if isinstance(found, Claimed):
                    await self._until_open(found)
                    return OutboxSlot(self, local, request, found, asked)
                self._opens_at[campaign] = self.clock() + found
                await anyio.sleep(max(found, TICK))
        except BaseException:
            local.release_now(None)
            raise

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known here."""
        known = self._opens_at.get(campaign, float("-inf")) - self.clock()
        return max(self._local.opens_in(campaign), known, 0.0)

    async def close(self, local: LocalSlot, closing: Completion, hold: float | None) -> None:
        """Have a turn written down, whoever waits for it, and shut the gate of this process in any case."""
        try:
            begun = self._worker.begin(complete, closing)
        except BaseException:
            local.release_now(hold)
            raise
        begun.add_done_callback(lambda _: self._closed(local, hold))
        await result_of(begun)

    def _closed(self, local: LocalSlot, hold: float | None) -> None:
        local.release_now(hold)
        self._on_release()

    async def _until_open(self, claimed: Claimed) -> None:
        left = max(claimed.wait, self._local.opens_in(claimed.campaign))
        opens_at = self.clock() + left
        try:
            while left > 0:  # a timer may be a little early
                await anyio.sleep(max(left, TICK))
                left = opens_at - self.clock()
        except BaseException:
            self._undo_claim(claimed)
            raise

    def _undo_claim(self, claimed: Claimed) -> None:
        with contextlib.suppress(OutboxError, UsageError):  # closed: then all is given back
            self._worker.begin(_undo, claimed)

    def _ask(self, campaign: int, request: ClaimRequest, asked: float) -> Claim:
        return Claim(
            campaign=campaign,
            operation=OPERATIONS.index(request.operation),
            origin=self._origin,
            policy=self.policy,
            asked=asked,
            early=self._early,
            retry_ids=tuple(row.id for row in request.retry_rows if isinstance(row, StoredRow)),
            max_rows=request.max_rows,
            max_bytes=request.max_bytes,
            job=request.job_id,
            submission=request.submission,
        )

    async def _claim(self, ask: Claim) -> Claimed | float:
        return await self._worker.take(lambda db: claim(db, ask), _undo)


def _undo(db: Database, found: Claimed | float) -> None:
    if isinstance(found, Claimed):
        undo_claim(db, found.campaign, found.fence, [row.id for row in found.rows])


class OutboxSlot:
    """A turn whose rows, gate and outcomes are in the file."""

    def __init__(
        self, gate: OutboxGate, local: LocalSlot, request: ClaimRequest, claimed: Claimed, asked: float
    ) -> None:
        self._gate = gate
        self._local = local
        self._operation: Operation = request.operation
        self._retry_rows = [row for row in request.retry_rows if isinstance(row, StoredRow)]
        self._claimed = claimed
        self._asked = asked
        self._ended_at: float | None = None
        for row in self._retry_rows:
            row.doubts = max(row.doubts, claimed.known.get(row.id, 0))
            row.expired = row.id in claimed.expired

    @property
    def rows(self) -> Sequence[Row]:
        """Durable rows claimed for this turn."""
        return self._claimed.rows

    @property
    def is_retry(self) -> bool:
        """Whether ``rows`` are an old batch."""
        return self._claimed.is_retry

    @property
    def doubts(self) -> frozenset[str]:
        """Phones of this turn's rows that a lost answer once carried, in whatever job."""
        return self._claimed.doubts

    @property
    def refused(self) -> frozenset[str]:
        """Phones of this turn's rows that a batch refused as a whole carried, in whatever job."""
        return self._claimed.refused

    def in_time(self) -> bool:
        """Whether a POST begun now would end before the lease does."""
        policy = self._gate.policy
        return self._gate.clock() - self._asked < self._gate.lease - policy.post_timeout - policy.cooldown

    def attempt_ended(self) -> None:
        """Note that the attempt is over."""
        self._ended_at = self._gate.clock()
        self._local.attempt_ended()

    async def release(
        self, results: Iterable[RowResult], hold: float | None, attempt: Attempt | None = None
    ) -> None:
        """Write down the outcomes and shut the gate; the doubts of rows without a result are kept.

        Such rows stay with the lane. It is done even if the caller is cancelled; ``OutboxError`` says that
        it could not be: then the rows in flight come back doubted.
        """
        await self._gate.close(self._local, self._closing(list(results), hold, attempt), hold)

    def _closing(self, results: list[RowResult], hold: float | None, attempt: Attempt | None) -> Completion:
        stored = {result.row.id: result for result in results if isinstance(result.row, StoredRow)}
        rows = {row.id: row for row in (*self._retry_rows, *self._claimed.rows)}
        flight = tuple(rows)
        rows.update((result.row.id, result.row) for result in results if isinstance(result.row, StoredRow))
        return Completion(
            campaign=self._claimed.campaign,
            fence=self._claimed.fence,
            operation=OPERATIONS.index(self._operation),
            updates=[(row_id, update_of(row, stored.get(row_id))) for row_id, row in rows.items()],
            in_flight=flight,
            cleared=tuple(r.row.phone for r in stored.values() if clears_doubt(self._operation, r)),
            shut=self._shut(hold),
            attempt=attempt,
        )

    def _shut(self, hold: float | None) -> tuple[float, float] | None:
        if hold is None:
            return None
        ended_at = self._gate.clock() if self._ended_at is None else self._ended_at
        shut_for = max(self._gate.policy.cooldown, hold)
        return ended_at + shut_for, shut_for
