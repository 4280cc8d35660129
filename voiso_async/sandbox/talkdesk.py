"""A Talkdesk account in the sandbox: its rules, its clients and its data (Talkdesk contract 11)."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from uuid import uuid4

from attrs import Factory, define, field, frozen
from attrs.validators import in_

__all__ = ["TALKDESK_SCOPES", "Talkdesk", "TalkdeskGroup", "TalkdeskList", "TalkdeskRules", "Token"]

TALKDESK_SCOPES = frozenset(
    {"campaigns:read", "campaigns:write", "record-lists:manage", "record-lists:write", "users:read"}
)
DEFAULT_CLIENT = ("sandbox-client", "sandbox-secret")
LINKS = (
    *("absolute", "relative", "bare", "self", "cycle", "null", "blank", "templated", "none"),
    *("docs", "docs_elsewhere", "foreign", "wrong_scheme", "wrong_port"),
)


@frozen(kw_only=True)
class TalkdeskRules:
    """What this Talkdesk demands, and the odd forms its pages take; change it with ``attrs.evolve``."""

    expires_in: Any = 599
    """Seconds that tokens live, and what the answer says of it; ``None`` leaves it out (and means 599)."""
    token_answer: Mapping[str, Any] | None = field(default=None, repr=False)
    """Fields that stand in place of those of the token answer."""
    max_page: int = 100
    max_bulk: int = 100
    capacity: int | None = None
    """Records that a list can hold; one more is a 400 ``0530911``."""
    poison: Callable[[Mapping[str, Any]], str | None] | None = field(default=None, repr=False)
    """A record for which this returns a text makes the whole request a 400 with that text."""
    next_link: str = field(default="absolute", validator=in_(LINKS))
    """How pages name the next: an address, a path, only a query; themselves; back to the first; not at all; ..."""
    foreign: str = "https://elsewhere.example.net"
    """Where ``foreign`` links lead."""
    other_total: int | None = None
    """What every page says the total is, true or not; -1 leaves it out."""
    other_page: int | None = None
    """What every page says its number is."""
    overlap: int = 0
    """So many items of a page stand on the page before it, too."""
    embedded: Literal["always", "filled", "never"] = "always"
    """Whether pages have ``_embedded``: ``filled`` leaves it out where there is no item."""
    misspelt: bool = False
    """``total_page`` and ``campaings``, as the documents have them."""
    shuffled: bool = False
    """Answers to bulk additions name the records in another order."""
    forget: int = 0
    """So many of the first records of each bulk answer are left out of it."""
    latency: float = 0.0


@define
class Token:
    """A token that was given: until when, by the sandbox's clock, and what for."""

    until: float
    scopes: frozenset[str]


@define(kw_only=True, eq=False)
class TalkdeskGroup:
    """A campaign: who works in it, and which record lists it dials."""

    id: str
    name: str
    status: str = "RUNNING"
    user_ids: list[str] = Factory(list)
    list_ids: list[str] = Factory(list)
    details: dict[str, Any] = field(factory=dict, repr=False)


@define(kw_only=True, eq=False)
class TalkdeskList:
    """A record list; ``records`` in the order of arrival, each with its id."""

    id: str
    name: str
    kind: str = "PHONE_NUMBER"
    status: str = "ACCEPTED"
    records: list[dict[str, Any]] = field(factory=list, repr=False)
    known: set[Any] = field(factory=set, repr=False)
    """What the records are told apart by."""
    flying: int = 0
    crowded: int = 0
    """How often two bulk additions were in flight at once."""


@define(eq=False)
class Talkdesk:
    """One account: change its rules and data at run time, then look at what became of it."""

    rules: TalkdeskRules = Factory(TalkdeskRules)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    secrets: dict[str, str] = field(factory=lambda: dict([DEFAULT_CLIENT]), repr=False)
    """The secret of each client that has one."""
    public_keys: dict[tuple[str, str], str] = field(factory=dict, repr=False)
    """The public key, as PEM, of each client and key id."""
    scopes: set[str] = field(factory=lambda: set(TALKDESK_SCOPES))
    """What every client was granted."""
    tokens: dict[str, Token] = field(factory=dict, repr=False)
    used: set[str] = field(factory=set, repr=False)
    """The ``jti`` of each assertion that was taken."""
    campaigns: dict[str, TalkdeskGroup] = Factory(dict)
    users: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    lists: dict[str, TalkdeskList] = Factory(dict)

    @property
    def client_id(self) -> str:
        """The client that is there from the beginning."""
        return DEFAULT_CLIENT[0]

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return DEFAULT_CLIENT[1]

    def add_campaign(
        self, *, name: str = "", user_ids: Iterable[str] = (), status: str = "RUNNING", **details: Any
    ) -> TalkdeskGroup:
        """Make a campaign; ``id`` among the ``details`` is taken for its own."""
        number = details.pop("id", None) or str(uuid4())
        campaign = TalkdeskGroup(
            id=number,
            name=name or f"Campaign {len(self.campaigns) + 1}",
            status=status,
            user_ids=list(user_ids),
            details=details,
        )
        self.campaigns[campaign.id] = campaign
        return campaign

    def add_user(self, *, name: str = "", email: str | None = None, **details: Any) -> str:
        """Make a user; gives the id."""
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
        """Forget every token, as if the account had been signed out."""
        self.tokens.clear()
