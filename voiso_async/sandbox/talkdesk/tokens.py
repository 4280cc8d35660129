"""The token endpoint of the Talkdesk account."""

import base64
import binascii
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from voiso_async.sandbox.replies import HttpError, Reply
from voiso_async.sandbox.talkdesk.account import Token
from voiso_async.sandbox.talkdesk.request import TalkdeskRequest

KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM_TYPE = "application/x-www-form-urlencoded"
LONGEST_ASSERTION = 300  # seconds
DEFAULT_LIFE = 599.0  # seconds


async def issue_token(request: TalkdeskRequest) -> Reply:
    """Issue a token to a client that authenticates by its secret or by a signed assertion."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
    if request.headers.get("content-type", "").partition(";")[0] != FORM_TYPE:
        raise _token_error(400, "invalid_request", "the body must be a form")
    if form.get("grant_type") != "client_credentials":
        raise _token_error(400, "invalid_request", "grant_type must be client_credentials")
    if not _authenticated(request, form):
        raise _token_error(401, "unauthorized", "client authentication failed")
    account = request.account
    scopes = frozenset(form["scope"].split()) if form.get("scope") else frozenset(account.scopes)
    if not scopes <= account.scopes:
        raise _token_error(401, "unauthorized", "the client was not granted a scope it asks for")
    text = f"ey.{uuid4()}.{uuid4()}"
    # A lifetime that is no positive number goes into the reply for the client to judge; the token lives as usual.
    life = account.rules.expires_in
    seconds = float(life) if isinstance(life, int | float) and life > 0 else DEFAULT_LIFE
    account.tokens[text] = Token(account.clock() + seconds, scopes)
    reply: dict[str, Any] = {"access_token": text, "token_type": "Bearer", "scope": " ".join(sorted(scopes))}
    if life is not None:
        reply["expires_in"] = life
    return Reply.json(200, reply | dict(account.rules.token_reply or {}))


def _token_error(status: int, error: str, description: str) -> HttpError:
    return HttpError(Reply.json(status, {"error": error, "error_description": description}))


def _authenticated(request: TalkdeskRequest, form: dict[str, str]) -> bool:
    if "client_assertion" in form:
        return form.get("client_assertion_type") == KIND and _assertion_is_valid(request, form["client_assertion"])
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    try:
        client, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme == "Basic" and bool(secret) and request.account.secrets.get(client) == secret


def _assertion_is_valid(request: TalkdeskRequest, assertion: str) -> bool:
    """Check signature, audience and lifetime of an assertion, and that it is used for the first time."""
    import jwt  # noqa: PLC0415 - installed only with the talkdesk extra

    # The key depends on issuer and key id, so read both before the signature is checked.
    try:
        head = jwt.get_unverified_header(assertion)
        named = jwt.decode(assertion, options={"verify_signature": False})
        key = request.account.public_keys[named["iss"], head["kid"]]
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["ES256", "ES384", "RS256"],
            audience=f"{request.root}{request.path}",
            options={"require": ["jti", "iss", "sub", "aud", "iat", "exp"]},
        )
    except (jwt.InvalidTokenError, KeyError):
        return False
    consistent = claims["iss"] == claims["sub"] and claims["exp"] - claims["iat"] <= LONGEST_ASSERTION
    unused = claims["jti"] not in request.account.used and claims["exp"] > time.time()
    request.account.used.add(claims["jti"])
    return bool(consistent and unused)
