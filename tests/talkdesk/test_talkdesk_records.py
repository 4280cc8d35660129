"""A record becomes a row or is refused here; an answer is matched with the rows it is about. Pure."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiso_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Outcome,
    RateLimitError,
    ResponseError,
    TLSError,
    VoisoError,
)
from voiso_async.convert import encode
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import InvalidLead
from voiso_async.ingest.verdict import Busy, Fatal, InDoubt, NotSent, Refused, TooLarge
from voiso_async.talkdesk import IdentifierType, Record
from voiso_async.talkdesk.records import RecordRow, prepare_record
from voiso_async.talkdesk.reply import Accepted, matched, record_reply, verdict_of
from voiso_async.talkdesk.submission import RecordRows
from voiso_async.wire import Response

PHONE, EXTERNAL, NOTHING = IdentifierType
SUBMISSION = RecordRows(PHONE, LanePolicy(), lambda: 0.0, dedupe=True, streamed=False)
RUI: dict[str, Any] = {"phone_number": "441632960011", "first_name": "Rui", "last_name": "Mota"}


def prepared(record: Any, kind: IdentifierType | None = PHONE) -> RecordRow | LeadOutcome:
    return prepare_record(record, 0, kind, SUBMISSION)


def rows(*numbers: int, kind: IdentifierType = PHONE) -> list[RecordRow]:
    found = []
    for number in numbers:
        record = Record(
            f"1201555{number:04}", first_name="A", last_name="B", external_provider="crm", external_id=str(number)
        )
        row = prepared(record, kind)
        assert isinstance(row, RecordRow)
        found.append(row)
    return found


def test_a_record_is_written_as_the_contract_has_it() -> None:
    record = Record(
        "+44 1632 960 011",
        first_name=" Rui ",
        last_name="Mota",
        phones={"home": "12015550001"},
        timezone="Europe/Lisbon",
        priority=10,
        external_provider="crm",
        external_id="9",
        external_url="https://crm.example.net/9",
        sync_external_id=False,
        extra_data={"plan": "gold"},
        key="row 7",
    )
    row = prepared(record)
    assert isinstance(row, RecordRow)
    assert ("441632960011", "row 7", 2) == (row.phone, row.key, row.phones)
    assert {
        "phone_numbers": [
            {"phone_number": "+441632960011", "phone_type": "MOBILE"},
            {"phone_number": "+12015550001", "phone_type": "HOME"},
        ],
        "first_name": "Rui",
        "last_name": "Mota",
        "timezone": "Europe/Lisbon",
        "priority": 10,
        "external_provider": "crm",
        "external_id": "9",
        "external_url": "https://crm.example.net/9",
        "sync_external_id": False,
        "extra_data": {"plan": "gold"},
    } == json.loads(row.body)
    assert not any(secret in repr(record) + repr(row) for secret in ("1632", "Rui", "Mota", "gold"))


@pytest.mark.parametrize(
    ("name", "first", "last"), [("Rui Mota", "Rui", "Mota"), (" Ana  de Sá Reis ", "Ana de Sá", "Reis")]
)
def test_one_name_is_split_at_its_last_blank(name: str, first: str, last: str) -> None:
    row = prepared({"phone_number": 441632960011, "name": name})
    assert isinstance(row, RecordRow)
    sent = json.loads(row.body)
    assert (first, last) == (sent["first_name"], sent["last_name"])


@pytest.mark.parametrize(
    ("record", "field", "reason"),
    [
        ("441632960011", "record", "wrong_type"),
        (None, "record", "wrong_type"),
        ({"first_name": "Rui", "last_name": "Mota"}, "phone_number", "empty"),
        (RUI | {"phone_number": "12"}, "phone_number", "too_short"),
        (RUI | {"phone_number": True}, "phone_number", "not_text"),
        (RUI | {"phone_type": "FAX"}, "phone_type", "unknown_type"),
        (RUI | {"phones": "441632960012"}, "phones", "wrong_type"),
        (RUI | {"phones": {"FAX": "441632960012"}}, "phone_type", "unknown_type"),
        (RUI | {"phones": {"HOME": "x"}}, "phones", "letters"),
        (RUI | {"phones": {"MOBILE": "441632960012"}}, "phones", "repeated_type"),
        ({"phone_number": "441632960011"}, "first_name", "missing"),
        ({"phone_number": "441632960011", "name": "Rui"}, "first_name", "missing"),
        (RUI | {"first_name": "  "}, "first_name", "missing"),
        (RUI | {"last_name": None}, "last_name", "missing"),
        (RUI | {"first_name": 3}, "first_name", "wrong_type"),
        (RUI | {"first_name": "x" * 81}, "first_name", "too_long"),
        (RUI | {"last_name": "a\u202eb"}, "last_name", "hidden_character"),
        (RUI | {"last_name": "\ud800"}, "last_name", "hidden_character"),
        (RUI | {"timezone": "x" * 36}, "timezone", "too_long"),
        (RUI | {"priority": 0}, "priority", "out_of_range"),
        (RUI | {"priority": 11}, "priority", "out_of_range"),
        (RUI | {"priority": "5"}, "priority", "out_of_range"),
        (RUI | {"priority": True}, "priority", "out_of_range"),
        (RUI | {"sync_external_id": "yes"}, "sync_external_id", "wrong_type"),
        (RUI | {"extra_data": []}, "extra_data", "wrong_type"),
        (RUI | {"extra_data": {3: 4}}, "extra_data", "wrong_type"),
        (RUI | {"extra_data": {"x": object()}}, "record", "unreadable"),
        (RUI | {"extra_data": {"x": "y" * 70_000}}, "record", "too_large"),
        (RUI | {"key": "x" * 257}, "key", "too_long"),
        (RUI | {"active": False}, "active", "unknown_field"),
        (RUI | {"44 1632 960 012": 1}, "(unnamed)", "unknown_field"),
        (InvalidLead(field="phone_number", reason="empty", detail="so"), "phone_number", "empty"),
    ],
)
def test_what_cannot_be_sent_is_refused_here(record: Any, field: str, reason: str) -> None:
    refused = prepared(record)
    assert isinstance(refused, LeadOutcome)
    assert (Outcome.INVALID, field, reason) == (refused.outcome, refused.field, refused.reason)
    assert refused.detail
    assert refused.key is None
    assert "1632" not in f"{refused.detail}{refused!r}"


def test_a_list_of_external_ids_needs_them() -> None:
    refused = prepared(RUI, EXTERNAL)
    assert isinstance(refused, LeadOutcome)
    assert ("external_id", "missing") == (refused.field, refused.reason)
    assert isinstance(prepared(RUI, NOTHING), RecordRow)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["phone_number", "name", "phones", "x"]), inner)
        ),
    )
)
def test_any_input_is_a_row_or_an_outcome(record: Any) -> None:
    assert isinstance(prepared(record), RecordRow | LeadOutcome)


ENVELOPE = {"code": "0530900", "message": "wrong"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"_embedded": {"records": []}}, Accepted),
        (200, {"_embedded": {"records": []}}, Accepted),
        (201, {"has_errors": False, "total_created": 3}, InDoubt),
        (201, {"_embedded": {"records": {}}}, InDoubt),
        (201, [], InDoubt),
        (204, None, InDoubt),
        (200, "<html>", InDoubt),
        (408, None, InDoubt),
        (500, ENVELOPE, InDoubt),
        (503, None, InDoubt),
        (600, None, InDoubt),
        (429, None, Busy),
        (429, ENVELOPE, Busy),
        (413, None, TooLarge),
        (400, ENVELOPE | {"code": "0530936"}, TooLarge),
        (400, ENVELOPE | {"code": "0530911"}, Fatal),
        (400, ENVELOPE, Refused),
        (422, ENVELOPE, Refused),
        (400, None, InDoubt),
        (422, "<html>", InDoubt),
        (301, None, Fatal),
        (401, ENVELOPE, Fatal),
        (403, None, Fatal),
        (404, None, Fatal),
        (409, ENVELOPE, Fatal),
        (409, None, InDoubt),
        (418, None, InDoubt),
    ],
)
def test_every_answer_has_a_verdict(status: int, body: Any, expected: type) -> None:
    data = b"" if body is None else body.encode() if isinstance(body, str) else encode(body)
    assert expected is type(verdict_of(Response(status=status, body=data)))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectError("no", proof="not_sent"), NotSent),
        (ConnectionLostError("no", proof="in_doubt"), InDoubt),
        (ResponseError("no"), InDoubt),
        (ResponseError("no", proof="not_sent"), Fatal),
        (TLSError("no", proof="not_sent"), Fatal),
        (ConfigurationError("no"), Fatal),
        (AuthenticationError("no", status=401, proof="not_sent"), Fatal),
        (RateLimitError("no", status=429, proof="not_sent"), NotSent),
    ],
)
def test_every_error_has_a_verdict(error: VoisoError, expected: type) -> None:
    assert expected is type(verdict_of(error))


@given(st.integers(100, 699), st.binary() | st.sampled_from([encode(ENVELOPE), b'{"_embedded":{"records":[1]}}']))
@example(200, b'{"_embedded":{"records":[]}}')
def test_no_success_is_read_out_of_anything_but_records(status: int, body: bytes) -> None:
    success = isinstance(verdict_of(Response(status=status, body=body)), Accepted)
    assert not success or (200 <= status < 300 and b"records" in body)


@pytest.mark.parametrize(
    ("errors", "outcome", "reason", "field"),
    [
        (None, Outcome.CREATED, None, None),
        ([], Outcome.CREATED, None, None),
        ("PHONE_NUMBER_INVALID", Outcome.CREATED, None, None),  # an array, or none failed
        (["PHONE_NUMBER_NOT_UNIQUE"], Outcome.DUPLICATE, None, None),
        (["EXTERNAL_REF_NOT_UNIQUE"], Outcome.DUPLICATE, None, None),
        (["PHONE_NUMBER_INVALID"], Outcome.REJECTED, "phone_number_invalid", "phone_number"),
        (["PHONE_NUMBER_NOT_UNIQUE", "TIMEZONE_MISSING"], Outcome.REJECTED, "timezone_missing", "timezone"),
        (["OTHER"], Outcome.REJECTED, "other", None),
        ([3], Outcome.REJECTED, "3", None),
    ],
)
def test_what_is_said_of_a_record(errors: Any, outcome: Outcome, reason: str | None, field: str | None) -> None:
    said = record_reply({"id": "r1", "errors": errors})
    assert (outcome, reason, field) == (said.outcome, said.reason, said.field)


def about(number: int, **more: Any) -> dict[str, Any]:
    """A record of an answer."""
    return {"phone_numbers": [{"phone_number": f"+1201555{number:04}"}], "mark": number, **more}


MARKED = [
    # rows, the answer, what belongs to each row, unexpected records
    ((1, 2), [about(1), about(2)], [[1], [2]], 0),
    ((1, 2), [about(2), about(1)], [[1], [2]], 0),
    ((1, 2), [about(2)], [[], [2]], 0),
    ((1, 2), [], [[], []], 0),
    ((1, 2), [about(1), about(2), about(7)], [[1], [2]], 1),
    ((1, 2), [about(1), about(1, mark=9), about(2)], [[1, 9], [2]], 0),
    # by position only where a record names nobody of the batch, and the counts agree
    ((1, 2), [about(1), {"mark": 2}], [[1], [2]], 0),
    ((1, 2), [{"mark": 1}, about(1, mark=9)], [[9], []], 1),
    ((1, 2), [about(1), about(1, mark=9)], [[1], []], 1),
    ((1, 2), [{"mark": 1}], [[], []], 1),
    ((1, 2), [{"phone_number": "1201 555-0001", "mark": 1}, about(2)], [[1], [2]], 0),
    # rows that the list does not tell apart
    ((1, 1), [about(1), about(1, mark=9)], [[1], [9]], 0),
    ((1, 1), [about(1)], [[], []], 1),
]


@pytest.mark.parametrize(("sent", "answered", "expected", "unexpected"), MARKED)
def test_an_answer_is_matched_with_its_rows(
    sent: tuple[int, ...], answered: list[Any], expected: list[list[int]], unexpected: int
) -> None:
    found, others = matched(rows(*sent), answered, PHONE)
    assert (expected, unexpected) == ([[record["mark"] for record in records] for records in found], others)


def test_a_list_of_external_ids_matches_by_them() -> None:
    answered = [about(9, external_provider="crm", external_id=number) for number in ("2", "1")]
    found, others = matched(rows(1, 2, kind=EXTERNAL), answered, EXTERNAL)
    assert ([["1"], ["2"]], 0) == ([[record["external_id"] for record in records] for records in found], others)
