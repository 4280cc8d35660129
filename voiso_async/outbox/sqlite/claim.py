"""What a claim lends: an old batch whose answer was lost, or a fair share of what was never sent."""

from typing import Any

import attrs
from attrs import Factory, define, frozen

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Submission
from voiso_async.outbox.lead_reader import checksum
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.shares import max_min
from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.faults import Damaged, decodes, real, whole
from voiso_async.outbox.sqlite.insert import mark_finished
from voiso_async.outbox.sqlite.lifecycle import end_rows, expired_jobs, purging
from voiso_async.outbox.sqlite.queries import number_of
from voiso_async.outbox.sqlite.reap import lease_lost, reap_gate, reap_lost_workers
from voiso_async.outbox.sqlite.schema import CLAIMED, OUTCOMES, PARKED, ROWS_PER_JOB, WAITING

MAX_DOUBT_AGE = 24 * 3600.0
"""After so long a lead may have been dialled and removed: sending it again could call somebody twice."""
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
    retry_ids: tuple[int, ...] = ()
    max_rows: int = 0
    max_bytes: int = 0
    job: str | None = None
    submission: Submission | None = attrs.field(default=None, repr=False)


def found_rows(db: Database, ask: Claim, job: int | None, overdue: str) -> tuple[list[list[Any]], bool]:
    """Find rows to lend, and say whether they are an old batch."""
    old = [] if ask.retry_ids else _retry_batch(db, ask, job, overdue)
    return old or _unsent(db, ask, job, overdue), bool(old)


def has_unsent(db: Database, ask: Claim, job: int) -> bool:
    """Whether the books say that rows of a job were never sent."""
    sql = "SELECT fresh > 0 FROM lines WHERE job = ? AND campaign = ?"
    return bool(db.value(sql, job, ask.campaign))


def end_expired(db: Database, ask: Claim) -> str:
    """End a slice of the rows whose time is over; give the jobs of which more may be left."""
    overdue = expired_jobs(db)
    for job in overdue[:5]:
        end_rows(db, job, db.limits.slice_rows)
    over = overdue + purging(db)
    oldest = db.wall() - MAX_DOUBT_AGE
    _park(db, ask, as_json(over), "doubted_at < ?", bound=oldest, reason="doubt_too_old")
    if ask.policy.on_doubt == "report":
        _park(db, ask, as_json(over), "batch >= ?", bound=0, reason="no_usable_answer")
    return as_json(over)


