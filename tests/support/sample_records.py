"""Records for the tests of models: a campaign and a user as the vendor sends them, and a class with all types."""

from datetime import datetime
from typing import Any

from attrs import field, frozen

PHONE = "441632960101"

NAME = "Quill Zzyzx"

PERSONAL = {"phone": PHONE, "name": NAME, "email": "quill@example.com", "url": "https://crm.example.net/c/9"}

CAMPAIGN: dict[str, Any] = {
    "id": 71,
    "name": "Renewals north",
    "status": "auto_paused",
    "strategy": "predictive_ai",
    "method": "api",
    "live": True,
    "dial_level": 2,
    "dial_level_override": {"enabled": True, "value": 1.2, "active_agents_threshold": 2},
    "max_dial_time": 40,
    "max_wait_time": 4,
    "max_dial_attempts": 5,
    "amd_enabled": False,
    "amd_voicemail_message": {"enabled": True, "voice_message": {"type": "voice_message", "name": NAME}},
    "caller_id_sets": [{"phone_numbers": [PHONE]}],
    "use_local_caller_id": False,
    "asr_optimization_enabled": True,
    "follow_up_mode": "timer",
    "created_at": "2026-02-03T08:00:00Z",
    "updated_at": "2026-02-04T09:30:00.250000Z",
}

USER: dict[str, Any] = {
    "id": "5f0c2f7e-0d9a-4d1c-9a43-0e8f3b1f7a10",
    "name": NAME,
    "email": PERSONAL["email"],
    "sip_account": "quill@sip.example.com",
    "extension": "231",
    "caller_id": PHONE,
    "employee_id": "quill-7",
    "timezone": "Europe/Lisbon",
    "speech_language": "pt",
    "status": "available",
    "security_access_group": {"id": 1, "name": NAME},
    "teams": [{"id": 2, "name": NAME}],
    "supervised_teams": [],
    "queues": [{"id": 3, "name": NAME}],
    "supervised_queues": [{"id": 4, "name": NAME}],
    "webrtc_ringtone": {"type": "default", "name": NAME},
    "channels": ["voice", "chat"],
    "channel_group_capacity": {"chat": 3, "instant": 2},
    "channel_profiles": [{"id": 5, "channel": "whatsapp", "identifier": PHONE, "name": NAME}],
    "skills": [{"skill": {"id": 6, "name": NAME}, "value": 80}],
    "created_at": "2026-02-03T08:00:00Z",
    "updated_at": "2026-02-03T08:00:00.123000Z",
    "deleted_at": "2026-03-01T00:00:00Z",
}


@frozen(kw_only=True)
class Leaf:
    id: int
    name: str | None = None
    extra: dict[str, Any] = field(factory=dict, eq=False, repr=False)


@frozen(kw_only=True)
class Tree:
    id: int | str
    flag: bool | None = None
    count: int | None = None
    level: int | float | None = None
    when: datetime | None = None
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] | None = None
    words: tuple[str, ...] | None = None
    room: dict[str, int] | None = None
    extra: dict[str, Any] = field(factory=dict, eq=False, repr=False)
