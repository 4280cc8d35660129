"""One run: a job of an outbox is loaded and sent while somebody watches, and may stop it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import anyio
from attrs import define, evolve, field, frozen
from cyclopts import Parameter

from voiso_async.cli.common import GROUPS, Connection, connected
from voiso_async.cli.failure_limit import FailureLimit, likely_cause
from voiso_async.cli.file_options import empty_file
from voiso_async.cli.outbox_option import OutboxOption
from voiso_async.cli.outputs import check_form, check_outputs, form_of_rejects
from voiso_async.cli.render.advice import Left, go_on, results_command
from voiso_async.cli.render.progress import RateMeter, View, answered, view_for
from voiso_async.cli.render.report import JobSummary, print_report, problems_of
from voiso_async.cli.render.results import save_rejects, save_results
from voiso_async.cli.render.tables import complain, counted, note, show_json
from voiso_async.cli.render.words import translated
from voiso_async.cli.render.workers import at_work, busy_with
from voiso_async.cli.signals import Signals
from voiso_async.cli.units import Seconds, Threshold
from voiso_async.client import VoisoClient
from voiso_async.errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InputFileError,
    OutboxError,
    PermissionDeniedError,
    SourceError,
    VoisoError,
)
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobState

GRACE_SECONDS = 30.0
"""How long the POST in flight is waited for once a run was stopped."""
LOOK_SECONDS = 0.25
FIRST_LOOK_SECONDS = 0.02
FIRST_JUDGED_SECONDS = 1.0
FIRST_JUDGED_ROWS = 2000


class Monitor:
    """Who watches a run; ``meter`` must hear the events of its client."""

    def __init__(self, signals: Signals, *, json: bool = False) -> None:
        self.signals: Signals = signals
        self.view: View = view_for(json=json)
        self.meter: RateMeter = RateMeter(self.view.tell)


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

    watch: Monitor
    voiso: VoisoClient
    outbox: Outbox
    job: Job
    load: Load | None = field(kw_only=True, default=None)
    limit: FailureLimit | None = field(kw_only=True, default=None)
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
                group.start_soon(self._watch)
                with self.watch.signals.stoppable(), self._scope:
                    await self._work()
                await self._finish()
                group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                with suppress(VoisoError):  # whatever hinders the outbox was met before
                    await self.outbox.end_work(self.job.id)
                await self._checked()

    async def _work(self) -> None:
        with anyio.move_on_after(self.timeout) as deadline:
            try:
                await self._send()
            except VoisoError as error:
                await self._fail(error)
        if deadline.cancelled_caught and self.stop is None:
            self.stop = f"the {self.timeout:g} s of --timeout were over before every lead was sent"

    async def _send(self) -> None:
        """Send what is there while more is being read: the first POST does not wait for the last row."""
        await self.outbox.begin_work(self.job.id)
        loading = asyncio.create_task(self._load())
        try:
            if await self._checked_first(loading):
                return
            while not loading.done():
                await self.voiso.leads.drain(self.job.id)
                await self.outbox.changed(LOOK_SECONDS)
            if isinstance(fault := loading.exception(), SourceError):
                self.watch.view.tell(f"{translated(fault)}; sending what was read before that")
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

    async def _checked_first(self, loading: "asyncio.Task[None]") -> bool:
        """With a limit, let the first rows be judged before anything is sent."""
        if self.limit is None:
            return False
        until = time.monotonic() + FIRST_JUDGED_SECONDS
        while not loading.done() and time.monotonic() < until:
            await anyio.sleep(FIRST_LOOK_SECONDS)
            if (await self.outbox.job(self.job.id)).report.rows >= FIRST_JUDGED_ROWS:
                break
        return await self._checked()

    async def _checked(self) -> bool:
        """Look at the job; whether it is to be stopped for its bad rows."""
        self.job = await self.outbox.job(self.job.id)
        stopped = self.watch.signals.number is not None or self.stop is not None
        if self.limit is not None and not stopped and self.limit.exceeded(self.job):
            self.stop = self.limit.reason(self.job)
            return True
        return False

    async def _watch(self) -> None:
        drawn = time.monotonic()
        try:
            while True:
                await anyio.sleep(min(LOOK_SECONDS, self.watch.view.every))
                if await self._checked():
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
            self.watch.view.draw(self.watch.meter.snapshot(self.job, waiting, self.voiso.lanes(), total))
        except (BrokenPipeError, VoisoError):
            self._seen = False  # nobody reads it any more: the leads are sent all the same

    async def _fail(self, error: VoisoError) -> None:
        """Tell a campaign that was given up, whose rows wait, from an error of this side."""
        text = translated(error)
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


@Parameter(name="*", group=GROUPS["Sending"])
@frozen(kw_only=True)
class SendOptions:
    """How a job is sent, and what is written at its end."""

    timeout: Seconds | None = None
    """Stop after this time, such as 90 or 10m; what waits stays in the outbox."""
    max_rejected: Threshold | None = None
    """Stop when more than this share of the rows is invalid or rejected, such as 25%; judged after 2000 rows."""
    results: Path | None = None
    """New file for the outcome of each row, at the end: .csv or .jsonl."""
    rejects: Path | None = None
    """New file for the rows that are not in the campaign, with their original columns: fix it and push it."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files to be written."""
        return tuple(path for path in (self.results, self.rejects) if path is not None)

    def check(self, *inputs: Path) -> None:
        """Refuse before anything is sent what could not be written at the end."""
        check_outputs(self.outputs, inputs=inputs)

    def check_rejects(self, header: Sequence[str]) -> None:
        """Refuse, once the columns are known, a name of the rejects that promises another form."""
        if self.rejects is not None:
            check_form(self.rejects, form_of_rejects(header))


