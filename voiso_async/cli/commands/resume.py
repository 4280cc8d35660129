"""``voiso leads resume, retry, requeue``: go on with a job of the outbox."""

from typing import Annotated

from cyclopts import Parameter

from voiso_async.cli.commands.jobs import JobId, last_open
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Json
from voiso_async.cli.file_options import leads_of, read_again
from voiso_async.cli.outbox_option import STANDARD, OutboxOption, opened
from voiso_async.cli.render.results import header_of, outcomes_of
from voiso_async.cli.render.tables import counted, note
from voiso_async.cli.run import PLAIN, Load, Monitor, SendContext, SendOptions
from voiso_async.cli.signals import Signals
from voiso_async.errors import ConfigurationError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.jobs import Job, JobState

Watched = Annotated[Signals, Parameter(parse=False)]


async def resume(
    job: Annotated[str | None, Parameter(help="Id of the job.")] = None,
    /,
    *,
    last: Annotated[
        bool, Parameter(negative="", show_default=False, help="The newest job that has something left to do.")
    ] = False,
    loaded: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Send what had been read, and read the file no more."),
    ] = False,
    sending: SendOptions = PLAIN,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Watched,
) -> int:
    """Go on with a job that was stopped: read its file to the end, and send what waits.

    A call whose answer was lost is cleared up first. A file that was changed meanwhile is refused. The exit codes
    are those of voiso leads push.
    """
    if (job is None) != last:
        raise ConfigurationError("say which job: its id, or --last; voiso leads status lists them")
    sending.check(place.path(connection))
    connection.key()
    async with opened(place, connection) as outbox:
        found = await last_open(outbox) if job is None else await outbox.job(job)
        sending.check_rejects(header_of(found))
        context = SendContext(Monitor(signals, json=json), outbox, place, connection, sending, json=json)
        if (code := await context.left_to_others(found, _title(found))) is not None:
            return code
        return await _resumed(context, found, loaded=loaded)


async def retry(
    job: JobId,
    /,
    *,
    outcome: Annotated[
        str, Parameter(help="Rows that ended so go once more: rejected, unreported, not_sent or duplicate.")
    ] = "rejected,unreported",
    sending: SendOptions = PLAIN,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Watched,
) -> int:
    """Make a new job of rows of another, and send it."""
    wanted = outcomes_of(outcome) or []
    sending.check(place.path(connection))
    connection.key()
    async with opened(place, connection) as outbox:
        sending.check_rejects(header_of(await outbox.job(job)))
        again = await outbox.retry(job, wanted)
        note(f"job {again.id} is made of {counted(again.report.rows, 'row')} of job {job}")
        context = SendContext(Monitor(signals, json=json), outbox, place, connection, sending, json=json)
        return await _sent(context, again)


async def requeue(
    job: JobId,
    /,
    *,
    sending: SendOptions = PLAIN,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Watched,
) -> int:
    """Send rows whose outcome is unknown once more, so that their campaign says whether it has them.

    A lead that was created, dialled and removed meanwhile would be called again.
    """
    sending.check(place.path(connection))
    connection.key()
    async with opened(place, connection) as outbox:
        found = await outbox.job(job)
        sending.check_rejects(header_of(found))
        context = SendContext(Monitor(signals, json=json), outbox, place, connection, sending, json=json)
        if (code := await context.left_to_others(found, _title(found))) is not None:
            return code
        count = await outbox.requeue(job) if found.report.counts[Outcome.UNKNOWN] else 0
        note(f"{counted(count, 'row')} of job {found.id} {'goes' if count == 1 else 'go'} once more")
        return await _sent(context, await outbox.job(job))


async def _resumed(context: SendContext, job: Job, *, loaded: bool) -> int:
    if job.state is JobState.LOADING and not loaded:
        async with await read_again(job) as leads:
            source = job.source
            options = {} if source is None else source.options
            load = Load(
                leads=leads_of(leads, keyed=bool(options.get("keyed"))),
                campaign=options.get("campaign"),
                rows=await leads.estimate(),
            )
            return await _sent(context, job, load)
    if job.state is JobState.DONE:
        note(f"job {job.id} is done: nothing was sent")
        return await context.finish(context.summary(job, _title(job)))
    return await _sent(context, job, loaded=loaded)


async def _sent(context: SendContext, job: Job, load: Load | None = None, *, loaded: bool = False) -> int:
    context.announce(job, job.name or "leads")
    async with context.client() as voiso:
        return await context.send(voiso, job, _title(job), load=load, loaded=loaded)


def _title(job: Job) -> str:
    return f"job {job.id}, {job.name or 'without a name'}"
