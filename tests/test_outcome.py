"""The final word on a row as a value: frozen, comparable, and silent about the person."""

import pickle
from typing import Any

import pytest

from voiso_async.ingest.intake import FileRow
from voiso_async.ingest.jobs import JobOutcome
from voiso_async.ingest.outcome import LeadOutcome, Outcome

WORDS: dict[str, Any] = {
    "outcome": Outcome.REJECTED,
    "phone": "441632960123",
    "key": "crm-9",
    "detail": "R. Okafor is barred",
}
ROW = FileRow(lead={"phone_number": "441632960123"}, row=2, cells=("R.",))
LEAD = LeadOutcome(index=7, reason="server_refused", **WORDS)
JOB = JobOutcome(index=7, campaign=3, row=9, cells=("441632960123", "R. Okafor"), **WORDS)


def test_an_outcome_hashes_like_the_text_it_is_equal_to() -> None:
    counts: dict[str, int] = {Outcome.CREATED: 2}
    assert 2 == counts["created"]
    assert {"created"} == {Outcome.CREATED, "created"}
    assert all(hash(outcome) == hash(outcome.value) for outcome in Outcome)


@pytest.mark.parametrize("value", [LEAD, JOB, ROW])
def test_nothing_personal_stands_in_the_repr(value: LeadOutcome | FileRow) -> None:
    shown = repr(value)
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
