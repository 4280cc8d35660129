"""One campaign's serial way: waiting calls -> turns -> attempts -> outcomes.

A lane asks its door for a turn, sends one batch in it, judges the answer and closes the turn; what the verdict
means for the rows is decided here and nowhere else. Its task lives only while something waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from itertools import islice

import anyio

from voiso_async.errors import OutboxError, UnexpectedError, VoisoError
from voiso_async.events import BatchAnswered, BatchSent, EventHook, LaneStopped
from voiso_async.ingest.accumulator import Accumulator, BatchBuilder
from voiso_async.ingest.batch import Batch, deliver
from voiso_async.ingest.durable import OutboxSubmission
from voiso_async.ingest.gate import ClaimRequest, Gate, Slot
from voiso_async.ingest.handler import CampaignErrorParser, Effect, ResponseHandler, Stop, stop_for
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneMeter, LaneState, LaneStatus
from voiso_async.ingest.rows import Operation, QueuedSubmission, Row, RowResult
from voiso_async.wire import Response

STEADY = 10
"""A source that goes on giving leads is waited for so many times longer than one that gives none."""

Post = Callable[[int, Operation, bytes], Awaitable[Response]]
Backoff = Callable[[], Awaitable[None]]


class Lane:
    """One campaign's lane.

    ``post`` sends a body, ``explain`` makes an error of an answer that says no, ``quiet`` waits while the server
    wants nothing at all.

    ``doubts`` holds the phones of this campaign that a lost answer ever carried; it outlives the lane's stops.
    """

    def __init__(
        self,
        campaign: int,
        *,
        door: Gate,
        post: Post,
        explain: CampaignErrorParser,
        quiet: Backoff,
        policy: LanePolicy,
        hook: EventHook,
        clock: Callable[[], float],
    ) -> None:
        self.campaign = campaign
        self.doubts: set[str] = set()
        self._gate = door
        self._post = post
        self._backoff = quiet
        self._policy = policy
        self._hook = hook
        self._clock = clock
        self._submissions: dict[QueuedSubmission, None] = {}
        self._accumulator = Accumulator()
        self._builder = BatchBuilder(self._accumulator, policy.max_rows)
        self._handler = ResponseHandler(
            self._accumulator, policy, lambda *answer: explain(campaign, *answer), self.doubts, clock
        )
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_flight: Batch | None = None
        self._idle = asyncio.Event()
        self._slot_scope = anyio.CancelScope()
        self._state: LaneState = "idle"
        self._reason: str | None = None
        self._meter = LaneMeter(policy, clock)

    # What callers do

    def add(self, call: QueuedSubmission) -> None:
        """Take part in this call's life until it is finished."""
        self._loop = asyncio.get_running_loop()
        self._submissions[call] = None

    def notify(self, call: QueuedSubmission) -> None:
        """Look at a call anew: it has rows, it has ended, or its outcomes were read."""
        self._accumulator.add(call)
        self._wake.set()
        self._sweep([call])
        if self._task is None and not self._accumulator.empty:
            self._start()

    @property
    def is_open(self) -> bool:
        """Whether a turn could be had at once."""
        return self._in_flight is None and self._gate.opens_in(self.campaign) <= 0

    def cancel(self, call: QueuedSubmission) -> None:
        """The caller goes: what is not in flight is never sent again, and the POST in flight goes on."""
        if not call.done:
            call.cancel()
            self.notify(call)

    def cancel_threadsafe(self, call: QueuedSubmission) -> None:
        """The same from a finalizer, which may run in any thread, and after the loop's end."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.cancel, call)

    def close_input(self, error: VoisoError) -> None:
        """Read no source any further; rows that wait still go."""
        for call in list(self._submissions):
            call.close_input(error)
            self.notify(call)

    def abort(self, error: VoisoError) -> "asyncio.Task[None] | None":
        """Cancel the task, whose end settles every call, or settle them now: then nothing can begin again."""
        if self._task is not None and self._task.cancel():
            return self._task
        self._doubt_in_flight()
        self._accumulator.clear()
        for call in list(self._submissions):
            call.fail(error)
        self._submissions.clear()
        return None

    def has_in_flight(self, call: QueuedSubmission) -> bool:
        """Whether a POST with rows of this call is in flight."""
        return any(row.submission is call for row in self._in_flight_rows)

    async def wait_idle(self) -> None:
        """Wait until no POST is in flight."""
        await self._idle.wait()

    def task(self) -> asyncio.Task[None] | None:
        """The lane's task, while it has one."""
        return self._task

    def status(self) -> LaneStatus:
        """Tell how this lane stands."""
        waiting = [call for call in self._submissions if call.waiting or call.backlog]
        first = (row for call in waiting for row in islice(call.waiting.values(), 1))
        now = self._clock()
        return LaneStatus(
            campaign=self.campaign,
            state="idle" if self._state == "waiting" and self._accumulator.empty else self._state,
            reason=self._reason,
            rows_waiting=sum(len(call.waiting) + call.backlog for call in waiting),
            oldest_age=max((now - row.entered for row in first), default=0.0),
            opens_in=self._gate.opens_in(self.campaign),
            rows_in_doubt=len(self.doubts),
            ceiling_share=self._meter.ceiling_share,
        )

    # The lane's own task

    def _start(self) -> None:
        self._state, self._reason = "waiting", None
        self._meter = LaneMeter(self._policy, self._clock)
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"voiso lane {self.campaign}", context=Context()
        )
        self._task.add_done_callback(self._ended)

    async def _run(self) -> None:
        pause = 0.0
        while not self._accumulator.empty:
            turn = await self._next_slot(pause)
            pause = 0.0 if turn is None else await self._use_slot(turn)

    async def _next_slot(self, pause: float) -> Slot | None:
        """Wait for a turn, or until nobody wants one any more."""
        with anyio.CancelScope() as self._slot_scope:
            if pause:
                await anyio.sleep(pause)
            await self._backoff()
            await self._until_ready()
            return await self._gate.acquire(self.campaign, self._claim_request)
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

    async def _use_slot(self, turn: Slot) -> float:
        """Send one batch, write down what it led to, then tell; give the seconds to stay away."""
        landing, spare = Effect(), list[RowResult]()
        try:
            self.doubts.update(turn.doubts)
            self._handler.refused.update(turn.refused)
            batch, spare = self._builder.build(turn)
            if batch is not None and turn.in_time():
                landing.hold = self._policy.doubt_wait(batch.doubts + 1)  # holds if this attempt is cut short
                landing = await self._attempt(batch, turn)
            elif batch is not None:
                self._accumulator.retry(batch)
        except BaseException:
            self._doubt_in_flight()
            raise
        finally:
            landing.results.extend(spare)
            await self._release(turn, landing)
        deliver(landing.results)
        self._clear_in_flight()
        if landing.stop is not None:
            self._stop(landing.stop)
        self._sweep(list(self._submissions))
        return 0.0 if landing.stop else landing.pause

    def _claim_request(self) -> ClaimRequest:
        return self._builder.claim_request(self._handler.max_bytes)

    async def _release(self, turn: Slot, landing: Effect) -> None:
        """Close a turn; what an outbox could not write down stays doubted there, all else is told."""
        try:
            await turn.release(landing.results, landing.hold, landing.attempt)
        except BaseException as error:  # also if this is cancelled: what the attempt led to is known
            self._clear_in_flight()
            deliver(
                result for result in landing.results if not isinstance(result.row.submission, OutboxSubmission)
            )
            if isinstance(error, OutboxError):
                error.outcomes = tuple(
                    result.as_outcome()
                    for result in landing.results
                    if isinstance(result.row.submission, OutboxSubmission)
                    and result.outcome is not Outcome.NOT_SENT
                )
            raise

    async def _attempt(self, batch: Batch, turn: Slot) -> Effect:
        self._state, self._in_flight = "sending", batch
        self._idle.clear()
        batch.attempts += 1
        began = self._clock()
        answer = await self._send(batch)
        turn.attempt_ended()
        seconds = self._clock() - began
        landing = self._handler.handle(batch, answer)
        self._state, self._reason = landing.state, landing.reason
        self._record(batch, landing, seconds)
        return landing

    async def _send(self, batch: Batch) -> Response | VoisoError:
        body = batch.body()
        self._hook(
            BatchSent(
                campaign=self.campaign,
                operation=batch.operation,
                rows=len(batch.rows),
                size=len(body),
                attempt=batch.attempts,
            )
        )
        try:
            return await self._post(self.campaign, batch.operation, body)
        except VoisoError as error:
            if isinstance(error, UnexpectedError) and error.proof == "in_doubt":
                raise  # no verdict on the server: the lane ends at once, and what is in flight is doubted
            return error

    def _record(self, batch: Batch, landing: Effect, seconds: float) -> None:
        self._meter.add_attempt(sum(result.outcome in ANSWERED for result in landing.results), seconds)
        landing.record_attempt(fresh=batch.attempts == 1, seconds=seconds)
        self._hook(
            BatchAnswered(
                campaign=self.campaign,
                operation=batch.operation,
                rows=landing.rows,
                verdict=landing.verdict,
                seconds=seconds,
                hold=landing.hold or 0.0,
            )
        )

    @property
    def _in_flight_rows(self) -> Sequence[Row]:
        return () if self._in_flight is None else self._in_flight.rows

    def _sweep(self, calls: Iterable[QueuedSubmission]) -> None:
        """Settle what callers have left behind, and wait for no turn that nobody wants any more."""
        for call in calls:
            if call.cancelled:
                call.resolve_idle(self._in_flight_rows)
            if call.done:
                self._submissions.pop(call, None)
        if not any(call.needs_slot for call in self._submissions):
            self._accumulator.clear()
            self._slot_scope.cancel()

    def _stop(self, stop: Stop) -> None:
        if stop.submissions is None:
            self._state, self._reason = "stopped", str(stop.error)
            self._handler.reset()
        stopped = [call for call in self._submissions if stop.applies_to(call)]
        for call in stopped:
            call.fail(stop.error)
        for operation in sorted({call.operation for call in stopped}):
            self._hook(LaneStopped(campaign=self.campaign, operation=operation, reason=str(stop.error)))

    def _doubt_in_flight(self) -> None:
        if self._in_flight is not None:
            self._handler.doubt(self._in_flight)
            self._clear_in_flight()

    def _clear_in_flight(self) -> None:
        self._in_flight = None
        self._idle.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Resolve every waiting call, however the task ended; a call that only pauses starts it again."""
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
