"""What the sandbox knows: campaigns with their leads and users, in memory."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import Factory, define, field

from voiso_async.sandbox.gate import Gate

__all__ = ["Campaign", "User", "timestamp"]

CREATED_AT = "2026-02-03T08:00:00.000Z"  # contract 4: 0, 3 and 6 digits of fraction all occur
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
SHOWN_BY_GET: dict[str, Any] = {  # contract 5.1: seen on get only
    "dial_level_override": {"enabled": True, "value": 1.2, "active_agents_threshold": 2},
    "use_local_caller_id": False,
    "asr_optimization_enabled": False,
}


def timestamp() -> str:
    """Tell the time as the vendor writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@define(kw_only=True, eq=False)
class Campaign:
    """One campaign; ``leads`` maps the digits of a phone number to the lead, in the order of arrival."""

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
    gate: Gate = field(factory=Gate, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _arrival: tuple[float, str] | None = field(default=None, init=False, repr=False)

    @property
    def status(self) -> str:
        """The present status; a slow transition arrives by itself (rule 19)."""
        if self._arrival is not None and self.clock() >= self._arrival[0]:
            self.status = self._arrival[1]
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        self._status, self._arrival, self.updated_at = status, None, timestamp()

    def move(self, through: str, target: str, seconds: float) -> None:
        """Go to ``target``, by way of ``through`` if that takes any time."""
        self.status = through if seconds > 0 else target
        if seconds > 0:
            self._arrival = (self.clock() + seconds, target)

    def short(self) -> dict[str, Any]:
        """The object that state calls answer (rule 18)."""
        level = self.details.get("dial_level", CAMPAIGN_DEFAULTS["dial_level"])
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "strategy": self.strategy,
            "dial_level": level,
        }

    def item(self) -> dict[str, Any]:
        """The object of the list."""
        return {**self.short(), **CAMPAIGN_DEFAULTS, "updated_at": self.updated_at, **self.details}

    def full(self) -> dict[str, Any]:
        """The object of *get*."""
        return {**SHOWN_BY_GET, **self.item()}


@define(kw_only=True, eq=False)
class User:
    """One user; ``uuid`` is the id under the other reading of contract 12.2."""

    id: int
    name: str = field(repr=False)
    email: str = field(repr=False)
    details: dict[str, Any] = field(factory=dict, repr=False)

    @property
    def uuid(self) -> str:
        """The same text for the same id, always."""
        return str(uuid5(NAMESPACE_URL, f"https://example.net/users/{self.id}"))

    def short(self) -> dict[str, Any]:
        """The object that adding and removing answer (contract 8.2)."""
        return {"id": self.id, "name": self.name, "email": self.email}

    def full(self) -> dict[str, Any]:
        """The object of lists (contract 9.1)."""
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
