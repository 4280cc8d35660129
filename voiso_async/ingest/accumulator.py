"""What goes in the next batch: a batch to retry, what is left of others, parts of a bisection, or new rows."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

from voiso_async._structs import Struct, replace
from voiso_async.ingest.batch import Batch
from voiso_async.ingest.bisection import BatchBisection
from voiso_async.ingest.gate import ClaimRequest, Slot
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation, Row, RowResult
from voiso_async.ingest.submission import QueuedSubmission


class _Fill:
    """A batch while it is filled: rows with distinct ``phones``, up to a number of rows and of bytes."""

    def __init__(self, max_rows: int, max_bytes: int, phones: set[str]) -> None:
        self.rows: list[Row] = []
        self.open: bool = True
        self._max_rows = max_rows
        self._bytes_left = max_bytes - 2
        self._looks_left = 2 * max_rows  # many rows with one phone must not hold the loop
        self._phones = phones
        self._deferred: dict[QueuedSubmission, dict[int, Row]] = {}

    def add_from(self, submission: QueuedSubmission, looks: int) -> bool:
        """Look at so many rows of a submission and take them, in order; say whether the last one fitted.

        A row whose phone is in the batch already is deferred.
        """
        rows, phones, waiting = self.rows, self._phones, submission.waiting
        before, bytes_left, looked = len(rows), self._bytes_left, list[int]()
        for name, row in islice(waiting.items(), min(looks, self._looks_left)):
            if len(rows) == self._max_rows:
                break
            if row.phone in phones:
                self._deferred.setdefault(submission, {})[name] = row
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
        submission.mark_taken(rows[before:])
        return bytes_left >= 0

    def put_back(self) -> Iterator[QueuedSubmission]:
        """Put deferred rows back in their places; give their submissions."""
        for submission, rows in self._deferred.items():
            submission.waiting = rows | submission.waiting
            yield submission


class NextBatch(Struct, frozen=True):
    """What goes next: a batch that exists, or one to be filled from the rows of ``operation``."""

    operation: Operation
    batch: Batch | None = None


class Accumulator:
    """Batches and submissions of one lane, in the order in which they go.

    1. A batch to retry: the same bytes, before anything else, so that no later row overtakes a doubted one.
    2. What is left of earlier batches: the parts of one that was too large, rows that an answer left out.
    3. Every second time a part of a batch that is being bisected, so that a poison row does not stop the others.
    4. New rows: adds and updates in turn, one row of each submission per round.
    """

    def __init__(self, max_bytes: int = 0) -> None:
        self.max_bytes: int = max_bytes
        self._waiting: dict[Operation, deque[QueuedSubmission]] = {operation: deque() for operation in Operation}
        self._next: NextBatch | None = None
        self._retry: Batch | None = None
        self._leftover: deque[Batch] = deque()
        self._bisections: deque[tuple[Operation, BatchBisection]] = deque()
        self._bisect_next = False
        self._last = Operation.UPDATE

    def add(self, submission: QueuedSubmission) -> None:
        """Queue a submission that has rows to send, once."""
        if submission.sendable and not submission.enqueued:
            submission.enqueued = True
            self._waiting[submission.operation].append(submission)

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

    def bisect(self, operation: Operation, bisection: BatchBisection) -> None:
        """Send the parts of a refused batch, one in every second batch."""
        self._bisections.append((operation, bisection))
        self._bisect_next = True

    def resume_bisection(self, operation: Operation, bisection: BatchBisection) -> None:
        """Queue a bisection again whose part was split further."""
        if bisection.parts and (operation, bisection) not in self._bisections:
            self._bisections.append((operation, bisection))

    def clear(self) -> None:
        """Drop every batch and every submission: their rows are resolved elsewhere."""
        for waiting in self._waiting.values():
            for submission in waiting:
                submission.enqueued = False
            waiting.clear()
        self._retry = self._next = None
        self._leftover.clear()
        self._bisections.clear()

    @property
    def has_batch(self) -> bool:
        """Whether there is something to send that no source can make fuller."""
        decided = self._next is not None and self._next.batch is not None
        return bool(decided or self._retry or self._leftover or self._bisections)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send at all."""
        return not self.has_batch and not any(self._waiting.values())

    @property
    def ready(self) -> bool:
        """Whether waiting longer would not make the next batch fuller."""
        return self.has_batch or any(submission.ready for submission in self.submissions())

    @property
    def last_entered(self) -> float:
        """When the last row came in."""
        last = (row for one in self.submissions() for row in islice(reversed(one.waiting.values()), 1))
        return max((row.entered for row in last), default=0.0)

    @property
    def reading(self) -> bool:
        """Whether a caller is filling its buffer at this moment."""
        return any(submission.reading for submission in self.submissions())

    def durable(self, operation: Operation) -> QueuedSubmission | None:
        """The first submission of an outbox that has rows to send."""
        return next((one for one in self._waiting[operation] if one.durable and one.sendable), None)

    def others(self, operation: Operation) -> list[int]:
        """How many rows each submission has waiting that is ready to send."""
        return [len(one.waiting) for one in self._waiting[operation] if one.waiting and one.sendable]

    def submissions(self) -> Iterator[QueuedSubmission]:
        """Every submission that is queued."""
        for waiting in self._waiting.values():
            yield from waiting

    def next(self) -> NextBatch | None:
        """Decide what goes next, or ``None`` if nothing is left. Idempotent until ``take()``."""
        if self._next is None or not self._still_wanted(self._next):
            self._next = self._decide()
        return self._next

    def discard_next(self) -> None:
        """Forget the decision: a claimed batch goes in its place, and may have to go again."""
        self._next = None

    def take(self, max_rows: int, max_bytes: int) -> Batch | None:
        """Give the batch that ``next()`` decided on, or ``None`` if nobody waits for it any more."""
        chosen, self._next = self._next, None
        if chosen is None:
            return None
        if chosen.batch is None:
            return self._fill(chosen.operation, max_rows, max_bytes)
        return chosen.batch if self._still_wanted(chosen) else None

    def _still_wanted(self, chosen: NextBatch) -> bool:
        if chosen.batch is None:
            return any(submission.sendable for submission in self._waiting[chosen.operation])
        if _drop_cancelled(chosen.batch):
            return True
        if chosen.batch.bisection and not chosen.batch.attempts:
            # The part cost a POST when it was picked. It is never sent, so the search gets that POST back:
            # callers who cancel must not use up the budget of those who wait.
            chosen.batch.bisection.posts_left += 1
        return False

    def _decide(self) -> NextBatch | None:
        self._next = None
        while not self.empty:
            chosen = self._pick()
            if chosen is not None and self._still_wanted(chosen):
                return chosen
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
        """Take submissions that have nothing to send out of the queue; they come back with their next rows."""
        for operation, waiting in self._waiting.items():
            for submission in waiting:
                submission.enqueued = submission.sendable
            self._waiting[operation] = deque(submission for submission in waiting if submission.sendable)

    def _next_part(self) -> Batch | None:
        operation, bisection = self._bisections[0]
        part = bisection.next_part()
        if part is None or not bisection.parts:
            self._bisections.popleft()
        return Batch(operation, part, bisection=bisection) if part else None

    def _fill(self, operation: Operation, max_rows: int, max_bytes: int) -> Batch | None:
        """Fill a batch from all submissions of one operation, one row per submission and round."""
        waiting = self._waiting[operation]
        # A later update of a phone must not overtake an earlier one that still waits in a part or a leftover.
        # An add may: the campaign keeps the first lead of a phone, whichever that is.
        taken = self._pending_phones() if operation is Operation.UPDATE else set()
        fill = _Fill(max_rows, max_bytes, taken)
        while waiting and fill.open:
            submission = waiting.popleft()
            fits = not submission.sendable or fill.add_from(submission, 1 if waiting else 2 * max_rows)
            submission.enqueued = bool(submission.waiting) and submission.sendable
            if submission.enqueued:
                (waiting.append if fits else waiting.appendleft)(submission)
        for submission in fill.put_back():
            if not submission.enqueued:
                submission.enqueued = True
                waiting.appendleft(submission)
        return Batch(operation, fill.rows) if fill.rows else None

    def _next_operation(self) -> Operation:
        """Adds and updates alternate when both wait."""
        other = Operation.ADD if self._last is Operation.UPDATE else Operation.UPDATE
        self._last = other if self._waiting[other] else self._last
        return self._last

    def _pending_phones(self) -> set[str]:
        batches = [batch.rows for batch in self._leftover]
        parts = [part for _, bisection in self._bisections for part in bisection.parts]
        return {row.phone for rows in [*batches, *parts] for row in rows}


