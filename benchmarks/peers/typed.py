"""httpx with pydantic models and tenacity: the careful, typed way."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from benchmarks.peers.hand_written import batches

Phone = Annotated[str, Field(pattern=r"^[1-9][0-9]{6,14}$")]


class Source(BaseModel):
    """Where a lead came from."""

    model_config = ConfigDict(extra="forbid", strict=True)
    system: str | None = Field(default=None, max_length=1000)
    url: HttpUrl | None = None


class Lead(BaseModel):
    """A lead to add."""

    model_config = ConfigDict(extra="forbid", strict=True)
    phone_number: Phone
    name: str | None = Field(default=None, max_length=1000)
    source: Source | None = None
    priority: int | None = Field(default=None, ge=1, le=1000)
    active: bool | None = None
    context_headers: dict[str, str] | None = None


class Lists(BaseModel):
    """The lists of an answer."""

    created: list[str] = []
    rejected: list[str] = []
    duplicates: list[str] = []


class Imported(BaseModel):
    """The answer to an add."""

    leads_import: Lists


class Ref(BaseModel):
    """A team, queue, skill or group."""

    id: int
    name: str | None = None


class Ringtone(BaseModel):
    """What a user hears."""

    type: str | None = None
    name: str | None = None


class Profile(BaseModel):
    """An account on a channel."""

    id: int
    channel: str | None = None
    identifier: str | None = None
    name: str | None = None


class Skill(BaseModel):
    """A skill and its level."""

    skill: Ref | None = None
    value: int | None = None


class User(BaseModel):
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
    teams: list[Ref] | None = None
    supervised_teams: list[Ref] | None = None
    queues: list[Ref] | None = None
    supervised_queues: list[Ref] | None = None
    webrtc_ringtone: Ringtone | None = None
    channels: list[str] | None = None
    channel_group_capacity: dict[str, int] | None = None
    channel_profiles: list[Profile] | None = None
    skills: list[Skill] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


class Users(BaseModel):
    """A page of users."""

    users: list[User]
    metadata: dict[str, int]


LEADS = TypeAdapter(list[Lead])


def new_client(api: str, key: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Make a client with the key in its headers and room for many lanes."""
    return httpx.AsyncClient(
        base_url=api,
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
        limits=httpx.Limits(max_connections=None),
        transport=transport,
        trust_env=False,
    )


class Typed:
    """Validates every lead and every answer, and repeats requests that failed on the way."""

    def __init__(self, client: httpx.AsyncClient, cooldown: float) -> None:
        self._client = client
        self._cooldown = cooldown
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def add(self, campaign: int, leads: Iterable[Any]) -> dict[str, str]:
        """Add leads and return the outcome of each number."""
        outcomes: dict[str, str] = {}
        for batch in batches(leads):
            body = LEADS.dump_json([Lead.model_validate(lead) for lead in batch], exclude_none=True)
            async with self._locks[campaign]:
                answer = await self._post(campaign, body)
                for outcome, numbers in answer.leads_import:
                    outcomes.update(dict.fromkeys(numbers, outcome))
                await asyncio.sleep(self._cooldown)
        return outcomes

    async def users(self, limit: int, offset: int) -> list[User]:
        """Read one page of users."""
        return Users.model_validate_json((await self._get(limit, offset)).content).users

    @retry(
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(max=10),
        retry=retry_if_exception_type(httpx.TransportError),
        reraise=True,
    )
    async def _post(self, campaign: int, body: bytes) -> Imported:
        headers = {"Content-Type": "application/json"}
        response = await self._client.post(f"/campaigns/{campaign}/leads", content=body, headers=headers)
        return Imported.model_validate_json(response.raise_for_status().content)

    @retry(
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(max=10),
        retry=retry_if_exception_type(httpx.TransportError),
        reraise=True,
    )
    async def _get(self, limit: int, offset: int) -> httpx.Response:
        response = await self._client.get("/users", params={"limit": limit, "offset": offset})
        return response.raise_for_status()
