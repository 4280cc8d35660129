"""Talkdesk: campaigns, their users and record lists, over linked pages; not loaded by ``voiso_async``."""

from voiso_async.talkdesk.addition import RecordAddition
from voiso_async.talkdesk.client import TalkdeskClient
from voiso_async.talkdesk.models import (
    CampaignUser,
    IdentifierType,
    RecordList,
    RecordListStatus,
    TalkdeskCampaign,
    TalkdeskStatus,
    TalkdeskUser,
)
from voiso_async.talkdesk.records import Record
from voiso_async.talkdesk.user_sync import Change, ChangeKind, UserPlan, plan_users

__all__ = [
    "CampaignUser",
    "Change",
    "ChangeKind",
    "IdentifierType",
    "Record",
    "RecordAddition",
    "RecordList",
    "RecordListStatus",
    "TalkdeskCampaign",
    "TalkdeskClient",
    "TalkdeskStatus",
    "TalkdeskUser",
    "UserPlan",
    "plan_users",
]
