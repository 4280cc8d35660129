"""``voiso leads status, results, withdraw, purge``: what an outbox keeps, and how it is cleared."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from attrs import evolve
from cyclopts import Parameter

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json
from voiso_async.cli.outbox_option import STANDARD, OutboxOption, opened
from voiso_async.cli.outputs import check_form, check_outputs, form_of_rejects
from voiso_async.cli.render.progress import RateMeter, view_for
from voiso_async.cli.render.report import JobSummary, job_as_json, print_report
from voiso_async.cli.render.results import header_of, outcomes_of, save_rejects, save_results
from voiso_async.cli.render.tables import counted, note, show_json, show_table
from voiso_async.cli.render.workers import at_work, busy_with
from voiso_async.cli.units import Seconds
from voiso_async.errors import ConfigurationError, OutboxError
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobActivity, JobState

MOST_LISTED = 100
LOOK_SECONDS = 0.5
HEADER = (
    *("JOB", "NAME", "CAMPAIGNS", "STATE", "PROCESS"),
    *("ROWS", "WAITING", "IN DOUBT", "BEGUN", "OUTCOMES"),
)
OVER = {JobActivity.DONE, JobActivity.STOPPED, JobActivity.KILLED}

JobId = Annotated[str, Parameter(help="Id of the job, as push and status print it.")]


async def status(
    job: Annotated[str | None, Parameter(help="Id of a job; else all of them are listed.")] = None,
    /,
    *,
    watch: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Show a job until it is done, or nobody works on it."),
    ] = False,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Show the jobs of the outbox, or one of them, also while another process works on it."""
    if watch and job is None:
        raise ConfigurationError("--watch needs the id of a job")
    try:
        async with opened(place, connection) as outbox:
            if job is None:
                _list(await outbox.jobs(limit=MOST_LISTED), json=json)
                return Exit.OK
            found = await _watched(outbox, job, json=json) if watch else await outbox.job(job)
            words = f"{place.words}{connection.words}"
            state = " ".join(filter(None, (found.activity.value, at_work(found))))
            title = f"job {found.id}, {found.name or 'without a name'}: {state}"
            await print_report(outbox, JobSummary(job=found, title=title, words=words), json=json)
    except OutboxError as error:
        if job is not None or error.reason != "missing":
            raise
        note(error.message)
    return Exit.OK


async def results(
    job: JobId,
    /,
    *,
    outcome: Annotated[str | None, Parameter(help="Only rows that ended so, such as rejected,invalid.")] = None,
    format: Annotated[  # noqa: A002 - what people call it
        Literal["csv", "jsonl"] | None,
        Parameter(help="How they are written; else CSV, or as the file's name says."),
    ] = None,
    out: Annotated[Path | None, Parameter(help="New file for them; else standard output.")] = None,
    rejects: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Rows not in the campaign, in their original columns, to be fixed.",
        ),
    ] = False,
    place: OutboxOption = STANDARD,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Write the outcome of each row of a job to a file, phone numbers included."""
    wanted = outcomes_of(outcome)
    if rejects and format is not None:
        raise ConfigurationError("--rejects writes rows in the form they came in: leave out --format")
    if out is not None:
        check_outputs((out,), asked=format)
    async with opened(place, connection) as outbox:
        found = await outbox.job(job)
        if rejects and out is not None:
            check_form(out, form_of_rejects(header_of(found)))
        if rejects:
            count = await save_rejects(outbox, found, out, wanted=wanted)
        else:
            count = await save_results(outbox, found, out, form=format, wanted=wanted)
    note(f"{counted(count, 'row')} written")
    return Exit.OK


async def withdraw(
    job: JobId,
    /,
    *,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Never send what waits of a job; rows of a call in flight may still arrive."""
    async with opened(place, connection) as outbox:
        count = await outbox.withdraw(job)
        found = await outbox.job(job)
    if json:
        show_json({"event": "report", "withdrawn": count, **job_as_json(found), "error": None})
    else:
        wait = counted(found.waiting, "row still waits", "rows still wait")
        note(f"{counted(count, 'row')} of job {found.id} withdrawn; {wait}")
    return Exit.OK


async def purge(
    job: Annotated[str | None, Parameter(help="Id of the job to remove; or give --older-than.")] = None,
    /,
    *,
    older_than: Annotated[
        Seconds | None, Parameter(help="Every job that was done longer ago than this, such as 30d.")
    ] = None,
    force: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Jobs with rows that wait or are in doubt go too; with --older-than, those begun longer ago.",
        ),
    ] = False,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Remove jobs with all their leads from the outbox: one by its id, or all that were done long ago."""
    if job is None and older_than is None:
        raise ConfigurationError("say which: a job's id, or --older-than 30d")
    if job is not None and older_than is not None:
        raise ConfigurationError("give a job's id or --older-than, not both")
    age = None if older_than is None else timedelta(seconds=older_than)
    async with opened(place, connection) as outbox:
        count = await outbox.purge(job, older_than=age, force=force)
    if json:
        show_json({"event": "report", "purged": count, "error": None})
    else:
        note(f"{counted(count, 'job')} removed")
    return Exit.OK


async def last_open(outbox: Outbox) -> Job:
    """Give the newest job that has something left to do, one that nobody has in hand first."""
    jobs = [job for job in await outbox.jobs(limit=MOST_LISTED) if job.state is not JobState.DONE]
    for job in sorted(jobs, key=lambda job: busy_with(job) is not None):
        return job
    raise OutboxError("every job is done: there is nothing to go on with", reason="nothing")


async def _watched(outbox: Outbox, job_id: str, *, json: bool) -> Job:
    """Show a job until it is done, or nobody works on it any more."""
    view = view_for(json=json)
    meter = RateMeter(view.tell)
    with view:
        while (job := await outbox.job(job_id)).activity not in OVER:
            rate = job.report.leads_per_second
            left = job.waiting / rate if rate and job.state is JobState.OPEN else None
            view.draw(evolve(meter.snapshot(job, (), (), None), rate=rate, left=left))
            await anyio.sleep(max(LOOK_SECONDS, view.every))
    return job


def _list(jobs: list[Job], *, json: bool) -> None:
    if json:
        for job in jobs:
            show_json(job_as_json(job))
        return
    if jobs:
        show_table(HEADER, [_line(job) for job in jobs], right=HEADER[5:8])
    note(counted(len(jobs), "job"))


def _line(job: Job) -> tuple[Any, ...]:
    shown = ", ".join(map(str, job.campaigns[:3])) + (", …" if len(job.campaigns) > 3 else "")
    name = f"{job.name} ({job.operation.value})" if job.operation.value == "update" else job.name
    return (
        *(job.id, name or None, shown or None, job.activity.value),
        ", ".join(str(worker.pid) for worker in job.workers) or None,
        *(counted(job.report.rows), counted(job.waiting), counted(job.doubted) if job.doubted else None),
        *(f"{job.created:%Y-%m-%d %H:%M}", str(job.report)),
    )
