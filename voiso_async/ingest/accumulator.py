"""A batch while it is being filled from the calls that wait."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

from voiso_async.ingest.batch import Batch
from voiso_async.ingest.bisection import Suspects
from voiso_async.ingest.durable import DurableCall
from voiso_async.ingest.gate import Turn, Wish
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation, Row, RowResult, WaitingCall
from voiso_async.values import Struct, replace


class Filling:
    """Rows with distinct ``phones``, up to a number of rows and of bytes; those given are taken already."""

    def __init__(self, max_rows: int, max_bytes: int, phones: set[str]) -> None:
        self.rows: list[Row] = []
        self.open: bool = True
        self._max_rows = max_rows
        self._bytes_left = max_bytes - 2
        self._looks_left = 2 * max_rows  # many rows with one phone must not hold the loop
        self._phones = phones
        self._deferred: dict[WaitingCall, dict[int, Row]] = {}

    def take(self, call: WaitingCall, looks: int) -> bool:
        """Look at so many rows of a call and take them, in order; say whether there was room for the last.

        A row whose phone is there already is put aside.
        """
        rows, phones, waiting = self.rows, self._phones, call.waiting
        before, bytes_left, looked = len(rows), self._bytes_left, list[int]()
        for name, row in islice(waiting.items(), min(looks, self._looks_left)):
            if len(rows) == self._max_rows:
                break
            if row.phone in phones:
                self._deferred.setdefault(call, {})[name] = row
            else:
                bytes_left -= len(row.body) + 1
                if bytes_left < 0 and rows:
                    break
                phones.add(row.phone)
                rows.append(row)
            looked.append(name)
        for name in looked:
            del waiting[name]
        self._bytes_left, self._looks_left = bytes_left, self._looks_left - len(looked)
        self.open = bytes_left >= 0 and len(rows) < self._max_rows and self._looks_left > 0
        call.hold(rows[before:])
        return bytes_left >= 0

    def give_back(self) -> Iterator[WaitingCall]:
        """Put the rows that are to wait back in their places; give the calls they belong to."""
        for call, rows in self._deferred.items():
            call.waiting = rows | call.waiting
            yield call


class Plan(Struct, frozen=True):
    """What goes next: a batch as it is, or one to be filled from the calls of an operation."""

    operation: Operation
    batch: Batch | None = None


class Agenda:
    """Batches and calls in the order in which they go."""

    def __init__(self) -> None:
        self._waiting: dict[Operation, deque[WaitingCall]] = {operation: deque() for operation in Operation}
        self._planned: Plan | None = None
        self._repeat: Batch | None = None
        self._left: deque[Batch] = deque()
        self._searches: deque[tuple[Operation, Suspects]] = deque()
        self._suspects_next = False
        self._last = Operation.UPDATE

    def offer(self, call: WaitingCall) -> None:
        """Queue a call that has rows to offer, once."""
        if call.offers and not call.queued:
            call.queued = True
            self._waiting[call.operation].append(call)

    def repeat(self, batch: Batch) -> None:
        """Send this batch again, before anything else."""
        self._repeat = batch

    def repeats(self, batch: Batch) -> bool:
        """Whether this batch goes again as it is."""
        return self._repeat is batch

    def later(self, batch: Batch) -> None:
        """Send what an earlier batch left open, after what was left before."""
        self._left.append(batch)

    def parts(self, batches: list[Batch]) -> None:
        """Send the parts of a batch in its place, so that leads keep their order."""
        self._left.extendleft(reversed(batches))

    def search(self, operation: Operation, suspects: Suspects) -> None:
        """Look for the cause of a refusal: its parts get every second turn."""
        self._searches.append((operation, suspects))
        self._suspects_next = True

    def clear(self) -> None:
        """Drop every batch and every call: their rows are settled elsewhere."""
        for waiting in self._waiting.values():
            for call in waiting:
                call.queued = False
            waiting.clear()
        self._repeat = self._planned = None
        self._left.clear()
        self._searches.clear()

    @property
    def urgent(self) -> bool:
        """Whether something is to be sent that no source can make fuller."""
        planned = self._planned is not None and self._planned.batch is not None
        return bool(planned or self._repeat or self._left or self._searches)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send at all."""
        return not self.urgent and not any(self._waiting.values())

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make the next batch fuller."""
        return self.urgent or any(call.ready for call in self.calls())

    @property
    def latest(self) -> float:
        """When the last row came in."""
        last = (row for call in self.calls() for row in islice(reversed(call.waiting.values()), 1))
        return max((row.entered for row in last), default=0.0)

    @property
    def reading(self) -> bool:
        """Whether a caller is filling its buffer at this moment."""
        return any(call.reading for call in self.calls())

    def waiting_for(self, operation: Operation) -> list[WaitingCall]:
        """The calls of one operation, in the order in which they come."""
        return [call for call in self._waiting[operation] if call.offers]

    def calls(self) -> Iterator[WaitingCall]:
        """The calls that have rows to offer."""
        for waiting in self._waiting.values():
            yield from waiting

    def plan(self) -> Plan | None:
        """Decide what goes next, or ``None`` if nothing is left; asked again, it stands until it is taken."""
        if self._planned is None or not self._stands(self._planned):
            self._planned = self._decide()
        return self._planned

    def plan_anew(self) -> None:
        """Forget what was planned: another batch goes in its place, and may have to go again."""
        self._planned = None

    def take(self, max_rows: int, max_bytes: int) -> Batch | None:
        """Give the batch that was planned, or ``None`` if nobody waits for it any more: then plan anew."""
        plan, self._planned = self._planned, None
        if plan is None or not self._stands(plan):
            return None
        return plan.batch or self._fill(plan.operation, max_rows, max_bytes)

    def _stands(self, plan: Plan) -> bool:
        """Whether somebody still waits for what was planned."""
        if plan.batch is None:
            return any(call.offers for call in self._waiting[plan.operation])
        if _without_departed(plan.batch):
            return True
        if plan.batch.suspects and not plan.batch.attempts:
            plan.batch.suspects.posts_left += 1
        return False

    def _decide(self) -> Plan | None:
        self._planned = None
        while not self.empty:
            plan = self._pick()
            if plan is not None and self._stands(plan):
                return plan
            if not self.urgent:
                self._forget_silent()
        return None

    def _pick(self) -> Plan | None:
        batch = self._repeat or (self._left.popleft() if self._left else None)
        self._repeat = None
        if batch:
            return Plan(batch.operation, batch)
        fresh = any(self._waiting.values())
        if self._searches and (self._suspects_next or not fresh):
            self._suspects_next = False
            batch = self._suspect()
            return Plan(batch.operation, batch) if batch else None
        self._suspects_next = True
        return Plan(self._turn_of())

    def _forget_silent(self) -> None:
        """Take calls that have nothing to offer out of the line."""
        for operation, waiting in self._waiting.items():
            for call in waiting:
                call.queued = call.offers
            self._waiting[operation] = deque(call for call in waiting if call.offers)

    def _suspect(self) -> Batch | None:
        operation, suspects = self._searches[0]
        part = suspects.next_part()
        if part is None or not suspects.parts:
            self._searches.popleft()
        return Batch(operation, part, suspects=suspects) if part else None

    def resume(self, operation: Operation, suspects: Suspects) -> None:
        """Put a search back in line whose part has been divided further."""
        if suspects.parts and (operation, suspects) not in self._searches:
            self._searches.append((operation, suspects))

    def _fill(self, operation: Operation, max_rows: int, max_bytes: int) -> Batch | None:
        """Fill a batch from all waiting calls of one operation, one row per call and round."""
        waiting = self._waiting[operation]
        filling = Filling(max_rows, max_bytes, self._pending_phones() if operation is Operation.UPDATE else set())
        while waiting and filling.open:
            call = waiting.popleft()
            fits = not call.offers or filling.take(call, 1 if waiting else 2 * max_rows)
            call.queued = bool(call.waiting) and call.offers
            if call.queued:
                (waiting.append if fits else waiting.appendleft)(call)
        for call in filling.give_back():
            if not call.queued:
                call.queued = True
                waiting.appendleft(call)
        return Batch(operation, filling.rows) if filling.rows else None

    def _turn_of(self) -> Operation:
        """Adds and updates take turns when both wait."""
        other = Operation.ADD if self._last is Operation.UPDATE else Operation.UPDATE
        self._last = other if self._waiting[other] else self._last
        return self._last

    def _pending_phones(self) -> set[str]:
        """Phones whose earlier update still waits: a later one must not overtake it."""
        batches = [batch.rows for batch in self._left]
        parts = [part for _, suspects in self._searches for part in suspects.parts]
        return {row.phone for rows in [*batches, *parts] for row in rows}


def _without_departed(batch: Batch) -> bool:
    """Leave out the rows nobody waits for or whose time has passed; say whether any is left."""
    staying = []
    for row in batch.rows:
        if row.owner.departed or row.over:
            row.owner.settle([RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT)])
        else:
            staying.append(row)
    batch.rows = tuple(staying)
    return bool(staying)


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
