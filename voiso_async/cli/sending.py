"""Sending what waits of one job, and telling how it ended: the end of every command that sends."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from cyclopts import Parameter

from voiso_async.cli.advice import Left, go_on, results_command
from voiso_async.cli.common import GROUPS, Connection, connected
from voiso_async.cli.limit import Limit, likely_cause
from voiso_async.cli.outboxes import Place
from voiso_async.cli.outputs import check_form, check_outputs, form_of_rejects
from voiso_async.cli.problems import problems_of
from voiso_async.cli.reading import nothing_in
from voiso_async.cli.report import Ending, print_report
from voiso_async.cli.results import save_rejects, save_results
from voiso_async.cli.run import Load, Run, Watch
from voiso_async.cli.show import complain, counted, note, show_json
from voiso_async.cli.units import Seconds, Threshold
from voiso_async.cli.workers import at_work, busy_with
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobState

__all__ = ["PLAIN", "Sending", "Trip"]


@Parameter(name="*", group=GROUPS["Sending"])
@frozen(kw_only=True)
class Sending:
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


PLAIN = Sending()


@frozen
class Trip:
    """What all commands that send have in common: who watches, where it goes, and what it is told.

    A ``passing`` outbox is gone after this command, so none goes on with it.
    """

    watch: Watch
    outbox: Outbox
    place: Place
    connection: Connection
    sending: Sending = PLAIN
    json: bool = field(kw_only=True)
    passing: bool = field(kw_only=True, default=False)
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
        if not self.passing:
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
        limit = None if sending.max_rejected is None else Limit(sending.max_rejected)
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
            raise nothing_in(job.name)
        unread = None if load is None or load.rows is None else load.rows - run.job.report.rows
        limited = limit is not None and run.stop is not None and limit.broken(run.job)
        left = Left(failed=run.error is not None, unreadable=run.unreadable, limited=limited)
        ending = self.ending(run.job, title, error=run.error, stop=run.stop, unread=unread, left=left)
        code = await self.finish(ending)
        if limited:
            await self._explain(run.job, phone)
        return code

    async def left_to_others(self, job: Job, title: str) -> int | None:
        """Leave a job alone that another process has in hand; then give the exit code."""
        if fault := busy_with(job):
            return await self.finish(self.ending(job, title, error=fault))
        if job.workers:
            note(f"job {job.id} is also being sent {at_work(job)}")
        return None

    async def finish(self, ending: Ending) -> int:
        """Write the files that were asked for, then print how a job was left; give the exit code."""
        with self.watch.signals.stoppable():
            ending = await self._written(ending)
        await self.tell(ending)
        return int(ending.code)

    def ending(self, job: Job, title: str, **how: Any) -> Ending:
        """Say how a job was left."""
        return Ending(job=job, title=title, words=self.words, passing=self.passing, extra=dict(self.extra), **how)

    async def tell(self, ending: Ending) -> None:
        """Print how a job was left."""
        await print_report(self.outbox, ending, json=self.json)
        if fault := ending.error or ending.stop:
            complain(fault)

    async def _explain(self, job: Job, phone: str | None) -> None:
        counts = job.report.counts
        problems = await problems_of(self.outbox, job.id, counts[Outcome.INVALID] + counts[Outcome.REJECTED])
        if cause := likely_cause(problems, phone):
            self.watch.view.tell(cause)

    async def _written(self, ending: Ending) -> Ending:
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
