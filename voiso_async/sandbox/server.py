"""The sandbox itself: a local Voiso over real HTTP."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from voiso_async.sandbox.centre import Centre
from voiso_async.sandbox.faults import Faults
from voiso_async.sandbox.history import Exchange, History
from voiso_async.sandbox.line import NoAnswer, Switchboard
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.sample import CAMPAIGNS, USERS
from voiso_async.sandbox.scopes import ALL_SCOPES
from voiso_async.sandbox.state import Campaign, User
from voiso_async.sandbox.talkdesk import Talkdesk
from voiso_async.sandbox.talkdesk_sample import fill_talkdesk
from voiso_async.sandbox.talkdesk_visit import TALKDESK_ROOT, TalkdeskVisit
from voiso_async.sandbox.visit import ROOT, Visit

__all__ = ["Sandbox"]

DEFAULT_KEY = "sandbox-key"
LOOPBACK = "127.0.0.1"
LINGER_SECONDS = 1.0  # how long the rest of a body is read that no handler wanted
CLOSING_SECONDS = 0.1  # handlers learn of the closing at once; this is for clients that hold on


class Sandbox:
    """A local Voiso that enforces the contract and breaks down on request.

    ::

        async with Sandbox(rules=Rules(cooldown=0.1)) as sandbox:
            sandbox.add_campaign(id=3, name="Summer")
            sandbox.faults.add(ApplyThenClose(), path="/campaigns/3/leads")
            ...  # talk to sandbox.url with sandbox.key, then look at sandbox.history

    ``port`` 0 takes a free one, which a later ``start`` takes again, with all data kept. ``sample`` fills in a
    dozen campaigns and 25 users, and ``talkdesk``, the Talkdesk account, with agents of whom some are among them.
    ``clock`` is what the two-second rule and the history go by.
    ``history_limit`` bounds how many exchanges, bodies included, are remembered.
    """

    def __init__(
        self,
        *,
        rules: Rules | None = None,
        key: str = DEFAULT_KEY,
        port: int = 0,
        host: str = LOOPBACK,
        sample: bool = False,
        clock: Callable[[], float] = time.monotonic,
        history_limit: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.key = key
        self.faults: Faults = Faults()
        self._centre = Centre(
            rules=rules or Rules(),
            clock=clock,
            keys={key: set(ALL_SCOPES)},
            history=History(history_limit),
        )
        self.talkdesk: Talkdesk = Talkdesk(clock=clock)
        self._host, self._port, self._ssl = host, port, ssl_context
        self._runner: web.ServerRunner | None = None
        if sample:
            self._fill()

    def _fill(self) -> None:
        for user in USERS:
            self.add_user(**user)
        for campaign in CAMPAIGNS:
            self.add_campaign(**campaign)
        fill_talkdesk(self.talkdesk)

    @property
    def url(self) -> str:
        """The bare origin; ``/api/v4`` is below it. The port is known once the sandbox has started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self._port}"

    @property
    def talkdesk_url(self) -> str:
        """The root of the Talkdesk account; its tokens are had at ``/oauth/token`` below it."""
        return f"{self.url}{TALKDESK_ROOT}"

    @property
    def rules(self) -> Rules:
        """The rules in force for requests that begin from now on."""
        return self._centre.rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._centre.rules = rules

    @property
    def keys(self) -> dict[str, set[str]]:
        """Every key and its scopes; change it at run time to add, limit or revoke a key."""
        return self._centre.keys

    @property
    def campaigns(self) -> dict[int, Campaign]:
        """The campaigns by id."""
        return self._centre.campaigns

    @property
    def users(self) -> dict[int, User]:
        """The users by id."""
        return self._centre.users

    @property
    def history(self) -> list[Exchange]:
        """Every request since the beginning, those still being processed included."""
        return self._centre.history.exchanges

    @property
    def too_early(self) -> int:
        """How many lead calls broke the two-second rule, whatever they were answered."""
        return self._centre.too_early

    def add_campaign(
        self,
        *,
        id: int | None = None,  # noqa: A002 - the vendor's word
        name: str = "",
        status: str = "active",
        live: bool = True,
        strategy: str = "predictive_ai",
        method: str = "api",
        user_ids: Iterable[int] = (),
        leads: Iterable[str] = (),
        **details: Any,
    ) -> Campaign:
        """Make a campaign; ``leads`` are numbers, ``details`` any other field it is to show."""
        number = id if id is not None else max(self.campaigns, default=0) + 1
        campaign = Campaign(
            id=number,
            name=name or f"Campaign {number}",
            status=status,
            live=live,
            strategy=strategy,
            method=method,
            user_ids=list(user_ids),
            leads={phone: {"phone_number": phone, "active": True} for phone in leads},
            details=details,
            clock=self._centre.clock,
        )
        self.campaigns[number] = campaign
        return campaign

    def add_user(
        self,
        *,
        id: int | None = None,  # noqa: A002 - the vendor's word
        name: str = "",
        email: str = "",
        **details: Any,
    ) -> User:
        """Make a user; ``details`` are any other fields it is to show."""
        number = id if id is not None else max(self.users, default=0) + 1
        email = email or f"user{number}@example.net"
        user = User(id=number, name=name or f"User {number}", email=email, details=details)
        self.users[number] = user
        return user

    async def start(self) -> None:
        """Listen."""
        if self._runner is not None:
            raise RuntimeError("the sandbox has been started already")
        self._centre.closing = asyncio.Event()
        board = Switchboard(self._handle, access_log=None, lingering_time=LINGER_SECONDS)
        runner = web.ServerRunner(board, shutdown_timeout=CLOSING_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening, end every stall, close every connection; the data and the history stay."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            self._centre.closing.set()
            await runner.cleanup()
            await asyncio.sleep(0)  # the closed transports let their sockets go in the next round

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        path = path.removeprefix(ROOT) if path.startswith(ROOT + "/") else path
        fault = self.faults.take(request.method, path)
        name = None if fault is None else type(fault).__name__
        if path.startswith(TALKDESK_ROOT + "/"):
            visit: Visit = TalkdeskVisit(
                request, self._centre, path=path, fault=name, talkdesk=self.talkdesk, origin=self.url
            )
        else:
            visit = Visit(request, self._centre, path=path, fault=name)
        try:
            return await (visit.play() if fault is None else fault.play(visit))
        except ConnectionError:
            return NoAnswer()
        finally:
            visit.end()