def _drop_cancelled(batch: Batch) -> bool:
    """Leave out the rows that nobody waits for or that have expired; say whether any row is left."""
    staying = []
    for row in batch.rows:
        if row.submission.cancelled or row.expired:
            row.submission.resolve([RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT)])
        else:
            staying.append(row)
    batch.rows = tuple(staying)
    return bool(staying)


class BatchBuilder:
    """Fill the slots of one lane from its accumulator and from the rows that an outbox claims for them.

    The claim request is decided first, and the batch keeps to it: an outbox commits what leaves before the first
    byte goes.
    """

    def __init__(self, accumulator: Accumulator, max_rows: int) -> None:
        self._accumulator = accumulator
        self._max_rows = max_rows
        self._request = ClaimRequest(operation=Operation.ADD)
        self._durable: QueuedSubmission | None = None

    def claim_request(self) -> ClaimRequest:
        """Say what would go now; rows of an outbox get their fair share of the batch beside other submissions."""
        chosen, max_bytes = self._accumulator.next(), self._accumulator.max_bytes
        operation = Operation.ADD if chosen is None else chosen.operation
        self._request, self._durable = ClaimRequest(operation=operation, max_bytes=max_bytes), None
        if chosen is not None and chosen.batch is not None:
            self._request = replace(self._request, retry_rows=chosen.batch.rows)
        elif chosen is not None:
            self._durable = self._accumulator.durable(operation)
            if self._durable is not None:
                share = self._fair_share(self._accumulator.others(operation))
                self._request = replace(
                    self._request, submission=self._durable, max_rows=share, job_id=self._durable.job_id
                )
        return self._request

    def build(self, slot: Slot) -> tuple[Batch | None, list[RowResult]]:
        """Make the batch of a slot, and results for the claimed rows that do not go: they are released."""
        owner, claimed = self._durable, list(slot.rows)
        batch = self._take() if owner is None else self._with_claimed(owner, claimed, is_retry=slot.is_retry)
        durable = [row for row in (*self._request.retry_rows, *claimed) if row.durable]
        going = {id(row) for row in batch.rows} if batch is not None and durable else set()
        return batch, [RowResult(row, Outcome.NOT_SENT) for row in durable if id(row) not in going]

    def _with_claimed(self, owner: QueuedSubmission, claimed: list[Row], *, is_retry: bool) -> Batch | None:
        owner.add_claimed(claimed)
        batch = self._retry_batch(owner) if is_retry else self._take()
        owner.waiting.clear()
        self._accumulator.add(owner)
        return batch

    def _take(self) -> Batch | None:
        return self._accumulator.take(self._max_rows, self._request.max_bytes)

    def _retry_batch(self, owner: QueuedSubmission) -> Batch | None:
        """Put together again what was sent before and never answered: the same rows, in the same order."""
        self._accumulator.discard_next()
        if owner.cancelled:
            return None
        rows = list(owner.waiting.values())
        owner.mark_taken(rows)
        doubts = max(row.doubts for row in rows)
        return Batch(owner.operation, rows, attempts=doubts, doubts=doubts)

    def _fair_share(self, others: list[int]) -> int:
        """The rest of a batch beside other submissions, and at least an equal part of it.

        A call that waits must not stand behind a backlog of a million rows, nor may many calls starve the backlog.
        """
        return max(self._max_rows - sum(others), self._max_rows // (len(others) + 1), 1)
