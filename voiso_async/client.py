"""VoisoClient: puts the parts together, opens and closes them."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack

from attrs import evolve

from voiso_async.auth import ApiKey, Secret
from voiso_async.convert import encode
from voiso_async.errors import ClientClosedError, ConfigurationError
from voiso_async.events import Event, EventHook
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import Gate, LocalGate
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import LaneStatus
from voiso_async.outbox.protocol import Outbox
from voiso_async.resources import Campaigns, Leads, Users
from voiso_async.resources.leads import LeadWrites
from voiso_async.resources.params import pairs_of
from voiso_async.resources.raw import RawResponse
from voiso_async.retry import RetryPolicy
from voiso_async.session import LEAD_TIMEOUT, Session, Uncopied
from voiso_async.transport import HttpSession, Timeout
from voiso_async.wire import Request, base_url_of, check_seconds

T = TypeVar("T")

WORD = re.compile(r"[a-z][a-z_]*")
IDS_AFTER = {"campaigns": "campaign_id", "users": "user_id"}
LEAD_WRITE = re.compile(r"(POST|PATCH|PUT) /campaigns/[^/]+/leads/?")


class _Options(TypedDict, total=False):
    """What ``from_env`` takes: as in the constructor."""

    cluster: str | None
    base_url: str | None
    session: HttpSession | None
    outbox: Outbox | None
    timeout: float | Timeout | None
    retry: RetryPolicy | None
    lane: LanePolicy | None
    update_verb: Literal["PATCH", "PUT"]
    on_event: Callable[[Event], object] | None


class VoisoClient(Uncopied):
    """A client of the Voiso contact-centre API v4; one for each process, used from any number of tasks.

    ::

        async with VoisoClient(cluster="cc-ams03", api_key=key) as voiso:
            report = await voiso.leads.add(3, ["441632960123"])

    ``api_key`` is the key, or a function that gives it, for rotation; ``cluster`` the first label of the contact
    centre's host name, or ``base_url`` a full address. Left out, they are read from ``VOISO_API_KEY``,
    ``VOISO_BASE_URL`` and, if that is not set, ``VOISO_CLUSTER``; what is missing or cannot work raises
    ``ConfigurationError``.

    ``session`` is an ``aiohttp.ClientSession`` of yours: it is used for everything, and never changed or closed.
    ``outbox`` keeps leads durably, and is the gate of **all** lead writes: processes that share one keep the pace
    together. It is yours too: open it before, close it after.
    ``timeout`` is for one attempt of a read, in seconds or as a ``Timeout``; ``retry`` says how reads are
    repeated; ``lane`` how leads are written; ``update_verb`` how leads are updated. ``on_event`` is
    called with each ``Event``, in the event loop: be quick.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str] | None = None,
        *,
        cluster: str | None = None,
        base_url: str | None = None,
        session: HttpSession | None = None,
        outbox: Outbox | None = None,
        timeout: float | Timeout | None = None,
        retry: RetryPolicy | None = None,
        lane: LanePolicy | None = None,
        update_verb: Literal["PATCH", "PUT"] = "PATCH",
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        # From here on the key cannot be read in a traceback that shows local variables.
        api_key = _api_key(api_key)
        if update_verb not in ("PATCH", "PUT"):
            raise ConfigurationError('update_verb must be "PATCH" or "PUT"')
        policy, hook = _checked("lane", lane, LanePolicy) or LanePolicy(), EventHook(on_event)
        self._session = Session(
            _base_url(cluster, base_url),
            ApiKey(api_key),
            session=session,
            timeout=_timeout(timeout),
            lead_timeout=evolve(LEAD_TIMEOUT, total=policy.post_timeout, read=policy.post_timeout),
            retry=_checked("retry", retry, RetryPolicy),
            hook=hook,
        )
        writes = LeadWrites(self._session, update_verb)
        self._batcher = LeadBatcher(
            writes.post,
            _gate(outbox, self._session.origin, policy),
            writes.parse_error,
            policy=policy,
            hook=hook,
            guard=self._session.ensure_usable,
            backoff=self._session.wait_until_allowed,
        )
        self._outbox = outbox
        self._attach()

    def _attach(self) -> None:
        self.campaigns: Campaigns = Campaigns(self._session)
        self.users: Users = Users(self._session)
        self.leads: Leads = Leads(self._batcher, self._outbox)

    @classmethod
    def from_env(cls, **options: Unpack[_Options]) -> Self:
        """Make a client with the key of ``VOISO_API_KEY``; ``options`` are those of the class.

        The address is that of ``VOISO_BASE_URL`` or ``VOISO_CLUSTER``, unless an option gives it.
        """
        return cls(None, **options)

    def with_options(self, *, timeout: float | Timeout | None = None, retry: RetryPolicy | None = None) -> Self:
        """Give a view with other limits for reads; it shares everything else, the lanes and the closing too."""
        twin = copy(self)
        twin._session = self._session.view(_timeout(timeout), _checked("retry", retry, RetryPolicy))  # noqa: SLF001 - its own class
        twin._attach()  # noqa: SLF001 - its own class
        return twin

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        json: Any = None,
    ) -> RawResponse:
        """Call an endpoint that has no method here yet; ``path`` comes after ``/api/v4``.

        As careful as the methods: the key goes to the client's own origin alone, GETs are repeated, other verbs
        only if it is certain that nothing came of them. Anything but a 2xx raises. Values of ``params`` are text,
        whole numbers or flags; ``None`` is left out. Lead writes are refused: they need the pace of ``leads``.

        Raises:
            ConfigurationError: an argument cannot work, or it is a lead write; nothing was sent.
            APIError: the server refused it.
            TransportError: no usable answer came; ``proof`` says what is certain.

        >>> answer = await voiso.request("GET", "/routing/queues/7")    # doctest: +SKIP
        >>> answer.json()["queue"]                                      # doctest: +SKIP
        """
        if not isinstance(method, str) or not isinstance(path, str):
            raise ConfigurationError("method and path must be text; nothing was sent")
        if LEAD_WRITE.fullmatch(f"{method} {path}"):
            raise ConfigurationError("leads are written with leads.add and leads.update; nothing was sent")
        body = None if json is None else _encoded(json)
        route, ids = _route(path)
        request = Request(method=method, route=route, path=path, params=pairs_of(params), body=body, ids=ids)
        response = await self._session.send(request)
        return RawResponse(
            status=response.status, headers=response.headers, body=response.body, request=request.name
        )

    def lanes(self) -> list[LaneStatus]:
        """The state of each campaign's lane: state and reason, rows waiting, seconds until its gate opens."""
        return self._batcher.statuses()

    async def aclose(self, grace: float = 30.0) -> None:
        """Let leads that wait go on for ``grace`` seconds, then close; at once if none waits, and twice is fine.

        A call whose outcomes are iterated goes on while its loop waits for them. Calls that are not done then
        raise ``ClientClosedError`` with their report.
        """
        check_seconds("grace", grace, rest="nothing was closed")
        with suppress(ClientClosedError):
            self._session.ensure_usable()  # what runs here is not for another loop or process to end
        try:
            await self._batcher.aclose(grace)
        finally:
            await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _gate(outbox: Outbox | None, origin: str, policy: LanePolicy) -> Gate:
    """The gate of all lead writes: that of the outbox, which other processes share, or this process's own."""
    if outbox is not None:
        return outbox.gate(origin, policy)
    return LocalGate(origin, policy.cooldown, doubt_backoff=policy.doubt_backoff)


