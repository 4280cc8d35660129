"""Requests keep to their route, base URLs to their origin; whatever is hostile fails before any I/O."""

import math
import traceback
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from voiso_async.errors import ConfigurationError
from voiso_async.wire import (
    Request,
    Response,
    base_url_of,
    id_text,
    origin_of,
    positive_id,
    positive_number,
    request_id_of,
)


@pytest.mark.parametrize(
    ("cluster", "url"),
    [
        ("cc-ams03", "https://cc-ams03.voiso.com/api/v4"),
        ("a", "https://a.voiso.com/api/v4"),
        ("x" * 63, f"https://{'x' * 63}.voiso.com/api/v4"),
    ],
)
def test_a_cluster_id_is_one_label_of_the_host(cluster: str, url: str) -> None:
    assert url == base_url_of(cluster, None)


@pytest.mark.row(187)
@pytest.mark.parametrize(
    "cluster",
    [
        "evil.com#",
        "evil.com/",
        "evil.com",
        "a@b",
        "user:pw@evil.com/",
        "127.0.0.1:80/",
        "[::1]/",
        "c1\n",
        "..",
        ".",
        "x" * 64,
        "CC-AMS03",
        "xn--80ak6aa92e",
        "-a",
        "a-",
        "",
        " a",
        "a b",
        "é",
        "a?",
        "a%2f",
        None,
        3,
        True,
        b"a",
    ],
)
def test_a_hostile_cluster_id_is_refused(cluster: object) -> None:
    with pytest.raises(ConfigurationError):
        base_url_of(cluster, None)  # type: ignore[arg-type]


LONG_NAME = f"{'a.' * 125}abc"  # 253 characters


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://cc.example.com", "https://cc.example.com/api/v4"),
        ("https://cc.example.com/", "https://cc.example.com/api/v4"),
        ("https://cc.example.com/proxy/v4/", "https://cc.example.com/proxy/v4"),
        ("https://cc.example.com:8443", "https://cc.example.com:8443/api/v4"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4"),
        ("http://localhost:8080/api/v4", "http://localhost:8080/api/v4"),
        ("http://[::1]:8080", "http://[::1]:8080/api/v4"),
        ("https://192.0.2.7", "https://192.0.2.7/api/v4"),
        ("HTTPS://cc.example.com", "https://cc.example.com/api/v4"),
        ("HttpS://CC.example.com", "https://CC.example.com/api/v4"),
        ("HTTP://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4"),
        (f"https://{'a' * 63}.example.com", f"https://{'a' * 63}.example.com/api/v4"),
        (f"https://{LONG_NAME}", f"https://{LONG_NAME}/api/v4"),
    ],
)
def test_a_base_url_gets_the_api_path_only_if_it_has_none(given: str, url: str) -> None:
    assert url == base_url_of(None, given)


@pytest.mark.row(188)
@pytest.mark.parametrize(
    "url",
    [
        "http://cc.example.com",
        "http://192.0.2.7",
        "ftp://cc.example.com",
        "https://user:hunter2@cc.example.com",
        "https://hunter2@cc.example.com",
        "https://cc.example.com?hunter2",
        "https://cc.example.com#hunter2",
        "https://cc.example.com/../hunter2",
        "https://cc.example.com/%2e%2e",
        "https://cc.example.com//x",
        "https://cc.example.com\n",
        "https://cc.example.com\\@evil.example.net",
        "https://cc.example.com:0",
        "https://cc.example.com:",
        "https://cc.example.com:99999",
        "https://cc.example.com:hunter2",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://127.1",
        "https://0177.0.0.1",
        "https://[::1",
        "https://",
        "https:///x",
        "https://a..b",
        "https://.a.b",
        "https://a.b.",
        "https://cc.example.com.:8443",
        "https://-a.b",
        "https://a-.b",
        f"https://{'a' * 64}.example.com",
        f"https://a{LONG_NAME}",
        "HTTP://cc.example.com",
        "cc.example.com",
        "",
        3,
        b"https://cc.example.com",
    ],
)
def test_a_hostile_base_url_is_refused_without_being_shown(url: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        base_url_of(None, url)  # type: ignore[arg-type]
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), ("007", 7), (2**63 - 1, 2**63 - 1)])
def test_an_id_may_be_given_as_number_or_digits(value: object, number: int) -> None:
    assert number == positive_id(value)


HOSTILE_IDS = [
    "../users",
    "3?x",
    "3#y",
    "%2e%2e",
    "3/leads",
    "",
    -1,
    0,
    True,
    10**400,
    2**63,
    None,
    3.0,
    b"3",
    "3\n",
]


