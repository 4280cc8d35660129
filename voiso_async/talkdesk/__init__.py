"""Talkdesk: campaigns, their users and record lists, over linked pages; not loaded by ``voiso_async``."""

from voiso_async.talkdesk.additions import RecordAddition
from voiso_async.talkdesk.bringing import Move, MoveKind, UserPlan, plan_users
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

__all__ = [
    "CampaignUser",
    "IdentifierType",
    "Move",
    "MoveKind",
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
