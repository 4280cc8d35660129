"""The caller's records, any iterable or async iterable, read no further ahead than one request."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from voiso_async.errors import APIError, VoisoError
from voiso_async.ingest.batch import Batch
from voiso_async.ingest.bisection import BatchBisection, Refusal
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, ReportBuilder
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult
from voiso_async.ingest.source import open_source, source_error
from voiso_async.ingest.verdict import Busy, Fatal, InDoubt, NotSent, Refused, TooLarge
from voiso_async.retry import RetryPolicy
from voiso_async.talkdesk.models import IdentifierType
from voiso_async.talkdesk.records import RecordRow, prepare_record
from voiso_async.talkdesk.reply import (
    LIST_FULL,
    Accepted,
    Answered,
    RecordReply,
    matched,
    record_reply,
    verdict_of,
)
from voiso_async.wire import Response

Records = Iterable[Any] | AsyncIterable[Any]

BURST = 200
"""Records read between two looks at the event loop: about two milliseconds of work."""


class RecordSource:
    """Give records one by one; ``None`` from ``next`` means that a slow source keeps the rest waiting.

    ``ended`` is set by the source's end. What the source raises passes through.
    """

    def __init__(self, records: Records) -> None:
        self.ended: bool = False
        self._coming: asyncio.Task[tuple[Any] | None] | None = None
        self._given = 0
        self._sync, self._async = open_source(records, one="record")

    async def next(self, patience: float | None) -> tuple[Any] | None:
        """The next record, in a tuple; ``None`` at the end, or after ``patience`` seconds without one."""
        self._given += 1
        if self._given % BURST == 0:
            await checkpoint()
        if self._async is None:
            for record in self._sync or ():
                return (record,)
            self.ended = True
            return None
        return await self._from_async(self._async, patience)

    async def _from_async(self, records: AsyncIterator[Any], patience: float | None) -> tuple[Any] | None:
        """Wait in a task beside, so that a wait that is given up for now does not break the source."""
        if self._coming is None:
            self._coming = asyncio.create_task(_pulled(records), name="voiso records")
            self._coming.add_done_callback(_ignore_error)
        await asyncio.wait({self._coming}, timeout=patience)
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        found = coming.result()
        self.ended = found is None
        return found

    async def aclose(self) -> None:
        """Stop waiting for the source."""
        self.ended = True
        if self._coming is not None:
            coming, self._coming = self._coming, None
            coming.cancel()
            await asyncio.wait({coming})


def _ignore_error(coming: "asyncio.Task[tuple[Any] | None]") -> None:
    """Take note of an error that nobody may wait for any more."""
    if not coming.cancelled():
        coming.exception()


async def _pulled(records: AsyncIterator[Any]) -> tuple[Any] | None:
    async for record in records:
        return (record,)
    return None


class RecordRows:
    """Owns the rows from their reading to their outcome; ``unread`` keeps outcomes for a caller who iterates."""

    operation: Operation = Operation.ADD
    cancelled: bool = False

    def __init__(
        self,
        kind: IdentifierType | None,
        policy: LanePolicy,
        clock: Callable[[], float],
        *,
        dedupe: bool,
        streamed: bool,
    ) -> None:
        self.unread: deque[LeadOutcome] = deque()
        self._kind = kind
        self._policy = policy
        self._clock = clock
        self._streamed = streamed
        self._first: dict[str, int] | None = {} if dedupe else None
        self._report = ReportBuilder()
        self._open: dict[int, RecordRow] = {}
        self._began = clock()
        self._ended: float | None = None

    def add(self, record: object) -> RecordRow | None:
        """Take a record from the source: a row to send, or ``None`` if it has its outcome already."""
        index = self._report.add_rows(1)
        row = prepare_record(record, index, self._kind, self)
        if isinstance(row, LeadOutcome):
            self._record(row)
            return None
        first = index if self._first is None else self._first.setdefault(row.identity, index)
        if first != index:
            self._record(row.as_repeated(first))
            return None
        self._open[index] = row
        return row

    def on_attempt(self, attempt: Attempt) -> None:
        """Note a request that carried rows of this call."""
        self._report.add_attempt(attempt)

    def unexpected(self, count: int) -> None:
        """Note records of an answer that were never sent."""
        self._report.anomalies += count

    def resolve(self, results: Sequence[RowResult]) -> None:
        """Write rows' final words."""
        for result in results:
            self.conclude(result.row, result.outcome, result.reason, result.detail)

    def conclude(
        self,
        row: Row,
        outcome: Outcome,
        reason: str | None = None,
        detail: str | None = None,
        *,
        field: str | None = None,
    ) -> None:
        """Write a row's final word; only the first counts, and a refusal after a lost answer proves nothing."""
        if self._open.pop(row.index, None) is None:
            return
        self._report.doubted += row.doubted
        if row.doubted and outcome is Outcome.REJECTED:
            outcome = Outcome.UNKNOWN
        self._record(_outcome(row, outcome, reason, detail, field=field))

    def close(self) -> None:
        """Settle what is still open: what an attempt may have carried is UNKNOWN, the rest NOT_SENT."""
        self.resolve(
            [RowResult(row, Outcome.UNKNOWN if row.doubted else Outcome.NOT_SENT) for row in self._open.values()]
        )
        if self._ended is None:
            self._ended = self._clock()

    def report(self) -> IngestReport:
        """Draw up the report as of now."""
        end = self._clock() if self._ended is None else self._ended
        return self._report.report(elapsed=end - self._began, policy=self._policy, pending=len(self._open))

    def _record(self, outcome: LeadOutcome) -> None:
        self._report.add_outcome(outcome)
        if self._streamed:
            self.unread.append(outcome)


