"""A lead becomes a row or an INVALID outcome; nothing raises, nothing is coerced."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import prepare
from voiso_async.ingest.rows import Operation, Row
from voiso_async.ingest.submission import LeadSubmission
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate

PHONE = "441632960123"


def made(lead: Any, operation: Operation = Operation.ADD) -> Row | LeadOutcome:
    owner = LeadSubmission(operation, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
    return prepare([lead], 0, operation, owner)[0]


def body(lead: Any, operation: Operation = Operation.ADD) -> dict[str, Any]:
    row = made(lead, operation)
    assert isinstance(row, Row)
    decoded: dict[str, Any] = json.loads(row.body)
    return decoded


FULL = {
    "phone_number": PHONE,
    "name": "R. Okafor",
    "priority": 5,
    "active": True,
    "source": {"system": "billing", "url": "https://crm.example.net/c/9"},
    "context_headers": {"X-Plan": "gold", "X-Ref.2": "9"},
}


@pytest.mark.parametrize(
    "lead", [PHONE, 441632960123, {"phone_number": PHONE}, Lead(PHONE), Lead("+44 1632 960123")]
)
def test_every_form_of_a_bare_lead(lead: Any) -> None:
    assert {"phone_number": PHONE} == body(lead)


def test_a_full_lead_keeps_the_vendors_fields() -> None:
    assert FULL == body(FULL)
    lead = Lead(
        PHONE,
        name="R. Okafor",
        priority=5,
        active=True,
        source=LeadSource(system="billing", url="https://crm.example.net/c/9"),
        context_headers={"X-Plan": "gold", "X-Ref.2": "9"},
    )
    assert FULL == body(lead)


def test_absent_and_none_are_left_out() -> None:
    assert {"phone_number": PHONE, "source": {"system": "crm"}} == body(
        {"phone_number": PHONE, "name": None, "source": {"system": "crm", "url": None}}
    )


def test_the_callers_key_is_kept_and_not_sent() -> None:
    row = made({"phone_number": PHONE, "key": 17})
    assert isinstance(row, Row)
    assert "17" == row.key
    assert b"17" not in row.body


def test_an_update_has_only_what_can_be_changed() -> None:
    assert {"phone_number": PHONE, "active": False} == body(LeadUpdate(PHONE, active=False), Operation.UPDATE)


class Hostile(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise MemoryError

    def __iter__(self) -> Iterator[str]:
        return iter(["phone_number"])

    def __len__(self) -> int:
        return 1


def lead_with(**fields: Any) -> dict[str, Any]:
    return {"phone_number": PHONE} | fields


@pytest.mark.row(169, 170, 171, 172, 173, 174, 175)
@pytest.mark.parametrize(
    ("lead", "field", "reason"),
    [
        (None, "lead", "wrong_type"),
        ([PHONE], "lead", "wrong_type"),
        (LeadUpdate(PHONE), "lead", "wrong_type"),
        ({}, "phone_number", "empty"),
        ({"phone": PHONE}, "phone_number", "empty"),
        (lead_with(email="a@example.com"), "email", "unknown_field"),
        ({1: 2, "phone_number": PHONE}, "(unnamed)", "unknown_field"),
        (lead_with(priority="10"), "priority", "out_of_range"),
        (lead_with(priority=1e9), "priority", "out_of_range"),
        (lead_with(priority=float("nan")), "priority", "out_of_range"),
        (lead_with(priority=True), "priority", "out_of_range"),
        (lead_with(priority=0), "priority", "out_of_range"),
        (lead_with(priority=1001), "priority", "out_of_range"),
        (lead_with(active="false"), "active", "wrong_type"),
        (lead_with(active=1), "active", "wrong_type"),
        (lead_with(name=5), "name", "wrong_type"),
        (lead_with(name="n" * 1001), "name", "too_long"),
        (lead_with(name="a\u202eb"), "name", "hidden_character"),
        (lead_with(name="a\x00b"), "name", "hidden_character"),
        (lead_with(name="a\ud800b"), "name", "hidden_character"),
        (lead_with(source="crm"), "source", "wrong_type"),
        (lead_with(source={"system": "crm", "id": 1}), "source", "wrong_type"),
        (lead_with(source={"url": "javascript:alert(1)"}), "source.url", "bad_url"),
        (lead_with(source={"url": "data:text/html,x"}), "source.url", "bad_url"),
        (lead_with(source={"url": "file:///etc/passwd"}), "source.url", "bad_url"),
        (lead_with(source={"url": "https://user:pw@example.com/"}), "source.url", "bad_url"),
        (lead_with(source={"url": "https://example.com/a b"}), "source.url", "bad_url"),
        (lead_with(source={"url": "https://"}), "source.url", "bad_url"),
        (lead_with(context_headers="X-A: b"), "context_headers", "wrong_type"),
        (lead_with(context_headers={"Plan": "gold"}), "context_headers", "bad_header_name"),
        (lead_with(context_headers={"X-": "gold"}), "context_headers", "bad_header_name"),
        (lead_with(context_headers={"X-A\r\nB": "gold"}), "context_headers", "bad_header_name"),
        (lead_with(context_headers={"X-A\n": "gold"}), "context_headers", "bad_header_name"),
        (lead_with(context_headers={f"X-{i}": "a" for i in range(65)}), "context_headers", "too_many"),
        (lead_with(context_headers={"X-A": "b\r\nVia: c"}), "context_headers.X-A", "hidden_character"),
        (lead_with(context_headers={"X-A": "b\x85"}), "context_headers.X-A", "hidden_character"),
        (lead_with(context_headers={"X-A": "b\u2028"}), "context_headers.X-A", "hidden_character"),
        (lead_with(context_headers={"X-A": "v" * 10_240}), "context_headers.X-A", "too_long"),
        (lead_with(context_headers={"X-A": 5}), "context_headers.X-A", "wrong_type"),
        (lead_with(context_headers={f"X-{i}": "\u20ac" * 1024 for i in range(64)}), "lead", "too_large"),
        (lead_with(key=[1]), "key", "wrong_type"),
        (Hostile(), "lead", "unreadable"),
    ],
)
def test_what_cannot_be_sent_names_field_and_reason(lead: Any, field: str, reason: str) -> None:
    outcome = made(lead)
    assert isinstance(outcome, LeadOutcome)
    assert (Outcome.INVALID, field, reason) == (outcome.outcome, outcome.field, outcome.reason)
    assert outcome.detail


@pytest.mark.parametrize(
    ("lead", "field", "reason"),
    [
        (LeadUpdate(PHONE), "lead", "nothing_to_update"),
        (PHONE, "lead", "nothing_to_update"),
        (Lead(PHONE, name="x"), "lead", "wrong_type"),
        (lead_with(context_headers={"X-A": "b"}), "context_headers", "unknown_field"),
    ],
)
def test_what_an_update_cannot_carry(lead: Any, field: str, reason: str) -> None:
    outcome = made(lead, Operation.UPDATE)
    assert isinstance(outcome, LeadOutcome)
    assert (field, reason) == (outcome.field, outcome.reason)


def test_nothing_personal_in_any_text() -> None:
    row = made(FULL | {"key": "crm-9"})
    invalid = made(FULL | {"priority": 0, "key": "crm-9"})
    for text in (repr(row), repr(invalid), str(invalid)):
        assert not any(secret in text for secret in (PHONE, "Okafor", "crm", "gold"))


@pytest.mark.row(200)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.binary(), st.lists))
def test_any_object_is_a_row_or_an_outcome(lead: Any) -> None:
    assert isinstance(made(lead), Row | LeadOutcome)


FIELDS = st.sampled_from([*FULL, "key", "other"])
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dictionaries(st.text(), st.text())
)


@given(st.dictionaries(FIELDS, VALUES))
def test_any_mapping_is_a_row_or_an_outcome(lead: dict[str, Any]) -> None:
    made_of_it = made(lead)
    assert isinstance(made_of_it, Row | LeadOutcome)
    if isinstance(made_of_it, Row):
        assert made_of_it.phone == json.loads(made_of_it.body)["phone_number"]
