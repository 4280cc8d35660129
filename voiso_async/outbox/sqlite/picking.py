"""What a claim lends: an old batch whose answer was lost, or a fair share of what was never sent."""

from typing import Any

import attrs
from attrs import frozen

from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Submission
from voiso_async.outbox.sqlite.faults import Damaged, decodes
from voiso_async.outbox.sqlite.keeping import end_rows, overdue_jobs, purging
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.schema import OUTCOMES, PARKED, ROWS_PER_JOB, WAITING
from voiso_async.outbox.sqlite.shares import max_min
from voiso_async.outbox.sqlite.storing import mark_finished

__all__ = ["Claim", "end_what_is_over", "found_rows", "has_fresh"]

MAX_DOUBT_AGE = 24 * 3600.0
"""After so long a lead may have been dialled and removed: sending it again could call somebody twice."""
SLICE = 1000
_ROW = "json_array(id, campaign, op, phone, key, body, crc, doubts, left_out)"

_OLD = """campaign = ? AND op = ? AND state = 0 AND batch IS NOT NULL AND id >= ? AND id < ?
    AND batch < ? AND id >> 32 NOT IN (SELECT value FROM json_each(?))"""
_NOTHING_AHEAD = """WHERE NOT EXISTS (SELECT 1 FROM rows AS ahead WHERE ahead.campaign = line.campaign
    AND ahead.op = 1 AND ahead.state < 2 AND ahead.phone = line.phone AND ahead.id < line.id)"""


@frozen(kw_only=True)
class Claim:
    """What a lane asks for; ``again`` are the ids of stored rows that it has already.

    Its claim may come so many seconds too ``early``: then the work is done when the gate opens.
    """

    campaign: int
    operation: int
    origin: str
    policy: LanePolicy
    asked: float
    early: float = 0.0
    again: tuple[int, ...] = ()
    room: int = 0
    max_bytes: int = 0
    job: str | None = None
    owner: Submission | None = attrs.field(default=None, repr=False)


def found_rows(ledger: Ledger, ask: Claim, job: int | None, overdue: str) -> tuple[list[list[Any]], bool]:
    """Find rows to lend, and say whether they are an old batch."""
    old = [] if ask.again else _old_batch(ledger, ask, job, overdue)
    return old or _fresh(ledger, ask, job, overdue), bool(old)


def has_fresh(ledger: Ledger, ask: Claim, job: int) -> bool:
    """Whether the books say that rows of a job were never sent."""
    sql = "SELECT fresh > 0 FROM lines WHERE job = ? AND campaign = ?"
    return bool(ledger.value(sql, job, ask.campaign))


def end_what_is_over(ledger: Ledger, ask: Claim) -> str:
    """End a slice of the rows whose time is over; give the jobs of which more may be left."""
    overdue = overdue_jobs(ledger)
    for job in overdue[:5]:
        end_rows(ledger, job, SLICE)
    over = overdue + purging(ledger)
    oldest = ledger.wall() - MAX_DOUBT_AGE
    _park(ledger, ask, as_json(over), "doubted_at < ?", bound=oldest, reason="doubt_too_old")
    if ask.policy.on_doubt == "report":
        _park(ledger, ask, as_json(over), "batch >= ?", bound=0, reason="no_usable_answer")
    return as_json(over)


