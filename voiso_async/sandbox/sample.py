"""Sample data, all of it invented: enough of everything to page through."""

from collections.abc import Mapping, Sequence
from typing import Any

from voiso_async.sandbox.talkdesk.account import Talkdesk

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
        "id": number,
        "name": name,
        "email": f"{name.split()[0].lower()}@example.net",
        "teams": [{"id": 7, "name": "Front desk"} if number % 2 else {"id": 8, "name": "Evening shift"}],
        "timezone": "Europe/London" if number % 3 else "Europe/Lisbon",
    }
    for number, name in enumerate(NAMES, start=1)
)


SAMPLE_CAMPAIGN = "5d1c0f6e-2b7a-4c39-9e54-0a8f3b6d7c21"
PAUSED_CAMPAIGN = "7be1d9f0-35a2-4c68-9b1d-e04f6a8c2d15"
SAMPLE_LIST = "b7c9e0a2-1f34-4d58-8e6b-2a90c3d5f714"
SHARED = slice(4, 16)  # the sample users who are agents too


def fill_talkdesk(talkdesk: Talkdesk) -> None:
    """Make a running campaign with a dozen agents and two of its own, a paused one, and a list."""
    ids = [talkdesk.add_user(name=str(user["name"]), email=str(user["email"])) for user in USERS[SHARED]]
    ids += [
        talkdesk.add_user(name="Zoe Marsh", email="zoe@example.net"),
        talkdesk.add_user(name="Kiosk", email=""),
    ]
    made = talkdesk.add_list(id=SAMPLE_LIST, name="Spring")
    campaign = talkdesk.add_campaign(id=SAMPLE_CAMPAIGN, name="Spring renewals", user_ids=ids)
    campaign.list_ids.append(made.id)
    talkdesk.add_campaign(id=PAUSED_CAMPAIGN, name="Autumn surveys", status="PAUSED", user_ids=ids[:3])
