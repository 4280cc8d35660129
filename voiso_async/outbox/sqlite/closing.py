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
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.recovery import free_lost_gates, give_back, take_back
from voiso_async.outbox.sqlite.schema import FINAL, LENT, OUTCOMES, PARKED, ROWS_PER_JOB, WAITING
from voiso_async.outbox.sqlite.storing import mark_finished

__all__ = ["Closing", "RowWord", "abandon_turns", "clears_doubt", "close_turn", "release", "undo_claim", "word_of"]

_CLEARING = {"server_rejected", "not_found"}
"""Reasons of REJECTED that an answer gives for the row itself."""
_ANSWERED = frozenset(OUTCOMES.index(outcome) for outcome in ANSWERED)


class RowWord(RedactedRepr, Struct, frozen=True):
    """How a row leaves a turn: where it goes, and what is known of it."""

    state: int
    outcome: int | None = None
    reason: str | None = None
    detail: str | None = None
    doubts: int = 0
    left_out: bool = False

    _redacted: ClassVar[AbstractSet[str]] = {"detail"}


@frozen(kw_only=True)
class Closing:
    """A turn at its end; ``shut`` is until when and for how long, or ``None`` to leave the gate as it was."""

    campaign: int
    fence: int
    operation: int
    words: list[tuple[int, RowWord]] = attrs.field(repr=False)
    flown: tuple[int, ...] = ()
    cleared: tuple[str, ...] = attrs.field(default=(), repr=False)
    shut: tuple[float, float] | None = None
    carried: Attempt | None = None


def word_of(row: StoredRow, result: RowResult | None) -> RowWord:
    """Say what becomes of a row: it stays with its lane without a result, and waits in line if it was not sent."""
    if result is None:
        return RowWord(LENT, doubts=row.doubts, left_out=row.unaccounted)
    if result.outcome is Outcome.NOT_SENT:
        return RowWord(WAITING, doubts=row.doubts, left_out=row.unaccounted)
    state = PARKED if result.outcome is Outcome.UNKNOWN else FINAL
    outcome = OUTCOMES.index(result.outcome)
    return RowWord(state, outcome, result.reason, result.detail, row.doubts, row.unaccounted)


def clears_doubt(operation: Operation, result: RowResult) -> bool:
    """Whether an answer proves that no earlier attempt brought the lead to the campaign."""
    rejected = result.outcome is Outcome.REJECTED and result.reason in _CLEARING
    return operation is Operation.ADD and (result.outcome is Outcome.CREATED or rejected)


def close_turn(ledger: Ledger, closing: Closing) -> None:
    """Write a turn down, if it is still ours; whatever happens, it is over."""
    try:
        with ledger.writing(patience=ledger.lease):
            _free(ledger, closing)
            touched = _write_words(ledger, closing)
            _clear_doubts(ledger, closing)
            _note_post(ledger, closing)
            mark_finished(ledger, touched)
            if ledger.owed:  # rows that were released while the turn was open
                give_back(ledger, ledger.me, ids=sorted(ledger.owed))
            ledger.note_presence()
    finally:
        ledger.turns.discard((closing.campaign, closing.fence))


def undo_claim(ledger: Ledger, campaign: int, fence: int, fresh: list[int]) -> None:
    """Give a claim back of which nothing was used."""
    try:
        with ledger.writing():
            ledger.run(
                "UPDATE gates SET owner = NULL, asked = NULL WHERE campaign = ? AND fence = ? AND owner = ?",
                campaign,
                fence,
                ledger.me,
            )
            ledger.run(
                f"""UPDATE rows SET state = {WAITING}, owner = NULL, fence = NULL WHERE state = {LENT}
                AND owner = ? AND fence = ? AND id IN (SELECT value FROM json_each(?))""",  # noqa: S608
                ledger.me,
                fence,
                as_json(fresh),
            )
        if ledger.owed:
            take_back(ledger)
    finally:
        ledger.turns.discard((campaign, fence))


def release(ledger: Ledger, ids: list[int]) -> int:
    """Take back rows that lanes here hold and that are in no open turn; say how many."""
    ledger.owed.update(ids)
    return take_back(ledger)


def abandon_turns(ledger: Ledger) -> None:
    """Give everything back at the end; a turn that is still open counts as lost."""
    ledger.turns.clear()
    with ledger.writing():
        free_lost_gates(ledger)
        give_back(ledger, ledger.me)
        ledger.run("UPDATE jobs SET loader = NULL WHERE loader = ?", ledger.me)


