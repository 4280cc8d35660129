"""The share of invalid and rejected rows at which a push is stopped, and what may have gone wrong."""

from attrs import frozen

from voiso_async.cli.render.progress import answered
from voiso_async.cli.render.report import Problems
from voiso_async.cli.render.tables import counted, percent
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox.jobs import Job, JobState

JUDGED_AFTER = 2000
"""Rows with an outcome, before which a share says little; a shorter file is judged at its end."""

WRONG_COLUMN = {"empty", "letters", "too_short", "too_long", "leading_zero", "bad_character", "spreadsheet_error"}
CAUSES = {
    "national_without_region": "national numbers without a region: give --region, such as GB",
    "not_in_numbering_plan": "the numbers are of another country: is this the right --region?",
    "scientific_notation": "a spreadsheet wrote the numbers as 4.41E+11 and their last digits are gone: "
    "export the column as text",
    "bad_campaign": "the campaign column holds no ids: is this the right --campaign-column?",
    "key_reused": "the key column is not unique: is this the right --key-column?",
}


@frozen
class FailureLimit:
    """At most this share of the rows may be invalid or rejected."""

    share: float

    def applies_to(self, job: Job) -> bool:
        """Whether enough is known to judge."""
        return sum(job.report.counts.values()) >= JUDGED_AFTER or job.state is not JobState.LOADING

    def exceeded(self, job: Job) -> bool:
        """Whether more rows than allowed are invalid or rejected, by all that is known."""
        return self.applies_to(job) and bad_share(job.report) > self.share

    def reason(self, job: Job) -> str:
        """Say that it is broken."""
        counts = job.report.counts
        invalid, rejected = counted(counts[Outcome.INVALID]), counted(counts[Outcome.REJECTED])
        return (
            f"{percent(bad_share(job.report))} of the rows are invalid or rejected, more than the "
            f"{percent(self.share)} of --max-rejected ({invalid} of {counted(job.report.rows)} invalid, "
            f"{rejected} of {counted(answered(counts))} rejected)"
        )


def bad_share(report: IngestReport) -> float:
    """Estimate the part of a file that is invalid or rejected.

    Reading runs far ahead of sending, so invalid rows are compared with those that were read, and rejected ones
    with those that were answered.
    """
    if not report.rows:
        return 0.0
    invalid = report.counts[Outcome.INVALID]
    unsent = invalid + report.counts[Outcome.REPEATED] + report.counts[Outcome.SUPPRESSED]
    replies = answered(report.counts)
    rejected = report.counts[Outcome.REJECTED] / replies if replies else 0.0
    return (invalid + (report.rows - unsent) * rejected) / report.rows


def likely_cause(problems: Problems, phone_column: str | None) -> str | None:
    """Guess from the commonest reason what went wrong."""
    if not problems.groups:
        return None
    first = problems.groups[0].first
    if first.reason in CAUSES:
        return CAUSES[first.reason]
    if first.field == "phone_number" and first.reason in WRONG_COLUMN:
        named = f"{phone_column!r} was read as the phone number" if phone_column else "of the phone number"
        return f"is this the right column? {named}; --map phone_number=COLUMN names another"
    if first.outcome is Outcome.REJECTED:
        return "the campaign refused them: look at its settings and at the numbers of the rows above"
    return None
