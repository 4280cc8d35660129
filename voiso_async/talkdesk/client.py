"""TalkdeskClient: puts the parts together, opens and closes them."""

import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from attrs import evolve

from voiso_async.auth import Secret, hidden
from voiso_async.errors import ConfigurationError
from voiso_async.events import Event, EventHook
from voiso_async.ingest.policy import LanePolicy
from voiso_async.retry import RetryPolicy
from voiso_async.session import LEAD_TIMEOUT, Session, Uncopied
from voiso_async.talkdesk.addresses import addresses_of
from voiso_async.talkdesk.assertion import SignedAssertion
from voiso_async.talkdesk.campaigns import TalkdeskCampaigns
from voiso_async.talkdesk.oauth import ClientCredentials, ClientSecret, Identity
from voiso_async.talkdesk.record_lists import MOST_RECORDS, RECORD_POLICY, RecordLists
from voiso_async.talkdesk.session import TALKDESK_ADVICE, TalkdeskSession, parse_talkdesk_error
from voiso_async.talkdesk.users import TalkdeskUsers
from voiso_async.transport import HttpSession, Timeout

RETRY = RetryPolicy(max_attempts=5, base_delay=1.0, max_delay=8.0)
T = TypeVar("T")


class _Options(TypedDict, total=False):
    """What ``from_env`` takes: as in the constructor."""

    region: str | None
    scopes: Iterable[str]
    base_url: str | None
    token_url: str | None
    session: HttpSession | None
    timeout: float | Timeout | None
    retry: RetryPolicy | None
    lane: LanePolicy | None
    on_event: Callable[[Event], object] | None


