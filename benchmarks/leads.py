"""Typical leads and users, in any number, the same in each run."""

from collections.abc import Iterator
from typing import Any

Lead = dict[str, Any]


def phone(number: int) -> str:
    """Return the number of a lead: fifteen digits that begin with a range reserved for fiction."""
    return f"1201555{number:08}"


def leads(count: int, first: int = 0) -> Iterator[Lead]:
    """Make typical leads, about 145 bytes of JSON each."""
    for number in range(first, first + count):
        yield {
            "phone_number": f"1201555{number:08}",
            "name": f"Customer {number}",
            "priority": 1 + number % 1000,
            "active": True,
            "source": {"system": "billing", "url": f"https://crm.example.net/c/{number}"},
        }


def user(number: int) -> Lead:
    """Make a user with every field that the API shows."""
    teams = [{"id": team, "name": f"Team {team}"} for team in range(number % 3 + 1)]
    return {
        "id": number,
        "name": f"Agent {number}",
        "email": f"agent{number}@example.net",
        "sip_account": f"{number}@sip.example.net",
        "extension": str(number),
        "caller_id": "441632960101",
        "employee_id": f"E-{number}",
        "timezone": "Europe/London",
        "speech_language": "en-GB",
        "status": "available",
        "security_access_group": {"id": 1, "name": "Agents"},
        "teams": teams,
        "supervised_teams": teams[:1],
        "queues": [{"id": 9, "name": "Sales"}, {"id": 10, "name": "Support"}],
        "supervised_queues": [],
        "webrtc_ringtone": {"type": "default", "name": "Classic"},
        "channels": ["voice", "chat"],
        "channel_group_capacity": {"chat": 3, "instant": 1},
        "channel_profiles": [{"id": number, "channel": "chat", "identifier": f"a{number}", "name": "Chat"}],
        "skills": [{"skill": {"id": 4, "name": "English"}, "value": 5}, {"skill": {"id": 5, "name": "French"}}],
        "created_at": "2026-01-05T07:30:00.250000Z",
        "updated_at": "2026-02-05T07:30:00Z",
        "deleted_at": None,
    }


def grown(known: Lead) -> Lead:
    """Add fields that the vendor may add some day, to a user and to each of its teams."""
    teams = [team | {"colour": "red"} for team in known["teams"]]
    return known | {"teams": teams, "presence": {"state": "away", "since": None}, "rating": 4.5}
