"""The outcome of a row as a value: frozen, comparable, without personal data in its repr."""

import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest
from rich.pretty import pretty_repr

from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.prepare import FileRow
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Row, RowResult
from voiso_async.ingest.verdict import LeadReply
from voiso_async.outbox.jobs import JobOutcome
from voiso_async.outbox.lead_reader import Entry
from voiso_async.talkdesk.records import RecordRow

WORDS: dict[str, Any] = {
    "outcome": Outcome.REJECTED,
    "phone": "441632960123",
    "key": "crm-9",
    "detail": "R. Okafor is barred",
}
ROW = FileRow(lead={"phone_number": "441632960123"}, row=2, cells=("R.",))
LEAD = LeadOutcome(index=7, reason="server_refused", **WORDS)
WAITING = Row(7, "441632960123", b"R. Okafor", "crm-9", cast("Any", "R."))
RECORD = RecordRow(7, "441632960123", b"R. Okafor", "crm-9", cast("Any", "R."), identity="441632960123")
RESULT = RowResult(WAITING, Outcome.REJECTED, "server_refused", "R. Okafor is barred")
ENTRY = Entry(7, 3, 441632960123, "crm-9", b"R. Okafor", 2, b"R. Okafor", Outcome.REJECTED, detail="R. Okafor")
ANSWER = LeadReply(outcomes={"441632960123": Outcome.CREATED}, conflicting=frozenset({"441632960123"}))
REPORT = IngestReport(counts={}, reasons={}, outcomes=(LEAD,), problems=(LEAD,))
JOB = JobOutcome(index=7, campaign=3, row=9, cells=("441632960123", "R. Okafor"), **WORDS)


def test_an_outcome_hashes_like_the_text_it_is_equal_to() -> None:
    counts: dict[str, int] = {Outcome.CREATED: 2}
    assert 2 == counts["created"]
    assert {"created"} == {Outcome.CREATED, "created"}
    assert all(hash(outcome) == hash(outcome.value) for outcome in Outcome)


@pytest.mark.parametrize("show", [repr, pretty_repr])
@pytest.mark.parametrize("value", [LEAD, JOB, ROW, WAITING, RECORD, RESULT, ENTRY, ANSWER, REPORT])
def test_nothing_personal_stands_in_the_repr(value: object, show: Callable[[object], str]) -> None:
    """Nor in the repr of rich, whose tracebacks show the locals of each frame."""
    shown = show(value)
    assert shown.startswith(type(value).__name__)
    assert not any(text in shown for text in ("441632960123", "crm-9", "Okafor", "R."))


def test_the_repr_shows_what_is_not_personal() -> None:
    assert "LeadOutcome(index=7, outcome=<Outcome.REJECTED: 'rejected'>, reason='server_refused'," in repr(LEAD)
    assert "campaign=3, row=9, pending=False" in repr(JOB)


@pytest.mark.parametrize("value", [LEAD, JOB])
def test_it_is_a_value(value: LeadOutcome) -> None:
    twin = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
    assert (value, hash(value)) == (twin, hash(twin))
    assert type(value) is type(twin)
    with pytest.raises(AttributeError):
        value.outcome = Outcome.CREATED  # type: ignore[misc]
