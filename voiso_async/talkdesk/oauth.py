"""OAuth2 client credentials: one token for any number of tasks, renewed in time."""

import asyncio
import base64
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import Context, ContextVar
from itertools import count
from typing import Any, NoReturn, Protocol
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from voiso_async._structs import replace
from voiso_async.auth import MASK, VISIBLE_ASCII, Secret, checked_text, hidden, masked, spellings
from voiso_async.convert import decode
from voiso_async.decipher import ErrorBody, api_error, clean_text
from voiso_async.errors import ClientClosedError, ResponseError, VoisoError
from voiso_async.events import EventHook
from voiso_async.transport import HttpSession, Timeout, Transport
from voiso_async.wire import Request, Response, request_id_of

LONGEST_TOKEN = 8000  # servers take header lines of about 8 KiB
MASKED_PREFIX = 24
"""Of a token so much is looked for, with all that follows it: an echo may be cut, and tokens are long."""
LIFETIME = 599.0  # what an answer without a usable ``expires_in`` is taken for
MARGIN = 60.0  # a token with less than this left is renewed first
SHORT_LIFETIME = 2 * MARGIN  # one that is shorter is renewed at its half
FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
TOKEN_ADVICE = {
    400: "the token request itself was refused; check the client and the scopes asked for",
    401: "check the client id and its secret or key; a scope that was just added to the client takes some minutes",
}
_serials = count(1)
_handed: ContextVar[int] = ContextVar("handed")
"""The serial number of the token that the present task was given last: only that one is dropped after a 401."""


class Identity(Protocol):
    """How an OAuth2 client proves who it is."""

    def evidence(self, token_url: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Give headers, their values as ``Secret``, and form fields for one token request."""
        ...

    def mask(self, text: str) -> str:
        """Replace what is secret in a text of the server."""
        ...


class ClientSecret:
    """A client id and its secret, sent by HTTP Basic."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        client_secret = hidden(client_secret)
        name = checked_text("the client id", client_id, without=":")
        secret = checked_text("the client secret", client_secret)
        self._pair = Secret(base64.b64encode(f"{name}:{secret}".encode()).decode())
        self._spelled = (spellings(secret), spellings(self._pair))

    def __repr__(self) -> str:
        return f"ClientSecret({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClientSecret is not pickled; make it anew from its source")

    def evidence(self, token_url: str) -> tuple[Mapping[str, str], Mapping[str, str]]:  # noqa: ARG002 - Identity
        """The ``Authorization`` header."""
        return {"Authorization": Secret(f"Basic {self._pair}")}, {}

    def mask(self, text: str) -> str:
        """Replace the secret and the pair it is sent in."""
        return masked(text, self._spelled)


@frozen
class _Token:
    text: Secret
    renew_at: float
    serial: int


