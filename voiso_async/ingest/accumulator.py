"""A batch while it is being filled from the calls that wait."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

from voiso_async.ingest.batch import Batch
from voiso_async.ingest.bisection import BatchBisection
from voiso_async.ingest.durable import OutboxSubmission
from voiso_async.ingest.gate import ClaimRequest, Slot
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation, QueuedSubmission, Row, RowResult
from voiso_async.values import Struct, replace


class _Fill:
    """Rows with distinct ``phones``, up to a number of rows and of bytes; those given are taken already."""

    def __init__(self, max_rows: int, max_bytes: int, phones: set[str]) -> None:
        self.rows: list[Row] = []
        self.open: bool = True
        self._max_rows = max_rows
        self._bytes_left = max_bytes - 2
        self._looks_left = 2 * max_rows  # many rows with one phone must not hold the loop
        self._phones = phones
        self._deferred: dict[QueuedSubmission, dict[int, Row]] = {}

    def add_from(self, call: QueuedSubmission, looks: int) -> bool:
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
        call.mark_taken(rows[before:])
        return bytes_left >= 0

    def put_back(self) -> Iterator[QueuedSubmission]:
        """Put the rows that are to wait back in their places; give the calls they belong to."""
        for call, rows in self._deferred.items():
            call.waiting = rows | call.waiting
            yield call


class NextBatch(Struct, frozen=True):
    """What goes next: a batch as it is, or one to be filled from the calls of an operation."""

    operation: Operation
    batch: Batch | None = None


class Accumulator:
    """Batches and calls in the order in which they go."""

    def __init__(self) -> None:
        self._waiting: dict[Operation, deque[QueuedSubmission]] = {operation: deque() for operation in Operation}
        self._next: NextBatch | None = None
        self._retry: Batch | None = None
        self._leftover: deque[Batch] = deque()
        self._bisections: deque[tuple[Operation, BatchBisection]] = deque()
        self._bisect_next = False
        self._last = Operation.UPDATE

    def add(self, call: QueuedSubmission) -> None:
        """Queue a call that has rows to offer, once."""
        if call.sendable and not call.enqueued:
            call.enqueued = True
            self._waiting[call.operation].append(call)

    def retry(self, batch: Batch) -> None:
        """Send this batch again, before anything else."""
        self._retry = batch

    def is_retry(self, batch: Batch) -> bool:
        """Whether this batch goes again as it is."""
        return self._retry is batch

    def append(self, batch: Batch) -> None:
        """Send what an earlier batch left open, after what was left before."""
        self._leftover.append(batch)

    def prepend(self, batches: list[Batch]) -> None:
        """Send the parts of a batch in its place, so that leads keep their order."""
        self._leftover.extendleft(reversed(batches))

    def bisect(self, operation: Operation, suspects: BatchBisection) -> None:
        """Look for the cause of a refusal: its parts get every second turn."""
        self._bisections.append((operation, suspects))
        self._bisect_next = True

    def clear(self) -> None:
        """Drop every batch and every call: their rows are settled elsewhere."""
        for waiting in self._waiting.values():
            for call in waiting:
                call.enqueued = False
            waiting.clear()
        self._retry = self._next = None
        self._leftover.clear()
        self._bisections.clear()

    @property
    def has_batch(self) -> bool:
        """Whether something is to be sent that no source can make fuller."""
        planned = self._next is not None and self._next.batch is not None
        return bool(planned or self._retry or self._leftover or self._bisections)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send at all."""
        return not self.has_batch and not any(self._waiting.values())

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make the next batch fuller."""
        return self.has_batch or any(call.ready for call in self.submissions())

    @property
    def last_entered(self) -> float:
        """When the last row came in."""
        last = (row for call in self.submissions() for row in islice(reversed(call.waiting.values()), 1))
        return max((row.entered for row in last), default=0.0)

    @property
    def reading(self) -> bool:
        """Whether a caller is filling its buffer at this moment."""
        return any(call.reading for call in self.submissions())

    def sendable(self, operation: Operation) -> list[QueuedSubmission]:
        """The calls of one operation, in the order in which they come."""
        return [call for call in self._waiting[operation] if call.sendable]

    def submissions(self) -> Iterator[QueuedSubmission]:
        """The calls that have rows to offer."""
        for waiting in self._waiting.values():
            yield from waiting

    def next(self) -> NextBatch | None:
        """Decide what goes next, or ``None`` if nothing is left; asked again, it stands until it is taken."""
        if self._next is None or not self._still_wanted(self._next):
            self._next = self._decide()
        return self._next

    def discard_next(self) -> None:
        """Forget what was planned: another batch goes in its place, and may have to go again."""
        self._next = None

    def take(self, max_rows: int, max_bytes: int) -> Batch | None:
        """Give the batch that was planned, or ``None`` if nobody waits for it any more: then plan anew."""
        plan, self._next = self._next, None
        if plan is None or not self._still_wanted(plan):
            return None
        return plan.batch or self._fill(plan.operation, max_rows, max_bytes)

    def _still_wanted(self, plan: NextBatch) -> bool:
        """Whether somebody still waits for what was planned."""
        if plan.batch is None:
            return any(call.sendable for call in self._waiting[plan.operation])
        if _drop_cancelled(plan.batch):
            return True
        if plan.batch.bisection and not plan.batch.attempts:
            plan.batch.bisection.posts_left += 1
        return False

    def _decide(self) -> NextBatch | None:
        self._next = None
        while not self.empty:
            plan = self._pick()
            if plan is not None and self._still_wanted(plan):
                return plan
            if not self.has_batch:
                self._drop_idle()
        return None

    def _pick(self) -> NextBatch | None:
        batch = self._retry or (self._leftover.popleft() if self._leftover else None)
        self._retry = None
        if batch:
            return NextBatch(batch.operation, batch)
        fresh = any(self._waiting.values())
        if self._bisections and (self._bisect_next or not fresh):
            self._bisect_next = False
            batch = self._next_part()
            return NextBatch(batch.operation, batch) if batch else None
        self._bisect_next = True
        return NextBatch(self._next_operation())

    def _drop_idle(self) -> None:
        """Take calls that have nothing to offer out of the line."""
        for operation, waiting in self._waiting.items():
            for call in waiting:
                call.enqueued = call.sendable
            self._waiting[operation] = deque(call for call in waiting if call.sendable)

    def _next_part(self) -> Batch | None:
        operation, suspects = self._bisections[0]
        part = suspects.next_part()
        if part is None or not suspects.parts:
            self._bisections.popleft()
        return Batch(operation, part, bisection=suspects) if part else None

    def resume_bisection(self, operation: Operation, suspects: BatchBisection) -> None:
        """Put a search back in line whose part has been divided further."""
        if suspects.parts and (operation, suspects) not in self._bisections:
            self._bisections.append((operation, suspects))

    def _fill(self, operation: Operation, max_rows: int, max_bytes: int) -> Batch | None:
        """Fill a batch from all waiting calls of one operation, one row per call and round."""
        waiting = self._waiting[operation]
        filling = _Fill(max_rows, max_bytes, self._pending_phones() if operation is Operation.UPDATE else set())
        while waiting and filling.open:
            call = waiting.popleft()
            fits = not call.sendable or filling.add_from(call, 1 if waiting else 2 * max_rows)
            call.enqueued = bool(call.waiting) and call.sendable
            if call.enqueued:
                (waiting.append if fits else waiting.appendleft)(call)
        for call in filling.put_back():
            if not call.enqueued:
                call.enqueued = True
                waiting.appendleft(call)
        return Batch(operation, filling.rows) if filling.rows else None

    def _next_operation(self) -> Operation:
        """Adds and updates take turns when both wait."""
        other = Operation.ADD if self._last is Operation.UPDATE else Operation.UPDATE
        self._last = other if self._waiting[other] else self._last
        return self._last

    def _pending_phones(self) -> set[str]:
        """Phones whose earlier update still waits: a later one must not overtake it."""
        batches = [batch.rows for batch in self._leftover]
        parts = [part for _, suspects in self._bisections for part in suspects.parts]
        return {row.phone for rows in [*batches, *parts] for row in rows}


def _drop_cancelled(batch: Batch) -> bool:
    """Leave out the rows nobody waits for or whose time has passed; say whether any is left."""
    staying = []
    for row in batch.rows:
        if row.submission.cancelled or row.expired:
            row.submission.resolve([RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT)])
        else:
            staying.append(row)
    batch.rows = tuple(staying)
    return bool(staying)


class BatchBuilder:
    """Fill the turns of one lane from its agenda and from the rows that an outbox lends.

    What leaves is what the wish said before: an outbox writes it down before the first byte goes.
    """

    def __init__(self, agenda: Accumulator, max_rows: int) -> None:
        self._accumulator = agenda
        self._max_rows = max_rows
        self._request = ClaimRequest(operation=Operation.ADD)

    def claim_request(self, max_bytes: int) -> ClaimRequest:
        """Say what would go now; durable rows get their fair share of the room beside other calls."""
        plan = self._accumulator.next()
        self._request = ClaimRequest(
            operation=Operation.ADD if plan is None else plan.operation, max_bytes=max_bytes
        )
        if plan is not None and plan.batch is not None:
            self._request = replace(self._request, retry_rows=plan.batch.rows)
        elif plan is not None:
            calls = self._accumulator.sendable(plan.operation)
            durable = next((call for call in calls if isinstance(call, OutboxSubmission)), None)
            if durable is not None:
                room = self._fair_share([len(call.waiting) for call in calls if call.waiting])
                self._request = replace(self._request, submission=durable, max_rows=room, job_id=durable.job_id)
        return self._request

    def build(self, turn: Slot) -> tuple[Batch | None, list[RowResult]]:
        """Make the batch of a turn, and a list of the durable rows that go back in line instead."""
        owner, lent = self._request.submission, list(turn.rows)
        if isinstance(owner, OutboxSubmission):
            batch = self._with_claimed(owner, lent, repeats=turn.is_retry)
        else:
            batch = self._take()
        durable = [
            row for row in (*self._request.retry_rows, *lent) if isinstance(row.submission, OutboxSubmission)
        ]
        going = {id(row) for row in batch.rows} if batch is not None and durable else set()
        return batch, [RowResult(row, Outcome.NOT_SENT) for row in durable if id(row) not in going]

    def _with_claimed(self, owner: OutboxSubmission, lent: list[Row], *, repeats: bool) -> Batch | None:
        owner.add_claimed(lent)
        batch = self._retry_batch(owner) if repeats else self._take()
        owner.waiting.clear()
        self._accumulator.add(owner)
        return batch

    def _take(self) -> Batch | None:
        return self._accumulator.take(self._max_rows, self._request.max_bytes)

    def _retry_batch(self, owner: OutboxSubmission) -> Batch | None:
        """Put together again what was sent before and never answered."""
        self._accumulator.discard_next()
        if owner.cancelled:
            return None
        rows = list(owner.waiting.values())
        owner.mark_taken(rows)
        doubts = max(row.doubts for row in rows)
        return Batch(owner.operation, rows, attempts=doubts, doubts=doubts)

    def _fair_share(self, others: list[int]) -> int:
        """What is left of a batch beside other calls, and at least an equal part of it."""
        return max(self._max_rows - sum(others), self._max_rows // (len(others) + 1), 1)
