"""Who works on which job, written down while it lasts: its process is alive, has left it, or has died.

A process that ends as it should says so before it gives up its presence. Nobody can write while a transaction
reads, so work that has no end there, and whose owner is absent, is that of a process that died.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from attrs import define, field

from voiso_async.outbox.jobs import JobActivity, JobWorker
from voiso_async.outbox.sqlite.faults import decodes, real
from voiso_async.outbox.sqlite.ledger import Ledger, as_json

__all__ = ["Work", "begin_work", "end_work", "loader_of", "work_by_campaign", "work_by_job"]

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


def begin_work(ledger: Ledger, job_id: str | None) -> None:
    """Write down that we work on a job, or with ``None`` on all; who has left it before is forgotten."""
    ledger.working[job_id] += 1
    if ledger.working[job_id] > 1:
        return
    with ledger.writing():
        job = _number(ledger, job_id)
        if job is None:
            return
        for owner, ended in ledger.listed(
            "SELECT json_group_array(json_array(owner, until IS NOT NULL)) FROM work WHERE job = ?", job
        ):
            if ended or not ledger.present(owner):
                ledger.run("DELETE FROM work WHERE job = ? AND owner = ?", job, owner)
        ledger.run("INSERT OR REPLACE INTO work VALUES (?, ?, ?, NULL)", job, ledger.me, ledger.wall())


def end_work(ledger: Ledger, job_id: str | None) -> None:
    """Write down that we work on a job no more, if this is the last of us."""
    ledger.working[job_id] -= 1
    if ledger.working[job_id] > 0:
        return
    del ledger.working[job_id]
    with ledger.writing():
        ledger.run(
            "UPDATE work SET until = ? WHERE job = ? AND owner = ? AND until IS NULL",
            *(ledger.wall(), _number(ledger, job_id), ledger.me),
        )


def work_by_job(ledger: Ledger, jobs: Iterable[int], begun: set[int]) -> dict[int, Work]:
    """Tell of each job who works on it, in the transaction that is open.

    Work on everything that is over counts for jobs that were ``begun``: of others it may not have known.
    """
    found = defaultdict[int, Work](Work)
    present = cache(ledger.present)
    for job, owner, since, until, pid, host in ledger.listed(
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


def loader_of(ledger: Ledger, owner: int) -> JobWorker | None:
    """Tell who loads a job, in the transaction that is open; ``None`` if he is dead."""
    if not ledger.present(owner):
        return None
    found = ledger.row("SELECT pid, host, since FROM owners WHERE n = ?", owner)
    return None if found is None else _worker(*found, loads=True)


def work_by_campaign(ledger: Ledger) -> dict[int, tuple[JobWorker, ...]]:
    """Tell who works on what waits in each campaign, in the transaction that is open."""
    found = defaultdict[int, list[JobWorker]](list)
    for campaign, owner, everything, since, pid, host in ledger.listed(
        """SELECT json_group_array(json_array(campaign, owner, everything, since, pid, host)) FROM (
            SELECT campaign, owner, min(work.job) = ? AS everything, min(work.since) AS since, pid, host
            FROM lines JOIN work ON work.job IN (?, lines.job) AND until IS NULL JOIN owners ON n = owner
            WHERE fresh + old + lent + parked > 0 AND fresh + old + lent > 0 GROUP BY campaign, owner)""",
        *(EVERYTHING, EVERYTHING),
    ):
        if ledger.present(owner):
            found[campaign].append(_worker(pid, host, since, everything=bool(everything)))
    return {campaign: tuple(workers) for campaign, workers in found.items()}


def _number(ledger: Ledger, job_id: str | None) -> int | None:
    if job_id is None:
        return EVERYTHING
    number: int | None = ledger.value("SELECT n FROM jobs WHERE id = ?", job_id)
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
