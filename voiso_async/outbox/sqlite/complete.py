"""The end of a turn: in one transaction the outcomes are written down and the gate is shut for its time."""

from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from typing import ClassVar

import attrs
from attrs import frozen

from voiso_async._structs import RedactedRepr, Struct, asdict
from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import ANSWERED, Outcome
from voiso_async.ingest.rows import Attempt, Operation, RowResult
from voiso_async.outbox.protocol import StoredRow
from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.insert import mark_finished
from voiso_async.outbox.sqlite.reap import nack, reap_lost_gates, release_pending
from voiso_async.outbox.sqlite.schema import CLAIMED, FINAL, OUTCOMES, PARKED, ROWS_PER_JOB, WAITING

_CLEARING = {"server_rejected", "not_found"}
"""Reasons of REJECTED that an answer gives for the row itself."""
_ANSWERED = frozenset(OUTCOMES.index(outcome) for outcome in ANSWERED)


class RowUpdate(RedactedRepr, Struct, frozen=True):
    """How a row leaves a turn: where it goes, and what is known of it."""

    state: int
    outcome: int | None = None
    reason: str | None = None
    detail: str | None = None
    doubts: int = 0
    left_out: bool = False

    _redacted: ClassVar[AbstractSet[str]] = {"detail"}


@frozen(kw_only=True)
class Completion:
    """A turn at its end; ``shut`` is until when and for how long, or ``None`` to leave the gate as it was."""

    campaign: int
    fence: int
    operation: int
    updates: list[tuple[int, RowUpdate]] = attrs.field(repr=False)
    in_flight: tuple[int, ...] = ()
    cleared: tuple[str, ...] = attrs.field(default=(), repr=False)
    shut: tuple[float, float] | None = None
    attempt: Attempt | None = None


def update_of(row: StoredRow, result: RowResult | None) -> RowUpdate:
    """Say what becomes of a row: it stays with its lane without a result, and waits in line if it was not sent."""
    if result is None:
        return RowUpdate(CLAIMED, doubts=row.doubts, left_out=row.unaccounted)
    if result.outcome is Outcome.NOT_SENT:
        return RowUpdate(WAITING, doubts=row.doubts, left_out=row.unaccounted)
    state = PARKED if result.outcome is Outcome.UNKNOWN else FINAL
    outcome = OUTCOMES.index(result.outcome)
    return RowUpdate(state, outcome, result.reason, result.detail, row.doubts, row.unaccounted)


def clears_doubt(operation: Operation, result: RowResult) -> bool:
    """Whether an answer proves that no earlier attempt brought the lead to the campaign."""
    rejected = result.outcome is Outcome.REJECTED and result.reason in _CLEARING
    return operation is Operation.ADD and (result.outcome is Outcome.CREATED or rejected)


def complete(db: Database, closing: Completion) -> None:
    """Write a turn down, if it is still ours; whatever happens, it is over."""
    try:
        with db.writing(patience=db.lease):
            _free(db, closing)
            touched = _update_rows(db, closing)
            _clear_doubts(db, closing)
            _count_post(db, closing)
            mark_finished(db, touched)
            if db.pending_release:  # rows that were released while the turn was open
                nack(db, db.me, ids=sorted(db.pending_release))
            db.note_presence()
    finally:
        db.slots.discard((closing.campaign, closing.fence))


def undo_claim(db: Database, campaign: int, fence: int, fresh: list[int]) -> None:
    """Give a claim back of which nothing was used."""
    try:
        with db.writing():
            db.run(
                "UPDATE gates SET owner = NULL, asked = NULL WHERE campaign = ? AND fence = ? AND owner = ?",
                campaign,
                fence,
                db.me,
            )
            db.run(
                f"""UPDATE rows SET state = {WAITING}, owner = NULL, fence = NULL WHERE state = {CLAIMED}
                AND owner = ? AND fence = ? AND id IN (SELECT value FROM json_each(?))""",  # noqa: S608
                db.me,
                fence,
                as_json(fresh),
            )
        if db.pending_release:
            release_pending(db)
    finally:
        db.slots.discard((campaign, fence))


def release(db: Database, ids: list[int]) -> int:
    """Take back rows that lanes here hold and that are in no open turn; say how many."""
    db.pending_release.update(ids)
    return release_pending(db)


def release_slots(db: Database) -> None:
    """Give everything back at the end; a turn that is still open counts as lost."""
    db.slots.clear()
    with db.writing():
        reap_lost_gates(db)
        nack(db, db.me)
        db.run("UPDATE jobs SET loader = NULL WHERE loader = ?", db.me)


