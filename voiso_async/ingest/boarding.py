"""Who goes in the next turn: the wish before the gate opens, the batch once it has."""

from voiso_async.ingest.agenda import Agenda
from voiso_async.ingest.batch import Batch
from voiso_async.ingest.durable import DurableCall
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.row import Operation, Row, RowResult
from voiso_async.ingest.turn import Turn, Wish
from voiso_async.values import replace

__all__ = ["Boarding"]


class Boarding:
    """Fill the turns of one lane from its agenda and from the rows that an outbox lends.

    What leaves is what the wish said before: an outbox writes it down before the first byte goes.
    """

    def __init__(self, agenda: Agenda, max_rows: int) -> None:
        self._agenda = agenda
        self._max_rows = max_rows
        self._wished = Wish(operation=Operation.ADD)

    def wish(self, max_bytes: int) -> Wish:
        """Say what would go now; durable rows get their fair share of the room beside other calls."""
        plan = self._agenda.plan()
        self._wished = Wish(operation=Operation.ADD if plan is None else plan.operation, max_bytes=max_bytes)
        if plan is not None and plan.batch is not None:
            self._wished = replace(self._wished, again=plan.batch.rows)
        elif plan is not None:
            calls = self._agenda.waiting_for(plan.operation)
            durable = next((call for call in calls if isinstance(call, DurableCall)), None)
            if durable is not None:
                room = self._share([len(call.waiting) for call in calls if call.waiting])
                self._wished = replace(self._wished, owner=durable, room=room, job=durable.job_id)
        return self._wished

    def batch(self, turn: Turn) -> tuple[Batch | None, list[RowResult]]:
        """Make the batch of a turn, and a list of the durable rows that go back in line instead."""
        owner, lent = self._wished.owner, list(turn.rows)
        if isinstance(owner, DurableCall):
            batch = self._with_loan(owner, lent, repeats=turn.repeats)
        else:
            batch = self._planned()
        durable = [row for row in (*self._wished.again, *lent) if isinstance(row.owner, DurableCall)]
        going = {id(row) for row in batch.rows} if batch is not None and durable else set()
        return batch, [RowResult(row, Outcome.NOT_SENT) for row in durable if id(row) not in going]

    def _with_loan(self, owner: DurableCall, lent: list[Row], *, repeats: bool) -> Batch | None:
        owner.lend(lent)
        batch = self._old_batch(owner) if repeats else self._planned()
        owner.waiting.clear()
        self._agenda.offer(owner)
        return batch

    def _planned(self) -> Batch | None:
        return self._agenda.take(self._max_rows, self._wished.max_bytes)

    def _old_batch(self, owner: DurableCall) -> Batch | None:
        """Put together again what was sent before and never answered."""
        self._agenda.plan_anew()
        if owner.departed:
            return None
        rows = list(owner.waiting.values())
        owner.hold(rows)
        doubts = max(row.doubts for row in rows)
        return Batch(owner.operation, rows, attempts=doubts, doubts=doubts)

    def _share(self, others: list[int]) -> int:
        """What is left of a batch beside other calls, and at least an equal part of it."""
        return max(self._max_rows - sum(others), self._max_rows // (len(others) + 1), 1)
