"""The sender of one campaign: submissions -> slots -> attempts -> outcomes.

A lane acquires a slot from its gate, sends one batch in it, lets the handler decide what the response means, and
releases the slot. Its task lives only while something waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from itertools import islice

import anyio

from voiso_async._structs import Struct
from voiso_async.errors import OutboxError, UnexpectedError, VoisoError
from voiso_async.events import BatchAnswered, BatchSent, EventHook, LaneStopped
from voiso_async.ingest.accumulator import Accumulator, BatchBuilder
from voiso_async.ingest.batch import Batch, deliver
from voiso_async.ingest.gate import Gate, Slot
from voiso_async.ingest.handler import AttemptResult, CampaignErrorParser, Effect, ResponseHandler, Stop, stop_for
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneMeter, LaneState, LaneStatus
from voiso_async.ingest.rows import Operation, Row, RowResult
from voiso_async.ingest.submission import QueuedSubmission
from voiso_async.wire import Response

STEADY = 10
"""A source that goes on giving leads is waited for this many times longer than one that gives none."""

Post = Callable[[int, Operation, bytes], Awaitable[Response]]
Backoff = Callable[[], Awaitable[None]]


class LaneParts(Struct, frozen=True, kw_only=True):
    """What all lanes of one client share; ``LeadBatcher`` says what each is."""

    post: Post
    gate: Gate
    parse_error: CampaignErrorParser
    backoff: Backoff
    policy: LanePolicy
    hook: EventHook
    clock: Callable[[], float]


class Lane:
    """The one sender of a campaign.

    ``doubts`` holds the phones of this campaign that an attempt without a usable answer ever carried; it outlives
    the lane's stops.
    """

    def __init__(self, campaign: int, parts: LaneParts) -> None:
        self.campaign = campaign
        self.doubts: set[str] = set()
        self._parts = parts
        self._policy = parts.policy
        self._clock = parts.clock
        self._submissions: dict[QueuedSubmission, None] = {}
        self._accumulator = Accumulator(parts.policy.max_bytes)
        self._builder = BatchBuilder(self._accumulator, parts.policy.max_rows)
        self._handler = ResponseHandler(
            self._accumulator,
            parts.policy,
            lambda *response: parts.parse_error(campaign, *response),
            self.doubts,
            parts.clock,
        )
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._in_flight: Batch | None = None
        self._idle = asyncio.Event()
        self._slot_scope = anyio.CancelScope()
        self._state: LaneState = "idle"
        self._reason: str | None = None
        self._meter = LaneMeter(parts.policy, parts.clock)

    # What callers do

    def add(self, submission: QueuedSubmission) -> None:
        """Take part in the life of a submission until it is done."""
        submission.attach(self)
        self._submissions[submission] = None

    def notify(self, submission: QueuedSubmission) -> None:
        """Look at a submission again: it has rows, it has ended, or its outcomes were read."""
        self._accumulator.add(submission)
        self._wake.set()
        if submission.cancelled or submission.done:
            self._sweep([submission])
        if self._task is None and not self._accumulator.empty:
            self._start()

    @property
    def is_open(self) -> bool:
        """Whether a slot could be had at once."""
        return self._in_flight is None and self._parts.gate.opens_in(self.campaign) <= 0

    def close_input(self, error: VoisoError) -> None:
        """Read no source any further; rows that wait still go."""
        for submission in list(self._submissions):
            submission.close_input(error)
            self.notify(submission)

    def abort(self, error: VoisoError) -> "asyncio.Task[None] | None":
        """Cancel the task, whose end fails every submission, or fail them now: then nothing can begin again."""
        if self._task is not None and self._task.cancel():
            return self._task
        self._doubt_in_flight()
        self._accumulator.clear()
        for submission in list(self._submissions):
            submission.fail(error)
        self._submissions.clear()
        return None

    def has_in_flight(self, submission: QueuedSubmission) -> bool:
        """Whether a POST with rows of this submission is in flight."""
        return any(row.submission is submission for row in self._in_flight_rows)

    async def wait_idle(self) -> None:
        """Wait until no POST is in flight."""
        await self._idle.wait()

    def task(self) -> asyncio.Task[None] | None:
        """The lane's task, while it has one."""
        return self._task

    def status(self) -> LaneStatus:
        """The state of this lane now."""
        waiting = [one for one in self._submissions if one.waiting or one.backlog]
        first = (row for one in waiting for row in islice(one.waiting.values(), 1))
        now = self._clock()
        return LaneStatus(
            campaign=self.campaign,
            state="idle" if self._state == "waiting" and self._accumulator.empty else self._state,
            reason=self._reason,
            rows_waiting=sum(len(one.waiting) + one.backlog for one in waiting),
            oldest_age=max((now - row.entered for row in first), default=0.0),
            opens_in=self._parts.gate.opens_in(self.campaign),
            rows_in_doubt=len(self.doubts),
            ceiling_share=self._meter.ceiling_share,
        )

    # The lane's own task

    def _start(self) -> None:
        self._state, self._reason = "waiting", None
        self._meter = LaneMeter(self._policy, self._clock)
        # An empty context: the task outlives the request that happened to start it, and must not keep its
        # variables.
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"voiso lane {self.campaign}", context=Context()
        )
        self._task.add_done_callback(self._ended)

    async def _run(self) -> None:
        pause = 0.0
        while not self._accumulator.empty:
            slot = await self._next_slot(pause)
            pause = 0.0 if slot is None else await self._use_slot(slot)

    async def _next_slot(self, pause: float) -> Slot | None:
        """Wait for a slot, or until nobody needs one any more."""
        with anyio.CancelScope() as self._slot_scope:
            if pause:
                await anyio.sleep(pause)
            # The gate comes last: whoever holds a slot keeps every other client of this process waiting, so
            # nothing that can be waited for before is waited for in it.
            await self._parts.backoff()
            await self._until_ready()
            return await self._parts.gate.acquire(self.campaign, self._builder)
        return None

    async def _until_ready(self) -> None:
        """Wait for a fuller batch while rows keep coming, but not for a source that keeps the lane waiting."""
        longest = self._clock() + STEADY * self._policy.stall
        while not (self._accumulator.ready or self._accumulator.empty):
            left = min(longest, self._accumulator.last_entered + self._policy.stall) - self._clock()
            if left <= 0 and not self._accumulator.reading:
                return
            self._wake.clear()
            with anyio.move_on_after(None if self._accumulator.reading else left):
                await self._wake.wait()

    async def _use_slot(self, slot: Slot) -> float:
        """Send one batch, commit what it led to, then deliver; give the seconds to pause before the next slot."""
        effect, released = Effect(), list[RowResult]()
        try:
            self.doubts.update(slot.doubts)
            self._handler.refused.update(slot.refused)
            batch, released = self._builder.build(slot)
            if batch is not None and slot.in_time():
                effect.hold = self._policy.doubt_wait(batch.doubts + 1)  # holds if this attempt is cut short
                effect = await self._attempt(batch, slot)
            elif batch is not None:
                # The claim took so long that the lease could end during the POST. Another process might then take
                # the same rows, so nothing is sent; the batch goes in the next slot.
                self._accumulator.retry(batch)
        except BaseException:
            self._doubt_in_flight()
            raise
        finally:
            # Also after a cancellation: a gate that is never released would stop the campaign for good.
            effect.results.extend(released)
            await self._release(slot, effect)
        # Committed first, delivered second: a caller who hears of an outcome must find it in the outbox.
        deliver(effect.results)
        self._clear_in_flight()
        if effect.stop is not None:
            self._stop(effect.stop)
        self._sweep(list(self._submissions))
        return 0.0 if effect.stop else effect.pause

    async def _release(self, slot: Slot, effect: Effect) -> None:
        """Release a slot; what an outbox could not commit stays doubted there, everything else is delivered."""
        try:
            await slot.release(effect.results, effect.hold, effect.attempt)
        except BaseException as error:  # also if this is cancelled: what the attempt led to is known
            self._clear_in_flight()
            deliver(result for result in effect.results if not result.row.durable)
            if isinstance(error, OutboxError):
                error.outcomes = tuple(
                    result.as_outcome()
                    for result in effect.results
                    if result.row.durable and result.outcome is not Outcome.NOT_SENT
                )
            raise

    async def _attempt(self, batch: Batch, slot: Slot) -> Effect:
        self._state, self._in_flight = "sending", batch
        self._idle.clear()
        batch.attempts += 1
        began = self._clock()
        result = await self._send(batch)
        slot.attempt_ended()
        seconds = self._clock() - began
        effect = self._handler.handle(batch, result)
        self._state, self._reason = effect.state, effect.reason
        self._record(batch, effect, seconds)
        return effect

    async def _send(self, batch: Batch) -> AttemptResult:
        body = batch.body()
        self._parts.hook(
            BatchSent(
                campaign=self.campaign,
                operation=batch.operation,
                rows=len(batch.rows),
                size=len(body),
                attempt=batch.attempts,
            )
        )
        try:
            return await self._parts.post(self.campaign, batch.operation, body)
        except VoisoError as error:
            if isinstance(error, UnexpectedError) and error.proof == "in_doubt":
                raise  # no verdict on the server: the lane ends at once, and what is in flight is doubted
            return error

    def _record(self, batch: Batch, effect: Effect, seconds: float) -> None:
        self._meter.add_attempt(sum(result.outcome in ANSWERED for result in effect.results), seconds)
        effect.record_attempt(first=batch.attempts == 1, seconds=seconds)
        self._parts.hook(
            BatchAnswered(
                campaign=self.campaign,
                operation=batch.operation,
                rows=effect.rows,
                verdict=effect.verdict,
                seconds=seconds,
                hold=effect.hold or 0.0,
            )
        )

    @property
    def _in_flight_rows(self) -> Sequence[Row]:
        return () if self._in_flight is None else self._in_flight.rows

    def _sweep(self, submissions: Iterable[QueuedSubmission]) -> None:
        """Resolve what callers have left behind, and wait for no slot that nobody needs any more."""
        for submission in submissions:
            if submission.cancelled:
                submission.resolve_idle(self._in_flight_rows)
            if submission.done:
                self._submissions.pop(submission, None)
        # A lane that waits for a slot that nobody needs any more would hold it up for those who do.
        if not any(submission.needs_slot for submission in self._submissions):
            self._accumulator.clear()
            self._slot_scope.cancel()

    def _stop(self, stop: Stop) -> None:
        if stop.submissions is None:
            self._state, self._reason = "stopped", str(stop.error)
            self._handler.reset()
        stopped = [submission for submission in self._submissions if stop.applies_to(submission)]
        for submission in stopped:
            submission.fail(stop.error)
        for operation in sorted({submission.operation for submission in stopped}):
            self._parts.hook(LaneStopped(campaign=self.campaign, operation=operation, reason=str(stop.error)))

    def _doubt_in_flight(self) -> None:
        if self._in_flight is not None:
            self._handler.doubt(self._in_flight)
            self._clear_in_flight()

    def _clear_in_flight(self) -> None:
        self._in_flight = None
        self._idle.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Resolve every submission, however the task ended; one that only paused starts the lane again."""
        self._task = None
        self._doubt_in_flight()
        if stop := stop_for(task):
            self._accumulator.clear()
            self._stop(stop)
        elif self._state != "stopped":
            self._state, self._reason = "idle", None
        self._sweep(list(self._submissions))
        if not self._accumulator.empty:
            self._start()
