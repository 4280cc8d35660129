"""Error bodies, messages and the decoding of answers: pure, and never a secret in a text."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiso_async import errors
from voiso_async.decipher import ErrorBody, api_error, clean_text, decode_json, parse_voiso_error
from voiso_async.errors import APIError, ResponseError
from voiso_async.wire import Request, Response

REQUEST = Request(
    method="POST", route="/campaigns/{id}/pause", path="/campaigns/3/pause", scope="campaigns.manage"
)
PHONE = "447700900123"


def said(value: Any) -> ErrorBody | None:
    return parse_voiso_error(json.dumps(value).encode())


def refused(status: int, body: bytes = b"", **headers: str) -> APIError:
    return api_error(REQUEST, Response(status=status, body=body, headers=headers))


@pytest.mark.row(35)
@pytest.mark.parametrize(
    ("value", "message", "fields"),
    [
        ({"error": "Not found"}, "Not found", {}),
        ({"errors": {"user_ids": ["is missing"]}}, "user_ids is missing", {"user_ids": ("is missing",)}),
        ({"errors": {"a": ["x", "y"], "b": "z"}}, "a x; a y; b z", {"a": ("x", "y"), "b": ("z",)}),
        ({"errors": ["first", "second"]}, "first; second", {}),
        ({"errors": "plain"}, "plain", {}),
        ({"errors": {"leads": {"17": {"name": ["bad"]}}}}, "leads.17.name bad", {"leads.17.name": ("bad",)}),
        (
            {"errors": [{"field": "x"}, {"field": "y"}]},
            "0.field x; 1.field y",
            {"0.field": ("x",), "1.field": ("y",)},
        ),
        ({"error": {"message": "Bad", "code": 7}}, "Bad", {"code": ("7",)}),
        ({"error": "Bad", "errors": {"a": ["x"]}}, "Bad", {"a": ("x",)}),
        ({"error": 404}, "404", {}),
        ({"error": None}, "", {}),
        ({"errors": None}, "", {}),
        ({"errors": []}, "", {}),
        ({"errors": {}, "error": ""}, "", {}),
        ({"status": 400, "error": "Bad"}, "Bad", {}),
    ],
)
def test_every_shape_of_the_envelope_is_read(value: Any, message: str, fields: dict[str, Any]) -> None:
    assert ErrorBody(message=message, fields=fields) == said(value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"3",
        b'"error"',
        b"[]",
        b'[{"error": "x"}]',
        b"{}",
        b'{"message": "x"}',
        b"<html>",
        b"{",
        b'{"campaigns": [], "error": null}',
        b'{"campaigns": [], "errors": []}',
        b'{"campaigns": [], "errors": {}}',
        b'{"campaigns": [], "errors": {"base": []}}',
        b'{"campaigns": [], "errors": {"base": {"name": [null, "", {}]}}}',
        b'{"campaigns": [], "errors": [[], {}, " "]}',
        b'{"campaigns": [], "error": ""}',
        b'{"campaigns": [], "error": " \\n"}',
        b'{"campaigns": [], "error": false, "errors": null}',
        b"\xff\xfe{",
        b"[" * 100000,
        '{"error": "x"}'.encode("utf-16"),
        b'{"error": NaN}',
    ],
)
def test_what_is_no_envelope_is_none(body: bytes) -> None:
    assert parse_voiso_error(body) is None


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert parse_voiso_error(b'\xef\xbb\xbf{"error": "x"}') == ErrorBody(message="x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.row(35)
@given(json_values, json_values)
@example("two\nlines", {"phone": ["x" * 999]})
def test_no_envelope_breaks_the_reader(error: Any, more: Any) -> None:
    found = parse_voiso_error(json.dumps({"error": error, "errors": more}).encode())
    texts = []
    if found is not None:  # lone surrogates make it invalid JSON
        texts = [found.message, *found.fields, *(t for texts in found.fields.values() for t in texts)]
    assert all(text.isprintable() and len(text) <= 200 for text in texts)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert isinstance(parse_voiso_error(body), ErrorBody | None)
    assert isinstance(refused(400, body).message, str)


def test_an_envelope_too_deep_or_too_long_is_cut_not_followed() -> None:
    deep: Any = "bottom"
    for _ in range(400):
        deep = {"a": deep}
    assert said({"errors": deep}) == ErrorBody()
    wide = said({"errors": {f"f{at}": ["bad"] for at in range(5000)}})
    assert wide is not None
    assert len(wide.fields) == 2000
    assert len(wide.message) <= 200


@pytest.mark.row(80)
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain text", "plain text"),
        ("two\r\nlines\ttab\x00nul\x85\u2028end", "two lines tab nul end"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07done", "red done"),
        ("\u202eevil\u202c\u2066x\u2069\u200b\ufeff", "evil x"),
        ("number 447700900123!", "number [number]!"),
        ("call +44 7700 900-123 or 0 1 6 3 2 9 6 0 1 0 1", "call +[number] or [number]"),
        ("(441632) 960.101", "([number]"),
        ("441632\u200b960000", "[number]"),
        ("٤٤٧٧٠٠٩٠٠١٢٣", "[number]"),
        ("441632960000", "[number]"),
        ("limit 1000, page 123456", "limit 1000, page 123456"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
        ("\x00" * 10**6, ""),
    ],
)
def test_server_text_is_cleaned_masked_and_cut(text: str, clean: str) -> None:
    assert clean == clean_text(text)


@given(st.text(max_size=300))
def test_clean_text_has_no_control_characters_and_no_long_digit_run(text: str) -> None:
    clean = clean_text(text)
    assert not any(unicodedata.category(char).startswith(("C", "Zl", "Zp")) for char in clean)
    assert not any(part.isdecimal() and len(part) >= 7 for part in clean.split())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, errors.RedirectError),
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (405, errors.APIError),
        (406, errors.NotAcceptableError),
        (409, errors.ConflictError),
        (413, errors.APIError),
        (422, errors.UnprocessableEntityError),
        (429, errors.RateLimitError),
        (431, errors.APIError),
        (500, errors.ServerError),
        (599, errors.ServerError),
    ],
)
def test_the_class_follows_the_status(status: int, kind: type[APIError]) -> None:
    error = refused(status, b'{"error": "No"}')
    assert kind is type(error)
    assert status == error.status
    assert f"POST /campaigns/{{id}}/pause -> {status}: " in str(error)


@pytest.mark.parametrize(
    ("status", "enveloped", "bare"),
    [
        *((status, "refused", "in_doubt") for status in (400, 409, 418, 422, 423)),
        *((status, "refused", "refused") for status in (301, 401, 403, 404, 405, 406, 413, 415, 429, 431)),
        *((status, "in_doubt", "in_doubt") for status in (408, 500, 503, 504, 520, 599)),
    ],
)
def test_the_proof_of_a_refusal(status: int, enveloped: str, bare: str) -> None:
    """Without the vendor's envelope a 400 may come from a middlebox, after the vendor has acted."""
    assert enveloped == refused(status, b'{"error": "No"}').proof
    assert bare == refused(status, b"<html>").proof


