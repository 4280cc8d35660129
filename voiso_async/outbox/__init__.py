"""Outboxes: leads kept durably until their campaign has taken them."""

import importlib
from typing import TYPE_CHECKING, Any

from voiso_async.outbox.jobs import CampaignBacklog, Job, JobActivity, JobOutcome, JobSource, JobState, JobWorker
from voiso_async.outbox.protocol import Outbox

if TYPE_CHECKING:
    from voiso_async.outbox.sqlite import SqliteOutbox

__all__ = [
    "CampaignBacklog",
    "Job",
    "JobActivity",
    "JobOutcome",
    "JobSource",
    "JobState",
    "JobWorker",
    "Outbox",
    "SqliteOutbox",
]


def __getattr__(name: str) -> Any:
    # Every client loads this package for the dispatcher; sqlite3 and its worker are loaded with the first outbox.
    if name == "SqliteOutbox":
        return importlib.import_module("voiso_async.outbox.sqlite").SqliteOutbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
