"""What to do next with a job: a command that changes how it stands, or the plain truth that none does."""

import os
import shlex
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from attrs import frozen

from voiso_async.cli.outputs import form_of_rejects
from voiso_async.cli.render.results import header_of
from voiso_async.cli.render.tables import counted
from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobState

MOST_REQUEUED = 2
"""How often it helps to send rows again whose answer was lost: a server that answers does so then."""
PERMANENT = {
    404: "The campaign is not there",
    405: "The server does not know this call",
    410: "The campaign is not there",
}
CURABLE = {
    401: "Once the API key is right, go on",
    403: "Once the API key may write to the campaign, go on",
}
"""What stands in the way, by the status with which the server refused a campaign."""
MOST_JOBS = 1000


@frozen
class Advice:
    """What to do, in words, and the command to type, if there is one."""

    text: str
    command: str | None = None

    def __str__(self) -> str:
        return f"{self.text}: {self.command}" if self.command else f"{self.text}."


@frozen(kw_only=True)
class Left:
    """How a command left its job, as far as the outbox does not say so.

    ``failed`` by something to be put right, ``unreadable`` because its file cannot be read on, ``limited`` by
    --max-rejected. ``rejects`` is the file they were just written to; ``unwritten`` are the options of ``results``
    for a file that could not be.
    """

    failed: bool = False
    unreadable: bool = False
    limited: bool = False
    rejects: Path | None = None
    unwritten: tuple[str, ...] | None = None


async def advice_on(outbox: Outbox, job: Job, words: str, left: Left) -> Advice | None:
    """Say what to do next with a job; ``words`` are the options that every command needs."""
    if job.state is not JobState.DONE:
        return _when_open(job, words, left, await _refusals(outbox, job))
    unreported = job.report.counts[Outcome.UNREPORTED] and job.operation is Operation.ADD
    retried = not unreported or job.retry_of is not None or await _is_retried(outbox, job)
    return (
        _unwritten(job, words, left)
        or _without_answer(job, words)
        or (None if retried else _unreported(job, words))
        or _to_correct(job, words, left)
        or _not_known(job, words)
    )


def go_on(job: Job, words: str, *, unreadable: bool = False) -> str:
    """Name the command that goes on with a job; one whose file is gone goes on with what was read."""
    lost = unreadable or job.retry_of is not None or not _has_file(job)
    loaded = " --loaded" if lost and job.state is JobState.LOADING else ""
    return f"voiso leads resume {job.id}{loaded}{words}"


def results_command(job: Job, path: Path, words: str, *options: str) -> str:
    """Name the command that writes results to a file."""
    return " ".join(["voiso leads results", job.id, *options, "--out", shlex.quote(str(path))]) + words


async def _refusals(outbox: Outbox, job: Job) -> AbstractSet[int | None]:
    """Give the status with which each campaign that waits was refused: 0 for another reason, ``None`` for none."""
    try:
        waiting = {item.campaign for item in await outbox.backlog(job.id)}
        found = {item.campaign: item for item in await outbox.campaigns() if item.suspended}
    except OutboxError:  # it is what hinders the job
        return {None}
    return {found[campaign].status or 0 if campaign in found else None for campaign in waiting} or {None}


async def _is_retried(outbox: Outbox, job: Job) -> bool:
    return any(other.retry_of == job.id for other in await outbox.jobs(limit=MOST_JOBS))


def _when_open(job: Job, words: str, left: Left, refusals: AbstractSet[int | None]) -> Advice:
    command = go_on(job, words, unreadable=left.unreadable)
    if job.workers and not _needs_reading(job):
        return Advice("Follow it", f"voiso leads status {job.id} --watch{words}")
    if left.unreadable:
        return Advice("Correct the file and push it again, once this job has ended with what was read", command)
    withdraw = f"voiso leads withdraw {job.id}{words}"
    if refusals <= PERMANENT.keys():
        cause = PERMANENT[min(status for status in refusals if status)]
        return Advice(f"{cause}. Push the file with the id of another, and give up what waits here", withdraw)
    if left.limited:
        return Advice(f"Send the rest all the same ({command}), or give it up", withdraw)
    if None in refusals and not left.failed:
        return Advice("Go on", command)
    causes = [text for status, text in CURABLE.items() if status in refusals]
    return Advice(causes[0] if causes else "Once that is put right, go on", command)


def _unwritten(job: Job, words: str, left: Left) -> Advice | None:
    if left.unwritten is None:
        return None
    path = _free("results", job, form_of_rejects(header_of(job)) if left.unwritten else "csv")
    return Advice("Write them to another file", results_command(job, path, words, *left.unwritten))


def _without_answer(job: Job, words: str) -> Advice | None:
    """Ask the server once more, unless that was in vain, or may not be done any more."""
    over = job.withdrawn or (job.expires is not None and job.expires <= datetime.now(UTC))
    unknown = job.report.counts[Outcome.UNKNOWN]
    if not unknown or over or job.requeued >= MOST_REQUEUED:
        return None
    return Advice(f"Send {_rows(unknown)} without an answer once more", f"voiso leads requeue {job.id}{words}")


def _unreported(job: Job, words: str) -> Advice:
    rows = _rows(job.report.counts[Outcome.UNREPORTED])
    return Advice(f"Try {rows} once more", f"voiso leads retry {job.id} --outcome unreported{words}")


def _to_correct(job: Job, words: str, left: Left) -> Advice | None:
    """Rows that are refused for their data would be refused again as they are."""
    number = job.report.counts[Outcome.REJECTED] + job.report.counts[Outcome.INVALID]
    if not number:
        return None
    if left.rejects is not None:
        verb = "update" if job.operation is Operation.UPDATE else "push"
        return Advice(f"Correct {_rows(number)} in {shlex.quote(str(left.rejects))}, then {verb} that file")
    path = _free("rejects", job, form_of_rejects(header_of(job)))
    command = results_command(job, path, words, "--rejects")
    return Advice(f"Write {_rows(number)} to a file, to be corrected", command)


def _not_known(job: Job, words: str) -> Advice | None:
    for outcome in (Outcome.UNKNOWN, Outcome.UNREPORTED):
        if number := job.report.counts[outcome]:
            path = _free(outcome.value, job, "csv")
            command = results_command(job, path, words, "--outcome", outcome.value)
            rows = counted(number, "lead")
            return Advice(f"Whether the campaign has {rows} cannot be known from here; to list them", command)
    return None


def _rows(number: int) -> str:
    return "the row" if number == 1 else "the rows"


def _needs_reading(job: Job) -> bool:
    """Whether nobody who works on a job reads the rest of its file."""
    return job.state is JobState.LOADING and all(worker.everything for worker in job.workers)


def _has_file(job: Job) -> bool:
    path = None if job.source is None else job.source.path
    return path is not None and os.path.exists(path)  # noqa: PTH110 - what cannot be a path is not there


def _free(name: str, job: Job, form: str) -> Path:
    """Choose a name that no file has here."""
    names = chain([name, f"{name}-{job.id}"], (f"{name}-{job.id}-{number}" for number in count(2)))
    return next(path for path in (Path(f"{name}.{form}") for name in names) if not os.path.lexists(path))