@pytest.mark.row(189)
@pytest.mark.parametrize("value", [*HOSTILE_IDS, "+3", " 3", "٣", "³", "1" * 30, "0", "abc", [3]])
def test_a_hostile_campaign_id_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="campaign_id"):
        positive_id(value)


@pytest.mark.row(190)
@pytest.mark.parametrize("value", [*HOSTILE_IDS, "a/b", "..", ".", "a.b", "a%b", "ä", "x" * 129])
def test_a_hostile_user_id_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="user_id"):
        id_text(value, "user_id")


@given(st.text())
def test_no_text_leaves_its_segment(text: str) -> None:
    try:
        path = Request.to("GET", "/users/{id}", {"id": text}).path
    except ConfigurationError:
        return
    assert path == f"/users/{text}"
    assert path.count("/") == 2


def test_a_request_is_its_verb_and_route() -> None:
    request = Request.to(
        "GET", "/campaigns/{id}/users", {"id": 3}, params=[("name", "A & B"), ("limit", "5")], body=b"447700900123"
    )
    assert str(request) == "GET /campaigns/{id}/users"
    assert request.target == "/campaigns/3/users?name=A+%26+B&limit=5"
    assert "447700900123" not in repr(request)
    assert "A & B" not in repr(request)


def test_a_response_shows_neither_body_nor_headers() -> None:
    assert "secret" not in repr(Response(status=200, headers={"authorization": "secret"}, body=b"secret"))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://cc.example.com/api", "https://cc.example.com:443"),
        ("http://127.0.0.1/api", "http://127.0.0.1:80"),
        ("https://CC.example.com:8443", "https://cc.example.com:8443"),
        ("http://[::1]:8080/api", "http://[::1]:8080"),
    ],
)
def test_an_origin_always_names_its_port(url: str, origin: str) -> None:
    assert origin == origin_of(url)


@frozen
class Wait:
    seconds: float = field(validator=positive_number)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "3", None, 10**400])
def test_a_number_above_zero_is_demanded(value: object) -> None:
    with pytest.raises(ConfigurationError, match="seconds must be a number above 0"):
        Wait(value)  # type: ignore[arg-type]


def test_a_number_above_zero_is_taken() -> None:
    assert Wait(0.5).seconds == 0.5
    assert Wait(1e12).seconds == 1e12, "as good as no limit"


UUID = "5f0c2f7e-0d9a-4d1c-9a43-0e8f3b1f7a10"


@pytest.mark.parametrize(
    ("ids", "shown", "campaign", "user"),
    [
        ((3, 311), "/campaigns/3/users/311", 3, 311),
        ((2**53, UUID), f"/campaigns/{2**53}/users/{UUID}", 2**53, UUID),
        (("3", "441632960123"), "/campaigns/3/users/{user_id}", 3, None),
        (("anna-smith", "anna-smith"), "/campaigns/{campaign_id}/users/{user_id}", None, None),
        ((UUID, 441632960123), f"/campaigns/{UUID}/users/{{user_id}}", UUID, None),
        (("4416-3296-0123", "3"), "/campaigns/{campaign_id}/users/3", None, 3),
    ],
)
def test_a_name_shows_ids_but_nothing_that_could_be_a_person(
    ids: tuple[Any, Any], shown: str, campaign: Any, user: Any
) -> None:
    request = Request.to(
        "GET", "/campaigns/{campaign_id}/users/{user_id}", dict(zip(["campaign_id", "user_id"], ids, strict=True))
    )
    assert (f"GET {shown}", campaign, user) == (request.name.shown, request.name.campaign, request.name.user)
    assert "GET /campaigns/{campaign_id}/users/{user_id}" == request.name == str(request)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-request-id": "req-1"}, "req-1"),
        ({"x-amzn-requestid": UUID}, UUID),
        ({"cf-ray": "8a1b2c3d4e5f6a7b-AMS"}, "8a1b2c3d4e5f6a7b-AMS"),
        ({"x-request-id": "first", "cf-ray": "second"}, "first"),
        ({}, None),
        ({"x-request-id": ""}, None),
        ({"x-request-id": "441632960123"}, None),
        ({"x-request-id": "req 44 1632 960123"}, None),
        ({"x-request-id": "lead-44-1632-960-123"}, None),
        ({"x-request-id": "a" * 129}, None),
        ({"x-request-id": "Anna Smith"}, None),
        ({"x-request-id": "\x1b[31m"}, None),
    ],
)
def test_the_servers_own_id_is_read_unless_it_could_be_a_number(
    headers: dict[str, str], found: str | None
) -> None:
    assert found == request_id_of(headers)