def _free(db: Database, closing: Completion) -> None:
    due, hold = closing.shut or (None, None)
    freed = db.run(
        """UPDATE gates SET owner = NULL, asked = NULL, due = coalesce(?, due), hold = coalesce(?, hold),
        suspended = iif(?, NULL, suspended) WHERE campaign = ? AND fence = ? AND owner = ?""",
        due,
        hold,
        any(word.state == FINAL for _, word in closing.updates),
        closing.campaign,
        closing.fence,
        db.me,
    )
    if not freed:
        raise OutboxError(
            f"outbox {db.path.name}: the turn took too long and was taken over; its rows are doubted "
            "and go on elsewhere",
            reason="fenced",
        )


def _update_rows(db: Database, closing: Completion) -> list[int]:
    """Write the same words in one go; give the jobs concerned."""
    groups = defaultdict[RowUpdate, list[int]](list)
    for row_id, word in closing.updates:
        groups[word].append(row_id)
    for word, ids in groups.items():
        db.run(
            f"""UPDATE rows SET state = :state, outcome = :outcome, reason = :reason, detail = :detail,
            doubts = :doubts, left_out = :left_out,
            batch = iif(:doubts = 0, NULL,
                iif(coalesce(batch, -1) < 0 AND :doubts > doubts, :fence, coalesce(batch, :fence))),
            doubted_at = iif(:doubts > 0, coalesce(doubted_at, :now), NULL),
            owner = iif(:state = {CLAIMED}, owner, NULL), fence = NULL
            WHERE id IN (SELECT value FROM json_each(:ids)) AND state = {CLAIMED} AND owner = :me
            AND campaign = :campaign""",  # noqa: S608
            **asdict(word),
            fence=closing.fence,
            now=db.wall(),
            ids=as_json(ids),
            me=db.me,
            campaign=closing.campaign,
        )
    return sorted({row_id // ROWS_PER_JOB for row_id, _ in closing.updates})


def _clear_doubts(db: Database, closing: Completion) -> None:
    if not closing.cleared:
        return
    phones = as_json([int(phone) for phone in closing.cleared])
    db.run(
        """UPDATE rows SET doubts = 0, batch = NULL, doubted_at = NULL WHERE campaign = ? AND doubts > 0
        AND phone IN (SELECT value FROM json_each(?))""",
        closing.campaign,
        phones,
    )
    db.run(
        """UPDATE rows SET refused = 0 WHERE campaign = ? AND refused > 0
        AND phone IN (SELECT value FROM json_each(?))""",
        closing.campaign,
        phones,
    )


def _count_post(db: Database, closing: Completion) -> None:
    if closing.attempt is None:
        return
    _mark_refused(db, closing, closing.attempt)
    jobs = as_json(sorted({row_id // ROWS_PER_JOB for row_id in closing.in_flight}))
    db.run(
        """UPDATE jobs SET batches = batches + ?, attempts = attempts + 1, busy = busy + ?,
        anomalies = anomalies + ?, began = coalesce(began, ?), ended = ?
        WHERE n IN (SELECT value FROM json_each(?))""",
        closing.attempt.first,
        closing.attempt.busy,
        closing.attempt.anomalies,
        db.wall() - closing.attempt.seconds,
        db.wall(),
        jobs,
    )
    answered = Counter(row_id // ROWS_PER_JOB for row_id, word in closing.updates if word.outcome in _ANSWERED)
    db.run(
        """UPDATE lines SET attempts = attempts + 1, seconds = seconds + ?
        WHERE campaign = ? AND job IN (SELECT value FROM json_each(?))""",
        closing.attempt.seconds,
        closing.campaign,
        jobs,
    )
    db.run(
        """UPDATE lines SET answered = answered + n FROM (
            SELECT json_extract(value, '$[0]') AS number, json_extract(value, '$[1]') AS n FROM json_each(?))
        WHERE job = number AND campaign = ?""",
        as_json(list(answered.items())),
        closing.campaign,
    )


def _mark_refused(db: Database, closing: Completion, attempt: Attempt) -> None:
    """That a call refused as a whole stored nothing is an assumption: what it carried remembers it."""
    if attempt.refused and not closing.operation:
        back = {row_id for row_id, word in closing.updates if word.state == WAITING}
        db.run(
            "UPDATE rows SET refused = 1 WHERE id IN (SELECT value FROM json_each(?))",
            as_json([row_id for row_id in closing.in_flight if row_id not in back]),
        )
