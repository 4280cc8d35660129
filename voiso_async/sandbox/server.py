"""``Sandbox``, the server with its data, and ``serve``, which runs it until a signal."""

import asyncio
import signal
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from voiso_async.sandbox.connection import Connections, NoReply
from voiso_async.sandbox.faults import Faults
from voiso_async.sandbox.handler import RequestHandler
from voiso_async.sandbox.history import Exchange, History
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.sample import CAMPAIGNS, USERS, fill_talkdesk
from voiso_async.sandbox.talkdesk.account import Talkdesk
from voiso_async.sandbox.talkdesk.routes import TALKDESK_ROOT, TalkdeskHandler
from voiso_async.sandbox.voiso.routes import ALL_SCOPES, ROOT, VoisoHandler
from voiso_async.sandbox.voiso.state import Campaign, State, User

DEFAULT_KEY = "sandbox-key"
LOOPBACK = "127.0.0.1"
LINGER_SECONDS = 1.0  # how long aiohttp reads the rest of a body that nothing has read
CLOSING_SECONDS = 0.1  # handlers end at once; this is for clients that keep their connection


class Sandbox:
    """A local Voiso over real HTTP that enforces the rules of the API and fails on request.

    ::

        async with Sandbox(rules=Rules(cooldown=0.1)) as sandbox:
            sandbox.add_campaign(id=3, name="Summer")
            sandbox.faults.add(ApplyThenClose(), path="/campaigns/3/leads")
            ...  # talk to sandbox.url with sandbox.key, then look at sandbox.history

    ``port`` 0 takes a free one; after ``aclose``, ``start`` listens on it again with the same data. ``sample``
    adds a dozen campaigns and 25 users, and fills ``talkdesk``, whose agents are partly the same people.
    ``clock`` measures the cooldown and the times in the history; ``history_limit`` is how many exchanges,
    bodies included, the history keeps.
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
        self._state = State(
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
        """The origin, without ``/api/v4``. The port is known once the sandbox has started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self._port}"

    @property
    def talkdesk_url(self) -> str:
        """The root of the Talkdesk account; ``/oauth/token`` below it issues tokens."""
        return f"{self.url}{TALKDESK_ROOT}"

    @property
    def rules(self) -> Rules:
        """The rules for requests that arrive from now on."""
        return self._state.rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._state.rules = rules

    @property
    def keys(self) -> dict[str, set[str]]:
        """Every key and its scopes; change it at run time to add, limit or revoke a key."""
        return self._state.keys

    @property
    def campaigns(self) -> dict[int, Campaign]:
        """The campaigns by id."""
        return self._state.campaigns

    @property
    def users(self) -> dict[int, User]:
        """The users by id."""
        return self._state.users

    @property
    def history(self) -> list[Exchange]:
        """Every request, also those still in process, in the order they arrived."""
        return self._state.history.exchanges

    @property
    def too_early(self) -> int:
        """How many lead requests came before the cooldown had passed, whatever the reply."""
        return self._state.too_early

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
        """Make a campaign; ``leads`` are numbers, ``details`` are any other fields."""
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
            clock=self._state.clock,
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
        """Make a user; ``details`` are any other fields."""
        number = id if id is not None else max(self.users, default=0) + 1
        email = email or f"user{number}@example.net"
        user = User(id=number, name=name or f"User {number}", email=email, details=details)
        self.users[number] = user
        return user

    async def start(self) -> None:
        """Listen on the port; raises ``OSError`` if it is taken."""
        if self._runner is not None:
            raise RuntimeError("the sandbox has been started already")
        self._state.closing = asyncio.Event()
        server = Connections(self._handle, access_log=None, lingering_time=LINGER_SECONDS)
        runner = web.ServerRunner(server, shutdown_timeout=CLOSING_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening, end every stall and close every connection; data and history stay."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            self._state.closing.set()
            await runner.cleanup()
            await asyncio.sleep(0)  # transports close their sockets in the next iteration of the loop

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
        # A fault is taken when the headers arrive, so faults follow the order of arrival.
        fault = self.faults.take(request.method, path)
        name = None if fault is None else type(fault).__name__
        if path.startswith(TALKDESK_ROOT + "/"):
            handler: RequestHandler = TalkdeskHandler(
                request, self._state, path=path, fault=name, account=self.talkdesk, origin=self.url
            )
        else:
            handler = VoisoHandler(request, self._state, path=path, fault=name)
        try:
            return await (handler.run() if fault is None else fault.run(handler))
        except ConnectionError:
            return NoReply()
        finally:
            handler.finish()  # for a client that disconnected; otherwise it has been called already


SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(sandbox: Sandbox, announce: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` gets the URL once the sandbox listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in SIGNALS:
        with suppress(NotImplementedError):  # on Windows, Ctrl-C ends asyncio.run itself
            loop.add_signal_handler(signum, stop.set)
    try:
        async with sandbox:
            announce(sandbox.url)
            await stop.wait()
    finally:
        for signum in SIGNALS:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signum)
