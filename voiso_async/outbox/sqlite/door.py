"""The door of a lane whose rows are in a file: turns that bring rows along, and write down what became of them."""

import contextlib
from collections.abc import Callable, Iterable, Sequence

import anyio

from voiso_async.errors import OutboxError, UsageError
from voiso_async.ingest.gate import ClaimRequest, ClaimSource, LocalGate, LocalSlot
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.sqlite.claims import Lent, claim
from voiso_async.outbox.sqlite.closing import Closing, clears_doubt, close_turn, undo_claim, word_of
from voiso_async.outbox.sqlite.ledger import Ledger
from voiso_async.outbox.sqlite.picking import Claim
from voiso_async.outbox.sqlite.schema import OPERATIONS
from voiso_async.outbox.sqlite.worker import Worker, result_of

__all__ = ["OutboxGate", "OutboxSlot"]

EARLY = 0.05
"""Seconds before the gate opens in which a claim may do its work: about as long as it takes."""

TICK = 0.0001
"""No wait is shorter: a clock has to move on."""


class OutboxGate:
    """Take the turn among the lanes of this process first, then the gate in the file.

    ``told`` is called when rows may have come back in line, from whatever thread.
    """

    def __init__(
        self,
        worker: Worker,
        origin: str,
        *,
        policy: LanePolicy,
        clock: Callable[[], float],
        lease: float,
        told: Callable[[], None],
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.lease = lease
        self.told = told
        self._worker = worker
        self._origin = origin
        self._early = min(EARLY, policy.cooldown / 4)
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
                wished = source.claim_request()
                asked = self.clock()
                found = await self._claim(self._ask(campaign, wished, asked))
                if isinstance(found, Lent):
                    await self._until_open(found)
                    return OutboxSlot(self, local, wished, found, asked)
                self._opens_at[campaign] = self.clock() + found
                await anyio.sleep(max(found, TICK))
        except BaseException:
            local.release_now(None)
            raise

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known here."""
        known = self._opens_at.get(campaign, float("-inf")) - self.clock()
        return max(self._local.opens_in(campaign), known, 0.0)

    async def close(self, local: LocalSlot, closing: Closing, hold: float | None) -> None:
        """Have a turn written down, whoever waits for it, and shut the gate of this process in any case."""
        try:
            begun = self._worker.begin(close_turn, closing)
        except BaseException:
            local.release_now(hold)
            raise
        begun.add_done_callback(lambda _: self._closed(local, hold))
        await result_of(begun)

    def _closed(self, local: LocalSlot, hold: float | None) -> None:
        local.release_now(hold)
        self.told()

    async def _until_open(self, lent: Lent) -> None:
        left = max(lent.wait, self._local.opens_in(lent.campaign))
        opens_at = self.clock() + left
        try:
            while left > 0:  # a timer may be a little early
                await anyio.sleep(max(left, TICK))
                left = opens_at - self.clock()
        except BaseException:
            self._give_back(lent)
            raise

    def _give_back(self, lent: Lent) -> None:
        with contextlib.suppress(OutboxError, UsageError):  # closed: then all is given back
            self._worker.begin(_undo, lent)

    def _ask(self, campaign: int, wished: ClaimRequest, asked: float) -> Claim:
        return Claim(
            campaign=campaign,
            operation=OPERATIONS.index(wished.operation),
            origin=self._origin,
            policy=self.policy,
            asked=asked,
            early=self._early,
            again=tuple(row.id for row in wished.retry_rows if isinstance(row, StoredRow)),
            room=wished.max_rows,
            max_bytes=wished.max_bytes,
            job=wished.job_id,
            owner=wished.submission,
        )

    async def _claim(self, ask: Claim) -> Lent | float:
        return await self._worker.take(lambda ledger: claim(ledger, ask), _undo)


def _undo(ledger: Ledger, found: Lent | float) -> None:
    if isinstance(found, Lent):
        undo_claim(ledger, found.campaign, found.fence, [row.id for row in found.rows])


class OutboxSlot:
    """A turn whose rows, gate and outcomes are in the file."""

    def __init__(self, door: OutboxGate, local: LocalSlot, wished: ClaimRequest, lent: Lent, asked: float) -> None:
        self._door = door
        self._local = local
        self._operation: Operation = wished.operation
        self._again = [row for row in wished.retry_rows if isinstance(row, StoredRow)]
        self._lent = lent
        self._asked = asked
        self._landed_at: float | None = None
        for row in self._again:
            row.doubts = max(row.doubts, lent.known.get(row.id, 0))
            row.expired = row.id in lent.over

    @property
    def rows(self) -> Sequence[Row]:
        """Durable rows lent for this turn."""
        return self._lent.rows

    @property
    def is_retry(self) -> bool:
        """Whether ``rows`` are an old batch."""
        return self._lent.repeats

    @property
    def doubts(self) -> frozenset[str]:
        """Phones of this turn's rows that a lost answer once carried, in whatever job."""
        return self._lent.doubts

    @property
    def refused(self) -> frozenset[str]:
        """Phones of this turn's rows that a batch refused as a whole carried, in whatever job."""
        return self._lent.refused

    def in_time(self) -> bool:
        """Whether a POST begun now would end before the lease does."""
        policy = self._door.policy
        return self._door.clock() - self._asked < self._door.lease - policy.post_timeout - policy.cooldown

    def attempt_ended(self) -> None:
        """Note that the attempt is over."""
        self._landed_at = self._door.clock()
        self._local.attempt_ended()

    async def release(
        self, results: Iterable[RowResult], hold: float | None, attempt: Attempt | None = None
    ) -> None:
        """Write down the outcomes and shut the gate; the doubts of rows without a result are kept.

        Such rows stay with the lane. It is done even if the caller is cancelled; ``OutboxError`` says that
        it could not be: then the rows in flight come back doubted.
        """
        await self._door.close(self._local, self._closing(list(results), hold, attempt), hold)

    def _closing(self, results: list[RowResult], hold: float | None, carried: Attempt | None) -> Closing:
        stored = {result.row.id: result for result in results if isinstance(result.row, StoredRow)}
        rows = {row.id: row for row in (*self._again, *self._lent.rows)}
        flown = tuple(rows)
        rows.update((result.row.id, result.row) for result in results if isinstance(result.row, StoredRow))
        return Closing(
            campaign=self._lent.campaign,
            fence=self._lent.fence,
            operation=OPERATIONS.index(self._operation),
            words=[(row_id, word_of(row, stored.get(row_id))) for row_id, row in rows.items()],
            flown=flown,
            cleared=tuple(r.row.phone for r in stored.values() if clears_doubt(self._operation, r)),
            shut=self._shut(hold),
            carried=carried,
        )

    def _shut(self, hold: float | None) -> tuple[float, float] | None:
        if hold is None:
            return None
        landed_at = self._door.clock() if self._landed_at is None else self._landed_at
        shut_for = max(self._door.policy.cooldown, hold)
        return landed_at + shut_for, shut_for
