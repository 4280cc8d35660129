"""A transport of a few lines for the session's tests: scripted outcomes, and what was asked of it."""

import asyncio
from collections.abc import Mapping

import anyio
from attrs import define, field

from voiso_async.auth import ApiKey
from voiso_async.errors import VoisoError
from voiso_async.events import Event, EventHook
from voiso_async.retry import RetryPolicy
from voiso_async.session import Session
from voiso_async.transport import Timeout
from voiso_async.wire import Request, Response

BASE_URL = "https://cc.example.com/api/v4"
KEY = "canary-key-of-the-tests"


@define
class FakeTransport:
    """Answers with the next item of ``script``, and with 200 after the last; a number is a wait."""

    script: list[Response | VoisoError | float] = field(factory=list)
    sent: list[tuple[float, str, dict[str, str], Timeout]] = field(factory=list)
    closed: int = 0
    opened: bool = False

    async def send(
        self,
        request: Request,
        url: str,
        headers: Mapping[str, str],
        timeout: Timeout,  # noqa: ASYNC109 - it has three limits, as in the real one
    ) -> Response:
        self.sent.append((anyio.current_time(), url, dict(headers), timeout))
        outcome = self._next()
        while isinstance(outcome, float):
            await anyio.sleep(outcome)
            outcome = self._next()
        if isinstance(outcome, VoisoError):
            raise outcome
        return outcome

    def _next(self) -> Response | VoisoError | float:
        return self.script.pop(0) if self.script else Response(status=200, body=b"{}")

    @property
    def times(self) -> list[float]:
        return [round(moment, 6) for moment, *_ in self.sent]

    def check(self, loop: asyncio.AbstractEventLoop) -> None:
        pass

    async def aclose(self) -> None:
        self.closed += 1

    def abandon(self) -> None:
        pass


@define
class Bench:
    """A session on fake transports, with its events."""

    session: Session
    reads: FakeTransport
    leads: FakeTransport
    events: list[Event]

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]


def bench(*script: Response | VoisoError | float, retry: RetryPolicy | None = None, key: str = KEY) -> Bench:
    events: list[Event] = []
    session = Session(BASE_URL, ApiKey(key), retry=retry, hook=EventHook(events.append))
    reads, leads = FakeTransport(list(script)), FakeTransport(list(script))
    session._shared.reads = reads  # type: ignore[assignment]
    session._shared.leads = leads  # type: ignore[assignment]
    return Bench(session, reads, leads, events)


def status(code: int, body: bytes = b"", **headers: str) -> Response:
    return Response(
        status=code, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
