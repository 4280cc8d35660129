"""Outboxes: leads kept durably until their campaign has taken them."""

from voiso_async.ingest.jobs import CampaignBacklog, Job, JobActivity, JobOutcome, JobSource, JobState, JobWorker
from voiso_async.outbox.base import Outbox
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
