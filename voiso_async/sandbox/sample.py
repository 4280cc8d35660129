"""Sample data: enough of everything to page through, invented throughout."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["CAMPAIGNS", "USERS"]

LEADS = [f"44163296{number:04d}" for number in range(5)]  # numbers reserved for fiction

CAMPAIGNS: Sequence[Mapping[str, Any]] = (
    {"id": 3, "name": "Summer renewals", "user_ids": range(1, 13), "leads": LEADS},
    {"id": 4, "name": "Winter tyres", "status": "paused", "user_ids": range(5, 11), "leads": LEADS},
    {"id": 5, "name": "Spring welcome calls", "status": "draft"},
    {"id": 6, "name": "Harbour lights", "status": "stopped", "strategy": "simple", "user_ids": [2, 3]},
    {"id": 7, "name": "Old friends", "status": "completed", "live": False, "method": "file"},
    {"id": 8, "name": "Orchard news", "status": "auto_paused", "user_ids": [14, 15]},
    {"id": 9, "name": "Summer concerts", "user_ids": range(16, 26), "leads": LEADS},
    {"id": 10, "name": "Lantern evening", "status": "paused", "live": False, "strategy": "simple"},
    {"id": 11, "name": "Paper boats", "status": "import_error", "live": False, "method": "file"},
    {"id": 12, "name": "First snow", "status": "draft", "user_ids": [1], "leads": LEADS},
    {"id": 13, "name": "Garden party", "strategy": "simple", "user_ids": [20, 21, 22]},
    {"id": 14, "name": "Long way home", "status": "processing", "live": False, "method": "file"},
)

NAMES = (
    "Ada Moss",
    "Ben Tanaka",
    "Chidi Obi",
    "Dora Lind",
    "Elif Kaya",
    "Femi Ade",
    "Greta Holm",
    "Hugo Reyes",
    "Ines Rocha",
    "Jonas Falk",
    "Kira Novak",
    "Liam Byrne",
    "Mina Sato",
    "Noor Haddad",
    "Otto Berg",
    "Pia Conti",
    "Quinn Shaw",
    "Rosa Vidal",
    "Sami Laine",
    "Tara Singh",
    "Uma Patel",
    "Vera Sokol",
    "Wim de Wit",
    "Xenia Petrou",
    "Yusuf Demir",
)
USERS: Sequence[Mapping[str, Any]] = tuple(
    {
        "id": place,
        "name": name,
        "email": f"{name.split()[0].lower()}@example.net",
        "teams": [{"id": 7, "name": "Front desk"} if place % 2 else {"id": 8, "name": "Evening shift"}],
        "timezone": "Europe/London" if place % 3 else "Europe/Lisbon",
    }
    for place, name in enumerate(NAMES, start=1)
)
