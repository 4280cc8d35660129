"""Sample data of the Talkdesk account, all of it invented; some agents are users of the sample Voiso too."""

from voiso_async.sandbox.sample import USERS
from voiso_async.sandbox.talkdesk import Talkdesk

__all__ = ["fill_talkdesk"]

SAMPLE_CAMPAIGN = "5d1c0f6e-2b7a-4c39-9e54-0a8f3b6d7c21"
PAUSED_CAMPAIGN = "7be1d9f0-35a2-4c68-9b1d-e04f6a8c2d15"
SAMPLE_LIST = "b7c9e0a2-1f34-4d58-8e6b-2a90c3d5f714"
SHARED = slice(4, 16)  # of the sample users: those who are agents too


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
