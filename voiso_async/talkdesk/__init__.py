"""Talkdesk: campaigns, their users and record lists; not loaded by ``import voiso_async``.

``client`` puts the parts together: ``addresses``, ``oauth`` (tokens, with a secret or an ``assertion``),
``session`` (what each request passes) and ``pages`` (links to the next). ``campaigns``, ``users`` and
``record_lists`` are the methods by area, ``models`` the records. Records that are added pass ``submission``,
``records`` (a record becomes a row) and ``reply`` (what an attempt proved), and come out of ``addition``.
``user_sync`` brings users of a campaign to Voiso.
"""

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
