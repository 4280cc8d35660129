"""Secrets, keys and tokens: sent where they belong, shown nowhere; an assertion in place of a secret."""

import base64
import copy
import logging
import pickle
import sys
from typing import Any

import pytest
from client_calls import everything_shown
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from raw_server import RawServer, Verb, Wire, answer, http
from talkdesk_stage import BULKS, QUICK, TOKEN, client_of, people, tokens

from voiso_async import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    LanePolicy,
    UsageError,
    VoisoError,
)
from voiso_async.sandbox import Html, Sandbox, Stall, Status
from voiso_async.talkdesk import TalkdeskClient
from voiso_async.talkdesk.assertion import SignedAssertion
from voiso_async.talkdesk.oauth import ClientCredentials, ClientSecret

SECRET = "canary-Secret_7/+=value"
ACCOUNT: dict[str, Any] = {"client_id": "client", "client_secret": SECRET}
SETTINGS = ("ACCOUNT", "REGION", "CLIENT_ID", "CLIENT_SECRET", "PRIVATE_KEY", "KEY_ID", "BASE_URL", "TOKEN_URL")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(f"TALKDESK_{name}", raising=False)


def lines_of(key: Any) -> tuple[str, str]:
    """The one base64 line of the vendor, and the public half as PEM."""
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private).decode(), public.decode()


KEY = ec.generate_private_key(ec.SECP256R1())
LINE, PUBLIC = lines_of(KEY)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
    ids=["ES256", "ES384", "RS256"],
)
@pytest.mark.parametrize("armoured", ["line", "pem"])
async def test_a_private_key_stands_in_place_of_the_secret(
    voiso_sandbox: Sandbox, key: Any, armoured: str
) -> None:
    line, public = lines_of(key)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = voiso_sandbox.talkdesk
    account.public_keys["signer", "key-1"] = public
    group = account.add_campaign()
    options = {"client_id": "signer", "client_secret": None, "key_id": "key-1"}
    async with client_of(voiso_sandbox, private_key=line if armoured == "line" else pem, **options) as talkdesk:
        await talkdesk.campaigns.get(group.id)
        account.revoke()
        await talkdesk.campaigns.get(group.id)  # with another assertion: none is taken twice
    assert (2, 2) == (tokens(voiso_sandbox), len(account.used))
    assert all(0 == one.authorization_count for one in voiso_sandbox.history if one.path == TOKEN)


OTHER_LINE = lines_of(ec.generate_private_key(ec.SECP256R1()))[0]


@pytest.mark.parametrize("wrong", [{"key_id": "key-2"}, {"client_id": "other"}, {"private_key": OTHER_LINE}])
async def test_an_assertion_that_does_not_fit_is_refused(voiso_sandbox: Sandbox, wrong: dict[str, str]) -> None:
    voiso_sandbox.talkdesk.public_keys["signer", "key-1"] = PUBLIC
    options: dict[str, Any] = {"client_id": "signer", "key_id": "key-1", "private_key": LINE}
    async with client_of(voiso_sandbox, client_secret=None, **options | wrong) as talkdesk:
        with pytest.raises(AuthenticationError, match="client authentication failed"):
            await talkdesk.campaigns.list()


async def test_an_assertion_that_is_echoed_is_masked() -> None:
    async def echo(wire: Wire) -> None:
        assert wire.seen is not None
        await wire.send(http(400, b'{"error":"invalid_request","error_description":"' + wire.seen.body + b'"}'))

    async with RawServer(Verb(echo)) as issuer:
        auth = ClientCredentials(
            f"http://127.0.0.1:{issuer.port}/oauth/token", SignedAssertion("signer", "key-1", LINE)
        )
        with pytest.raises(BadRequestError) as caught:
            await auth.headers()
        assertion = issuer.requests[0].body.decode().rpartition("client_assertion=")[2]
    assert assertion.count(".") == 2
    shown = everything_shown(caught.value, __file__)
    assert not any(part in shown for part in assertion.split("."))


NO_KEY = base64.b64encode(b"x" * 40).decode()


@pytest.mark.parametrize(
    "key",
    ["", "x", "!!!!", LINE[:-10], LINE + "\u00e9", NO_KEY, "-----BEGIN PRIVATE KEY-----\nx", LINE * 300],
    ids=range(8),
)
def test_a_private_key_that_cannot_be_used_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"PKCS#8|visible") as caught:
        SignedAssertion("signer", "key-1", key)
    if len(key) > 10:
        assert key[:40] not in everything_shown(caught.value, __file__)


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="elliptic or RSA"):
        SignedAssertion("signer", "key-1", lines_of(Ed25519PrivateKey.generate())[0])