def _park(ledger: Ledger, ask: Claim, over: str, which: str, *, bound: float, reason: str) -> None:
    """Park a slice of the rows whose answer was lost and that are not to be sent again unasked."""
    parked = ledger.listed(
        f"""SELECT json_group_array(id) FROM (SELECT id FROM rows WHERE campaign = ? AND op = ?
        AND state = {WAITING} AND batch IS NOT NULL AND {which}
        AND id >> 32 NOT IN (SELECT value FROM json_each(?)) LIMIT {SLICE})""",  # noqa: S608
        ask.campaign,
        ask.operation,
        bound,
        over,
    )
    if parked:
        ledger.run(
            f"""UPDATE rows SET state = {PARKED}, outcome = ?, reason = ?
            WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608
            OUTCOMES.index(Outcome.UNKNOWN),
            reason,
            as_json(parked),
        )
        mark_finished(ledger, sorted({row_id // ROWS_PER_JOB for row_id in parked}))


def _old_batch(ledger: Ledger, ask: Claim, job: int | None, overdue: str) -> list[list[Any]]:
    """The oldest batch whose answer was lost, in the order in which it went."""
    low, high = _span(job)
    unasked = 0 if ask.policy.on_doubt == "report" else 1 << 62  # such a batch is parked: this slice, or the next
    values = (ask.campaign, ask.operation, low, high, unasked, overdue)
    batch = ledger.value(f"SELECT min(batch) FROM rows WHERE {_OLD}", *values)  # noqa: S608
    if batch is None:
        return []
    found = ledger.listed(
        f"""SELECT json_group_array({_ROW}) FROM (
            SELECT * FROM rows WHERE {_OLD} AND batch = ? ORDER BY id LIMIT ?)""",  # noqa: S608
        *values,
        batch,
        ask.room,
    )
    return _within(ask, found)


def _fresh(ledger: Ledger, ask: Claim, job: int | None, overdue: str) -> list[list[Any]]:
    """Rows that were never sent: a fair share of each job, the oldest jobs first."""
    low, high = _span(job)
    jobs = ledger.listed(
        """SELECT json_group_array(json_array(job, fresh)) FROM (SELECT job, fresh FROM lines
        WHERE campaign = ? AND op = ? AND fresh + old + lent + parked > 0 AND fresh > 0 AND job >= ? AND job < ?
        AND job NOT IN (SELECT value FROM json_each(?)) ORDER BY job LIMIT ?)""",
        ask.campaign,
        ask.operation,
        low // ROWS_PER_JOB,
        high // ROWS_PER_JOB,
        overdue,
        ask.room,
    )
    ranked: list[tuple[int, list[Any]]] = []
    for share, members in _shares(jobs, ask.room):
        for rows in _heads(ledger, ask, members, share):
            ranked.extend(enumerate(rows))
    if jobs and not ranked and not ask.operation:  # the books say that there are some
        raise Damaged("rows are counted that are not there")
    ranked.sort(key=lambda place: place[0])
    return sorted(_within(ask, [row for _, row in ranked]), key=lambda row: row[0])


_shares = decodes(max_min)


def _heads(ledger: Ledger, ask: Claim, jobs: list[int], share: int) -> list[list[list[Any]]]:
    """The first rows of each job; an update waits for an earlier one of its phone, in whatever job."""
    window, ahead = share, ""
    if ask.operation:
        window = 4 * share
        ahead = _NOTHING_AHEAD
    return ledger.listed(
        f"""SELECT json_group_array(json(heads)) FROM (
            SELECT (SELECT json_group_array({_ROW}) FROM (SELECT * FROM (
                SELECT * FROM rows WHERE campaign = ? AND op = ? AND state = {WAITING} AND batch IS NULL
                AND id >= job.value << 32 AND id < (job.value + 1) << 32 ORDER BY id LIMIT ?) AS line
            {ahead} LIMIT ?)) AS heads FROM json_each(?) AS job)""",  # noqa: S608
        ask.campaign,
        ask.operation,
        window,
        share,
        as_json(jobs),
    )


@decodes
def _within(ask: Claim, rows: list[list[Any]]) -> list[list[Any]]:
    """As many rows as fit, with distinct phones; at least one."""
    taken: list[list[Any]] = []
    phones, size = set[int](), 2
    for row in rows:
        length = len(row[5].encode())
        if row[3] in phones or len(taken) == ask.room:
            continue
        if taken and size + length + 1 > ask.max_bytes:
            break
        size += length + 1
        phones.add(row[3])
        taken.append(row)
    return taken


def _span(job: int | None) -> tuple[int, int]:
    return (0, 1 << 62) if job is None else (job * ROWS_PER_JOB, (job + 1) * ROWS_PER_JOB)
