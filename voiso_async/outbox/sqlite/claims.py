"""The claim: in one transaction a gate is taken, and the rows that go through it are lent."""

from typing import Any

import attrs
from attrs import Factory, define, frozen

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.row import RowOwner
from voiso_async.ingest.store import StoredRow
from voiso_async.outbox.loading import checksum
from voiso_async.outbox.sqlite.keeping import end_rows, overdue_jobs, purging
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.reading import number_of
from voiso_async.outbox.sqlite.recovery import bury_the_dead, free_gate, is_lost
from voiso_async.outbox.sqlite.schema import LENT, OUTCOMES, PARKED, ROWS_PER_JOB, WAITING
from voiso_async.outbox.sqlite.shares import max_min
from voiso_async.outbox.sqlite.storing import mark_finished

__all__ = ["Claim", "Lent", "claim"]

MAX_DOUBT_AGE = 24 * 3600.0
"""After so long a lead may have been dialled and removed: sending it again could call somebody twice."""
SHORTEST_POLL, LONGEST_POLL = 0.01, 0.5
LONGEST_HOLD = 8 * 86400.0
"""More than any policy allows: such a gate was damaged."""
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
    owner: RowOwner | None = attrs.field(default=None, repr=False)


@define(kw_only=True)
class Lent:
    """A gate taken under a ``fence``, and the rows lent with it; it opens after ``wait`` seconds.

    ``doubts`` are phones that a lost answer once carried, ``known`` how often, by row id of those that go again;
    the time of those in ``over`` has passed meanwhile.
    """

    campaign: int
    fence: int
    wait: float = 0.0
    rows: list[StoredRow] = attrs.field(factory=list, repr=False)
    repeats: bool = False
    doubts: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    known: dict[int, int] = Factory(dict)
    over: frozenset[int] = frozenset()


def claim(ledger: Ledger, ask: Claim) -> Lent | float:
    """Take the gate and lend rows, or say how many seconds to wait before asking again."""
    bury_the_dead(ledger)
    with ledger.writing():
        _check_origin(ledger, ask.origin)
        held, wait = _gate(ledger, ask)
        if held or wait > ask.early:
            return wait if held else wait - ask.early
        lent = Lent(campaign=ask.campaign, fence=_take_gate(ledger, ask), wait=wait)
        _lend(ledger, ask, lent)
        ledger.note_presence()
    ledger.turns.add((lent.campaign, lent.fence))
    return lent


def _take_gate(ledger: Ledger, ask: Claim) -> int:
    ledger.run(
        "UPDATE gates SET fence = fence + 1, owner = ?, asked = ?, lease = ?, caution = ? WHERE campaign = ?",
        ledger.me,
        ask.asked,
        ledger.lease,
        ask.policy.cooldown + ask.policy.settle,
        ask.campaign,
    )
    return int(ledger.value("SELECT fence FROM gates WHERE campaign = ?", ask.campaign))


def _check_origin(ledger: Ledger, origin: str) -> None:
    """The first claim fixes where this outbox's leads go."""
    ledger.run("INSERT INTO meta VALUES ('origin', ?) ON CONFLICT DO NOTHING", origin)
    if ledger.value("SELECT value FROM meta WHERE name = 'origin'") != origin:
        raise OutboxError(
            f"outbox {ledger.path.name}: its leads belong to another contact centre's address; nothing was sent",
            reason="mismatch",
        )


def _gate(ledger: Ledger, ask: Claim) -> tuple[bool, float]:
    """Say whether somebody holds the gate, and how long to wait."""
    ledger.run("INSERT INTO gates (campaign) VALUES (?) ON CONFLICT DO NOTHING", ask.campaign)
    gate = "SELECT owner, due, hold FROM gates WHERE campaign = ?"
    if ledger.row(gate, ask.campaign)[0] is not None:
        if not is_lost(ledger, ask.campaign):
            return True, max(SHORTEST_POLL, min(LONGEST_POLL, ask.policy.cooldown / 4))
        free_gate(ledger, ask.campaign)
    _, due, hold = ledger.row(gate, ask.campaign)
    if not 0 <= hold <= LONGEST_HOLD:
        raise ValueError
    wait = float(min(max(due - ledger.clock(), 0.0), hold))
    if due - ledger.clock() > hold:  # the machine was started anew, and its clock with it
        ledger.run("UPDATE gates SET due = ? + hold WHERE campaign = ?", ledger.clock(), ask.campaign)
    return False, wait


def _lend(ledger: Ledger, ask: Claim, lent: Lent) -> None:
    if ask.again:
        lent.known = _lend_again(ledger, ask, lent.fence)
        lent.over = _over(ledger, ask)
    if ask.owner is not None and ask.room > 0:
        job = None if ask.job is None else number_of(ledger, ask.job)
        overdue = _end_what_is_over(ledger, ask)
        found, lent.repeats = _found(ledger, ask, job, overdue)
        if not found and job is not None and ask.operation and _has_fresh(ledger, ask, job):
            found, lent.repeats = _found(ledger, ask, None, overdue)  # earlier updates of other jobs stand ahead
        lent.rows = [_checked(ledger, ask, ask.owner, row) for row in found]
        _mark(ledger, lent.fence, [row.id for row in lent.rows])
    lent.doubts = _doubts(ledger, ask.campaign, [*(row.id for row in lent.rows), *ask.again])


def _found(ledger: Ledger, ask: Claim, job: int | None, overdue: str) -> tuple[list[list[Any]], bool]:
    """Find rows to lend, and say whether they are an old batch."""
    old = [] if ask.again else _old_batch(ledger, ask, job, overdue)
    return old or _fresh(ledger, ask, job, overdue), bool(old)


