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
from voiso_async.ingest.accumulator import Agenda, Boarding
from voiso_async.ingest.batch import Batch, tell
from voiso_async.ingest.durable import DurableCall
from voiso_async.ingest.gate import Door, Turn, Wish
from voiso_async.ingest.handler import ExplainOf, Landing, Reckoning, Stop, stop_after
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneMeter, LaneState, LaneStatus
from voiso_async.ingest.rows import Operation, Row, RowResult, WaitingCall
from voiso_async.wire import Response

STEADY = 10
"""A source that goes on giving leads is waited for so many times longer than one that gives none."""

Post = Callable[[int, Operation, bytes], Awaitable[Response]]
Quiet = Callable[[], Awaitable[None]]


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
        door: Door,
        post: Post,
        explain: ExplainOf,
        quiet: Quiet,
        policy: LanePolicy,
        hook: EventHook,
        clock: Callable[[], float],
    ) -> None:
        self.campaign = campaign
        self.doubts: set[str] = set()
        self._door = door
        self._post = post
        self._quiet = quiet
        self._policy = policy
        self._hook = hook
        self._clock = clock
        self._calls: dict[WaitingCall, None] = {}
        self._agenda = Agenda()
        self._boarding = Boarding(self._agenda, policy.max_rows)
        self._reckoning = Reckoning(
            self._agenda, policy, lambda *answer: explain(campaign, *answer), self.doubts, clock
        )
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_flight: Batch | None = None
        self._landed = asyncio.Event()
        self._patience = anyio.CancelScope()
        self._state: LaneState = "idle"
        self._reason: str | None = None
        self._meter = LaneMeter(policy, clock)

    # What callers do

    def submit(self, call: WaitingCall) -> None:
        """Take part in this call's life until it is finished."""
        self._loop = asyncio.get_running_loop()
        self._calls[call] = None

    def offer(self, call: WaitingCall) -> None:
        """Look at a call anew: it has rows, it has ended, or its outcomes were read."""
        self._agenda.offer(call)
        self._wake.set()
        self._sweep([call])
        if self._task is None and not self._agenda.empty:
            self._start()

    @property
    def open(self) -> bool:
        """Whether a turn could be had at once."""
        return self._in_flight is None and self._door.opens_in(self.campaign) <= 0

    def withdraw(self, call: WaitingCall) -> None:
        """The caller goes: what is not in flight is never sent again, and the POST in flight goes on."""
        if not call.finished:
            call.leave()
            self.offer(call)

    def withdraw_soon(self, call: WaitingCall) -> None:
        """The same from a finalizer, which may run in any thread, and after the loop's end."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.withdraw, call)

    def seal(self, error: VoisoError) -> None:
        """Read no source any further; rows that wait still go."""
        for call in list(self._calls):
            call.seal(error)
            self.offer(call)

    def end(self, error: VoisoError) -> "asyncio.Task[None] | None":
        """Cancel the task, whose end settles every call, or settle them now: then nothing can begin again."""
        if self._task is not None and self._task.cancel():
            return self._task
        self._doubt_in_flight()
        self._agenda.clear()
        for call in list(self._calls):
            call.stop(error)
        self._calls.clear()
        return None

    def carries(self, call: WaitingCall) -> bool:
        """Whether a POST with rows of this call is in flight."""
        return any(row.owner is call for row in self._flying)

    async def landing(self) -> None:
        """Wait until no POST is in flight."""
        await self._landed.wait()

    def task(self) -> asyncio.Task[None] | None:
        """The lane's task, while it has one."""
        return self._task

    def status(self) -> LaneStatus:
        """Tell how this lane stands."""
        waiting = [call for call in self._calls if call.waiting or call.backlog]
        first = (row for call in waiting for row in islice(call.waiting.values(), 1))
        now = self._clock()
        return LaneStatus(
            campaign=self.campaign,
            state="idle" if self._state == "waiting" and self._agenda.empty else self._state,
            reason=self._reason,
            rows_waiting=sum(len(call.waiting) + call.backlog for call in waiting),
            oldest_age=max((now - row.entered for row in first), default=0.0),
            opens_in=self._door.opens_in(self.campaign),
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
        while not self._agenda.empty:
            turn = await self._next_turn(pause)
            pause = 0.0 if turn is None else await self._take_turn(turn)

    async def _next_turn(self, pause: float) -> Turn | None:
        """Wait for a turn, or until nobody wants one any more."""
        with anyio.CancelScope() as self._patience:
            if pause:
                await anyio.sleep(pause)
            await self._quiet()
            await self._until_ready()
            return await self._door.open(self.campaign, self._wish)
        return None

    async def _until_ready(self) -> None:
        """Wait for a fuller batch while rows keep coming, but not for a source that keeps the lane waiting."""
        longest = self._clock() + STEADY * self._policy.stall
        while not (self._agenda.ready or self._agenda.empty):
            left = min(longest, self._agenda.latest + self._policy.stall) - self._clock()
            if left <= 0 and not self._agenda.reading:
                return
            self._wake.clear()
            with anyio.move_on_after(None if self._agenda.reading else left):
                await self._wake.wait()

    async def _take_turn(self, turn: Turn) -> float:
        """Send one batch, write down what it led to, then tell; give the seconds to stay away."""
        landing, spare = Landing(), list[RowResult]()
        try:
            self.doubts.update(turn.doubts)
            self._reckoning.refused.update(turn.refused)
            batch, spare = self._boarding.batch(turn)
            if batch is not None and turn.in_time():
                landing.hold = self._policy.settle_wait(batch.doubts + 1)  # holds if this attempt is cut short
                landing = await self._attempt(batch, turn)
            elif batch is not None:
                self._agenda.repeat(batch)
        except BaseException:
            self._doubt_in_flight()
            raise
        finally:
            landing.results.extend(spare)
            await self._close(turn, landing)
        tell(landing.results)
        self._land()
        if landing.stop is not None:
            self._stop(landing.stop)
        self._sweep(list(self._calls))
        return 0.0 if landing.stop else landing.pause

    def _wish(self) -> Wish:
        return self._boarding.wish(self._reckoning.max_bytes)

    async def _close(self, turn: Turn, landing: Landing) -> None:
        """Close a turn; what an outbox could not write down stays doubted there, all else is told."""
        try:
            await turn.close(landing.results, landing.hold, landing.carried)
        except BaseException as error:  # also if this is cancelled: what the attempt led to is known
            self._land()
            tell(result for result in landing.results if not isinstance(result.row.owner, DurableCall))
            if isinstance(error, OutboxError):
                error.outcomes = tuple(
                    result.as_outcome()
                    for result in landing.results
                    if isinstance(result.row.owner, DurableCall) and result.outcome is not Outcome.NOT_SENT
                )
            raise

    async def _attempt(self, batch: Batch, turn: Turn) -> Landing:
        self._state, self._in_flight = "sending", batch
        self._landed.clear()
        batch.attempts += 1
        began = self._clock()
        answer = await self._answer(batch)
        turn.landed()
        seconds = self._clock() - began
        landing = self._reckoning.judge(batch, answer)
        self._state, self._reason = landing.state, landing.reason
        self._note(batch, landing, seconds)
        return landing

    async def _answer(self, batch: Batch) -> Response | VoisoError:
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

    def _note(self, batch: Batch, landing: Landing, seconds: float) -> None:
        self._meter.note(sum(result.outcome in ANSWERED for result in landing.results), seconds)
        landing.carry(fresh=batch.attempts == 1, seconds=seconds)
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
    def _flying(self) -> Sequence[Row]:
        return () if self._in_flight is None else self._in_flight.rows

    def _sweep(self, calls: Iterable[WaitingCall]) -> None:
        """Settle what callers have left behind, and wait for no turn that nobody wants any more."""
        for call in calls:
            if call.departed:
                call.ground(self._flying)
            if call.finished:
                self._calls.pop(call, None)
        if not any(call.wants_turn for call in self._calls):
            self._agenda.clear()
            self._patience.cancel()

    def _stop(self, stop: Stop) -> None:
        if stop.owners is None:
            self._state, self._reason = "stopped", str(stop.error)
            self._reckoning.forget()
        stopped = [call for call in self._calls if stop.concerns(call)]
        for call in stopped:
            call.stop(stop.error)
        for operation in sorted({call.operation for call in stopped}):
            self._hook(LaneStopped(campaign=self.campaign, operation=operation, reason=str(stop.error)))

    def _doubt_in_flight(self) -> None:
        if self._in_flight is not None:
            self._reckoning.doubt(self._in_flight)
            self._land()

    def _land(self) -> None:
        self._in_flight = None
        self._landed.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Resolve every waiting call, however the task ended; a call that only pauses starts it again."""
        self._task = None
        self._doubt_in_flight()
        if stop := stop_after(task):
            self._agenda.clear()
            self._stop(stop)
        elif self._state != "stopped":
            self._state, self._reason = "idle", None
        self._sweep(list(self._calls))
        if not self._agenda.empty:
            self._start()