def _api_key(given: str | Callable[[], str] | None) -> Secret | Callable[[], str]:
    key = _variable("VOISO_API_KEY") if given is None else given
    if key is None:
        raise ConfigurationError("there is no API key: set VOISO_API_KEY, or give api_key")
    return key if callable(key) else Secret(key if isinstance(key, str) else "")


def _base_url(cluster: str | None, base_url: str | None) -> str:
    if cluster is not None and base_url is not None:
        raise ConfigurationError("give cluster or base_url, not both")
    if cluster is None and base_url is None:
        base_url = _variable("VOISO_BASE_URL")
        cluster = _variable("VOISO_CLUSTER") if base_url is None else None
    if cluster is None and base_url is None:
        raise ConfigurationError("there is no address: set VOISO_CLUSTER or VOISO_BASE_URL, or give cluster")
    return base_url_of(cluster, base_url)


def _variable(name: str) -> str | None:
    """Read the environment; an empty variable is one that is not set."""
    return os.environ.get(name) or None


def _checked(name: str, given: T | None, kind: type[T]) -> T | None:
    if given is None or isinstance(given, kind):
        return given
    raise ConfigurationError(f"{name} must be a {kind.__name__}")


def _encoded(value: Any) -> bytes:
    with suppress(TypeError, ValueError, RecursionError):
        return encode(value)
    raise ConfigurationError("json holds what cannot be written as JSON; nothing was sent")


def _route(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Make a template of a path, and its ids, for errors and events: only plain words are sure to be no value."""
    template: list[str] = []
    ids: dict[str, str] = {"id": ""}
    for part in path.split("/"):
        if part and not WORD.fullmatch(part):
            name = IDS_AFTER.get(template[-1] if template else "", "id")
            name = "id" if name in ids else name
            ids.setdefault(name, part)
            part = f"{{{name}}}"  # noqa: PLW2901 - what stands for it
        template.append(part)
    return "/".join(template), tuple(ids.items())


def _timeout(given: float | Timeout | None) -> Timeout | None:
    if given is None or isinstance(given, Timeout):
        return given
    return Timeout(total=given, connect=given, read=given)
