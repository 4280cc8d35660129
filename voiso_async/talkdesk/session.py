"""What Talkdesk says when it says no."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import anyio

from voiso_async.auth import Auth
from voiso_async.convert import decode
from voiso_async.decipher import ErrorBody, clean_text
from voiso_async.errors import APIError, ResponseError
from voiso_async.session import Session
from voiso_async.statuses import ADVICE
from voiso_async.wire import Request, Response

MOST_FIELDS = 200
LONGEST_NAME = 80
CODE = re.compile(r"[A-Za-z0-9_.-]{1,8}")  # text, with leading zeros
WAIT_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
WAIT_FIELD = "retry-after"

TALKDESK_ADVICE: Mapping[int, str] = ADVICE | {
    401: "the account does not take the token, not even a fresh one; check the client and its region",
    403: "the client needs the scope {scope}, or the account is not enrolled for this API",
    404: "it does not exist, the account cannot see it, or the region is wrong",
}


def parse_talkdesk_error(body: bytes) -> ErrorBody | None:
    """Read the vendor's error body, or give ``None`` for anything else."""
    try:
        answer = decode(body)
    except ResponseError:
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("message"), str) or "code" not in answer:
        return None
    texts = [text for name in ("message", "description") if isinstance(text := answer.get(name), str) and text]
    fields: dict[str, tuple[str, ...]] = {}
    wait = None
    for name, text in _fields(answer.get("fields")):
        fields[name] = (*fields.get(name, ()), clean_text(text))
        if name.lower() == WAIT_FIELD and WAIT_SECONDS.fullmatch(text.strip()):
            wait = float(text)
    code = answer["code"] if isinstance(answer["code"], str) and CODE.fullmatch(answer["code"]) else ""
    said = clean_text(": ".join(texts))
    return ErrorBody(message=f"{said} (code {code})" if code else said, fields=fields, code=code, retry_after=wait)


def _fields(fields: Any) -> Iterator[tuple[str, str]]:
    for item in fields[:MOST_FIELDS] if isinstance(fields, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield clean_text(item["name"], LONGEST_NAME), str(item.get("description") or "")


MOST_AT_A_TIME = 4  # requests in flight for one account
LONGEST_QUIET = 60.0
UNAUTHORISED = 401
ACCEPT = ("Accept", "application/hal+json, application/json")
RESET_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")


class TalkdeskSession:
    """Sends requests, at most four at a time, and keeps quiet when an answer says that the quota is spent."""

    def __init__(self, session: Session, auth: Auth, base_url: str) -> None:
        self.base_url: str = base_url
        self._session = session
        self._auth = auth
        self._slots = anyio.Semaphore(MOST_AT_A_TIME)
        self._quiet_until = 0.0

    def ensure_usable(self) -> None:
        """Raise before anything is done in vain."""
        self._session.ensure_usable()

    def api_error(self, request: Request, response: Response) -> APIError:
        """Name the error of a complete answer that says no."""
        return self._session.api_error(request, response)

    async def send(self, request: Request, *, repeat_in_doubt: bool | None = None) -> Response:
        """Return the 2xx answer of a request, or raise; see ``Session.send``."""
        self.ensure_usable()
        async with self._slots:
            await self._wait_until_allowed()
            response = await self._session.send(request, repeat_in_doubt=repeat_in_doubt)
        self._note(response)
        return response

    async def attempt(self, request: Request) -> Response:
        """Make one exchange and return any complete answer; after a 401 one more, with a fresh token."""
        self.ensure_usable()
        async with self._slots:
            await self._wait_until_allowed()
            response = await self._session.attempt(request)
            if response.status == UNAUTHORISED and await self._auth.renew(response):
                response = await self._session.attempt(request)
        self._note(response)
        return response

    async def _wait_until_allowed(self) -> None:
        while (wait := self._quiet_until - anyio.current_time()) > 0:  # noqa: ASYNC110 - it may have grown meanwhile
            await anyio.sleep(wait)

    def _note(self, response: Response) -> None:
        reset = response.headers.get("x-ratelimit-reset", "")
        if response.headers.get("x-ratelimit-remaining") == "0" and RESET_SECONDS.fullmatch(reset):
            self._quiet_until = anyio.current_time() + min(float(reset), LONGEST_QUIET)


def request_to(
    method: str,
    route: str,
    ids: Mapping[str, int | str] | None = None,
    *,
    scope: str,
    params: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    body_type: str = "application/json",
    personal: bool | None = None,
) -> Request:
    """Make a request with the formats of this vendor."""
    kind = () if body is None else (("Content-Type", body_type),)
    return Request.to(
        method, route, ids, params=params, body=body, scope=scope, headers=(ACCEPT, *kind), personal=personal
    )
