"""One run: a job of an outbox is loaded and sent while somebody watches, and may stop it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
from attrs import define, field, frozen

from voiso_async.cli.limit import Limit
from voiso_async.cli.meter import Meter, answered
from voiso_async.cli.progress import View, view_for
from voiso_async.cli.signals import Signals
from voiso_async.cli.words import said
from voiso_async.client import VoisoClient
from voiso_async.errors import (
    AuthenticationError,
    ClientClosedError,
    InputFileError,
    OutboxError,
    PermissionDeniedError,
    SourceError,
    VoisoError,
)
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job

__all__ = ["Load", "Run", "Watch"]

GRACE_SECONDS = 30.0
"""How long the POST in flight is waited for once a run was stopped."""
LOOK_SECONDS = 0.25
FIRST_LOOK_SECONDS = 0.02
FIRST_JUDGED_SECONDS = 1.0
FIRST_JUDGED_ROWS = 2000


class Watch:
    """Who watches a run; ``meter`` must hear the events of its client."""

    def __init__(self, signals: Signals, *, json: bool = False) -> None:
        self.signals: Signals = signals
        self.view: View = view_for(json=json)
        self.meter: Meter = Meter(self.view.tell)


@frozen(kw_only=True)
class Load:
    """What is to be read into a job: ``rows`` is about how many there will be."""

    leads: AsyncIterator[Any]
    campaign: int | None
    rows: int | None = None


@define
class Run:
    """A run of one job: after ``go`` it says how it ended.

    ``loaded`` ends a job whose file is read no more. ``error`` is what went wrong, ``stop`` why it was stopped
    before its end: then what waits can go on; ``unreadable`` that its file cannot be read any further.
    """

    watch: Watch
    voiso: VoisoClient
    outbox: Outbox
    job: Job
    load: Load | None = field(kw_only=True, default=None)
    limit: Limit | None = field(kw_only=True, default=None)
    timeout: float | None = field(kw_only=True, default=None)
    loaded: bool = field(kw_only=True, default=False)
    error: str | None = field(init=False, default=None)
    stop: str | None = field(init=False, default=None)
    unreadable: bool = field(init=False, default=False)
    _scope: anyio.CancelScope = field(init=False, factory=anyio.CancelScope)
    _seen: bool = field(init=False, default=True)

    async def go(self) -> None:
        """Load and send until all is done, the time is over, the limit is broken or the first signal comes.

        What was not sent stays in the outbox; the POST in flight may end, until a second signal. The client is
        closed.
        """
        self.watch.meter.begin(answered(self.job.report.counts))
        with self.watch.view:
            async with anyio.create_task_group() as group:
                group.start_soon(self._look_on)
                with self.watch.signals.stoppable(), self._scope:
                    await self._work()
                await self._finish()
                group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                with suppress(VoisoError):  # whatever hinders the outbox was met before
                    await self.outbox.end_work(self.job.id)
                await self._judged()

    async def _work(self) -> None:
        with anyio.move_on_after(self.timeout) as deadline:
            try:
                await self._send()
            except VoisoError as error:
                await self._give_up(error)
        if deadline.cancelled_caught and self.stop is None:
            self.stop = f"the {self.timeout:g} s of --timeout were over before every lead was sent"

    async def _send(self) -> None:
        """Send what is there while more is being read: the first POST does not wait for the last row."""
        await self.outbox.begin_work(self.job.id)
        loading = asyncio.create_task(self._load())
        try:
            if await self._judged_first(loading):
                return
            while not loading.done():
                await self.voiso.leads.drain(self.job.id)
                await self.outbox.changed(LOOK_SECONDS)
            if isinstance(fault := loading.exception(), SourceError):
                self.watch.view.tell(f"{said(fault)}; sending what was read before that")
            elif fault is not None:
                raise fault
            await self.voiso.leads.drain(self.job.id)
            await loading
            if self.loaded:
                await self.outbox.withdraw(self.job.id)  # nothing waits any more; this ends the reading
        finally:
            loading.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({loading})

    async def _load(self) -> None:
        if self.load is not None:
            await self.outbox.load(self.job.id, self.load.campaign, self.load.leads)

    async def _judged_first(self, loading: "asyncio.Task[None]") -> bool:
        """With a limit, let the first rows be judged before anything is sent."""
        if self.limit is None:
            return False
        until = time.monotonic() + FIRST_JUDGED_SECONDS
        while not loading.done() and time.monotonic() < until:
            await anyio.sleep(FIRST_LOOK_SECONDS)
            if (await self.outbox.job(self.job.id)).report.rows >= FIRST_JUDGED_ROWS:
                break
        return await self._judged()

    async def _judged(self) -> bool:
        """Look at the job; whether it is to be stopped for its bad rows."""
        self.job = await self.outbox.job(self.job.id)
        stopped = self.watch.signals.number is not None or self.stop is not None
        if self.limit is not None and not stopped and self.limit.broken(self.job):
            self.stop = self.limit.verdict(self.job)
            return True
        return False

    async def _look_on(self) -> None:
        drawn = time.monotonic()
        try:
            while True:
                await anyio.sleep(min(LOOK_SECONDS, self.watch.view.every))
                if await self._judged():
                    self._scope.cancel()
                if self._seen and time.monotonic() - drawn >= self.watch.view.every:
                    drawn = time.monotonic()
                    await self._draw()
        except VoisoError:
            return  # what works on the job meets it too, and says so

    async def _draw(self) -> None:
        waiting = await self.outbox.backlog(self.job.id)
        total = None if self.load is None else self.load.rows
        try:
            self.watch.view.draw(self.watch.meter.look(self.job, waiting, self.voiso.lanes(), total))
        except (BrokenPipeError, VoisoError):
            self._seen = False  # nobody reads it any more: the leads are sent all the same

    async def _give_up(self, error: VoisoError) -> None:
        """Tell a campaign that was given up, whose rows wait, from an error of this side."""
        text = said(error)
        if isinstance(error.__cause__, InputFileError):
            self.unreadable = True
            self.error = f"{text}; what was read before that was sent"
        elif isinstance(error, _OURS) or not (await self.outbox.job(self.job.id)).waiting:
            self.error = text
        else:
            self.stop = text

    async def _finish(self) -> None:
        signals = self.watch.signals
        in_flight = any(lane.state == "sending" for lane in self.voiso.lanes())
        if in_flight:
            again = "" if signals.number is None else " (once more to leave at once)"
            self.watch.view.tell(f"waiting for the answer to the POST in flight{again}")
        with signals.stoppable():
            await self.voiso.aclose(GRACE_SECONDS if in_flight else 0)
        with anyio.CancelScope(shield=True):  # after a second signal there is something left to close
            await self.voiso.aclose(0)


_OURS = (OutboxError, ClientClosedError, AuthenticationError, PermissionDeniedError)
"""Errors that no waiting mends."""
