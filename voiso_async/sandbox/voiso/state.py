"""What the sandbox stores in memory: campaigns with their leads, users, and what all requests share."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import Factory, define, field

from voiso_async.sandbox.history import History
from voiso_async.sandbox.rules import Limit, Rules

CREATED_AT = "2026-02-03T08:00:00.000Z"  # Voiso sends 0, 3 or 6 digits of fraction
USER_CREATED_AT = "2026-01-05T07:30:00.250000Z"
CAMPAIGN_DEFAULTS: dict[str, Any] = {
    "dial_level": 2,
    "max_dial_time": 40,
    "max_wait_time": 4,
    "max_dial_attempts": 5,
    "amd_enabled": False,
    "amd_voicemail_message": None,
    "caller_id_sets": [{"phone_numbers": ["441632960101"]}],
    "follow_up_mode": "timer",
    "created_at": CREATED_AT,
}
SHOWN_BY_GET: dict[str, Any] = {  # Voiso's list leaves these out
    "dial_level_override": {"enabled": True, "value": 1.2, "active_agents_threshold": 2},
    "use_local_caller_id": False,
    "asr_optimization_enabled": False,
}


def timestamp() -> str:
    """Format the present time as Voiso does."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@define
class LeadPacing:
    """Tracks the lead requests of one campaign: how many are in flight and when the last one ended.

    Every lead request that found its campaign counts, whatever the reply and even if a fault dropped it. Only
    one that was rejected as busy neither occupies the campaign nor restarts the cooldown.
    """

    in_flight: int = 0
    ended: float = -math.inf

    def start(self, began: float, cooldown: float) -> "LeadRequest":
        """Record a lead request that began at ``began``, and whether it came too early."""
        request = LeadRequest(pacing=self, early=self.in_flight > 0 or began - self.ended < cooldown)
        if not request.early:  # one that came too early never occupies the campaign
            self.in_flight += 1
        return request


@define(kw_only=True)
class LeadRequest:
    """One request that writes leads; ``busy`` is set when it is rejected as busy."""

    pacing: LeadPacing
    early: bool
    busy: bool = False

    def finish(self, ended: float) -> None:
        """Record the end; it starts the cooldown."""
        if not self.early:
            self.pacing.in_flight -= 1
        # A request that came too early but failed for another reason, such as a 422, restarts the cooldown too.
        if not self.busy:
            self.pacing.ended = ended


@define(kw_only=True, eq=False)
class Campaign:
    """One campaign; ``leads`` maps the digits of a phone number to the lead, in the order they were added."""

    id: int
    name: str
    _status: str = field(alias="status", default="active")
    live: bool = True
    strategy: str = "predictive_ai"
    method: str = "api"
    user_ids: list[int] = Factory(list)
    leads: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    details: dict[str, Any] = field(factory=dict, repr=False)
    updated_at: str = Factory(timestamp)
    pacing: LeadPacing = field(factory=LeadPacing, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _pending: tuple[float, str] | None = field(default=None, init=False, repr=False)

    @property
    def status(self) -> str:
        """The present status; a slow transition completes when its time has passed."""
        if self._pending is not None and self.clock() >= self._pending[0]:
            self.status = self._pending[1]
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        self._status, self._pending, self.updated_at = status, None, timestamp()

    def move(self, through: str, target: str, seconds: float) -> None:
        """Change to ``target``, through the status ``through`` if ``seconds`` is not 0."""
        self.status = through if seconds > 0 else target
        if seconds > 0:
            self._pending = (self.clock() + seconds, target)

    def short(self) -> dict[str, Any]:
        """The object in replies to start, pause and stop."""
        level = self.details.get("dial_level", CAMPAIGN_DEFAULTS["dial_level"])
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "strategy": self.strategy,
            "dial_level": level,
        }

    def item(self) -> dict[str, Any]:
        """The object in lists."""
        return {**self.short(), **CAMPAIGN_DEFAULTS, "updated_at": self.updated_at, **self.details}

    def full(self) -> dict[str, Any]:
        """The object in the reply to *get*."""
        return {**SHOWN_BY_GET, **self.item()}


@define(kw_only=True, eq=False)
class User:
    """One user; ``uuid`` is the id if lists have UUIDs, which Voiso's documentation leaves open."""

    id: int
    name: str = field(repr=False)
    email: str = field(repr=False)
    details: dict[str, Any] = field(factory=dict, repr=False)

    @property
    def uuid(self) -> str:
        """Derived from ``id``, so it never changes."""
        return str(uuid5(NAMESPACE_URL, f"https://example.net/users/{self.id}"))

    def short(self) -> dict[str, Any]:
        """The object in replies to adding and removing users."""
        return {"id": self.id, "name": self.name, "email": self.email}

    def full(self) -> dict[str, Any]:
        """The object in lists of users."""
        return {
            **self.short(),
            "extension": str(200 + self.id),
            "sip_account": f"{200 + self.id}@sip.example.net",
            "timezone": "Europe/London",
            "status": "available",
            "security_access_group": {"id": 1, "name": "Agents"},
            "teams": [{"id": 7, "name": "Front desk"}],
            "channels": ["voice"],
            "skills": [{"skill": {"id": 4, "name": "English"}, "value": 5}],
            "created_at": USER_CREATED_AT,
            "updated_at": USER_CREATED_AT,
            "deleted_at": None,
            **self.details,
        }


@define
class Limiter:
    """Counts the requests admitted in the last seconds; rejected ones do not count."""

    admitted: deque[float] = Factory(deque)

    def admits(self, now: float, limit: Limit) -> bool:
        """Count one more request, or return False if the limit is reached."""
        # A sliding window, not a bucket: the limit holds for any period of that length.
        while self.admitted and now - self.admitted[0] >= limit.seconds:
            self.admitted.popleft()
        if len(self.admitted) >= limit.requests:
            return False
        self.admitted.append(now)
        return True


@define(kw_only=True, eq=False)
class State:
    """What all requests share: the data, the rules in force, the keys, the clock and the history."""

    rules: Rules
    clock: Callable[[], float] = time.monotonic
    keys: dict[str, set[str]] = field(factory=dict, repr=False)
    campaigns: dict[int, Campaign] = Factory(dict)
    users: dict[int, User] = Factory(dict)
    limiter: Limiter = Factory(Limiter)
    history: History = field(factory=History, repr=False)
    too_early: int = 0
    closing: asyncio.Event = field(factory=asyncio.Event, repr=False)  # new for each start: it belongs to a loop

    async def pause(self, seconds: float) -> None:
        """Wait ``seconds``; a sandbox that is closing ends every wait at once."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), seconds)
