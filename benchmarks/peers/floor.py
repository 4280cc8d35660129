"""Raw aiohttp, and msgspec into bare attrs classes: no client at all, so the lower bound of the cost."""

from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from attrs import frozen


@frozen
class Ref:
    """A team, queue, skill or group."""

    id: int
    name: str | None = None


@frozen
class Ringtone:
    """What a user hears."""

    type: str | None = None
    name: str | None = None


@frozen
class Profile:
    """An account on a channel."""

    id: int
    channel: str | None = None
    identifier: str | None = None
    name: str | None = None


@frozen
class Skill:
    """A skill and its level."""

    skill: Ref | None = None
    value: int | None = None


@frozen
class User:
    """A user with every field."""

    id: int | str
    name: str | None = None
    email: str | None = None
    sip_account: str | None = None
    extension: str | None = None
    caller_id: str | None = None
    employee_id: str | None = None
    timezone: str | None = None
    speech_language: str | None = None
    status: str | None = None
    security_access_group: Ref | None = None
    teams: tuple[Ref, ...] | None = None
    supervised_teams: tuple[Ref, ...] | None = None
    queues: tuple[Ref, ...] | None = None
    supervised_queues: tuple[Ref, ...] | None = None
    webrtc_ringtone: Ringtone | None = None
    channels: tuple[str, ...] | None = None
    channel_group_capacity: dict[str, int] | None = None
    channel_profiles: tuple[Profile, ...] | None = None
    skills: tuple[Skill, ...] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@frozen
class Users:
    """A page of users."""

    users: list[User]
    metadata: dict[str, int]


PageDecoder = msgspec.json.Decoder(Users)
_answers = msgspec.json.Decoder(dict[str, dict[str, list[str]]])


async def page_of_users(session: aiohttp.ClientSession, api: str, limit: int, offset: int) -> list[User]:
    """Read one page of users."""
    async with session.get(f"{api}/users", params={"limit": limit, "offset": offset}) as response:
        return PageDecoder.decode(await response.read()).users


def outcomes_of(batch: list[Any], answer: bytes) -> tuple[bytes, dict[str, str]]:
    """Encode a batch unchecked, and read the outcome of each number from the answer."""
    outcomes: dict[str, str] = {}
    for outcome, numbers in _answers.decode(answer)["leads_import"].items():
        outcomes.update(dict.fromkeys(numbers, outcome))
    return msgspec.json.encode(batch), outcomes
