"""What others wrote is a value or one of our errors, whatever it is."""

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiso_async import ResponseError, VoisoError
from voiso_async.convert import encode
from voiso_async.talkdesk import TalkdeskUser
from voiso_async.talkdesk.oauth import ClientCredentials, ClientSecret
from voiso_async.talkdesk.pages import hal_page_of
from voiso_async.talkdesk.session import parse_talkdesk_error
from voiso_async.wire import Request, Response

WORDS = st.sampled_from(
    [
        "code",
        "message",
        "description",
        "fields",
        "name",
        "users",
        "_embedded",
        "_links",
        "next",
        "href",
        "total",
        "id",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS | st.text(), inner),
)
LISTING = Request.to("GET", "/users")


@pytest.mark.parametrize(
    ("body", "message", "code", "wait"),
    [
        ({"code": "0530001", "message": "Wrong"}, "Wrong (code 0530001)", "0530001", None),
        (
            {"code": "0530001", "message": "Wrong", "description": "So"},
            "Wrong: So (code 0530001)",
            "0530001",
            None,
        ),
        ({"code": 530001, "message": "Wrong"}, "Wrong", "", None),
        ({"code": "x" * 9, "message": "Wrong"}, "Wrong", "", None),
        (
            {"code": "1", "message": "Busy", "fields": [{"name": "Retry-After", "description": " 2.5 "}]},
            "Busy (code 1)",
            "1",
            2.5,
        ),
        (
            {"code": "1", "message": "Busy", "fields": [{"name": "retry-after", "description": "soon"}]},
            "Busy (code 1)",
            "1",
            None,
        ),
        ({"code": "1", "message": "call +44 1632 960 123"}, "call +[number] (code 1)", "1", None),
    ],
)
def test_the_envelope(body: Any, message: str, code: str, wait: float | None) -> None:
    found = parse_talkdesk_error(encode(body))
    assert found is not None
    assert (message, code, wait) == (found.message, found.code, found.retry_after)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"3", b'{"message": "x"}', b'{"code": "1"}', b'{"code": "1", "message": 3}']
)
def test_anything_else_is_no_envelope(body: bytes) -> None:
    assert parse_talkdesk_error(body) is None


@given(st.binary() | ANYTHING.map(encode))
def test_any_error_body_is_read_or_not(body: bytes) -> None:
    found = parse_talkdesk_error(body)
    assert found is None or found.message.isprintable()


@given(st.binary() | ANYTHING.map(encode))
@example(b'{"_embedded": {"users": [{"id": "u1"}]}}')
def test_any_page_is_read_or_refused(body: bytes) -> None:
    try:
        page = hal_page_of(TalkdeskUser, "users")(Response(status=200, body=body), LISTING)
    except ResponseError:
        return
    assert all(isinstance(user.id, str) for user in page)


TOKENS = st.dictionaries(
    st.sampled_from(["access_token", "token_type", "expires_in", "scope", "error", "error_description"]), ANYTHING
)


@given(st.integers(100, 599), st.binary() | TOKENS.map(encode))
async def test_any_token_answer_is_a_token_or_an_error(status: int, body: bytes) -> None:
    auth = ClientCredentials("https://acme.talkdeskid.com/oauth/token", ClientSecret("client", "secret"))

    async def exchange(*_: Any) -> Response:
        return Response(status=status, body=body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_exchange", exchange)
        given_or_not = await asyncio.gather(auth.headers(), return_exceptions=True)
    match given_or_not:
        case [VoisoError() as error]:
            assert "not_sent" == error.proof
        case [{"Authorization": str(header)}]:
            assert header.startswith("Bearer ")
            assert header.isascii()
        case other:
            pytest.fail(f"neither a token nor one of our errors: {other!r}")
