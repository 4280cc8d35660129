"""The door of a lane whose rows are in a file: turns that bring rows along, and write down what became of them."""

import contextlib
from collections.abc import Callable, Iterable, Sequence

import anyio

from voiso_async.errors import OutboxError, UsageError
from voiso_async.ingest.gate import LocalDoor, LocalTurn, Wish
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Carried, Operation, Row, RowResult
from voiso_async.ingest.store import StoredRow
from voiso_async.outbox.sqlite.claims import Lent, claim
from voiso_async.outbox.sqlite.closing import Closing, clears_doubt, close_turn, undo_claim, word_of
from voiso_async.outbox.sqlite.ledger import Ledger
from voiso_async.outbox.sqlite.picking import Claim
from voiso_async.outbox.sqlite.schema import OPERATIONS
from voiso_async.outbox.sqlite.worker import Worker, result_of

__all__ = ["SqliteDoor", "SqliteTurn"]

EARLY = 0.05
"""Seconds before the gate opens in which a claim may do its work: about as long as it takes."""

TICK = 0.0001
"""No wait is shorter: a clock has to move on."""


class SqliteDoor:
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
        self._local = LocalDoor(origin, policy.cooldown, clock, early=self._early, settle=policy.settle)
        self._opens_at: dict[int, float] = {}

    async def open(self, campaign: int, wish: Callable[[], Wish]) -> "SqliteTurn":
        """Wait until this lane may write; cancelled, it gives back what it was just being given."""
        self._worker.ensure_usable()
        local = await self._local.open(campaign)
        try:
            while True:
                wished = wish()
                asked = self.clock()
                found = await self._claim(self._ask(campaign, wished, asked))
                if isinstance(found, Lent):
                    await self._until_open(found)
                    return SqliteTurn(self, local, wished, found, asked)
                self._opens_at[campaign] = self.clock() + found
                await anyio.sleep(max(found, TICK))
        except BaseException:
            local.shut(None)
            raise

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known here."""
        known = self._opens_at.get(campaign, float("-inf")) - self.clock()
        return max(self._local.opens_in(campaign), known, 0.0)

    async def close(self, local: LocalTurn, closing: Closing, hold: float | None) -> None:
        """Have a turn written down, whoever waits for it, and shut the gate of this process in any case."""
        try:
            begun = self._worker.begin(close_turn, closing)
        except BaseException:
            local.shut(hold)
            raise
        begun.add_done_callback(lambda _: self._closed(local, hold))
        await result_of(begun)

    def _closed(self, local: LocalTurn, hold: float | None) -> None:
        local.shut(hold)
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

    def _ask(self, campaign: int, wished: Wish, asked: float) -> Claim:
        return Claim(
            campaign=campaign,
            operation=OPERATIONS.index(wished.operation),
            origin=self._origin,
            policy=self.policy,
            asked=asked,
            early=self._early,
            again=tuple(row.id for row in wished.again if isinstance(row, StoredRow)),
            room=wished.room,
            max_bytes=wished.max_bytes,
            job=wished.job,
            owner=wished.owner,
        )

    async def _claim(self, ask: Claim) -> Lent | float:
        return await self._worker.take(lambda ledger: claim(ledger, ask), _undo)


def _undo(ledger: Ledger, found: Lent | float) -> None:
    if isinstance(found, Lent):
        undo_claim(ledger, found.campaign, found.fence, [row.id for row in found.rows])


class SqliteTurn:
    """A turn whose rows, gate and outcomes are in the file."""

    def __init__(self, door: SqliteDoor, local: LocalTurn, wished: Wish, lent: Lent, asked: float) -> None:
        self._door = door
        self._local = local
        self._operation: Operation = wished.operation
        self._again = [row for row in wished.again if isinstance(row, StoredRow)]
        self._lent = lent
        self._asked = asked
        self._landed_at: float | None = None
        for row in self._again:
            row.doubts = max(row.doubts, lent.known.get(row.id, 0))
            row.over = row.id in lent.over

    @property
    def rows(self) -> Sequence[Row]:
        """Durable rows lent for this turn."""
        return self._lent.rows

    @property
    def repeats(self) -> bool:
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

    def landed(self) -> None:
        """Note that the attempt is over."""
        self._landed_at = self._door.clock()
        self._local.landed()

    async def close(
        self, results: Iterable[RowResult], hold: float | None, carried: Carried | None = None
    ) -> None:
        """Write down the outcomes and shut the gate; the doubts of rows without a result are kept.

        Such rows stay with the lane. It is done even if the caller is cancelled; ``OutboxError`` says that
        it could not be: then the rows in flight come back doubted.
        """
        await self._door.close(self._local, self._closing(list(results), hold, carried), hold)

    def _closing(self, results: list[RowResult], hold: float | None, carried: Carried | None) -> Closing:
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
