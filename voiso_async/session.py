"""The session layer: retry, auth, transport, decipher; one method per ring, each knowing only the next."""

import asyncio
import math
import os
import re
import warnings
from collections.abc import Mapping
from copy import copy
from typing import NoReturn

import anyio
from attrs import define

from voiso_async._structs import replace
from voiso_async.auth import Auth
from voiso_async.decipher import ErrorParser, api_error, parse_voiso_error
from voiso_async.errors import (
    APIError,
    ClientClosedError,
    ConfigurationError,
    ForkedError,
    RequestTimeoutError,
    ResponseError,
    UsageError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.events import EventHook, OriginHeld, RetryPlanned
from voiso_async.retry import RetryPolicy, retry_after
from voiso_async.statuses import ADVICE
from voiso_async.transport import HttpSession, Timeout, Transport
from voiso_async.wire import Request, Response, origin_of, request_id_of

LEAD_TIMEOUT = Timeout(total=120.0, connect=10.0, read=120.0)
"""A batch of leads may be worked on for long, and giving up early turns a thousand rows into a doubt."""

UNAUTHORISED = 401
HOLDING_STATUSES = frozenset({429, 503})
METHOD = re.compile(r"[A-Z]{3,7}")
PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+/?")  # no segment begins with a dot


class Uncopied:
    """What holds connections and a key, and has one home: a copy would have none."""

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise UsageError("a client is not copied: share it among any number of tasks; with_options() gives a view")


@define(eq=False, repr=False)
class _Shared:
    """What a session and its views have in common; its home is the loop and process of the first use."""

    auth: Auth
    reads: Transport
    leads: Transport
    hook: EventHook
    explain: ErrorParser
    advice: Mapping[int, str]
    loop: asyncio.AbstractEventLoop | None = None
    pid: int | None = None
    closed: bool = False
    quiet_until: float = -math.inf

    def ensure_home(self) -> asyncio.AbstractEventLoop:
        """Settle here on the first use; later, refuse every other process and loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if self.pid not in (None, os.getpid()):
            raise ForkedError("the client was used before this process was forked; make a new one here")
        if loop is None:
            raise WrongLoopError("no event loop is running here; nothing was sent")
        if self.loop not in (None, loop):
            raise WrongLoopError("the client belongs to another event loop; make one in each loop")
        self.loop, self.pid = loop, os.getpid()
        return loop

    def __del__(self) -> None:
        if self.closed or self.pid != os.getpid() or not (self.reads.opened or self.leads.opened):
            return
        self.reads.abandon()
        self.leads.abandon()
        warnings.warn(
            "a client was never closed; use 'async with', or await its aclose()", ResourceWarning, stacklevel=2
        )


class Session(Uncopied):
    """Sends requests to one origin: with the key, in time, again where that is safe, and with honest errors.

    Used from any number of tasks of one event loop. A 429 or 503 with ``Retry-After`` holds every request of this
    session and its views until the server's time has passed, at most ``retry.max_retry_after`` seconds.
    """

    def __init__(
        self,
        base_url: str,
        auth: Auth,
        *,
        session: HttpSession | None = None,
        timeout: Timeout | None = None,
        lead_timeout: Timeout | None = None,
        retry: RetryPolicy | None = None,
        explain: ErrorParser = parse_voiso_error,
        advice: Mapping[int, str] = ADVICE,
        hook: EventHook | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._origin = origin_of(self._base_url)
        self._timeout = timeout or Timeout()
        self._lead_timeout = lead_timeout or LEAD_TIMEOUT
        self._retry = retry or RetryPolicy()
        self._shared = _Shared(
            auth=auth,
            reads=Transport(session),
            leads=Transport(session, fresh=True, patient=True),
            hook=hook or EventHook(),
            explain=explain,
            advice=advice,
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port of every request."""
        return self._origin

    @property
    def lead_timeout(self) -> Timeout:
        """The limits of one ``attempt``."""
        return self._lead_timeout

    @property
    def held_for(self) -> float:
        """Seconds that the server still wants quiet for; 0.0 when requests may leave."""
        return max(0.0, self._shared.quiet_until - _now())

    def view(self, timeout: Timeout | None = None, retry: RetryPolicy | None = None) -> "Session":
        """Give a session with another timeout or policy that shares everything else, its closing too."""
        twin = copy(self)
        twin._timeout = timeout or self._timeout  # noqa: SLF001 - its own class
        twin._retry = retry or self._retry  # noqa: SLF001 - its own class
        return twin

    def ensure_usable(self) -> None:
        """Raise ``ClientClosedError``, ``WrongLoopError`` or ``ForkedError`` before anything is done in vain."""
        if self._shared.closed:
            raise ClientClosedError("the client is closed; make a new one")
        loop = self._shared.ensure_home()
        self._shared.reads.check(loop)

    async def send(
        self, request: Request, *, retry: RetryPolicy | None = None, repeat_in_doubt: bool | None = None
    ) -> Response:
        """Return the 2xx answer of a request, or raise: the retry ring.

        After doubt a GET is repeated, any other request only with ``repeat_in_doubt``.
        """
        self.ensure_usable()
        policy = retry or self._retry
        repeat = request.method == "GET" if repeat_in_doubt is None else repeat_in_doubt
        ends = _now() + policy.deadline
        attempt = 1
        while True:
            try:
                return await self._authorised(request, attempt, ends)
            except VoisoError as failure:
                unsafe = failure.proof == "in_doubt" and not repeat
                delay = None if unsafe else policy.delay(failure, attempt)
                if delay is None or _now() + delay >= ends:
                    raise
                reason = _reason(failure)
            self._shared.hook(
                RetryPlanned(
                    request=str(request),
                    attempt=attempt,
                    campaign=request.name.campaign,
                    user=request.name.user,
                    delay=delay,
                    reason=reason,
                )
            )
            await anyio.sleep(delay)
            attempt += 1

    async def attempt(self, request: Request) -> Response:
        """Make exactly one exchange on a fresh connection and return any complete answer, 4xx and 5xx too.

        Without one, the error's ``proof`` says what is certain.
        """
        self.ensure_usable()
        return await self._exchange(request, self._shared.leads, self._lead_timeout)

    async def _authorised(self, request: Request, attempt: int, ends: float) -> Response:
        """Ask for renewed credentials after a 401, once: the auth ring."""
        response = await self._exchange(request, self._shared.reads, self._timeout, attempt, ends)
        if response.status == UNAUTHORISED and await self._shared.auth.renew(response):
            response = await self._exchange(request, self._shared.reads, self._timeout, attempt, ends)
        return self._deciphered(request, response)

    async def _exchange(
        self,
        request: Request,
        transport: Transport,
        timeout: Timeout,  # noqa: ASYNC109 - a value of three limits, handed on
        attempt: int = 1,
        ends: float = math.inf,
    ) -> Response:
        """Wait while the origin is held, then send with the key of this moment: the transport ring."""
        url = self._url(request)
        await self._wait_until_allowed(request, ends)
        self.ensure_usable()
        headers = await self._shared.auth.headers()
        with self._shared.hook.attempt(request.name, attempt, _now) as ending:
            response = self._masked(await transport.send(request, url, headers, timeout.within(ends - _now())))
            ending.status, ending.request_id = response.status, request_id_of(response.headers)
        self._hold(response)
        return response

    def _deciphered(self, request: Request, response: Response) -> Response:
        """Pass a 2xx on and name the error of everything else: the decipher ring."""
        if 200 <= response.status < 300:
            return response
        if 300 <= response.status < 600:
            raise self.api_error(request, response)
        raise ResponseError(
            f"status {response.status} has no meaning here",
            request=request.name,
            expected="a final HTTP status",
            reason="status",
        )

    def api_error(self, request: Request, response: Response) -> APIError:
        """Name the error of a complete answer that says no; see ``decipher.api_error``."""
        return api_error(request, response, self._shared.explain, self._shared.advice)

    def _url(self, request: Request) -> str:
        url = f"{self._base_url}{request.target}"
        sound = METHOD.fullmatch(request.method) and PATH.fullmatch(request.path)
        if not sound or origin_of(url) != self._origin:
            raise ConfigurationError(
                "the path must begin with '/' and have segments of letters, digits, '-', '_', '.' and '~' that do "
                "not begin with a dot; the method must be in capitals; nothing was sent"
            )
        return url

    async def wait_until_allowed(self) -> None:
        """Wait while the server wants quiet: whoever is about to take a turn waits here, not in it."""
        while (wait := self.held_for) > 0:  # noqa: ASYNC110 - it may have grown meanwhile
            await anyio.sleep(wait)

    async def _wait_until_allowed(self, request: Request, ends: float) -> None:
        """Wait until the server's own time has passed, unless that is beyond the deadline."""
        while (wait := self.held_for) > 0:
            if _now() + wait >= ends:
                raise RequestTimeoutError(
                    f"the server asked for {wait:.1f} s of quiet, longer than the time left",
                    request=request.name,
                    proof="not_sent",
                    reason="held",
                )
            await anyio.sleep(wait)

    def _hold(self, response: Response) -> None:
        seconds = retry_after(response.headers) if response.status in HOLDING_STATUSES else None
        seconds = min(seconds or 0.0, self._retry.max_retry_after)
        if seconds > self.held_for:
            self._shared.quiet_until = _now() + seconds
            self._shared.hook(OriginHeld(seconds=seconds))

    def _masked(self, response: Response) -> Response:
        """Take an echoed key out of the headers, and out of a body that may become text of an error."""
        mask = self._shared.auth.mask
        headers = {name: mask(value) for name, value in response.headers.items()}
        if 200 <= response.status < 300:
            return replace(response, headers=headers)
        text = response.body.decode("utf-8", "surrogateescape")
        return replace(response, headers=headers, body=mask(text).encode("utf-8", "surrogateescape"))

    async def aclose(self) -> None:
        """Close the own connections, for every view; once is enough, twice is fine."""
        if self._shared.closed:
            return
        self._shared.ensure_home()
        self._shared.closed = True
        try:
            await self._shared.leads.aclose()
        finally:
            await self._shared.reads.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _reason(failure: VoisoError) -> str:
    if isinstance(failure, APIError):
        return f"status {failure.status}"
    return str(getattr(failure, "reason", ""))
