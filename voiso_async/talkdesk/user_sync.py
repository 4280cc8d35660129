"""The agents of a Talkdesk campaign and the users of a Voiso campaign, brought together by e-mail address."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from attrs import Factory, field, frozen

from voiso_async.client import VoisoClient
from voiso_async.errors import NotFoundError
from voiso_async.models.users import User
from voiso_async.talkdesk.client import TalkdeskClient
from voiso_async.talkdesk.models import TalkdeskUser

CONCURRENCY = 8


class ChangeKind(StrEnum):
    """What is to become of one agent or user."""

    ADD = "add"
    """A user of Voiso with the agent's address, not in the campaign yet."""
    KEEP = "keep"
    """In the campaign already."""
    REMOVE = "remove"
    """In the Voiso campaign, and no agent of the Talkdesk campaign."""
    STAY = "stay"
    """As REMOVE, but nobody was to be removed."""
    NO_MATCH = "no_match"
    """No user of Voiso has the agent's address."""
    AMBIGUOUS = "ambiguous"
    """Several users of Voiso have it, or several agents do."""
    NO_ADDRESS = "no_address"
    """The agent has no address."""
    INACTIVE = "inactive"
    """The agent is switched off in Talkdesk, and is not brought."""
    GONE = "gone"
    """Talkdesk does not know the agent any more."""

    @property
    def done(self) -> bool:
        """Whether nobody has to look at it."""
        return self in _SETTLED


_SETTLED = frozenset({ChangeKind.ADD, ChangeKind.KEEP, ChangeKind.REMOVE, ChangeKind.STAY, ChangeKind.INACTIVE})


@frozen(kw_only=True)
class Change:
    """One agent, one user, or both, and what is to become of them; ``agent_id`` is the Talkdesk id."""

    kind: ChangeKind
    agent_id: str | None = None
    agent: TalkdeskUser | None = None
    user: User | None = None


@frozen(kw_only=True)
class UserPlan:
    """What bringing the users would do; nothing has been changed. ``str(plan)`` counts the moves."""

    campaign_id: int | str
    changes: tuple[Change, ...] = field(default=(), repr=False)
    counts: Mapping[ChangeKind, int] = Factory(dict)

    @property
    def ok(self) -> bool:
        """Whether every active agent has exactly one user."""
        return all(move.kind.done for move in self.changes)

    def users(self, kind: ChangeKind) -> tuple[User, ...]:
        """The users of one kind of move."""
        return tuple(move.user for move in self.changes if move.kind is kind and move.user is not None)

    async def apply(self, voiso: VoisoClient) -> None:
        """Add and remove as planned; once more does no harm. When it fails half-way, what was done stays."""
        if adding := self.users(ChangeKind.ADD):
            await voiso.campaigns.add_users(self.campaign_id, [user.id for user in adding])
        for user in self.users(ChangeKind.REMOVE):
            try:
                await voiso.campaigns.remove_user(self.campaign_id, user.id)
            except NotFoundError:
                continue  # somebody else was quicker

    def __str__(self) -> str:
        return " · ".join(
            f"{kind.value.replace('_', ' ')} {count}" for kind, count in self.counts.items() if count
        )


async def plan_users(
    talkdesk: TalkdeskClient,
    talkdesk_campaign_id: str,
    voiso: VoisoClient,
    voiso_campaign_id: int | str,
    *,
    remove: bool = False,
) -> UserPlan:
    """Find out who of a Talkdesk campaign is who in Voiso, by e-mail address; changes nothing.

    With ``remove`` the plan also takes those out of the Voiso campaign who are no agents of the other; a listing
    that changes while it is read is a ``PaginationError`` then. The Talkdesk client needs the scopes
    ``campaigns:read`` and ``users:read``, the Voiso key ``users.read`` and ``campaigns.read``.

    >>> plan = await plan_users(talkdesk, campaign_id, voiso, 3)        # doctest: +SKIP
    >>> await plan.apply(voiso)                                         # doctest: +SKIP
    """
    # Who is missed in a listing that changes while it is read would be taken for one to remove.
    members = await voiso.campaigns.users(voiso_campaign_id).collect(concurrency=CONCURRENCY, strict=remove)
    assigned = await talkdesk.campaigns.users(talkdesk_campaign_id).collect(strict=remove)
    agents = await talkdesk.users.resolve(one.id for one in assigned)
    users = await voiso.users.list().collect(concurrency=CONCURRENCY, strict=remove)
    return planned(agents, users, members, campaign_id=voiso_campaign_id, remove=remove)


def planned(
    agents: Mapping[str, TalkdeskUser | None],
    users: Iterable[User],
    members: Iterable[User],
    *,
    campaign_id: int | str,
    remove: bool = False,
) -> UserPlan:
    """Match agents with users by e-mail address, whatever its case; an address that two have matches nobody."""
    by_address: dict[str, list[User]] = {}
    for user in {str(user.id): user for user in users}.values():
        if address := _address(user.email):
            by_address.setdefault(address, []).append(user)
    shared = Counter(_address(agent.email) for agent in agents.values() if agent is not None)
    there = {str(user.id): user for user in members}
    moves = [_change(one, agent, by_address, shared, there) for one, agent in agents.items()]
    wanted = {str(move.user.id) for move in moves if move.user is not None}
    left = ChangeKind.REMOVE if remove else ChangeKind.STAY
    moves += [Change(kind=left, user=user) for one, user in there.items() if one not in wanted]
    found = Counter(move.kind for move in moves)
    counts = {kind: found[kind] for kind in ChangeKind}
    return UserPlan(campaign_id=campaign_id, changes=tuple(moves), counts=counts)


def _change(
    agent_id: str,
    agent: TalkdeskUser | None,
    by_address: Mapping[str, list[User]],
    shared: Mapping[str, int],
    there: Mapping[str, User],
) -> Change:
    if agent is None:
        return Change(kind=ChangeKind.GONE, agent_id=agent_id)
    address = _address(agent.email)
    users = by_address.get(address, [])
    user = None
    if agent.active is False:
        kind = ChangeKind.INACTIVE
    elif not address:
        kind = ChangeKind.NO_ADDRESS
    elif not users:
        kind = ChangeKind.NO_MATCH
    elif len(users) > 1 or shared[address] > 1:
        kind = ChangeKind.AMBIGUOUS
    else:
        user = users[0]
        kind = ChangeKind.KEEP if str(user.id) in there else ChangeKind.ADD
    return Change(kind=kind, agent_id=agent_id, agent=agent, user=user)


def _address(email: str | None) -> str:
    return (email or "").strip().casefold()