def _free(ledger: Ledger, closing: Closing) -> None:
    due, hold = closing.shut or (None, None)
    freed = ledger.run(
        """UPDATE gates SET owner = NULL, asked = NULL, due = coalesce(?, due), hold = coalesce(?, hold),
        suspended = iif(?, NULL, suspended) WHERE campaign = ? AND fence = ? AND owner = ?""",
        due,
        hold,
        any(word.state == FINAL for _, word in closing.words),
        closing.campaign,
        closing.fence,
        ledger.me,
    )
    if not freed:
        raise OutboxError(
            f"outbox {ledger.path.name}: the turn took too long and was taken over; its rows are doubted "
            "and go on elsewhere",
            reason="fenced",
        )


def _write_words(ledger: Ledger, closing: Closing) -> list[int]:
    """Write the same words in one go; give the jobs concerned."""
    groups = defaultdict[RowWord, list[int]](list)
    for row_id, word in closing.words:
        groups[word].append(row_id)
    for word, ids in groups.items():
        ledger.run(
            f"""UPDATE rows SET state = :state, outcome = :outcome, reason = :reason, detail = :detail,
            doubts = :doubts, left_out = :left_out,
            batch = iif(:doubts = 0, NULL,
                iif(coalesce(batch, -1) < 0 AND :doubts > doubts, :fence, coalesce(batch, :fence))),
            doubted_at = iif(:doubts > 0, coalesce(doubted_at, :now), NULL),
            owner = iif(:state = {LENT}, owner, NULL), fence = NULL
            WHERE id IN (SELECT value FROM json_each(:ids)) AND state = {LENT} AND owner = :me
            AND campaign = :campaign""",  # noqa: S608
            **asdict(word),
            fence=closing.fence,
            now=ledger.wall(),
            ids=as_json(ids),
            me=ledger.me,
            campaign=closing.campaign,
        )
    return sorted({row_id // ROWS_PER_JOB for row_id, _ in closing.words})


def _clear_doubts(ledger: Ledger, closing: Closing) -> None:
    if not closing.cleared:
        return
    phones = as_json([int(phone) for phone in closing.cleared])
    ledger.run(
        """UPDATE rows SET doubts = 0, batch = NULL, doubted_at = NULL WHERE campaign = ? AND doubts > 0
        AND phone IN (SELECT value FROM json_each(?))""",
        closing.campaign,
        phones,
    )
    ledger.run(
        """UPDATE rows SET refused = 0 WHERE campaign = ? AND refused > 0
        AND phone IN (SELECT value FROM json_each(?))""",
        closing.campaign,
        phones,
    )


def _note_post(ledger: Ledger, closing: Closing) -> None:
    if closing.carried is None:
        return
    _note_refusal(ledger, closing, closing.carried)
    jobs = as_json(sorted({row_id // ROWS_PER_JOB for row_id in closing.flown}))
    ledger.run(
        """UPDATE jobs SET batches = batches + ?, attempts = attempts + 1, busy = busy + ?,
        anomalies = anomalies + ?, began = coalesce(began, ?), ended = ?
        WHERE n IN (SELECT value FROM json_each(?))""",
        closing.carried.first,
        closing.carried.busy,
        closing.carried.anomalies,
        ledger.wall() - closing.carried.seconds,
        ledger.wall(),
        jobs,
    )
    answered = Counter(row_id // ROWS_PER_JOB for row_id, word in closing.words if word.outcome in _ANSWERED)
    ledger.run(
        """UPDATE lines SET attempts = attempts + 1, seconds = seconds + ?
        WHERE campaign = ? AND job IN (SELECT value FROM json_each(?))""",
        closing.carried.seconds,
        closing.campaign,
        jobs,
    )
    ledger.run(
        """UPDATE lines SET answered = answered + n FROM (
            SELECT json_extract(value, '$[0]') AS number, json_extract(value, '$[1]') AS n FROM json_each(?))
        WHERE job = number AND campaign = ?""",
        as_json(list(answered.items())),
        closing.campaign,
    )


def _note_refusal(ledger: Ledger, closing: Closing, carried: Attempt) -> None:
    """That a call refused as a whole stored nothing is an assumption: what it carried remembers it."""
    if carried.refused and not closing.operation:
        back = {row_id for row_id, word in closing.words if word.state == WAITING}
        ledger.run(
            "UPDATE rows SET refused = 1 WHERE id IN (SELECT value FROM json_each(?))",
            as_json([row_id for row_id in closing.flown if row_id not in back]),
        )