def test_the_error_carries_what_the_server_said() -> None:
    error = refused(422, b'{"errors": {"name": ["is missing"]}, "id": 5}', **{"x-trace": "t", "retry-after": "3"})
    assert error.message == "name is missing"
    assert error.fields == {"name": ("is missing",)}
    assert error.body == {"errors": {"name": ["is missing"]}, "id": 5}
    assert error.headers == {"x-trace": "t", "retry-after": "3"}
    assert error.retry_after == 3.0


def test_a_body_that_is_not_json_is_kept_as_text_but_not_shown() -> None:
    error = refused(502, b"<h1>Bad gateway \xff</h1>")
    assert error.body == "<h1>Bad gateway \ufffd</h1>"
    assert "gateway" not in str(error)


@pytest.mark.parametrize("name", ["authorization", "proxy-authorization", "cookie", "set-cookie"])
def test_secret_headers_are_not_kept(name: str) -> None:
    assert refused(401, b"", **{name: "value"}).headers == {}


@pytest.mark.parametrize(
    ("status", "headers", "hint"),
    [
        (401, {}, "VOISO_API_KEY"),
        (403, {}, "scope campaigns.manage"),
        (404, {}, "base URL"),
        (408, {}, "whether it acted is not known"),
        (413, {}, "too large"),
        (418, {}, "refused"),
        (429, {}, "slow down"),
        (429, {"retry-after": "86400"}, "86400 s"),
        (503, {}, "whether it acted is not known"),
    ],
)
def test_the_message_says_what_to_do(status: int, headers: dict[str, str], hint: str) -> None:
    assert hint in str(refused(status, b"", **headers))