@pytest.mark.parametrize("library", ["jwt", "cryptography.exceptions"])
def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'voiso-async\[talkdesk\]'"):
        SignedAssertion("signer", "key-1", LINE)


FAULTS: list[tuple[Any, str]] = [
    (Html(403), TOKEN),
    (Status(401), TOKEN),
    (Stall(0.0), TOKEN),
    (Status(401), BULKS),
    (Html(405), BULKS),
    (Status(404), BULKS),
]


@pytest.mark.parametrize(("fault", "path"), FAULTS)
@pytest.mark.row(194)
async def test_row_194_no_error_or_log_line_holds_a_secret(
    voiso_sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: Any, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    voiso_sandbox.talkdesk.secrets["client"] = SECRET
    target = voiso_sandbox.talkdesk.add_list()
    voiso_sandbox.faults.add(fault, path=path, times=9)
    async with client_of(voiso_sandbox, **ACCOUNT) as talkdesk:
        with pytest.raises(VoisoError) as caught:
            await talkdesk.record_lists.add(target.id, people(3))
    pair = base64.b64encode(f"client:{SECRET}".encode()).decode()
    secrets = [SECRET, pair, *voiso_sandbox.talkdesk.tokens]
    shown = everything_shown(caught.value, __file__) + caplog.text
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.row(195)
async def test_row_195_an_echoed_secret_or_token_is_masked(voiso_sandbox: Sandbox) -> None:
    pair = base64.b64encode(f"client:{SECRET}".encode()).decode()
    echo = {"error": "unauthorized", "error_description": f"{SECRET} {pair}"}
    voiso_sandbox.talkdesk.secrets["client"] = SECRET
    async with client_of(voiso_sandbox, **ACCOUNT) as talkdesk:
        voiso_sandbox.faults.add(Status(401, echo, headers={"X-Echo": SECRET}), path=TOKEN)
        with pytest.raises(AuthenticationError) as refused:
            await talkdesk.campaigns.list()
        await talkdesk.campaigns.list()
        (token,) = voiso_sandbox.talkdesk.tokens
        body = {"code": "0530001", "message": f"got {token}", "description": f"cut {token[:30]}"}
        voiso_sandbox.faults.add(Status(400, body, headers={"X-Echo": f"Bearer {token}"}))
        with pytest.raises(BadRequestError) as echoed:
            await talkdesk.campaigns.list()
    for error in (refused.value, echoed.value):
        shown = everything_shown(error, __file__)
        assert not [secret for secret in (SECRET, pair, token, token[:30]) if secret in shown]
        assert "***" in shown


@pytest.mark.parametrize("copier", [pickle.dumps, copy.deepcopy])
def test_nothing_that_holds_a_secret_is_shown_or_pickled(copier: Any) -> None:
    signed = SignedAssertion("signer", "key-1", LINE)
    secret = ClientSecret("client", SECRET)
    for one in (signed, secret, ClientCredentials("https://acme.talkdeskid.com/oauth/token", secret)):
        assert "***" in repr(one)
        assert SECRET not in f"{one!r} {one!s} {vars(one)!r}"
        with pytest.raises(TypeError, match="not pickled"):
            copier(one)
    assert SECRET not in repr(secret.evidence(""))
    assert LINE not in repr(vars(signed))
    assert "eyJ" not in repr(signed.evidence("https://acme.talkdeskid.com/oauth/token"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"client_id": "client"},
        {"client_secret": SECRET},
        ACCOUNT | {"client_id": "a:b"},
        ACCOUNT | {"client_id": "a b"},
        ACCOUNT | {"client_id": 3},
        ACCOUNT | {"client_secret": f"{SECRET}\n"},
        ACCOUNT | {"client_secret": ""},
        ACCOUNT | {"client_secret": f"{SECRET}\u00e9"},
        ACCOUNT | {"client_secret": SECRET * 100},
        ACCOUNT | {"client_secret": SECRET.encode()},
        ACCOUNT | {"private_key": LINE, "key_id": "key-1"},
        {"client_id": "client", "private_key": LINE},
        {"client_id": "client", "private_key": LINE, "key_id": "a\nb"},
        ACCOUNT | {"region": "asia"},
        ACCOUNT | {"region": 3},
        ACCOUNT | {"account": "Acme"},
        ACCOUNT | {"account": "evil.example.net/"},
        ACCOUNT | {"account": "a@b"},
        ACCOUNT | {"account": "..", "region": "eu"},
        ACCOUNT | {"account": "x" * 64},
        ACCOUNT | {"account": None},
        ACCOUNT | {"base_url": "http://api.example.com"},
        ACCOUNT | {"base_url": "https://user:pw@api.example.com"},
        ACCOUNT | {"base_url": "https://api.example.com?x"},
        ACCOUNT | {"token_url": "http://id.example.com/oauth/token"},
        ACCOUNT | {"token_url": "https://id.example.com"},
        ACCOUNT | {"token_url": "https://id.example.com/../token"},
        ACCOUNT | {"scopes": "campaigns:read"},
        ACCOUNT | {"scopes": ["campaigns:read", ""]},
        ACCOUNT | {"scopes": ["campaigns:r\u00e9ad"]},
        ACCOUNT | {"scopes": 3},
        ACCOUNT | {"retry": 3},
        ACCOUNT | {"lane": 3},
        ACCOUNT | {"timeout": -1},
    ],
)
@pytest.mark.row(186, 187, 188)
def test_rows_186_to_188_what_cannot_work_is_refused_at_once_and_never_shown(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TalkdeskClient(**{"account": "acme"} | options)
    shown = everything_shown(caught.value, __file__)
    assert SECRET not in shown
    assert LINE not in shown


def test_a_lane_may_carry_no_more_than_a_request_takes() -> None:
    with pytest.raises(ConfigurationError, match="1 to 100"):
        TalkdeskClient("acme", **ACCOUNT, lane=LanePolicy())


@pytest.mark.parametrize(
    ("region", "api", "token"),
    [
        (None, "https://api.talkdeskapp.com:443", "https://acme.talkdeskid.com/oauth/token"),
        ("us", "https://api.talkdeskapp.com:443", "https://acme.talkdeskid.com/oauth/token"),
        ("EU", "https://api.talkdeskapp.eu:443", "https://acme.talkdeskid.eu/oauth/token"),
        ("ca", "https://api.talkdeskappca.com:443", "https://acme.talkdeskidca.com/oauth/token"),
    ],
)
def test_each_region_has_its_addresses(region: str | None, api: str, token: str) -> None:
    talkdesk = TalkdeskClient("acme", **ACCOUNT, region=region)
    assert (api, token) == (talkdesk._session.origin, talkdesk._auth._url)


async def test_the_environment_says_what_is_not_given(
    voiso_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = voiso_sandbox.talkdesk
    for name, value in {
        "BASE_URL": voiso_sandbox.talkdesk_url,
        "TOKEN_URL": f"{voiso_sandbox.talkdesk_url}/oauth/token",
        "CLIENT_ID": account.client_id,
        "CLIENT_SECRET": account.client_secret,
    }.items():
        monkeypatch.setenv(f"TALKDESK_{name}", value)
    async with TalkdeskClient.from_env(retry=QUICK) as talkdesk:
        assert [] == await talkdesk.campaigns.list().collect()
    account.public_keys["signer", "key-1"] = PUBLIC
    monkeypatch.setenv("TALKDESK_CLIENT_SECRET", "")
    monkeypatch.setenv("TALKDESK_CLIENT_ID", "signer")
    monkeypatch.setenv("TALKDESK_PRIVATE_KEY", LINE)
    monkeypatch.setenv("TALKDESK_KEY_ID", "key-1")
    async with TalkdeskClient() as talkdesk:
        assert [] == await talkdesk.campaigns.list().collect()
    assert 1 == len(account.used)


async def test_the_token_endpoint_alone_sees_the_secret_and_the_api_alone_the_token() -> None:
    token = answer(body={"access_token": "canary-token-77", "token_type": "bearer", "expires_in": 599})
    async with (
        RawServer(answer(body={"id": "c1"})) as api,
        RawServer(token) as issuer,
        TalkdeskClient(
            base_url=f"http://127.0.0.1:{api.port}",
            token_url=f"http://127.0.0.1:{issuer.port}/oauth/token",
            scopes=["campaigns:read", "users:read"],
            **ACCOUNT,
        ) as talkdesk,
    ):
        await talkdesk.campaigns.get("c1")
    (asked,), (called,) = issuer.requests, api.requests
    assert b"grant_type=client_credentials&scope=campaigns%3Aread+users%3Aread" == asked.body
    assert "application/x-www-form-urlencoded" == asked.header("content-type")
    assert f"Basic {base64.b64encode(f'client:{SECRET}'.encode()).decode()}" == asked.header("authorization")
    assert "POST /oauth/token HTTP/1.1" == asked.line
    assert "Bearer canary-token-77" == called.header("authorization")
    assert SECRET not in called.head


def test_a_client_is_not_copied_in_depth_and_says_so() -> None:
    with pytest.raises(UsageError, match="a client is not copied"):
        copy.deepcopy(TalkdeskClient("acme", client_id="id", client_secret="secret"))
