"""A Talkdesk account in the sandbox: its rules, its clients and its data."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from uuid import uuid4

from attrs import Factory, define, field, frozen
from attrs.validators import in_

TALKDESK_SCOPES = frozenset(
    {"campaigns:read", "campaigns:write", "record-lists:manage", "record-lists:write", "users:read"}
)
DEFAULT_CLIENT = ("sandbox-client", "sandbox-secret")
# What a page links to as the next one: the right page as an address, a path or only a query; itself or the first
# page again; nothing, in several forms; the API documentation; or a page on another server, scheme or port.
LINKS = (
    *("absolute", "relative", "bare", "self", "cycle", "null", "blank", "templated", "none"),
    *("docs", "docs_elsewhere", "foreign", "wrong_scheme", "wrong_port"),
)


@frozen(kw_only=True)
class TalkdeskRules:
    """What this Talkdesk requires and how it replies, times in seconds; change it with ``attrs.evolve``."""

    expires_in: Any = 599
    """Lifetime of tokens, and the field of that name in the reply; ``None`` leaves it out and means 599."""
    token_reply: Mapping[str, Any] | None = field(default=None, repr=False)
    """Fields that replace those of the token reply."""
    max_page: int = 100
    max_bulk: int = 100
    capacity: int | None = None
    """How many records a list can hold; a request that exceeds it is a 400 ``0530911``."""
    poison: Callable[[Mapping[str, Any]], str | None] | None = field(default=None, repr=False)
    """A record for which this returns a text makes the whole request a 400 with that text."""
    next_link: str = field(default="absolute", validator=in_(LINKS))
    """What pages link to as the next page, and in which form; the names are in ``LINKS``."""
    foreign: str = "https://elsewhere.example.net"
    """The origin of ``foreign`` links."""
    other_total: int | None = None
    """What every page gives as the total instead of the true one; -1 leaves it out."""
    other_page: int | None = None
    """What every page gives as its number instead of the true one."""
    overlap: int = 0
    """How many items of a page were on the page before it too."""
    embedded: Literal["always", "filled", "never"] = "always"
    """Whether pages have ``_embedded``; ``filled`` leaves it out of empty pages."""
    misspelt: bool = False
    """Pages say ``total_page`` and ``campaings``, as Talkdesk's documentation does."""
    shuffled: bool = False
    """Replies to bulk requests list the records in another order."""
    forget: int = 0
    """How many of the first records each bulk reply leaves out."""
    latency: float = 0.0


@define
class Token:
    """An issued token: when it expires, by the sandbox's clock, and its scopes."""

    until: float
    scopes: frozenset[str]


@define(kw_only=True, eq=False)
class TalkdeskCampaign:
    """A campaign with the ids of its users and of its record lists."""

    id: str
    name: str
    status: str = "RUNNING"
    user_ids: list[str] = Factory(list)
    list_ids: list[str] = Factory(list)
    details: dict[str, Any] = field(factory=dict, repr=False)


@define(kw_only=True, eq=False)
class TalkdeskList:
    """A record list; ``records`` in the order they were added, each with its id."""

    id: str
    name: str
    kind: str = "PHONE_NUMBER"
    status: str = "ACCEPTED"
    records: list[dict[str, Any]] = field(factory=list, repr=False)
    known_keys: set[Any] = field(factory=set, repr=False)
    """What must be unique: phone numbers or external ids, by ``kind``."""
    in_flight: int = 0
    concurrent_requests: int = 0
    """How often a bulk request arrived while another was in flight."""


@define(eq=False)
class Talkdesk:
    """One account; a test changes its rules and data at run time and then inspects them."""

    rules: TalkdeskRules = Factory(TalkdeskRules)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    secrets: dict[str, str] = field(factory=lambda: dict([DEFAULT_CLIENT]), repr=False)
    """The secret of each client that has one."""
    public_keys: dict[tuple[str, str], str] = field(factory=dict, repr=False)
    """The public key, as PEM, by client and key id."""
    scopes: set[str] = field(factory=lambda: set(TALKDESK_SCOPES))
    """What every client is granted."""
    tokens: dict[str, Token] = field(factory=dict, repr=False)
    used: set[str] = field(factory=set, repr=False)
    """The ``jti`` of each assertion that was used."""
    campaigns: dict[str, TalkdeskCampaign] = Factory(dict)
    users: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    lists: dict[str, TalkdeskList] = Factory(dict)

    @property
    def client_id(self) -> str:
        """The client that exists from the start."""
        return DEFAULT_CLIENT[0]

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return DEFAULT_CLIENT[1]

    def add_campaign(
        self, *, name: str = "", user_ids: Iterable[str] = (), status: str = "RUNNING", **details: Any
    ) -> TalkdeskCampaign:
        """Make a campaign; ``details`` are any other fields, and ``id`` among them sets its id."""
        number = details.pop("id", None) or str(uuid4())
        campaign = TalkdeskCampaign(
            id=number,
            name=name or f"Campaign {len(self.campaigns) + 1}",
            status=status,
            user_ids=list(user_ids),
            details=details,
        )
        self.campaigns[campaign.id] = campaign
        return campaign

    def add_user(self, *, name: str = "", email: str | None = None, **details: Any) -> str:
        """Make a user and return its id."""
        number = details.pop("id", None) or str(uuid4())
        count = len(self.users) + 1
        self.users[number] = {
            "id": number,
            "name": name or f"Agent {count}",
            "email": f"agent{count}@example.net" if email is None else email,
            "active": True,
            "extension": None,
            **details,
        }
        return number

    def add_list(self, *, name: str = "", kind: str = "PHONE_NUMBER", **options: Any) -> TalkdeskList:
        """Make a record list; ``kind`` is PHONE_NUMBER, EXTERNAL or NOTHING."""
        number = options.pop("id", None) or str(uuid4())
        made = TalkdeskList(id=number, name=name or f"List {len(self.lists) + 1}", kind=kind, **options)
        self.lists[made.id] = made
        return made

    def revoke(self) -> None:
        """Revoke every token."""
        self.tokens.clear()