class ClientCredentials:
    """An OAuth2 client: gets a bearer token, shares it, and renews it in time.

    However many tasks wait, the token is fetched once; anew when less than a minute of its life is left, and once
    after a 401. A failed fetch fails every request that waits for it, with ``proof == "not_sent"``: the session
    tries again where that may help. The evidence goes to ``token_url`` alone.
    """

    def __init__(
        self,
        token_url: str,
        identity: Identity,
        *,
        scopes: Iterable[str] = (),
        session: HttpSession | None = None,
        hook: EventHook | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        path = urlsplit(token_url).path
        self._url = token_url
        self._request = Request(method="POST", route=path, path=path, headers=tuple(FORM.items()), personal=False)
        self._identity = identity
        self._scope = " ".join(scopes)
        self._session = session
        self._hook = hook or EventHook()
        self._clock = clock
        self._token: _Token | None = None
        self._fetch: asyncio.Task[_Token | VoisoError] | None = None
        self._spelled: tuple[re.Pattern[str], ...] = ()

    def __repr__(self) -> str:
        return f"ClientCredentials({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("ClientCredentials are not pickled; make them anew from their source")

    async def headers(self) -> Mapping[str, str]:
        """The ``Authorization`` header with a token that is good for a while yet."""
        token = self._token
        if token is None or self._clock() >= token.renew_at:
            token = await self._fetched()
        _handed.set(token.serial)
        return {"Authorization": Secret(f"Bearer {token.text}")}

    async def renew(self, response: Response) -> bool:  # noqa: ARG002 - a 401 says it all
        """Drop the token that was refused, unless another task has done so, and have the request repeated."""
        if self._token is not None and self._token.serial == _handed.get(0):
            self._token = None
        return True

    def mask(self, text: str) -> str:
        """Replace the tokens and whatever of the identity is secret."""
        return self._identity.mask(masked(text, self._spelled))

    async def aclose(self) -> None:
        """End a fetch under way; those who wait for it are told that the client was closed."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait({self._fetch})

    async def _fetched(self) -> _Token:
        """Wait for the fetch under way, or begin it; a waiter that is cancelled leaves it to the others."""
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._outcome(), name="voiso token", context=Context())
        fetch = self._fetch
        await asyncio.wait({fetch})
        if fetch.cancelled():
            raise ClientClosedError("the client was closed while it waited for its token; nothing was sent")
        outcome = fetch.result()
        if isinstance(outcome, _Token):
            return outcome
        raise outcome.with_report(None)  # each waiter's own copy, and without the frames that held the token

    async def _outcome(self) -> "_Token | VoisoError":
        try:
            self._token = await self._asked()
        except VoisoError as error:
            error.proof = "not_sent"  # of the request that the token was for
            return error
        finally:
            self._fetch = None
        return self._token

    async def _asked(self) -> _Token:
        began = self._clock()
        headers, fields = self._identity.evidence(self._url)
        form = {"grant_type": "client_credentials", "scope": self._scope, **fields}
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        response = await self._exchange(replace(self._request, body=body), headers)
        if not 200 <= response.status < 300:
            text = self.mask(response.body.decode("utf-8", "replace"))
            shown = {name: self.mask(value) for name, value in response.headers.items()}
            response = replace(response, body=text.encode(), headers=shown)
            raise api_error(self._request, response, _explain_token, TOKEN_ADVICE)
        token, lifetime = _read_token(decode(response.body, request=self._request.name), self._request.name)
        self._spelled = (spellings(token[:MASKED_PREFIX], r"[^\s\"'<>,;]*"), *self._spelled[:1])
        left = lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime - MARGIN
        return _Token(token, began + left, next(_serials))

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Send over a connection of its own: a token lives longer than an idle connection."""
        transport = Transport(self._session, fresh=True)
        try:
            with self._hook.attempt(request.name, 1, self._clock) as ending:
                response = await transport.send(request, self._url, headers, Timeout())
                ending.status = response.status
                ending.request_id = request_id_of(
                    {name: self.mask(value) for name, value in response.headers.items()}
                )
        finally:
            await transport.aclose()
        return response


def _explain_token(body: bytes) -> ErrorBody | None:
    """Read the token endpoint's own error body."""
    with suppress(ResponseError):
        answer = decode(body)
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            texts = (answer["error"], answer.get("error_description"))
            said = ": ".join(text for text in texts if isinstance(text, str) and text)
            return ErrorBody(message=clean_text(said), code=clean_text(answer["error"]))
    return None


def _read_token(answer: Any, request: str) -> tuple[Secret, float]:
    """Read token and lifetime in seconds; a ``ResponseError`` says what is wrong without showing it."""
    found = answer if isinstance(answer, dict) else {}
    token = hidden(found.get("access_token"))
    kind = found.get("token_type", "Bearer")
    lifetime: Any = found.get("expires_in")
    wrong = ""
    if not VISIBLE_ASCII.fullmatch(token) or len(token) > LONGEST_TOKEN:
        wrong = "access_token"
    elif not isinstance(kind, str) or kind.lower() != "bearer":
        wrong = "token_type"
    if wrong:
        raise ResponseError(
            f"the token cannot be used: $.{wrong} is missing or of a wrong kind",
            request=request,
            path=f"$.{wrong}",
            expected="a bearer token",
            reason="schema",
        )
    if type(lifetime) in (int, float) and 0 < lifetime < math.inf:
        return token, float(lifetime)
    return token, LIFETIME