def _outcome(
    row: Row,
    outcome: Outcome,
    reason: str | None = None,
    detail: str | None = None,
    *,
    field: str | None = None,
) -> LeadOutcome:
    return LeadOutcome(
        index=row.index,
        outcome=outcome,
        phone=row.phone,
        key=row.key,
        reason=reason,
        field=field,
        detail=detail,
    )


OUTAGE = 2
"""Chunks in a row without a usable answer that end a call: one is a bad chunk, two are an outage."""
REPEATABLE = (IdentifierType.PHONE_NUMBER, IdentifierType.EXTERNAL)
"""Lists that tell records apart, so that a chunk may be sent twice."""

Answer = Response | VoisoError
Post = Callable[[bytes], Awaitable[Response]]
Explain = Callable[[Response], APIError]

_ADVICE_LATER = "what was not sent can be added again later"
_ADVICE_OUTAGE = "two requests in a row got no usable answer: their records may be in the list or not"
_ADVICE_FULL = "the list is full: what was not sent needs another list"
_ADVICE_FATAL = "the same records would be refused again until the cause is fixed"


class RecordSubmission:
    """Sends what a feed gives, at most one request a ``step``, until it is ``over``.

    ``doubts`` holds what a lost answer ever carried into this list, for the life of the client.
    """

    def __init__(
        self,
        feed: RecordSource,
        rows: RecordRows,
        post: Post,
        explain: Explain,
        *,
        kind: IdentifierType | None,
        policy: LanePolicy,
        retry: RetryPolicy,
        doubts: set[str],
        clock: Callable[[], float],
    ) -> None:
        self.rows = rows
        self.over: bool = False
        self.error: VoisoError | None = None
        self._feed = feed
        self._post = post
        self._explain = explain
        self._kind = kind
        self._policy = policy
        self._retry = retry
        self._doubts = doubts
        self._clock = clock
        self._repeats = kind in REPEATABLE and policy.on_doubt == "resend"
        self._todo: deque[Batch] = deque()
        self._later: list[Row] = []
        self._search: BatchBisection | None = None
        self._size = policy.max_rows
        self._accepted = False
        self._lost_in_a_row = 0
        self._pause = 0.0

    async def step(self) -> None:
        """Send the next request, if there is one; what ends the call early settles every row by what is proved."""
        batch = None
        try:
            await anyio.sleep(self._pause)
            self._pause = 0.0
            batch = self._repeated() or await self._filled()
            if batch is not None:
                self._judge(batch, await self._answer(batch))
        except BaseException:
            if batch is not None:
                self._doubt(batch)
            await self.close()
            raise
        if self.error is not None or (batch is None and self._feed.ended and not self._todo):
            await self.close()

    async def close(self) -> None:
        """End the call: nothing more is read or sent, and every row has its outcome."""
        self.rows.close()
        self.over = True
        await self._feed.aclose()

    def _repeated(self) -> Batch | None:
        """What is to be sent again, or a part of a chunk that was refused."""
        if self._todo or self._search is None:
            return self._todo.popleft() if self._todo else None
        part = self._search.next_part()
        if part is not None:
            return Batch(self.rows.operation, part, bisection=self._search)
        search, self._search = self._search, None
        for row in list(search.remaining()):
            self.rows.conclude(row, Outcome.REJECTED, "not_isolated", search.refusal.text)
        return None

    async def _filled(self) -> Batch | None:
        """Read the next chunk; a source that keeps it waiting does not keep what has come."""
        rows: list[Row] = []
        while len(rows) < self._size and not self._feed.ended:
            try:
                found = await self._feed.next(self._policy.stall if rows else None)
            except Exception as error:  # noqa: BLE001 - whatever a caller's source may raise
                self.error = source_error(error, "what had been sent is in .report", what="records")
                return None
            if found is None or (row := self.rows.add(found[0])) is None:
                if found is None or len(self.rows.unread) >= self._size:
                    break  # the source is slow, or there are outcomes to be read first
                continue
            rows.append(row)
        if not rows and self._feed.ended:
            rows, self._later = self._later[: self._size], self._later[self._size :]
        return Batch(self.rows.operation, rows) if rows else None

    async def _answer(self, batch: Batch) -> Answer:
        batch.attempts += 1
        began = self._clock()
        try:
            answer: Answer = await self._post(b'{"records":[' + b",".join(row.body for row in batch.rows) + b"]}")
        except VoisoError as error:
            answer = error
        busy = isinstance(answer, Response) and answer.status == 429
        self.rows.on_attempt(Attempt(first=batch.attempts == 1, seconds=self._clock() - began, busy=busy))
        return answer

    def _judge(self, batch: Batch, answer: Answer) -> None:
        verdict = verdict_of(answer)
        waited = batch.record_wait(
            self._clock(), busy=isinstance(verdict, Busy), unsent=isinstance(verdict, NotSent)
        )
        match verdict:
            case NotSent():
                wait = self._policy.unsent_wait(batch.unsents, random.random())  # noqa: S311 - jitter
                self._again(batch, answer, None if waited + wait > self._policy.unsent_for else wait)
            case Busy():
                self._again(batch, answer, self._retry.delay(self._error(answer), batch.busies))
            case InDoubt():
                self._in_doubt(batch, answer)
            case Accepted(records):
                self._taken(batch, records)
            case TooLarge():
                self._too_large(batch, answer)
            case Refused(refusal):
                self._refused(batch, answer, refusal)
            case Fatal():
                if isinstance(answer, VoisoError) and answer.proof == "in_doubt":
                    self._doubt(batch)
                full = getattr(self._error(answer), "code", "") == LIST_FULL
                self._stop(answer, _ADVICE_FULL if full else _ADVICE_FATAL)

    def _again(self, batch: Batch, answer: Answer, wait: float | None) -> None:
        """Send the same chunk after a while; ``None`` gives up."""
        self._todo.appendleft(batch)
        self._pause = wait or 0.0
        if wait is None:
            self._stop(answer, _ADVICE_LATER)

    def _in_doubt(self, batch: Batch, answer: Answer) -> None:
        self._doubt(batch)
        self._pause = self._policy.doubt_wait(batch.doubts)
        if self._repeats and batch.doubts < self._policy.doubt_attempts:
            self._todo.appendleft(batch)
            return
        for row in batch.rows:
            self.rows.conclude(row, Outcome.UNKNOWN, "no_usable_answer", "sent, and no usable answer came")
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= OUTAGE:
            self._stop(answer, _ADVICE_OUTAGE)

    def _taken(self, batch: Batch, records: Answered) -> None:
        self._lost_in_a_row, self._accepted = 0, True
        if batch.bisection is not None:
            batch.bisection.accepted()
        rows = [row for row in batch.rows if isinstance(row, RecordRow)]
        found, unexpected = matched(rows, records, self._kind)
        self.rows.unexpected(unexpected)
        for row, about in zip(rows, found, strict=True):
            said = {record_reply(record) for record in about}
            if len(said) == 1:
                self._settled(row, said.pop())
            else:
                self._left_out(row, "conflicting" if said else "unaccounted")

    def _settled(self, row: RecordRow, said: RecordReply) -> None:
        outcome, reason, field, detail = said.outcome, said.reason, said.field, said.detail
        if outcome is Outcome.CREATED:
            self._doubts.discard(row.identity)
        if outcome is Outcome.DUPLICATE and not self._proves_presence(row):
            outcome, reason, detail = Outcome.REJECTED, "not_unique", "a number of it is in the list already"
        elif outcome is Outcome.DUPLICATE and (row.doubted or row.identity in self._doubts):
            outcome = Outcome.CONFIRMED
        self.rows.conclude(row, outcome, reason, detail, field=field)

    def _proves_presence(self, row: RecordRow) -> bool:
        """Whether "not unique" says that this record is there: of several numbers one may be somebody else's."""
        return self._kind is IdentifierType.EXTERNAL or (self._kind in REPEATABLE and row.phones == 1)

    def _left_out(self, row: RecordRow, reason: str) -> None:
        """What the answer does not mention rides once more with its like, if the list tells records apart."""
        if row.unaccounted or not self._repeats:
            self.rows.conclude(row, Outcome.UNREPORTED, reason)
            return
        row.unaccounted, row.doubts = True, max(row.doubts, 1)
        self._doubts.add(row.identity)
        self._later.append(row)

    def _too_large(self, batch: Batch, answer: Answer) -> None:
        rows = batch.rows
        if len(rows) > 1:
            self._size = min(self._size, (len(rows) + 1) // 2)
            parts = [rows[at : at + self._size] for at in range(0, len(rows), self._size)]
            operation = self.rows.operation
            self._todo.extendleft(Batch(operation, part, batch.bisection) for part in reversed(parts))
        elif isinstance(answer, Response) and answer.status == 413:
            self.rows.conclude(rows[0], Outcome.REJECTED, "too_large", "the server refused it for its size")
        else:
            self._stop(answer, _ADVICE_FATAL)

    def _refused(self, batch: Batch, answer: Answer, refusal: Refusal) -> None:
        """Search a refused chunk for the records that are the cause."""
        bisection = batch.bisection
        if bisection is None and len(batch.rows) > 1:
            self._search = BatchBisection(batch.rows, refusal, self._policy.max_extra_posts)
        elif bisection is None or bisection.refused(batch.rows, refusal):
            for row in batch.rows:
                self.rows.conclude(row, Outcome.REJECTED, "server_refused", refusal.text)
        if bisection is not None and not self._accepted and bisection.fault_is_common():
            self._stop(answer, _ADVICE_FATAL)

    def _doubt(self, batch: Batch) -> None:
        batch.doubt()
        self._doubts.update(row.identity for row in batch.rows if isinstance(row, RecordRow))

    def _stop(self, answer: Answer, advice: str) -> None:
        self.error = self._error(answer).advised(advice)

    def _error(self, answer: Answer) -> VoisoError:
        return answer if isinstance(answer, VoisoError) else self._explain(answer)
