"""Tests of the checker of the three histories: each breaks the engine in one place, which must be found."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from http_stage import phones, staged

from voiso_async.ingest import batch
from voiso_async.ingest.batch import Batch
from voiso_async.ingest.gate import LocalSlot
from voiso_async.ingest.handler import ResponseHandler
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import ReportBuilder
from voiso_async.ingest.rows import RowResult
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.sandbox import ApplyThenClose, Status

Break = Callable[[pytest.MonkeyPatch], None]


def forgetful(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch, "_result", lambda row, outcome, *_: RowResult(row, outcome))


def rash(patch: pytest.MonkeyPatch) -> None:
    async def close(turn: LocalSlot, results: Iterable[RowResult], hold: float | None, attempt: object) -> None:
        turn._gate.release(turn._waiter, None)

    patch.setattr(LocalSlot, "release", close)


def boastful(patch: pytest.MonkeyPatch) -> None:
    settle = LeadSubmission.resolve

    def settling(owner: LeadSubmission, results: Sequence[RowResult]) -> None:
        settle(owner, [RowResult(result.row, Outcome.CREATED) for result in results])

    patch.setattr(LeadSubmission, "resolve", settling)


def soothing(patch: pytest.MonkeyPatch) -> None:
    settle = LeadSubmission.resolve

    def settling(owner: LeadSubmission, results: Sequence[RowResult]) -> None:
        softened = {Outcome.UNKNOWN: Outcome.NOT_SENT}
        settle(owner, [RowResult(one.row, softened.get(one.outcome, one.outcome)) for one in results])

    patch.setattr(LeadSubmission, "resolve", settling)


def alarming(patch: pytest.MonkeyPatch) -> None:
    as_outcome = RowResult.as_outcome
    patch.setattr(RowResult, "as_outcome", lambda one: as_outcome(RowResult(one.row, Outcome.UNKNOWN)))


def unsteady(patch: pytest.MonkeyPatch) -> None:
    def body(sent: Batch) -> bytes:
        rows = sent.rows if sent.attempts <= 1 else sent.rows[::-1]
        return b"[" + b",".join(row.body for row in rows) + b"]"

    patch.setattr(Batch, "body", body)


def insistent(patch: pytest.MonkeyPatch) -> None:
    settled = ResponseHandler._settled

    def repeating(handler: ResponseHandler, sent: Batch, judged: Any, effect: Any) -> None:
        if sent.attempts < 3:
            handler._accumulator.retry(sent)
        else:
            settled(handler, sent, judged, effect)

    patch.setattr(ResponseHandler, "_settled", repeating)


def careless(patch: pytest.MonkeyPatch) -> None:
    count = ReportBuilder.count

    def counting(builder: ReportBuilder, results: Sequence[RowResult]) -> None:
        count(builder, [*results, results[0]])

    patch.setattr(ReportBuilder, "count", counting)


@pytest.mark.parametrize(
    ("broken", "faults", "expected"),
    [
        (forgetful, [ApplyThenClose()], "2 and 23: listed as duplicates, in doubt"),
        (rash, [Status(500)], "6"),
        (boastful, [ApplyThenClose()], "2 and 23"),
        (soothing, [ApplyThenClose(), ApplyThenClose()], "2 and 23: listed as nothing"),
        (alarming, [], "2 and 23: listed as created, certain, and called unknown"),
        (unsteady, [ApplyThenClose()], "8"),
        (insistent, [], "4 and 9"),
        (careless, [], "1"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_a_broken_engine_is_found_out(
    monkeypatch: pytest.MonkeyPatch, broken: Break, faults: list[Any], expected: str
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError) as caught:
        await _run(faults)
    assert str(caught.value).startswith(expected)


async def _run(faults: list[Any]) -> None:
    async with staged() as stage:
        stage.fail(*faults)
        await (await stage.client(doubt_attempts=2)).leads.add(3, phones(5))


async def test_a_sound_engine_passes() -> None:
    async with staged() as stage:
        stage.fail(ApplyThenClose(2))
        report = await (await stage.client()).leads.add(3, phones(5))
    assert report.ok
