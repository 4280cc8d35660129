"""Outboxes: leads kept durably until their campaign has taken them.

``protocol`` says what every outbox does, ``jobs`` has the values that describe its jobs, ``dispatcher`` tells the
lanes of a client what waits. ``loading`` reads leads into a job. ``sqlite`` keeps it all in one file that any
number of processes of one machine may share.
"""

import importlib
from typing import TYPE_CHECKING, Any

from voiso_async.outbox.jobs import (
    Backlog,
    CampaignBacklog,
    Job,
    JobActivity,
    JobOutcome,
    JobSource,
    JobState,
    JobWorker,
)
from voiso_async.outbox.limits import OutboxLimits
from voiso_async.outbox.protocol import Outbox

if TYPE_CHECKING:
    from voiso_async.outbox.sqlite import SqliteOutbox

__all__ = [
    "Backlog",
    "CampaignBacklog",
    "Job",
    "JobActivity",
    "JobOutcome",
    "JobSource",
    "JobState",
    "JobWorker",
    "Outbox",
    "OutboxLimits",
    "SqliteOutbox",
]


def __getattr__(name: str) -> Any:
    # Every client loads this package for the dispatcher; sqlite3 and its worker are loaded with the first outbox.
    if name == "SqliteOutbox":
        return importlib.import_module("voiso_async.outbox.sqlite").SqliteOutbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
