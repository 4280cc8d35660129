"""The verdict is a total function, and its table is the documented one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiso_async.errors import (
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    TLSError,
    VoisoError,
)
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.verdict import (
    AnyVerdict,
    Busy,
    Fatal,
    InDoubt,
    NotSent,
    Refused,
    Settled,
    TooLarge,
    verdict,
)
from voiso_async.wire import Response

ADD, UPDATE = Operation.ADD, Operation.UPDATE
LISTS = b'{"leads_import": {"created": ["441632960123"], "rejected": [], "duplicates": []}}'
SIMPLE = b'{"error": "no"}'
FIELDS = b'{"errors": {"name": ["is missing"]}}'
HTML = b"<html>no</html>"


def answered(status: int, body: bytes = b"", **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=names, body=body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ConnectError("no", proof="not_sent"), NotSent()),
        (RequestTimeoutError("no", proof="not_sent"), NotSent()),
        (TLSError("no", proof="not_sent"), Fatal(everything=True)),
        (ClientClosedError("no"), Fatal(everything=True)),
        (ConnectionLostError("no", proof="in_doubt"), InDoubt()),
        (RequestTimeoutError("no", proof="in_doubt"), InDoubt()),
        (ResponseError("no", reason="too_big"), InDoubt()),
        (VoisoError("no"), InDoubt()),
    ],
)
def test_errors(answer: VoisoError, expected: AnyVerdict) -> None:
    assert expected == verdict(ADD, answer)


NOTHING_SAID: list[Any] = [None, "", " ", False, [], {}, [[]], {"base": []}, {"base": {"name": ["", None]}}]
SUCCESSES = [200, 201, 202, 203, 204, 206, 207, 226, 299]


@pytest.mark.parametrize("status", SUCCESSES)
@pytest.mark.parametrize("name", ["error", "errors"])
@pytest.mark.parametrize("value", NOTHING_SAID, ids=repr)
def test_an_envelope_that_says_nothing_takes_no_lists_away(status: int, name: str, value: Any) -> None:
    lists = {"created": ["441632960123"], "rejected": [], "duplicates": []}
    for body in ({"leads_import": lists, name: value}, {**lists, name: value}, {"x": {**lists, name: value}}):
        for operation in Operation:
            judged = verdict(operation, answered(status, json.dumps(body).encode()))
            assert isinstance(judged, Settled)
            assert ["441632960123"] == list(judged.reply.outcomes)


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("where", ["beside", "within"])
def test_lists_beside_an_error_message_hold_for_the_numbers_they_name(operation: Operation, where: str) -> None:
    """And for no others: their rows are in doubt."""
    lists: dict[str, Any] = {"created": ["441632960123"], "rejected": ["441632960124"]}
    error = {"errors": {"2.name": ["is too long"]}}
    body = {"leads_import": lists, **error} if where == "beside" else {"leads_import": lists | error}
    judged = verdict(operation, answered(207, json.dumps(body).encode()))
    assert isinstance(judged, Settled)
    assert {"441632960123", "441632960124"} == set(judged.reply.outcomes)
    assert not judged.reply.no_lists
    assert "too long" not in repr(judged)


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize(
    "body",
    [
        {"leads_import": {"created": [], "rejected": [], "duplicates": []}, "error": "the queue is full"},
        {"leads_import": {"created": [], "error": "the queue is full"}},
        {"created": [], "errors": ["the queue is full"]},
        {"leads_import": {"created": [None, "none"]}, "errors": ["the queue is full"]},
        {"errors": {"created": ["must be later than 1970"], "rejected": ["is missing"]}},
    ],
    ids=repr,
)
def test_an_error_message_beside_lists_that_name_nobody_proves_nothing(operation: Operation, body: Any) -> None:
    assert InDoubt() == verdict(operation, answered(200, json.dumps(body).encode()))


@pytest.mark.parametrize("value", NOTHING_SAID, ids=repr)
def test_an_update_answered_by_an_empty_envelope_is_settled_without_a_word(value: Any) -> None:
    judged = verdict(UPDATE, answered(200, json.dumps({"errors": value}).encode()))
    assert isinstance(judged, Settled)
    assert judged.reply.no_lists
    assert InDoubt() == verdict(ADD, answered(200, json.dumps({"errors": value}).encode()))


@pytest.mark.parametrize("status", SUCCESSES)
def test_any_2xx_settles_if_its_body_does(status: int) -> None:
    assert isinstance(verdict(ADD, answered(status, LISTS)), Settled)
    assert isinstance(verdict(UPDATE, answered(status, LISTS)), Settled)
    for body in (b"", b" \n", b"{}", b'{"status": "accepted"}'):
        assert isinstance(verdict(UPDATE, answered(status, body)), Settled)
        assert InDoubt() == verdict(ADD, answered(status, body))
    for body in (HTML, b"[]", b"null", SIMPLE, LISTS[:-3]):
        assert InDoubt() == verdict(ADD, answered(status, body)) == verdict(UPDATE, answered(status, body))


@pytest.mark.parametrize("body", [b"", SIMPLE, FIELDS, HTML, LISTS])
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 507, 520, 527, 599])
@pytest.mark.parametrize("operation", list(Operation))
def test_server_faults_are_in_doubt(operation: Operation, status: int, body: bytes) -> None:
    assert InDoubt() == verdict(operation, answered(status, body))


@pytest.mark.parametrize(
    ("operation", "status", "body", "expected"),
    [
        (ADD, 200, LISTS, Settled),
        (ADD, 201, LISTS, Settled),
        (ADD, 202, LISTS, Settled),
        (ADD, 200, b'\xef\xbb\xbf{"created": ["441632960123"]}', Settled),
        (ADD, 200, b'{"leads_import": {"rejected": []}}', Settled),
        (ADD, 200, b'{"leads_import": {}}', InDoubt),
        (ADD, 200, b'{"leads_import": {"created": null}}', InDoubt),
        (ADD, 200, b'{"leads_import": {"created": {}}}', InDoubt),
        (ADD, 204, b"", InDoubt),
        (ADD, 200, b"", InDoubt),
        (ADD, 200, SIMPLE, InDoubt),
        (ADD, 200, FIELDS, InDoubt),
        (ADD, 200, HTML, InDoubt),
        (ADD, 200, b"[]", InDoubt),
        (ADD, 200, b"\xff\xfe", InDoubt),
        (ADD, 200, LISTS[:-3], InDoubt),
        (ADD, 200, b"[" * 200_000, InDoubt),
        (UPDATE, 204, b"", Settled),
        (UPDATE, 200, b"{}", Settled),
        (UPDATE, 200, b'{"leads_update": {"updated": []}}', Settled),
        (UPDATE, 200, SIMPLE, InDoubt),
        (UPDATE, 200, b"[]", InDoubt),
        (UPDATE, 200, HTML, InDoubt),
        (ADD, 429, b"", Busy),
        (ADD, 429, HTML, Busy),
        (ADD, 409, FIELDS, Busy),
        (ADD, 423, SIMPLE, Busy),
        (ADD, 409, HTML, InDoubt),
        (ADD, 423, b"", InDoubt),
        (ADD, 413, b"", TooLarge),
        (ADD, 413, SIMPLE, TooLarge),
        (ADD, 400, SIMPLE, Refused),
        (ADD, 422, FIELDS, Refused),
        (ADD, 400, HTML, InDoubt),
        (ADD, 422, b"", InDoubt),
        (ADD, 401, b"", Fatal),
        (ADD, 403, HTML, Fatal),
        (ADD, 404, SIMPLE, Fatal),
        (UPDATE, 405, b"", Fatal),
        (ADD, 301, b"", Fatal),
        (ADD, 308, SIMPLE, Fatal),
        (ADD, 418, SIMPLE, Fatal),
        (ADD, 418, b"", InDoubt),
        (ADD, 101, b"", InDoubt),
        (ADD, 999, b"", InDoubt),
        (ADD, 999, SIMPLE, Fatal),
    ],
)
def test_answers(operation: Operation, status: int, body: bytes, expected: type[AnyVerdict]) -> None:
    assert isinstance(verdict(operation, answered(status, body)), expected)


@pytest.mark.parametrize("status", [200, 207, 400, 401, 409, 413, 418, 422, 429, 500])
@pytest.mark.parametrize(
    "body",
    [
        {"error": "Rhoda Okafor is not wanted"},
        {"errors": {"Rhoda Okafor": ["Rhoda is not wanted"]}},
        {"leads_import": {"created": ["441632960123"]}, "error": "Rhoda Okafor is not wanted"},
    ],
    ids=repr,
)
def test_no_repr_of_a_verdict_shows_the_servers_text(status: int, body: Any) -> None:
    """It may echo what was sent."""
    judged = verdict(ADD, answered(status, json.dumps(body).encode()))
    assert "Rhoda" not in repr(judged)
    assert "441632960123" not in repr(judged)


def test_401_stops_both_operations_and_404_only_its_own() -> None:
    assert Fatal(everything=True) == verdict(ADD, answered(401, SIMPLE))
    assert Fatal(everything=False) == verdict(UPDATE, answered(404, SIMPLE))


def test_truncated_answers_prove_nothing() -> None:
    assert InDoubt() == verdict(ADD, Response(status=200, body=LISTS, truncated=True))


def test_retry_after_is_kept() -> None:
    assert Busy(7.0) == verdict(ADD, answered(429, SIMPLE, retry_after="7"))
    assert InDoubt(30.0) == verdict(ADD, answered(503, HTML, retry_after="30"))


def test_a_refusal_names_its_rows() -> None:
    body = json.dumps({"errors": {"2.name": ["too long"], "base": ["x"], "[7].priority": ["y"], "999": ["z"]}})
    judged = verdict(ADD, answered(422, body.encode()))
    assert isinstance(judged, Refused)
    assert [2, 7] == judged.refusal.indexes(10)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**15) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text()
            | st.sampled_from(
                ["leads_import", "created", "rejected", "duplicates", "error", "errors", "updated", "phone_number"]
            ),
            inner,
        )
    ),
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())


@pytest.mark.row(55)
@given(
    operation=st.sampled_from(list(Operation)), status=st.integers(100, 999), body=BODIES, truncated=st.booleans()
)
def test_every_answer_has_exactly_one_verdict(
    operation: Operation, status: int, body: bytes, *, truncated: bool
) -> None:
    """No exception for any answer; and only a usable 2xx gives outcomes."""
    judged = verdict(operation, Response(status=status, body=body, truncated=truncated))
    assert isinstance(judged, AnyVerdict)
    if isinstance(judged, Settled):
        assert 200 <= status < 300
    if 500 <= status < 600:
        assert isinstance(judged, InDoubt)
    assert not isinstance(judged, NotSent)
