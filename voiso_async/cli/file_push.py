"""One file that is to go into one campaign, or into those that a column names."""

from functools import partial

from attrs import evolve, frozen

from voiso_async.cli.campaign_state import campaign_state_of, wait_until_live
from voiso_async.cli.common import Exit, check_all
from voiso_async.cli.file_options import FileOptions, check_rows, check_target, leads_of, source_of
from voiso_async.cli.render.advice import go_on
from voiso_async.cli.render.tables import complain, counted, note, show_json
from voiso_async.cli.render.words import in_words, not_there
from voiso_async.cli.run import Load, SendContext
from voiso_async.client import VoisoClient
from voiso_async.errors import ConfigurationError, NotFoundError, OutboxError, VoisoError
from voiso_async.files import LeadFile
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobSource, JobState

MOST_JOBS = 1000


@frozen(kw_only=True)
class FilePush:
    """One file that is to go into one campaign, or into those that a column names."""

    file: str
    operation: Operation
    campaign: int | None
    campaign_column: str | None
    wait_live: float | None
    expires_in: float | None
    again: bool
    without_suppress: bool
    reading: FileOptions

    def check(self) -> None:
        """Say all that can be seen to be wrong before the file is read."""
        check_all(partial(self.reading.check, self.file), self._check_target)

    def _check_target(self) -> None:
        check_target(self.campaign, self.campaign_column)
        if self.campaign is None and self.wait_live is not None:
            raise ConfigurationError("--wait-live needs --campaign")

    @property
    def keyed(self) -> bool:
        """Whether the leads have keys of their own."""
        return self.reading.key_column is not None

    async def run(self, context: SendContext) -> int:
        """Push the file; give the exit code."""
        async with await self.reading.open(self.file, self.campaign_column) as leads:
            context.sending.check_rejects(leads.header)
            source = await source_of(leads, self.file, self.campaign, keyed=self.keyed)
            if not (self.reading.suppress or self.without_suppress):
                await _refuse_without_list(context.outbox, leads.name, source)
            earlier = None if self.again else await self._earlier(context, leads, source)
            if earlier is not None and earlier.state is JobState.DONE:
                return await _ended_before(context, earlier, leads.name)
            if earlier is not None and (code := await context.left_to_others(earlier, leads.name)) is not None:
                return code
            async with context.client() as voiso:
                told = await self._check(leads)
                where = await self._where(voiso)
                if self.wait_live is not None and not await _is_live(
                    context, voiso, self.campaign, self.wait_live
                ):
                    return Exit.STOPPED
                job = earlier or await context.outbox.begin(
                    operation=self.operation,
                    name=leads.name,
                    expires_in=self.expires_in,
                    source=source,
                    idempotent=not self.again,
                )
                code = await self._send(context, voiso, job, leads, where)
                _remark(leads, told)
                return code

    async def _send(self, context: SendContext, voiso: VoisoClient, job: Job, leads: LeadFile, where: str) -> int:
        context.announce(job, leads.name, where)
        load = None
        if job.state is JobState.LOADING:
            rows = leads_of(leads, keyed=self.keyed)
            load = Load(leads=rows, campaign=self.campaign, rows=leads.rows or await leads.estimate())
        phone = leads.columns.recognised.get("phone_number")
        context = evolve(context, extra={"file": leads.name, "campaign": self.campaign})
        return await context.send(voiso, job, f"{leads.name} → {where}", load=load, phone=phone)

    async def _earlier(self, context: SendContext, leads: LeadFile, source: JobSource) -> Job | None:
        """Find the job that this very file has already; a file that was changed has lost its job."""
        if source.fingerprint is None:
            return None
        for job in await context.outbox.jobs(fingerprint=source.fingerprint, limit=MOST_JOBS):
            if self._same_push(job, source):
                return job
        for job in await context.outbox.jobs(name=leads.name, limit=MOST_JOBS):
            if job.state is JobState.LOADING and self._same_push(job, source, changed=True):
                raise OutboxError(
                    f"{leads.name}, or how it is read, was changed while job {job.id} was still reading it: "
                    "--again pushes it as it is now. To end that job with what was read: "
                    f"{go_on(job, context.words, unreadable=True)}",
                    reason="input_changed",
                )
        return None

    def _same_push(self, job: Job, source: JobSource, *, changed: bool = False) -> bool:
        if job.source is None or job.operation is not self.operation:
            return False
        if changed:
            return job.source.path == source.path and job.source.options.get("campaign") == self.campaign
        return dict(job.source.options) == dict(source.options)

    async def _where(self, voiso: VoisoClient) -> str:
        """Find out before anything is sent whether the campaign is there."""
        if self.campaign is None:
            return f"the campaigns of column {self.campaign_column!r}"
        try:
            return str(await campaign_state_of(voiso, self.campaign))
        except NotFoundError as error:
            raise VoisoError(f"{not_there({self.campaign: None})}; nothing was sent") from error

    async def _check(self, leads: LeadFile) -> tuple[str, ...]:
        """Look at the file as far as that takes no time; give what was said about its shape."""
        if leads.columns.unused:
            note(f"columns without a meaning here: {', '.join(leads.columns.unused)}")
        await check_rows(leads, self.file)
        return _remark(leads)


def _remark(leads: LeadFile, told: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say what is unusual about the file and was not said yet: a large one is known only when it has been read."""
    for remark in leads.shape.remarks:
        if remark not in told:
            note(f"{leads.name}: {in_words(remark)}")
    return leads.shape.remarks


async def _refuse_without_list(outbox: Outbox, name: str, source: JobSource) -> None:
    """Refuse a file some of whose rows must not be called, if the list that says so is not given any more."""
    if source.fingerprint is None:
        return
    for job in await outbox.jobs(fingerprint=source.fingerprint, limit=MOST_JOBS):
        suppressed = job.report.counts[Outcome.SUPPRESSED]
        if suppressed and job.source is not None and job.source.options.get("reading", {}).get("suppress"):
            raise ConfigurationError(
                f"{name} was pushed before, as job {job.id}, with a list of numbers that must not be called, and "
                f"{counted(suppressed, 'row')} had one: give --suppress again, or --without-suppress if they may "
                "be called; nothing was sent"
            )


async def _ended_before(context: SendContext, job: Job, name: str) -> int:
    """Say how a job ended that has nothing left to send."""
    day = f"{job.finished or job.created:%Y-%m-%d %H:%M} UTC"
    note(f"{name} was pushed before, as job {job.id}, done at {day}: nothing was sent; --again pushes it again")
    return await context.finish(context.summary(job, f"{name}, job {job.id}"))


async def _is_live(context: SendContext, voiso: VoisoClient, campaign: int | None, seconds: float) -> bool:
    state = await wait_until_live(voiso, campaign or 0, seconds)
    if state.dials:
        return True
    fault = f"{state.title} is still {state.state}: nothing was sent"
    if context.json:
        show_json({"event": "report", "job": None, "error": fault, "next": None})
    complain(fault)
    return False
