"""What became of each row of a job, written to a file or to standard output."""

from collections.abc import Collection
from pathlib import Path

from voiso_async.cli.outputs import Form, form_of
from voiso_async.errors import ConfigurationError
from voiso_async.files import write_rejects, write_results
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job

STANDARD_OUTPUT = 1
NOT_THERE = (Outcome.REJECTED, Outcome.INVALID, Outcome.UNREPORTED, Outcome.UNKNOWN, Outcome.NOT_SENT)
"""How rows end that are not in the campaign, or in question."""


async def save_results(
    outbox: Outbox,
    job: Job,
    path: Path | None,
    *,
    form: Form | None = None,
    wanted: Collection[Outcome] | None = None,
) -> int:
    """Write the outcome of each row that is wanted; by default the file's name says in which form."""
    return await write_results(
        STANDARD_OUTPUT if path is None else path,
        outbox.outcomes(job.id, outcomes=wanted),
        format=form or ("csv" if path is None else form_of(path)) or "csv",
    )


async def save_rejects(
    outbox: Outbox, job: Job, path: Path | None, *, wanted: Collection[Outcome] | None = None
) -> int:
    """Write the rows that are not in the campaign as they came; those that still wait are left out."""
    if wanted is not None and Outcome.SUPPRESSED in wanted:
        raise ConfigurationError(
            "suppressed rows are not written to be fixed and pushed again: leave out suppressed, or --rejects"
        )
    rows = outbox.outcomes(job.id, outcomes=wanted or NOT_THERE, pending=False)
    return await write_rejects(STANDARD_OUTPUT if path is None else path, rows, header_of(job))


def header_of(job: Job) -> tuple[str, ...]:
    """Give the columns of the file a job came from; none if it came from no file."""
    return () if job.source is None else job.source.header


def outcomes_of(text: str | None) -> list[Outcome] | None:
    """Read the names of outcomes, with commas between them."""
    if text is None:
        return None
    names = [name.strip().lower().replace("-", "_").replace(" ", "_") for name in text.split(",")]
    known = {outcome.value: outcome for outcome in Outcome}
    if wrong := [name for name in names if name not in known]:
        raise ConfigurationError(f"there is no outcome {wrong[0][:40]!r}; there are {', '.join(known)}")
    return [known[name] for name in names]
