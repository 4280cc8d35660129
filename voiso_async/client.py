"""VoisoClient: puts the parts together, opens and closes them."""

import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from attrs import field, frozen

from voiso_async.auth import ApiKey
from voiso_async.convert import encode
from voiso_async.decipher import decode_json
from voiso_async.errors import ConfigurationError
from voiso_async.events import Event, EventHook
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.door import LocalDoor
from voiso_async.ingest.lane import LaneStatus
from voiso_async.ingest.policy import LanePolicy
from voiso_async.resources import Campaigns, Leads, Users
from voiso_async.resources.leads import LeadWrites
from voiso_async.retry import RetryPolicy
from voiso_async.session import Session
from voiso_async.transport import HttpSession, Timeout
from voiso_async.wire import Request, Response, base_url_of

__all__ = ["Answer", "VoisoClient"]


@frozen(kw_only=True)
class Answer:
    """What ``request()`` gives: status, headers with lower-case names, and the body as bytes or decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    request: str

    def json(self) -> Any:
        """Decode the body; ``ResponseError`` if it is not JSON."""
        return decode_json(Response(status=self.status, headers=self.headers, body=self.body), self.request)


class VoisoClient:
    """A client of the Voiso contact-centre API v4; one for each process, used from any number of tasks.

    ::

        async with VoisoClient(cluster="cc-ams03", api_key=key) as voiso:
            report = await voiso.leads.add(3, ["441632960123"])

    ``api_key`` is the key, or a function that gives it, for rotation; ``cluster`` the first label of the contact
    centre's host name, or ``base_url`` a full address. Left out, they are read from ``VOISO_API_KEY``,
    ``VOISO_CLUSTER`` and ``VOISO_BASE_URL``; what is missing or cannot work raises ``ConfigurationError``.

    ``session`` is an ``aiohttp.ClientSession`` of yours: it is used for everything, and never changed or closed.
    ``timeout`` is for one attempt of a read, in seconds or as a ``Timeout``; ``retry`` says how reads are
    repeated; ``lane`` how leads are written; ``update_verb`` how leads are updated (contract 7). ``on_event`` is
    called with each ``Event``, in the event loop: be quick.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str] | None = None,
        *,
        cluster: str | None = None,
        base_url: str | None = None,
        session: HttpSession | None = None,
        timeout: float | Timeout | None = None,
        retry: RetryPolicy | None = None,
        lane: LanePolicy | None = None,
        update_verb: Literal["PATCH", "PUT"] = "PATCH",
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if update_verb not in {"PATCH", "PUT"}:
            raise ConfigurationError('update_verb must be "PATCH" or "PUT"')
        policy, hook = lane or LanePolicy(), EventHook(on_event)
        self._session = Session(
            _base_url(cluster, base_url),
            ApiKey(_api_key(api_key)),
            session=session,
            timeout=_timeout(timeout),
            retry=retry,
            hook=hook,
        )
        writes = LeadWrites(self._session, update_verb)
        self._batcher = LeadBatcher(
            writes.post,
            LocalDoor(self._session.origin, policy.cooldown),
            writes.explain,
            policy=policy,
            hook=hook,
            guard=self._session.ensure_usable,
        )
        self._attach()

    def _attach(self) -> None:
        self.campaigns = Campaigns(self._session)
        self.users = Users(self._session)
        self.leads = Leads(self._batcher)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a client from ``VOISO_API_KEY`` and ``VOISO_CLUSTER`` or ``VOISO_BASE_URL``, and other options."""
        return cls(**options)

    def with_options(
        self, *, timeout: float | Timeout | None = None, retry: RetryPolicy | None = None
    ) -> "VoisoClient":
        """Give a view with other limits for reads; it shares everything else, the lanes and the closing too."""
        twin = VoisoClient.__new__(VoisoClient)
        twin._session = self._session.view(timeout=_timeout(timeout), retry=retry)  # noqa: SLF001 - its own class
        twin._batcher = self._batcher  # noqa: SLF001 - its own class
        twin._attach()  # noqa: SLF001 - its own class
        return twin

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        json: Any = None,
    ) -> Answer:
        """Call an endpoint that has no method here yet; ``path`` comes after ``/api/v4``.

        As careful as the methods: the key goes to the client's own origin alone, GETs are repeated, other verbs
        only if nothing was sent. Anything but a 2xx raises. Lead writes belong to ``leads``: they need the pace.

        >>> answer = await voiso.request("GET", "/routing/queues/7")    # doctest: +SKIP
        >>> answer.json()["queue"]                                      # doctest: +SKIP
        """
        pairs = params.items() if isinstance(params, Mapping) else params
        body = None if json is None else encode(json)
        request = Request(method=method, route="(path)", path=path, params=tuple(pairs), body=body)
        response = await self._session.send(request)
        return Answer(status=response.status, headers=response.headers, body=response.body, request=str(request))

    def lanes(self) -> list[LaneStatus]:
        """Tell how each campaign's lane stands: state and reason, rows waiting, when its gate opens."""
        return self._batcher.lanes()

    async def aclose(self, grace: float = 30.0) -> None:
        """Let leads that wait go on for ``grace`` seconds, then close; twice is fine.

        Calls that still wait then raise ``ClientClosedError`` with their report.
        """
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


def _api_key(given: str | Callable[[], str] | None) -> str | Callable[[], str]:
    key = os.environ.get("VOISO_API_KEY") if given is None else given
    if key is None:
        raise ConfigurationError("there is no API key: set VOISO_API_KEY, or give api_key")
    return key


def _base_url(cluster: str | None, base_url: str | None) -> str:
    if cluster is not None and base_url is not None:
        raise ConfigurationError("give cluster or base_url, not both")
    if cluster is None and base_url is None:
        base_url = os.environ.get("VOISO_BASE_URL")
        cluster = None if base_url else os.environ.get("VOISO_CLUSTER")
    if cluster is None and base_url is None:
        raise ConfigurationError("there is no address: set VOISO_CLUSTER or VOISO_BASE_URL, or give cluster")
    return base_url_of(cluster, base_url)


def _timeout(given: float | Timeout | None) -> Timeout | None:
    if given is None or isinstance(given, Timeout):
        return given
    return Timeout(total=given, connect=given, read=given)
