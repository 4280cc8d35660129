"""What an outbox can tell: jobs, outcomes, campaigns."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

import attrs
from attrs import frozen

from voiso_async._structs import replace
from voiso_async.convert import decode
from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox.jobs import (
    Backlog,
    CampaignBacklog,
    Job,
    JobActivity,
    JobOutcome,
    JobSource,
    JobState,
    JobWorker,
)
from voiso_async.outbox.sqlite.faults import Damaged, decodes, whole
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.schema import LOADING, OPERATIONS, OUTCOMES, PURGING, ROWS_PER_JOB
from voiso_async.outbox.sqlite.working import Work, loader_of, work_by_campaign, work_by_job

__all__ = [
    "OutcomeWindow",
    "backlog_of",
    "campaigns_of",
    "ensure_there",
    "job_by_id",
    "job_of",
    "jobs_of",
    "number_of",
    "outcome_window",
]

POLICY = LanePolicy()
"""The rules of Voiso; a client may be more careful."""
WINDOW = 2000
"""Rows looked at in one piece of reading."""
_FIELDS = (
    "n, id, name, op, state, created, expires, finished, rows, source, batches, busy, doubted, anomalies, began, "
    "ended, loader, origin, requeued, withdrawn, attempts"
)
_JOBS = "SELECT j.*, (SELECT id FROM jobs AS p WHERE p.n = j.parent) AS origin FROM jobs AS j"


def number_of(ledger: Ledger, job_id: str) -> int:
    """Give the number of a job by its id, in the transaction that is open."""
    number = ledger.value("SELECT n FROM jobs WHERE id = ? AND state <> ?", str(job_id), PURGING)
    if number is None:
        raise OutboxError(f"outbox {ledger.path.name}: it has no such job; list its jobs", reason="unknown_job")
    return whole(number)


def job_of(ledger: Ledger, number: int) -> Job:
    """Give a job by its number, in the transaction that is open."""
    return _jobs(ledger, "n = ?", number)[0]


def job_by_id(ledger: Ledger, job_id: str) -> Job:
    """Look a job up."""
    with ledger.reading():
        return job_of(ledger, number_of(ledger, job_id))


def jobs_of(ledger: Ledger, name: str | None, fingerprint: str | None, limit: int) -> list[Job]:
    """List jobs, the newest first."""
    where, values = f"state <> {PURGING}", list[Any]()
    if name is not None:
        where, values = f"{where} AND name = ?", [*values, name]
    if fingerprint is not None:
        where, values = f"{where} AND fingerprint = ?", [*values, fingerprint]
    with ledger.reading():
        return _jobs(ledger, f"{where} ORDER BY n DESC LIMIT ?", *values, limit)


def _jobs(ledger: Ledger, where: str, *values: Any) -> list[Job]:
    found = ledger.listed(
        f"SELECT json_group_array(json_array({_FIELDS})) FROM ({_JOBS} WHERE {where})",  # noqa: S608
        *values,
    )
    numbers = as_json([fields[0] for fields in found])
    begun = {number for number, *_, attempts in found if attempts}
    work = work_by_job(ledger, [fields[0] for fields in found], begun)
    lines, tallies = defaultdict[int, list[Any]](list), defaultdict[int, list[Any]](list)
    for job, *line in ledger.listed(
        """SELECT json_group_array(json_array(
            job, campaign, fresh + old + lent, doubted, attempts, seconds, answered
        )) FROM lines WHERE job IN (SELECT value FROM json_each(?))""",
        numbers,
    ):
        lines[job].append(line)
    for job, *tally in ledger.listed(
        """SELECT json_group_array(json_array(job, outcome, reason, n)) FROM tallies
        WHERE job IN (SELECT value FROM json_each(?)) AND n > 0""",
        numbers,
    ):
        tallies[job].append(tally)
    return [_job(ledger, fields, lines[fields[0]], tallies[fields[0]], work[fields[0]]) for fields in found]


@decodes
def _job(ledger: Ledger, fields: list[Any], lines: list[Any], tallies: list[Any], work: Work) -> Job:
    _, job_id, name, op, loading, created, expires, finished, rows, source, *posts = fields
    batches, busy, doubted, anomalies, began, ended, loader, origin, requeued, withdrawn, attempts = posts
    counts, reasons = Counter[Outcome](), Counter[str]()
    for outcome, reason, n in tallies:
        counts[OUTCOMES[outcome]] += n
        if reason:
            reasons[reason] += n
    waiting = sum(line[1] for line in lines)
    state = JobState.LOADING if loading == LOADING else JobState.OPEN if waiting else JobState.DONE
    activity, workers = _activity(
        ledger, state, work, loader, begun=bool(attempts or (rows and loading == LOADING))
    )
    elapsed = max(0.0, ended - began) if began is not None and ended is not None else 0.0
    report = IngestReport(
        rows=rows,
        counts={outcome: counts[outcome] for outcome in Outcome},
        pending=waiting,
        batches=batches,
        attempts=attempts,
        busy=busy,
        doubted=doubted,
        anomalies=anomalies,
        elapsed=elapsed,
        ceiling_share=_ceiling_share(lines, attempts, elapsed),
        reasons=dict(reasons),
    )
    return Job(
        id=job_id,
        name=name,
        state=state,
        operation=OPERATIONS[op],
        campaigns=tuple(sorted(line[0] for line in lines)),
        created=_time(created),
        expires=None if expires is None else _time(expires),
        finished=None if finished is None else _time(finished),
        waiting=waiting,
        doubted=sum(line[2] for line in lines),
        report=report,
        source=None if source is None else _source(source),
        activity=activity,
        workers=workers,
        retry_of=origin,
        requeued=requeued,
        withdrawn=bool(withdrawn),
    )


def _ceiling_share(lines: list[Any], attempts: int, elapsed: float) -> float | None:
    """Campaigns go side by side, so the one that takes longest decides.

    Of a job that was begun by the first version of the file not every POST is known by campaign.
    """
    if sum(line[3] for line in lines) != attempts:
        return None
    shares = [
        POLICY.ceiling_share(answered=answered, attempts=posts, server_seconds=seconds, elapsed=elapsed)
        for *_, posts, seconds, answered in lines
    ]
    return max((share for share in shares if share is not None), default=None)


def _activity(
    ledger: Ledger, state: JobState, work: Work, loader: int | None, *, begun: bool
) -> tuple[JobActivity, tuple[JobWorker, ...]]:
    """Say what goes on with a job and who does it, or how the last who did it left it."""
    if state is JobState.DONE:
        return JobActivity.DONE, ()
    reader = None if loader is None else loader_of(ledger, loader)
    workers = tuple(work.alive)
    if reader is not None and reader.pid not in {worker.pid for worker in workers}:
        workers = (*workers, reader)
    if workers:
        return (JobActivity.SENDING if work.alive else JobActivity.LOADING), workers
    if work.died or (loader is not None and reader is None):
        return JobActivity.KILLED, ()
    return (JobActivity.STOPPED if begun or work.died is not None else JobActivity.WAITING), ()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _source(text: str) -> JobSource:
    fields = decode(text.encode())
    return JobSource(
        path=fields["path"],
        fingerprint=fields["fingerprint"],
        header=tuple(fields["header"]),
        options=fields["options"],
    )


@frozen(kw_only=True)
class OutcomeWindow:
    """Outcomes of neighbouring rows; the next window begins at index ``next``, if there is one."""

    outcomes: list[JobOutcome] = attrs.field(repr=False)
    next: int | None


def outcome_window(
    ledger: Ledger, job_id: str, start: int, wanted: list[int] | None, *, pending: bool
) -> OutcomeWindow:
    """Read the outcomes of ``WINDOW`` rows from index ``start`` on, or those of them that are ``wanted``."""
    with ledger.reading():
        number = number_of(ledger, job_id)
        rows = whole(ledger.value("SELECT rows FROM jobs WHERE n = ?", number))
        base, end = number * ROWS_PER_JOB, min(start + WINDOW, rows)
        ensure_there(ledger, base + start, base + end)
        found = ledger.listed(
            """SELECT json_group_array(json_array(
                id, shown, phone, key, reason, field, detail, first, campaign, line, json(cells), state < 2
            )) FROM (
                SELECT *, iif(state < 2, iif(doubts > 0, 8, 9), outcome) AS shown FROM rows
                WHERE id >= ? AND id < ? AND (? OR state > 1) ORDER BY id)
            WHERE ? IS NULL OR shown IN (SELECT value FROM json_each(?))""",
            base + start,
            base + end,
            pending,
            None if wanted is None else 1,
            as_json(wanted or []),
        )
    return OutcomeWindow(outcomes=[_outcome(row) for row in found], next=end if end < rows else None)


def ensure_there(ledger: Ledger, low: int, high: int) -> None:
    """Raise as for any damage if a row from id ``low`` to before ``high`` is missing."""
    if ledger.value("SELECT count(*) FROM rows WHERE id >= ? AND id < ?", low, high) != high - low:
        raise Damaged("rows are missing")


@decodes
def _outcome(row: list[Any]) -> JobOutcome:
    row_id, outcome, phone, key, reason, field, detail, first, campaign, line, cells, waits = row
    return JobOutcome(
        index=row_id % ROWS_PER_JOB,
        outcome=OUTCOMES[outcome],
        phone=None if phone is None else str(phone),
        key=key,
        reason=reason,
        field=field,
        detail=detail,
        first=first,
        campaign=campaign,
        row=line,
        cells=None if cells is None else tuple(cells),
        pending=bool(waits),
    )


def backlog_of(ledger: Ledger, job_id: str | None) -> list[Backlog]:
    """Count what waits; rows whose time is over count until they are ended, or a drain would leave them open."""
    with ledger.reading():
        number = None if job_id is None else number_of(ledger, job_id)
        found = ledger.listed(
            """SELECT json_group_array(json_array(campaign, op, standing, out)) FROM (
                SELECT campaign, lines.op AS op, sum(fresh + old) AS standing, sum(lent) AS out
                FROM lines JOIN jobs ON n = job WHERE fresh + old + lent + parked > 0 AND (? IS NULL OR job = ?)
                GROUP BY campaign, lines.op ORDER BY campaign, lines.op)
            WHERE standing + out > 0""",
            number,
            number,
        )
    return [_backlog(*item) for item in found]


@decodes
def _backlog(campaign: int, op: int, rows: int, claimed: int) -> Backlog:
    return Backlog(campaign=campaign, operation=OPERATIONS[op], rows=whole(rows), claimed=whole(claimed))


def campaigns_of(ledger: Ledger) -> list[CampaignBacklog]:
    """Tell how each campaign stands."""
    now, wall = ledger.clock(), ledger.wall()
    with ledger.reading():
        lines = ledger.listed(
            """SELECT json_group_array(json_array(campaign, waiting, doubted, parked, oldest)) FROM (
                SELECT campaign, sum(fresh + old + lent) AS waiting, sum(lines.doubted) AS doubted,
                sum(parked) AS parked, min(iif(fresh + old + lent > 0, created, NULL)) AS oldest
                FROM lines JOIN jobs ON n = job WHERE fresh + old + lent + parked > 0 GROUP BY campaign)"""
        )
        gates = ledger.listed(
            "SELECT json_group_array(json_array(campaign, owner, due, hold, suspended, status)) FROM gates"
        )
        holders = {owner for _, owner, *_ in gates if owner is not None and ledger.present(owner)}
        workers = work_by_campaign(ledger)
    found = _campaigns(lines, gates, holders, now, wall)
    for campaign, busy in workers.items():
        found[campaign] = replace(found[campaign], workers=busy)
    return [found[campaign] for campaign in sorted(found)]


@decodes
def _campaigns(
    lines: list[Any], gates: list[Any], holders: set[int], now: float, wall: float
) -> dict[int, CampaignBacklog]:
    found = {campaign: CampaignBacklog(campaign=campaign) for campaign, *_ in [*lines, *gates]}
    for campaign, waiting, doubted, parked, oldest in lines:
        age = 0.0 if oldest is None else max(0.0, wall - oldest)
        found[campaign] = replace(found[campaign], waiting=waiting, doubted=doubted, parked=parked, oldest_age=age)
    for campaign, owner, due, hold, suspended, status in gates:
        found[campaign] = replace(
            found[campaign],
            sending=owner in holders,
            opens_in=min(max(due - now, 0.0), hold),
            suspended=suspended,
            status=None if suspended is None else status,
        )
    return found
