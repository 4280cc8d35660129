"""The claim: in one transaction a gate is taken, and the rows that go through it are lent."""

from typing import Any

import attrs
from attrs import Factory, define

from voiso_async.errors import OutboxError
from voiso_async.ingest.rows import Submission
from voiso_async.outbox.loading import checksum
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.sqlite.faults import Damaged, decodes, real, whole
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.picking import Claim, end_what_is_over, found_rows, has_fresh
from voiso_async.outbox.sqlite.reading import number_of
from voiso_async.outbox.sqlite.recovery import bury_the_dead, free_gate, is_lost
from voiso_async.outbox.sqlite.schema import LENT, ROWS_PER_JOB, WAITING

__all__ = ["Lent", "claim"]

SHORTEST_POLL, LONGEST_POLL = 0.01, 0.5
LONGEST_HOLD = 8 * 86400.0
"""More than any policy allows: such a gate was damaged."""


@define(kw_only=True)
class Lent:
    """A gate taken under a ``fence``, and the rows lent with it; it opens after ``wait`` seconds.

    ``doubts`` are phones that a lost answer once carried, ``known`` how often, by row id of those that go again;
    ``refused`` are phones of batches refused as a whole; the time of those in ``over`` has passed meanwhile.
    """

    campaign: int
    fence: int
    wait: float = 0.0
    rows: list[StoredRow] = attrs.field(factory=list, repr=False)
    repeats: bool = False
    doubts: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    refused: frozenset[str] = attrs.field(default=frozenset(), repr=False)
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
        ask.policy.cooldown + ask.policy.doubt_backoff,
        ask.campaign,
    )
    return whole(ledger.value("SELECT fence FROM gates WHERE campaign = ?", ask.campaign))


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
    _, *times = ledger.row(gate, ask.campaign)
    due, hold = map(real, times)
    if not 0 <= hold <= LONGEST_HOLD:
        raise Damaged("a hold is out of range")
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
        overdue = end_what_is_over(ledger, ask)
        found, lent.repeats = found_rows(ledger, ask, job, overdue)
        if not found and job is not None and ask.operation and has_fresh(ledger, ask, job):
            # earlier updates of other jobs stand ahead
            found, lent.repeats = found_rows(ledger, ask, None, overdue)
        now = ledger.clock()
        lent.rows = [_checked(ask, ask.owner, row, now) for row in found]
        _mark(ledger, lent.fence, [row.id for row in lent.rows])
        ledger.owed.difference_update(row.id for row in lent.rows)
    ids = as_json([*(row.id for row in lent.rows), *ask.again])
    lent.doubts = _marked(ledger, ask.campaign, "doubts", ids)
    lent.refused = _marked(ledger, ask.campaign, "refused", ids)


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


def _marked(ledger: Ledger, campaign: int, mark: str, ids: str) -> frozenset[str]:
    """Phones of these rows that have a mark in whatever job of the campaign."""
    found = ledger.listed(
        f"""SELECT json_group_array(DISTINCT phone) FROM rows WHERE campaign = ? AND {mark} > 0 AND phone IN (
            SELECT phone FROM rows WHERE id IN (SELECT value FROM json_each(?)))""",  # noqa: S608
        campaign,
        ids,
    )
    return frozenset(map(str, found))
