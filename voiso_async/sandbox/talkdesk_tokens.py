"""The token endpoint and what a token may do (Talkdesk contract 2 and 11.1)."""

import base64
import binascii
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from voiso_async.sandbox.answers import Answer, Refused
from voiso_async.sandbox.talkdesk import Token
from voiso_async.sandbox.talkdesk_ask import Ask

__all__ = ["give_token"]

KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM_TYPE = "application/x-www-form-urlencoded"
LONGEST_ASSERTION = 300
DEFAULT_LIFE = 599.0


async def give_token(ask: Ask) -> Answer:
    """Give a token to a client that has proved who it is."""
    form = {name: values[0] for name, values in parse_qs(ask.body.decode("latin-1")).items()}
    if ask.headers.get("content-type", "").partition(";")[0] != FORM_TYPE:
        raise _wrong(400, "invalid_request", "the body must be a form")
    if form.get("grant_type") != "client_credentials":
        raise _wrong(400, "invalid_request", "grant_type must be client_credentials")
    if not _proved(ask, form):
        raise _wrong(401, "unauthorized", "client authentication failed")
    talkdesk = ask.talkdesk
    scopes = frozenset(form["scope"].split()) if form.get("scope") else frozenset(talkdesk.scopes)
    if not scopes <= talkdesk.scopes:
        raise _wrong(401, "unauthorized", "the client was not granted a scope it asks for")
    text = f"ey.{uuid4()}.{uuid4()}"
    life = talkdesk.rules.expires_in
    seconds = float(life) if isinstance(life, int | float) and life > 0 else DEFAULT_LIFE
    talkdesk.tokens[text] = Token(talkdesk.clock() + seconds, scopes)
    answer: dict[str, Any] = {"access_token": text, "token_type": "Bearer", "scope": " ".join(sorted(scopes))}
    if life is not None:
        answer["expires_in"] = life
    return Answer.json(200, answer | dict(talkdesk.rules.token_answer or {}))


def _wrong(status: int, error: str, description: str) -> Refused:
    return Refused(Answer.json(status, {"error": error, "error_description": description}))


def _proved(ask: Ask, form: dict[str, str]) -> bool:
    if "client_assertion" in form:
        return form.get("client_assertion_type") == KIND and _signed(ask, form["client_assertion"])
    scheme, _, pair = ask.headers.get("authorization", "").partition(" ")
    try:
        client, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme == "Basic" and bool(secret) and ask.talkdesk.secrets.get(client) == secret


def _signed(ask: Ask, assertion: str) -> bool:
    """Check an assertion: its signature, that it is for here and now, and that it was never used."""
    import jwt  # noqa: PLC0415 - an extra

    try:
        head = jwt.get_unverified_header(assertion)
        named = jwt.decode(assertion, options={"verify_signature": False})
        key = ask.talkdesk.public_keys[named["iss"], head["kid"]]
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["ES256", "ES384", "RS256"],
            audience=f"{ask.root}{ask.path}",
            options={"require": ["jti", "iss", "sub", "aud", "iat", "exp"]},
        )
    except (jwt.InvalidTokenError, KeyError):
        return False
    sound = claims["iss"] == claims["sub"] and claims["exp"] - claims["iat"] <= LONGEST_ASSERTION
    fresh = claims["jti"] not in ask.talkdesk.used and claims["exp"] > time.time()
    ask.talkdesk.used.add(claims["jti"])
    return bool(sound and fresh)