class TalkdeskClient(Uncopied):
    """A client of Talkdesk's campaigns, their users and record lists; one for each account and process.

    ::

        async with TalkdeskClient("acme", client_id=client_id, client_secret=secret, region="eu") as talkdesk:
            members = await talkdesk.campaigns.users(campaign_id).collect()

    ``account`` is the name before ``.talkdeskid.com``, ``region`` us (the default), eu or ca. The client proves
    itself by ``client_secret``, or by ``private_key`` and its ``key_id``, which needs the extra ``talkdesk``. Left
    out, they are read from ``TALKDESK_ACCOUNT``, ``TALKDESK_REGION``, ``TALKDESK_CLIENT_ID``,
    ``TALKDESK_CLIENT_SECRET``, ``TALKDESK_PRIVATE_KEY`` and ``TALKDESK_KEY_ID``. Other addresses than those of the
    region are ``base_url`` and ``token_url``, or ``TALKDESK_BASE_URL`` and ``TALKDESK_TOKEN_URL``. ``scopes`` are
    asked for with each token; without any the account gives all it has granted.

    The token is had when it is first needed and shared by every task. ``session``, ``timeout``, ``retry`` and
    ``on_event`` are as in ``VoisoClient``; ``lane`` says how records are added: its ``max_rows`` is 1 to 100.
    """

    def __init__(
        self,
        account: str | None = None,
        *,
        region: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        private_key: str | None = None,
        key_id: str | None = None,
        scopes: Iterable[str] = (),
        base_url: str | None = None,
        token_url: str | None = None,
        session: HttpSession | None = None,
        timeout: float | Timeout | None = None,
        retry: RetryPolicy | None = None,
        lane: LanePolicy | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        # From here on neither can be read in a traceback that shows local variables.
        client_secret = None if client_secret is None else hidden(client_secret)
        private_key = None if private_key is None else hidden(private_key)
        addresses = addresses_of(
            _given(account, "TALKDESK_ACCOUNT"),
            _given(region, "TALKDESK_REGION"),
            _given(base_url, "TALKDESK_BASE_URL"),
            _given(token_url, "TALKDESK_TOKEN_URL"),
        )
        policy = _checked_lane(lane)
        retry = _checked("retry", retry, RetryPolicy) or RETRY
        hook = EventHook(on_event)
        self._auth = ClientCredentials(
            addresses.token_url,
            _identity(client_id, client_secret, private_key, key_id),
            scopes=_checked_scopes(scopes),
            session=session,
            hook=hook,
        )
        self._session = Session(
            addresses.base_url,
            self._auth,
            session=session,
            timeout=_timeout(timeout),
            lead_timeout=evolve(LEAD_TIMEOUT, total=policy.post_timeout, read=policy.post_timeout),
            retry=retry,
            explain=parse_talkdesk_error,
            advice=TALKDESK_ADVICE,
            hook=hook,
        )
        calls = TalkdeskSession(self._session, self._auth, addresses.base_url)
        self.campaigns: TalkdeskCampaigns = TalkdeskCampaigns(calls)
        self.users: TalkdeskUsers = TalkdeskUsers(calls)
        self.record_lists: RecordLists = RecordLists(calls, policy=policy, retry=retry)

    @classmethod
    def from_env(cls, **options: Unpack[_Options]) -> Self:
        """Make a client of what the environment says; ``options`` are those of the class."""
        return cls(None, **options)

    async def aclose(self) -> None:
        """Close the connections; requests under way fail. Twice is fine."""
        try:
            await self._auth.aclose()
        finally:
            await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _given(value: str | None, name: str) -> str | None:
    """Take what was given, else what the environment says; an empty variable is one that is not set."""
    return value if value is not None else os.environ.get(name) or None


def _identity(
    client_id: str | None, secret: Secret | None, private_key: Secret | None, key_id: str | None
) -> Identity:
    if secret is not None and private_key is not None:
        raise ConfigurationError("give client_secret or private_key, not both")
    if secret is None and private_key is None:
        secret = _secret("TALKDESK_CLIENT_SECRET")
        private_key = _secret("TALKDESK_PRIVATE_KEY") if secret is None else None
    client_id = _given(client_id, "TALKDESK_CLIENT_ID")
    if client_id is None:
        raise ConfigurationError("there is no client id: set TALKDESK_CLIENT_ID, or give client_id")
    if secret is not None:
        return ClientSecret(client_id, secret)
    key_id = _given(key_id, "TALKDESK_KEY_ID")
    if private_key is None:
        raise ConfigurationError(
            "there is no proof of who the client is: set TALKDESK_CLIENT_SECRET or TALKDESK_PRIVATE_KEY, or give "
            "client_secret or private_key"
        )
    if key_id is None:
        raise ConfigurationError("a private key needs its id: set TALKDESK_KEY_ID, or give key_id")
    return SignedAssertion(client_id, key_id, private_key)


def _secret(name: str) -> Secret | None:
    return Secret(os.environ[name]) if os.environ.get(name) else None


def _checked_scopes(scopes: Any) -> tuple[str, ...]:
    found = tuple(scopes) if isinstance(scopes, Iterable) and not isinstance(scopes, str) else (None,)
    if not all(isinstance(scope, str) and scope.isascii() and scope.isprintable() and scope for scope in found):
        raise ConfigurationError("scopes must be a list of scopes, such as campaigns:read")
    return tuple(str(scope) for scope in found)


def _checked_lane(lane: LanePolicy | None) -> LanePolicy:
    policy = _checked("lane", lane, LanePolicy) or RECORD_POLICY
    if policy.max_rows > MOST_RECORDS:
        raise ConfigurationError(f"lane: max_rows must be from 1 to {MOST_RECORDS} records in a request")
    return policy


def _checked(name: str, given: T | None, kind: type[T]) -> T | None:
    if given is None or isinstance(given, kind):
        return given
    raise ConfigurationError(f"{name} must be a {kind.__name__}")


def _timeout(given: float | Timeout | None) -> Timeout | None:
    if given is None or isinstance(given, Timeout):
        return given
    return Timeout(total=given, connect=given, read=given)
