"""A local Voiso over real HTTP that enforces the contract and breaks down on request.

It shares no code with the client: two independent readings of one contract check each other.
``python -m voiso_async.sandbox`` serves sample data.
"""

from voiso_async.sandbox.faults import (
    ApplyThenClose,
    ApplyThenReset,
    Busy,
    CloseAfterHeaders,
    CloseIdle,
    Delay,
    Drip,
    Fault,
    Faults,
    Garbage,
    GzipBomb,
    Html,
    Huge,
    Json,
    RawBytes,
    Redirect,
    Refuse,
    Stall,
    Status,
    Truncate,
    WrongType,
)
from voiso_async.sandbox.history import Exchange
from voiso_async.sandbox.rules import Limit, Rules
from voiso_async.sandbox.scopes import ALL_SCOPES
from voiso_async.sandbox.serve import serve
from voiso_async.sandbox.server import Sandbox
from voiso_async.sandbox.state import Campaign, User
from voiso_async.sandbox.talkdesk import TALKDESK_SCOPES, Talkdesk, TalkdeskRules

__all__ = [
    "ALL_SCOPES",
    "TALKDESK_SCOPES",
    "ApplyThenClose",
    "ApplyThenReset",
    "Busy",
    "Campaign",
    "CloseAfterHeaders",
    "CloseIdle",
    "Delay",
    "Drip",
    "Exchange",
    "Fault",
    "Faults",
    "Garbage",
    "GzipBomb",
    "Html",
    "Huge",
    "Json",
    "Limit",
    "RawBytes",
    "Redirect",
    "Refuse",
    "Rules",
    "Sandbox",
    "Stall",
    "Status",
    "Talkdesk",
    "TalkdeskRules",
    "Truncate",
    "User",
    "WrongType",
    "serve",
]