def _park(db: Database, ask: Claim, over: str, which: str, *, bound: float, reason: str) -> None:
    """Park a slice of the rows whose answer was lost and that are not to be sent again unasked."""
    parked = db.listed(
        f"""SELECT json_group_array(id) FROM (SELECT id FROM rows WHERE campaign = ? AND op = ?
        AND state = {WAITING} AND batch IS NOT NULL AND {which}
        AND id >> 32 NOT IN (SELECT value FROM json_each(?)) LIMIT {db.limits.slice_rows})""",  # noqa: S608
        ask.campaign,
        ask.operation,
        bound,
        over,
    )
    if parked:
        db.run(
            f"""UPDATE rows SET state = {PARKED}, outcome = ?, reason = ?
            WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608
            OUTCOMES.index(Outcome.UNKNOWN),
            reason,
            as_json(parked),
        )
        mark_finished(db, sorted({row_id // ROWS_PER_JOB for row_id in parked}))


def _retry_batch(db: Database, ask: Claim, job: int | None, overdue: str) -> list[list[Any]]:
    """The oldest batch whose answer was lost, in the order in which it went."""
    low, high = _span(job)
    unasked = 0 if ask.policy.on_doubt == "report" else 1 << 62  # such a batch is parked: this slice, or the next
    values = (ask.campaign, ask.operation, low, high, unasked, overdue)
    batch = db.value(f"SELECT min(batch) FROM rows WHERE {_OLD}", *values)  # noqa: S608
    if batch is None:
        return []
    found = db.listed(
        f"""SELECT json_group_array({_ROW}) FROM (
            SELECT * FROM rows WHERE {_OLD} AND batch = ? ORDER BY id LIMIT ?)""",  # noqa: S608
        *values,
        batch,
        ask.max_rows,
    )
    return _within(ask, found)


def _unsent(db: Database, ask: Claim, job: int | None, overdue: str) -> list[list[Any]]:
    """Rows that were never sent: a fair share of each job, the oldest jobs first."""
    low, high = _span(job)
    jobs = db.listed(
        """SELECT json_group_array(json_array(job, fresh)) FROM (SELECT job, fresh FROM lines
        WHERE campaign = ? AND op = ? AND fresh + old + lent + parked > 0 AND fresh > 0 AND job >= ? AND job < ?
        AND job NOT IN (SELECT value FROM json_each(?)) ORDER BY job LIMIT ?)""",
        ask.campaign,
        ask.operation,
        low // ROWS_PER_JOB,
        high // ROWS_PER_JOB,
        overdue,
        ask.max_rows,
    )
    ranked: list[tuple[int, list[Any]]] = []
    for share, members in _shares(jobs, ask.max_rows):
        for rows in _heads(db, ask, members, share):
            ranked.extend(enumerate(rows))
    if jobs and not ranked and not ask.operation:  # the books say that there are some
        raise Damaged("rows are counted that are not there")
    ranked.sort(key=lambda place: place[0])
    return sorted(_within(ask, [row for _, row in ranked]), key=lambda row: row[0])


_shares = decodes(max_min)


def _heads(db: Database, ask: Claim, jobs: list[int], share: int) -> list[list[list[Any]]]:
    """The first rows of each job; an update waits for an earlier one of its phone, in whatever job."""
    window, ahead = share, ""
    if ask.operation:
        window = 4 * share
        ahead = _NOTHING_AHEAD
    return db.listed(
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
        if row[3] in phones or len(taken) == ask.max_rows:
            continue
        if taken and size + length + 1 > ask.max_bytes:
            break
        size += length + 1
        phones.add(row[3])
        taken.append(row)
    return taken


def _span(job: int | None) -> tuple[int, int]:
    return (0, 1 << 62) if job is None else (job * ROWS_PER_JOB, (job + 1) * ROWS_PER_JOB)


SHORTEST_POLL, LONGEST_POLL = 0.01, 0.5
LONGEST_HOLD = 8 * 86400.0
"""More than any policy allows: such a gate was damaged."""


@define(kw_only=True)
class Claimed:
    """A gate taken under a ``fence``, and the rows lent with it; it opens after ``wait`` seconds.

    ``doubts`` are phones that a lost answer once carried, ``known`` how often, by row id of those that go again;
    ``refused`` are phones of batches refused as a whole; the time of those in ``over`` has passed meanwhile.
    """

    campaign: int
    fence: int
    wait: float = 0.0
    rows: list[StoredRow] = attrs.field(factory=list, repr=False)
    is_retry: bool = False
    doubts: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    refused: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    known: dict[int, int] = Factory(dict)
    expired: frozenset[int] = frozenset()


def claim(db: Database, ask: Claim) -> Claimed | float:
    """Take the gate and lend rows, or say how many seconds to wait before asking again."""
    reap_lost_workers(db)
    with db.writing():
        _check_origin(db, ask.origin)
        held, wait = _gate(db, ask)
        if held or wait > ask.early:
            return wait if held else wait - ask.early
        claimed = Claimed(campaign=ask.campaign, fence=_take_gate(db, ask), wait=wait)
        _claim_rows(db, ask, claimed)
        db.note_presence()
    db.slots.add((claimed.campaign, claimed.fence))
    return claimed


def _take_gate(db: Database, ask: Claim) -> int:
    db.run(
        "UPDATE gates SET fence = fence + 1, owner = ?, asked = ?, lease = ?, caution = ? WHERE campaign = ?",
        db.me,
        ask.asked,
        db.lease,
        ask.policy.cooldown + ask.policy.doubt_backoff,
        ask.campaign,
    )
    return whole(db.value("SELECT fence FROM gates WHERE campaign = ?", ask.campaign))


def _check_origin(db: Database, origin: str) -> None:
    """The first claim fixes where this outbox's leads go."""
    db.run("INSERT INTO meta VALUES ('origin', ?) ON CONFLICT DO NOTHING", origin)
    if db.value("SELECT value FROM meta WHERE name = 'origin'") != origin:
        raise OutboxError(
            f"outbox {db.path.name}: its leads belong to another contact centre's address; nothing was sent",
            reason="mismatch",
        )


def _gate(db: Database, ask: Claim) -> tuple[bool, float]:
    """Say whether somebody holds the gate, and how long to wait."""
    db.run("INSERT INTO gates (campaign) VALUES (?) ON CONFLICT DO NOTHING", ask.campaign)
    gate = "SELECT owner, due, hold FROM gates WHERE campaign = ?"
    if db.row(gate, ask.campaign)[0] is not None:
        if not lease_lost(db, ask.campaign):
            return True, max(SHORTEST_POLL, min(LONGEST_POLL, ask.policy.cooldown / 4))
        reap_gate(db, ask.campaign)
    _, *times = db.row(gate, ask.campaign)
    due, hold = map(real, times)
    if not 0 <= hold <= LONGEST_HOLD:
        raise Damaged("a hold is out of range")
    wait = float(min(max(due - db.clock(), 0.0), hold))
    if due - db.clock() > hold:  # the machine was started anew, and its clock with it
        db.run("UPDATE gates SET due = ? + hold WHERE campaign = ?", db.clock(), ask.campaign)
    return False, wait


def _claim_rows(db: Database, ask: Claim, claimed: Claimed) -> None:
    if ask.retry_ids:
        claimed.known = _claim_again(db, ask, claimed.fence)
        claimed.expired = _expired(db, ask)
    if ask.submission is not None and ask.max_rows > 0:
        job = None if ask.job is None else number_of(db, ask.job)
        overdue = end_expired(db, ask)
        found, claimed.is_retry = found_rows(db, ask, job, overdue)
        if not found and job is not None and ask.operation and has_unsent(db, ask, job):
            # earlier updates of other jobs stand ahead
            found, claimed.is_retry = found_rows(db, ask, None, overdue)
        now = db.clock()
        claimed.rows = [_checked(ask, ask.submission, row, now) for row in found]
        _mark(db, claimed.fence, [row.id for row in claimed.rows])
        db.pending_release.difference_update(row.id for row in claimed.rows)
    ids = as_json([*(row.id for row in claimed.rows), *ask.retry_ids])
    claimed.doubts = _marked(db, ask.campaign, "doubts", ids)
    claimed.refused = _marked(db, ask.campaign, "refused", ids)


def _claim_again(db: Database, ask: Claim, fence: int) -> dict[int, int]:
    """Rows that a lane sends again must still be its own, or in line; give the doubts they have here."""
    found = db.listed(
        f"""SELECT json_group_array(json_array(id, doubts)) FROM rows
        WHERE id IN (SELECT value FROM json_each(?)) AND campaign = ?
        AND (state = {WAITING} OR (state = {CLAIMED} AND owner = ?))""",  # noqa: S608
        as_json(ask.retry_ids),
        ask.campaign,
        db.me,
    )
    if len(found) < len(set(ask.retry_ids)):
        raise OutboxError(
            f"outbox {db.path.name}: rows of this lane were taken over, because it held them for too long; "
            "what was sent of them is doubted and goes on elsewhere",
            reason="fenced",
        )
    _mark(db, fence, [row_id for row_id, _ in found])
    return {row_id: doubts for row_id, doubts in found if doubts}


def _expired(db: Database, ask: Claim) -> frozenset[int]:
    """Those rows that a lane would send again although their job has expired or was withdrawn."""
    jobs = {row_id // ROWS_PER_JOB for row_id in ask.retry_ids}
    over = db.listed(
        "SELECT json_group_array(n) FROM jobs WHERE n IN (SELECT value FROM json_each(?)) AND ends <= ?",
        as_json(sorted(jobs)),
        db.wall(),
    )
    return frozenset(row_id for row_id in ask.retry_ids if row_id // ROWS_PER_JOB in set(over))


def _mark(db: Database, fence: int, ids: list[int]) -> None:
    db.run(
        f"""UPDATE rows SET state = {CLAIMED}, owner = ?, fence = ?
        WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608
        db.me,
        fence,
        as_json(ids),
    )


@decodes
def _checked(ask: Claim, owner: Submission, row: list[Any], now: float) -> StoredRow:
    """Make a row of what was read, if it is what was stored."""
    row_id, campaign, operation, phone, key, text, crc, doubts, left_out = row
    body = text.encode()
    if campaign != ask.campaign or operation != ask.operation:
        raise Damaged("a row is of another campaign")
    if crc != checksum(row_id, campaign, operation, phone, body):
        raise Damaged("a row has another checksum")
    index = row_id % ROWS_PER_JOB
    return StoredRow(index, str(phone), body, key, owner, now, doubts, bool(left_out), id=row_id)


def _marked(db: Database, campaign: int, mark: str, ids: str) -> frozenset[str]:
    """Phones of these rows that have a mark in whatever job of the campaign."""
    found = db.listed(
        f"""SELECT json_group_array(DISTINCT phone) FROM rows WHERE campaign = ? AND {mark} > 0 AND phone IN (
            SELECT phone FROM rows WHERE id IN (SELECT value FROM json_each(?)))""",  # noqa: S608
        campaign,
        ids,
    )
    return frozenset(map(str, found))
