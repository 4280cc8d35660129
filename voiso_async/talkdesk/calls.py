"""What every request of one Talkdesk account passes through (Talkdesk contract 3 and 8)."""

import re
from collections.abc import Iterable, Mapping

import anyio

from voiso_async.auth import Auth
from voiso_async.errors import APIError
from voiso_async.session import Session
from voiso_async.wire import Request, Response

__all__ = ["Calls", "request_to"]

MOST_AT_A_TIME = 4  # contract 8: requests in flight for one account
LONGEST_QUIET = 60.0
UNAUTHORISED = 401
ACCEPT = ("Accept", "application/hal+json, application/json")
SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")


class Calls:
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
            await self._quiet()
            response = await self._session.send(request, repeat_in_doubt=repeat_in_doubt)
        self._note(response)
        return response

    async def attempt(self, request: Request) -> Response:
        """Make one exchange and return any complete answer; after a 401 one more, with a fresh token."""
        self.ensure_usable()
        async with self._slots:
            await self._quiet()
            response = await self._session.attempt(request)
            if response.status == UNAUTHORISED and await self._auth.renew(response):
                response = await self._session.attempt(request)
        self._note(response)
        return response

    async def _quiet(self) -> None:
        while (wait := self._quiet_until - anyio.current_time()) > 0:  # noqa: ASYNC110 - it may have grown meanwhile
            await anyio.sleep(wait)

    def _note(self, response: Response) -> None:
        reset = response.headers.get("x-ratelimit-reset", "")
        if response.headers.get("x-ratelimit-remaining") == "0" and SECONDS.fullmatch(reset):
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
    """Make a request with the formats of this vendor (contract 3)."""
    kind = () if body is None else (("Content-Type", body_type),)
    return Request.to(
        method, route, ids, params=params, body=body, scope=scope, headers=(ACCEPT, *kind), personal=personal
    )