def _has_fresh(ledger: Ledger, ask: Claim, job: int) -> bool:
    sql = "SELECT fresh > 0 FROM lines WHERE job = ? AND campaign = ?"
    return bool(ledger.value(sql, job, ask.campaign))


def _lend_again(ledger: Ledger, ask: Claim, fence: int) -> dict[int, int]:
    """Rows that a lane sends again must still be its own, or in line; give the doubts they have here."""
    found = ledger.listed(
        f"""SELECT json_group_array(json_array(id, doubts)) FROM rows
        WHERE id IN (SELECT value FROM json_each(?)) AND campaign = ?
        AND (state = {WAITING} OR (state = {LENT} AND owner = ?))""",  # noqa: S608
        as_json(ask.again),
        ask.campaign,
        ledger.me,
    )
    if len(found) < len(set(ask.again)):
        raise OutboxError(
            f"outbox {ledger.path.name}: rows of this lane were taken over, because it held them for too long; "
            "what was sent of them is doubted and goes on elsewhere",
            reason="fenced",
        )
    _mark(ledger, fence, [row_id for row_id, _ in found])
    return {row_id: doubts for row_id, doubts in found if doubts}


def _over(ledger: Ledger, ask: Claim) -> frozenset[int]:
    """Those rows that a lane would send again although their job has expired or was withdrawn."""
    jobs = {row_id // ROWS_PER_JOB for row_id in ask.again}
    over = ledger.listed(
        "SELECT json_group_array(n) FROM jobs WHERE n IN (SELECT value FROM json_each(?)) AND ends <= ?",
        as_json(sorted(jobs)),
        ledger.wall(),
    )
    return frozenset(row_id for row_id in ask.again if row_id // ROWS_PER_JOB in set(over))


def _mark(ledger: Ledger, fence: int, ids: list[int]) -> None:
    ledger.run(
        f"""UPDATE rows SET state = {LENT}, owner = ?, fence = ?
        WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608
        ledger.me,
        fence,
        as_json(ids),
    )


def _end_what_is_over(ledger: Ledger, ask: Claim) -> str:
    """End a slice of the rows whose time is over; give the jobs of which more may be left."""
    overdue = overdue_jobs(ledger)
    for job in overdue[:5]:
        end_rows(ledger, job, SLICE)
    over = overdue + purging(ledger)
    _park(ledger, ask, as_json(over), "doubted_at < ?", ledger.wall() - MAX_DOUBT_AGE, "doubt_too_old")
    if ask.policy.on_doubt == "report":
        _park(ledger, ask, as_json(over), "batch >= ?", 0, "no_usable_answer")
    return as_json(over)


def _park(ledger: Ledger, ask: Claim, over: str, which: str, bound: float, reason: str) -> None:
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
    for share, members in max_min(jobs, ask.room):
        for rows in _heads(ledger, ask, members, share):
            ranked.extend(enumerate(rows))
    if jobs and not ranked and not ask.operation:  # the books say that there are some
        raise ValueError
    ranked.sort(key=lambda place: place[0])
    return sorted(_within(ask, [row for _, row in ranked]), key=lambda row: row[0])


def _heads(ledger: Ledger, ask: Claim, jobs: list[int], share: int) -> list[list[list[Any]]]:
    """The first rows of each job; an update waits for an earlier one of its phone, in whatever job."""
    window, ahead = share, ""
    if ask.operation:
        window = 4 * share
        ahead = _NOTHING_AHEAD
    return ledger.listed(
        f"""SELECT json_group_array(json(heads)) FROM (
            SELECT (SELECT json_group_array({_ROW}) FROM (SELECT * FROM (
                SELECT * FROM rows WHERE campaign = ?1 AND op = ?2 AND state = {WAITING} AND batch IS NULL
                AND id >= job.value << 32 AND id < (job.value + 1) << 32 ORDER BY id LIMIT ?3) AS line
            {ahead} LIMIT ?4)) AS heads FROM json_each(?5) AS job)""",  # noqa: S608
        ask.campaign,
        ask.operation,
        window,
        share,
        as_json(jobs),
    )


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


def _checked(ledger: Ledger, ask: Claim, owner: RowOwner, row: list[Any]) -> StoredRow:
    """Make a row of what was read, if it is what was stored."""
    row_id, campaign, operation, phone, key, body, crc, doubts, left_out = row
    if (campaign, operation) != (ask.campaign, ask.operation):
        raise ValueError
    if crc != checksum(row_id, campaign, operation, phone, body.encode()):
        raise ValueError
    return StoredRow(
        row_id % ROWS_PER_JOB,
        str(phone),
        body.encode(),
        key,
        owner,
        ledger.clock(),
        doubts,
        bool(left_out),
        id=row_id,
    )


def _doubts(ledger: Ledger, campaign: int, ids: list[int]) -> frozenset[str]:
    """Phones of these rows that a lost answer once carried, in whatever job of the campaign."""
    found = ledger.listed(
        """SELECT json_group_array(DISTINCT phone) FROM rows WHERE campaign = ? AND doubts > 0 AND phone IN (
            SELECT phone FROM rows WHERE id IN (SELECT value FROM json_each(?)))""",
        campaign,
        as_json(ids),
    )
    return frozenset(map(str, found))


def _span(job: int | None) -> tuple[int, int]:
    return (0, 1 << 62) if job is None else (job * ROWS_PER_JOB, (job + 1) * ROWS_PER_JOB)
