"""A local Voiso over real HTTP that enforces the rules of the API and fails on request.

``python -m voiso_async.sandbox`` serves sample data. The sandbox shares no code with the client: two independent
readings of one API check each other.

A request passes these modules: ``connection`` (the HTTP server below the requests), ``server`` (``Sandbox``),
``faults`` (what can go wrong, if anything), ``handler`` (from the headers to the reply), then ``voiso`` or
``talkdesk`` (the endpoints and their data), and ``replies``. ``history`` records what happened, ``rules`` chooses
how this Voiso behaves, and ``sample`` is the data of a demonstration.

The errors of Voiso, in the order of the checks:

- 401 without a known key, 404 for an unknown path or method, 403 without the scope, 404 for an unknown campaign,
  406 for an ``Accept`` that excludes JSON, 413 for a body that is too large.
- 400 for a page out of range or a body that is not JSON, 422 for values that the API does not take: one bad lead
  makes the whole request a 422. A number without a country code is only rejected, and a known one is a duplicate.
- 429 above the general rate limit.
- 409 or 429 (busy) for a lead request while its campaign processes one, or before the cooldown has passed.
- 409 for a campaign that may not start, pause or stop in its status, or starts without users or leads.
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
from voiso_async.sandbox.server import Sandbox, serve
from voiso_async.sandbox.talkdesk.account import TALKDESK_SCOPES, Talkdesk, TalkdeskRules
from voiso_async.sandbox.voiso.routes import ALL_SCOPES
from voiso_async.sandbox.voiso.state import Campaign, User

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
