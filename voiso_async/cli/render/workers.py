"""Which process works on a job, in words and as plain values."""

import platform
from typing import Any

from voiso_async.outbox.jobs import Job, JobActivity, JobWorker


def named(worker: JobWorker) -> str:
    """Name a process: by its number, and its host if that is another."""
    host = f" on {worker.host}" if worker.host and worker.host != platform.node() else ""
    return f"process {worker.pid}{host}" if worker.pid is not None else f"another process{host}"


def at_work(job: Job) -> str:
    """Say who works on a job, and since when; empty if nobody does."""
    parts = [f"{named(worker)} since {worker.since:%Y-%m-%d %H:%M:%S} UTC" for worker in job.workers]
    return f"by {' and '.join(parts)}" if parts else ""


def busy_with(job: Job) -> str | None:
    """Say that processes have this very job in hand; those that send whatever there is do not count."""
    if all(worker.everything for worker in job.workers):
        return None
    verb = "sent" if job.activity is JobActivity.SENDING else "loaded"
    return f"job {job.id} is being {verb} {at_work(job)}; nothing was done here"


def as_json(worker: JobWorker) -> dict[str, Any]:
    """Give a process as plain values."""
    return {
        "pid": worker.pid,
        "host": worker.host,
        "since": worker.since.isoformat(timespec="seconds"),
        "activity": worker.activity.value,
        "everything": worker.everything,
    }
