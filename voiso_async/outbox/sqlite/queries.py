"""Who works on which job, written down while it lasts: its process is alive, has left it, or has died.

A process that ends as it should says so before it gives up its presence. Nobody can write while a transaction
reads, so work that has no end there, and whose owner is absent, is that of a process that died.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import attrs
from attrs import define, field, frozen

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
from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.faults import Damaged, decodes, real, whole
from voiso_async.outbox.sqlite.schema import LOADING, OPERATIONS, OUTCOMES, PURGING, ROWS_PER_JOB

EVERYTHING = 0
"""Stands for the job of those who send whatever the outbox holds; jobs count from 1."""


@define
class Work:
    """What is known of the work on one job: who does it now, and how the last who does no more left it."""

    alive: list[JobWorker] = field(factory=list)
    died: bool | None = None
    last: float = float("-inf")

    def left(self, since: float, *, died: bool) -> None:
        """Note work that is over; the one begun last counts."""
        if since >= self.last:
            self.last, self.died = since, died

    def join(self, other: "Work") -> None:
        """Note work that was done on everything."""
        self.alive.extend(other.alive)
        if other.died is not None:
            self.left(other.last, died=other.died)


def begin_work(db: Database, job_id: str | None) -> None:
    """Write down that we work on a job, or with ``None`` on all; who has left it before is forgotten."""
    db.working[job_id] += 1
    if db.working[job_id] > 1:
        return
    with db.writing():
        job = _number(db, job_id)
        if job is None:
            return
        for owner, ended in db.listed(
            "SELECT json_group_array(json_array(owner, until IS NOT NULL)) FROM work WHERE job = ?", job
        ):
            if ended or not db.present(owner):
                db.run("DELETE FROM work WHERE job = ? AND owner = ?", job, owner)
        db.run("INSERT OR REPLACE INTO work VALUES (?, ?, ?, NULL)", job, db.me, db.wall())


def end_work(db: Database, job_id: str | None) -> None:
    """Write down that we work on a job no more, if this is the last of us."""
    db.working[job_id] -= 1
    if db.working[job_id] > 0:
        return
    del db.working[job_id]
    with db.writing():
        db.run(
            "UPDATE work SET until = ? WHERE job = ? AND owner = ? AND until IS NULL",
            *(db.wall(), _number(db, job_id), db.me),
        )


def work_by_job(db: Database, jobs: Iterable[int], begun: set[int]) -> dict[int, Work]:
    """Tell of each job who works on it, in the transaction that is open.

    Work on everything that is over counts for jobs that were ``begun``: of others it may not have known.
    """
    found = defaultdict[int, Work](Work)
    present = cache(db.present)
    for job, owner, since, until, pid, host in db.listed(
        """SELECT json_group_array(json_array(job, owner, work.since, until, pid, host))
        FROM work LEFT JOIN owners ON n = owner WHERE job = ? OR job IN (SELECT value FROM json_each(?))""",
        *(EVERYTHING, as_json(list(jobs))),
    ):
        if until is None and present(owner):
            found[job].alive.append(_worker(pid, host, since, everything=job == EVERYTHING))
        else:
            found[job].left(real(since), died=until is None)
    everything = found.pop(EVERYTHING, Work())
    for job in jobs:
        known = job in found or job in begun
        found[job].join(everything if known else Work(everything.alive))
    return found


def loader_of(db: Database, owner: int) -> JobWorker | None:
    """Tell who loads a job, in the transaction that is open; ``None`` if he is dead."""
    if not db.present(owner):
        return None
    found = db.row("SELECT pid, host, since FROM owners WHERE n = ?", owner)
    return None if found is None else _worker(*found, loads=True)


def work_by_campaign(db: Database) -> dict[int, tuple[JobWorker, ...]]:
    """Tell who works on what waits in each campaign, in the transaction that is open."""
    found = defaultdict[int, list[JobWorker]](list)
    for campaign, owner, everything, since, pid, host in db.listed(
        """SELECT json_group_array(json_array(campaign, owner, everything, since, pid, host)) FROM (
            SELECT campaign, owner, min(work.job) = ? AS everything, min(work.since) AS since, pid, host
            FROM lines JOIN work ON work.job IN (?, lines.job) AND until IS NULL JOIN owners ON n = owner
            WHERE fresh + old + lent + parked > 0 AND fresh + old + lent > 0 GROUP BY campaign, owner)""",
        *(EVERYTHING, EVERYTHING),
    ):
        if db.present(owner):
            found[campaign].append(_worker(pid, host, since, everything=bool(everything)))
    return {campaign: tuple(workers) for campaign, workers in found.items()}


def _number(db: Database, job_id: str | None) -> int | None:
    if job_id is None:
        return EVERYTHING
    number: int | None = db.value("SELECT n FROM jobs WHERE id = ?", job_id)
    return number


@decodes
def _worker(pid: Any, host: Any, since: float, *, everything: bool = False, loads: bool = False) -> JobWorker:
    return JobWorker(
        pid=pid,
        host=host or "",
        since=datetime.fromtimestamp(since, UTC),
        activity=JobActivity.LOADING if loads else JobActivity.SENDING,
        everything=everything,
    )


POLICY = LanePolicy()
"""The rules of Voiso; a client may be more careful."""
_FIELDS = (
    "n, id, name, op, state, created, expires, finished, rows, source, batches, busy, doubted, anomalies, began, "
    "ended, loader, origin, requeued, withdrawn, attempts"
)
_JOBS = "SELECT j.*, (SELECT id FROM jobs AS p WHERE p.n = j.parent) AS origin FROM jobs AS j"


def number_of(db: Database, job_id: str) -> int:
    """Give the number of a job by its id, in the transaction that is open."""
    number = db.value("SELECT n FROM jobs WHERE id = ? AND state <> ?", str(job_id), PURGING)
    if number is None:
        raise OutboxError(f"outbox {db.path.name}: it has no such job; list its jobs", reason="unknown_job")
    return whole(number)


def job_of(db: Database, number: int) -> Job:
    """Give a job by its number, in the transaction that is open."""
    return _jobs(db, "n = ?", number)[0]


def job_by_id(db: Database, job_id: str) -> Job:
    """Look a job up."""
    with db.reading():
        return job_of(db, number_of(db, job_id))


def jobs_of(db: Database, name: str | None, fingerprint: str | None, limit: int) -> list[Job]:
    """List jobs, the newest first."""
    where, values = f"state <> {PURGING}", list[Any]()
    if name is not None:
        where, values = f"{where} AND name = ?", [*values, name]
    if fingerprint is not None:
        where, values = f"{where} AND fingerprint = ?", [*values, fingerprint]
    with db.reading():
        return _jobs(db, f"{where} ORDER BY n DESC LIMIT ?", *values, limit)


def _jobs(db: Database, where: str, *values: Any) -> list[Job]:
    found = db.listed(
        f"SELECT json_group_array(json_array({_FIELDS})) FROM ({_JOBS} WHERE {where})",  # noqa: S608
        *values,
    )
    numbers = as_json([fields[0] for fields in found])
    begun = {number for number, *_, attempts in found if attempts}
    work = work_by_job(db, [fields[0] for fields in found], begun)
    lines, outcomes = defaultdict[int, list[Any]](list), defaultdict[int, list[Any]](list)
    for job, *line in db.listed(
        """SELECT json_group_array(json_array(
            job, campaign, fresh + old + lent, doubted, attempts, seconds, answered
        )) FROM lines WHERE job IN (SELECT value FROM json_each(?))""",
        numbers,
    ):
        lines[job].append(line)
    for job, *outcome in db.listed(
        """SELECT json_group_array(json_array(job, outcome, reason, n)) FROM tallies
        WHERE job IN (SELECT value FROM json_each(?)) AND n > 0""",
        numbers,
    ):
        outcomes[job].append(outcome)
    return [_job(db, fields, lines[fields[0]], outcomes[fields[0]], work[fields[0]]) for fields in found]


@decodes
def _job(db: Database, fields: list[Any], lines: list[Any], outcomes: list[Any], work: Work) -> Job:
    job: dict[str, Any] = dict(zip(_FIELDS.split(", "), fields, strict=True))
    waiting, loading = sum(line[1] for line in lines), job["state"] == LOADING
    state = JobState.LOADING if loading else JobState.OPEN if waiting else JobState.DONE
    begun = bool(job["attempts"] or (job["rows"] and loading))
    activity, workers = _activity(db, state, work, job["loader"], begun=begun)
    return Job(
        id=job["id"],
        name=job["name"],
        state=state,
        operation=OPERATIONS[job["op"]],
        campaigns=tuple(sorted(line[0] for line in lines)),
        created=_time(job["created"]),
        expires=None if job["expires"] is None else _time(job["expires"]),
        finished=None if job["finished"] is None else _time(job["finished"]),
        waiting=waiting,
        doubted=sum(line[2] for line in lines),
        report=_report(job, waiting, lines, outcomes),
        source=None if job["source"] is None else _source(job["source"]),
        activity=activity,
        workers=workers,
        retry_of=job["origin"],
        requeued=job["requeued"],
        withdrawn=bool(job["withdrawn"]),
    )


def _report(job: dict[str, Any], waiting: int, lines: list[Any], outcomes: list[Any]) -> IngestReport:
    counts, reasons = Counter[Outcome](), Counter[str]()
    for outcome, reason, n in outcomes:
        counts[OUTCOMES[outcome]] += n
        if reason:
            reasons[reason] += n
    began, ended = job["began"], job["ended"]
    elapsed = max(0.0, ended - began) if began is not None and ended is not None else 0.0
    return IngestReport(
        rows=job["rows"],
        counts={outcome: counts[outcome] for outcome in Outcome},
        pending=waiting,
        batches=job["batches"],
        attempts=job["attempts"],
        busy=job["busy"],
        doubted=job["doubted"],
        anomalies=job["anomalies"],
        elapsed=elapsed,
        ceiling_share=_ceiling_share(lines, job["attempts"], elapsed),
        reasons=dict(reasons),
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
    db: Database, state: JobState, work: Work, loader: int | None, *, begun: bool
) -> tuple[JobActivity, tuple[JobWorker, ...]]:
    """Say what goes on with a job and who does it, or how the last who did it left it."""
    if state is JobState.DONE:
        return JobActivity.DONE, ()
    reader = None if loader is None else loader_of(db, loader)
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
    db: Database, job_id: str, start: int, wanted: list[int] | None, *, pending: bool
) -> OutcomeWindow:
    """Read the outcomes of a window of rows from index ``start`` on, or those of them that are ``wanted``."""
    with db.reading():
        number = number_of(db, job_id)
        rows = whole(db.value("SELECT rows FROM jobs WHERE n = ?", number))
        base, end = number * ROWS_PER_JOB, min(start + db.limits.window_rows, rows)
        ensure_there(db, base + start, base + end)
        found = db.listed(
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


def ensure_there(db: Database, low: int, high: int) -> None:
    """Raise as for any damage if a row from id ``low`` to before ``high`` is missing."""
    if db.value("SELECT count(*) FROM rows WHERE id >= ? AND id < ?", low, high) != high - low:
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


def backlog_of(db: Database, job_id: str | None) -> list[Backlog]:
    """Count what waits; rows whose time is over count until they are ended, or a drain would leave them open."""
    with db.reading():
        number = None if job_id is None else number_of(db, job_id)
        found = db.listed(
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


def campaigns_of(db: Database) -> list[CampaignBacklog]:
    """Tell how each campaign stands."""
    now, wall = db.clock(), db.wall()
    with db.reading():
        lines = db.listed(
            """SELECT json_group_array(json_array(campaign, waiting, doubted, parked, oldest)) FROM (
                SELECT campaign, sum(fresh + old + lent) AS waiting, sum(lines.doubted) AS doubted,
                sum(parked) AS parked, min(iif(fresh + old + lent > 0, created, NULL)) AS oldest
                FROM lines JOIN jobs ON n = job WHERE fresh + old + lent + parked > 0 GROUP BY campaign)"""
        )
        gates = db.listed(
            "SELECT json_group_array(json_array(campaign, owner, due, hold, suspended, status)) FROM gates"
        )
        holders = {owner for _, owner, *_ in gates if owner is not None and db.present(owner)}
        workers = work_by_campaign(db)
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
