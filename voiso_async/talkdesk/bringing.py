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

__all__ = ["Move", "MoveKind", "UserPlan", "plan_users", "planned"]

CONCURRENCY = 8


class MoveKind(StrEnum):
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
    def settled(self) -> bool:
        """Whether nobody has to look at it."""
        return self in _SETTLED


_SETTLED = frozenset({MoveKind.ADD, MoveKind.KEEP, MoveKind.REMOVE, MoveKind.STAY, MoveKind.INACTIVE})


@frozen(kw_only=True)
class Move:
    """One agent, one user, or both, and what is to become of them; ``agent_id`` is the Talkdesk id."""

    kind: MoveKind
    agent_id: str | None = None
    agent: TalkdeskUser | None = None
    user: User | None = None


@frozen(kw_only=True)
class UserPlan:
    """What bringing the users would do; nothing has been changed. ``str(plan)`` counts the moves."""

    campaign_id: int | str
    moves: tuple[Move, ...] = field(default=(), repr=False)
    counts: Mapping[MoveKind, int] = Factory(dict)

    @property
    def ok(self) -> bool:
        """Whether every active agent has exactly one user."""
        return all(move.kind.settled for move in self.moves)

    def users(self, kind: MoveKind) -> tuple[User, ...]:
        """The users of one kind of move."""
        return tuple(move.user for move in self.moves if move.kind is kind and move.user is not None)

    async def apply(self, voiso: VoisoClient) -> None:
        """Add and remove as planned; once more does no harm. When it fails half-way, what was done stays."""
        if adding := self.users(MoveKind.ADD):
            await voiso.campaigns.add_users(self.campaign_id, [user.id for user in adding])
        for user in self.users(MoveKind.REMOVE):
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
    moves = [_move(one, agent, by_address, shared, there) for one, agent in agents.items()]
    wanted = {str(move.user.id) for move in moves if move.user is not None}
    left = MoveKind.REMOVE if remove else MoveKind.STAY
    moves += [Move(kind=left, user=user) for one, user in there.items() if one not in wanted]
    found = Counter(move.kind for move in moves)
    counts = {kind: found[kind] for kind in MoveKind}
    return UserPlan(campaign_id=campaign_id, moves=tuple(moves), counts=counts)


def _move(
    agent_id: str,
    agent: TalkdeskUser | None,
    by_address: Mapping[str, list[User]],
    shared: Mapping[str, int],
    there: Mapping[str, User],
) -> Move:
    if agent is None:
        return Move(kind=MoveKind.GONE, agent_id=agent_id)
    address = _address(agent.email)
    users = by_address.get(address, [])
    user = None
    if agent.active is False:
        kind = MoveKind.INACTIVE
    elif not address:
        kind = MoveKind.NO_ADDRESS
    elif not users:
        kind = MoveKind.NO_MATCH
    elif len(users) > 1 or shared[address] > 1:
        kind = MoveKind.AMBIGUOUS
    else:
        user = users[0]
        kind = MoveKind.KEEP if str(user.id) in there else MoveKind.ADD
    return Move(kind=kind, agent_id=agent_id, agent=agent, user=user)


def _address(email: str | None) -> str:
    return (email or "").strip().casefold()