PLAIN = SendOptions()


@frozen
class SendContext:
    """What all commands that send have in common: who watches, where it goes, and what it is told.

    A ``passing`` outbox is gone after this command, so none goes on with it.
    """

    watch: Monitor
    outbox: Outbox
    place: OutboxOption
    connection: Connection
    sending: SendOptions = PLAIN
    json: bool = field(kw_only=True)
    temporary: bool = field(kw_only=True, default=False)
    extra: Mapping[str, Any] = field(kw_only=True, factory=dict)

    def client(self) -> AbstractAsyncContextManager[VoisoClient]:
        """Open the client whose events the watch hears."""
        return connected(self.connection, self.watch.meter, self.outbox)

    @property
    def words(self) -> str:
        """The options that a command which goes on needs as well."""
        return f"{self.place.words}{self.connection.words}"

    def announce(self, job: Job, what: str, where: str = "") -> None:
        """Name the job before anything is sent: whatever ends this command, another can go on with it."""
        if not self.temporary:
            self.watch.signals.advice = f"Nothing is lost. Go on: {go_on(job, self.words)}"
        if self.json:
            show_json({"event": "job", "job": job.id, "rows": job.report.rows, "waiting": job.waiting})
            return
        rows = counted(job.report.rows, "row")
        so_far = f", going on: {rows} read, {counted(job.waiting)} waiting" if job.report.rows else ""
        note(f"{what}{f' → {where}' if where else ''}: job {job.id}{so_far}")

    async def send(
        self,
        voiso: VoisoClient,
        job: Job,
        title: str,
        *,
        load: Load | None = None,
        loaded: bool = False,
        phone: str | None = None,
    ) -> int:
        """Send a job, print its report, write its files; give the exit code."""
        sending = self.sending
        limit = None if sending.max_rejected is None else FailureLimit(sending.max_rejected)
        run = Run(
            self.watch,
            voiso,
            self.outbox,
            job,
            load=load,
            loaded=loaded,
            limit=limit,
            timeout=sending.timeout,
        )
        await run.go()
        if not run.job.report.rows and self.watch.signals.number is None and not (run.error or run.stop):
            await self.outbox.purge(job.id, force=True)
            raise empty_file(job.name)
        unread = None if load is None or load.rows is None else load.rows - run.job.report.rows
        limited = limit is not None and run.stop is not None and limit.exceeded(run.job)
        left = Left(failed=run.error is not None, unreadable=run.unreadable, limited=limited)
        ending = self.summary(run.job, title, error=run.error, stop=run.stop, unread=unread, left=left)
        code = await self.finish(ending)
        if limited:
            await self._explain(run.job, phone)
        return code

    async def left_to_others(self, job: Job, title: str) -> int | None:
        """Leave a job alone that another process has in hand; then give the exit code."""
        if fault := busy_with(job):
            return await self.finish(self.summary(job, title, error=fault))
        if job.workers:
            note(f"job {job.id} is also being sent {at_work(job)}")
        return None

    async def finish(self, ending: JobSummary) -> int:
        """Write the files that were asked for, then print how a job was left; give the exit code."""
        with self.watch.signals.stoppable():
            ending = await self._written(ending)
        await self.tell(ending)
        return int(ending.code)

    def summary(self, job: Job, title: str, **how: Any) -> JobSummary:
        """Say how a job was left."""
        return JobSummary(
            job=job, title=title, words=self.words, temporary=self.temporary, extra=dict(self.extra), **how
        )

    async def tell(self, ending: JobSummary) -> None:
        """Print how a job was left."""
        await print_report(self.outbox, ending, json=self.json)
        if fault := ending.error or ending.stop:
            complain(fault)

    async def _explain(self, job: Job, phone: str | None) -> None:
        counts = job.report.counts
        problems = await problems_of(self.outbox, job.id, counts[Outcome.INVALID] + counts[Outcome.REJECTED])
        if cause := likely_cause(problems, phone):
            self.watch.view.tell(cause)

    async def _written(self, ending: JobSummary) -> JobSummary:
        """Write the files that were asked for; what hinders that is told, and the outcomes stay in the outbox."""
        job, sending = ending.job, self.sending
        if job.state is not JobState.DONE:
            if sending.outputs:
                command = results_command(job, sending.outputs[0], self.words)
                note(f"no file was written, as rows wait. To write how they stand: {command}")
            return ending
        path = sending.results
        try:
            if path is not None:
                await save_results(self.outbox, job, path)
            path = sending.rejects
            if path is not None:
                await save_rejects(self.outbox, job, path)
        except ConfigurationError as error:
            options = ("--rejects",) if path == sending.rejects else ()
            left = evolve(ending.left, unwritten=options)
            return evolve(ending, error=ending.error or error.message, left=left)
        return evolve(ending, left=evolve(ending.left, rejects=sending.rejects))