@pytest.mark.row(53)
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://evil.example.net/steal?key=1#x", "https://evil.example.net:443"),
        ("http://user:pw@evil.example.net:8080/", "http://evil.example.net:8080"),
        ("//evil.example.net/x", "evil.example.net"),
        ("/elsewhere?phone=447700900123", "another path of this host"),
        ("file:///etc/passwd", "an address that is not HTTP"),
        ("javascript:alert(1)", "an address that is not HTTP"),
        ("https://[broken", "an unreadable address"),
        ("https://evil.example.net:99999/", "an unreadable address"),
        ("", "nowhere"),
    ],
)
def test_a_redirect_shows_the_origin_of_its_target_only(location: str, target: str) -> None:
    error = refused(307, b"", location=location)
    assert f"redirect to {target} not followed" in error.message
    assert error.proof == "refused"


@pytest.mark.row(39)
def test_a_404_does_not_echo_the_path() -> None:
    error = api_error(Request.to("GET", "/users/{id}", {"id": "abc-def"}), Response(status=404))
    assert "abc-def" not in str(error)


@pytest.mark.row(59)
@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_valid_json_is_decoded_whatever_its_content_type(status: int, kind: str) -> None:
    response = Response(status=status, body=b'\xef\xbb\xbf{"a": [1]}', headers={"content-type": kind})
    assert decode_json(response, REQUEST) == {"a": [1]}


@pytest.mark.row(55)
@pytest.mark.parametrize("status", [101, 304, 404, 999])
def test_a_status_that_promises_no_body_is_unusable(status: int) -> None:
    with pytest.raises(ResponseError, match=f"status {status}") as caught:
        decode_json(Response(status=status, body=b"{}"), REQUEST)
    assert caught.value.reason == "status"


@pytest.mark.row(55)
@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 207, 299])
def test_any_2xx_with_the_promised_body_is_a_success(status: int) -> None:
    assert decode_json(Response(status=status, body=b'{"a": 1}'), REQUEST) == {"a": 1}


@pytest.mark.row(54, 58, 60, 63, 65)
@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", "empty"),
        (b" \n", "text/html", "empty"),
        (b"<html>447700900123</html>", "text/html; charset=utf-8", "content_type"),
        (b'{"a": 1', "application/json", "not_json"),
        (b"{} {}", "application/json", "not_json"),
        (b'{"a": NaN}', "application/json", "not_json"),
        ('{"a": 1}'.encode("utf-16"), "application/json", "not_json"),
        (b'{"a": "\xff"}', "application/json", "not_json"),
        (b"[" * 200_000, "application/json", "not_json"),
        (b'{"error": "447700900123 is wrong"}', "application/json", "error_envelope"),
        (b'{"errors": {"name": ["bad"]}}', "application/json", "error_envelope"),
    ],
)
def test_an_unusable_200_says_why_but_not_what(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(ResponseError) as caught:
        decode_json(Response(status=200, body=body, headers={"content-type": kind}), REQUEST)
    assert reason == caught.value.reason
    assert caught.value.proof == "in_doubt"
    assert PHONE not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_envelope_with_something_too_deep_to_read_is_one() -> None:
    deep: Any = "bottom"
    for _ in range(20):
        deep = {"a": deep}
    assert said({"campaigns": [], "errors": deep}) is not None


@pytest.mark.parametrize("errors", [[], {}, None, "", False, {"base": []}, {"base": {"name": [""]}}])
def test_a_200_may_carry_an_empty_errors_field(errors: Any) -> None:
    body = {"users": [], "errors": errors}
    assert body == decode_json(Response(status=200, body=json.dumps(body).encode()), REQUEST)


@pytest.mark.parametrize("errors", [["x"], True, 5, {"base": [0, "x"]}])
def test_a_200_with_an_error_message_is_no_answer(errors: Any) -> None:
    body = {"users": [], "errors": errors}
    with pytest.raises(ResponseError, match="error message"):
        decode_json(Response(status=200, body=json.dumps(body).encode()), REQUEST)
