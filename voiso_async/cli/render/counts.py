"""The counts of a job in the words of this command: known and withdrawn rows stand for themselves."""

from attrs import frozen

from voiso_async.cli.render.tables import agreed, counted
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.jobs import Job

MEANINGS = {
    Outcome.CREATED: "are new in the campaign",
    Outcome.DUPLICATE: "were in the campaign before",
    Outcome.CONFIRMED: "are in the campaign; they went twice, after a lost answer or a refused call",
    Outcome.UPDATED: "were changed",
    Outcome.REPEATED: "have the phone of an earlier row",
    Outcome.REJECTED: "were refused by the server",
    Outcome.INVALID: "cannot be sent; fix them and push them again",
    Outcome.SUPPRESSED: "must not be called and were not sent",
    Outcome.UNREPORTED: "were sent, but the answer does not name them",
    Outcome.UNKNOWN: "were sent, and no answer came: they may be in the campaign",
    Outcome.NOT_SENT: "will not be sent",
}
APART = {
    "known": (Outcome.REPEATED, "were handed over before, by their key"),
    "withdrawn": (Outcome.NOT_SENT, "were withdrawn and will not be sent"),
    "expired": (Outcome.NOT_SENT, "came too late and will not be sent"),
}
"""Reasons that are counted for themselves, and the outcome they are part of."""


@frozen
class Count:
    """One line of the books; ``good`` if nobody needs to look at its rows."""

    name: str
    number: int
    meaning: str
    good: bool


def counts_of(job: Job) -> list[Count]:
    """Give the lines of a job's books, without empty ones."""
    report, lines = job.report, []
    for outcome, count in report.counts.items():
        parts = {
            name: min(report.reasons.get(name, 0), count) for name, (whole, _) in APART.items() if whole is outcome
        }
        rest = count - sum(parts.values())
        name = outcome.value.replace("_", " ")
        lines.append(Count(name, rest, agreed(rest, MEANINGS[outcome]), outcome.ok))
        lines += [Count(name, part, agreed(part, APART[name][1]), name == "known") for name, part in parts.items()]
    waiting = agreed(job.waiting, "are still to be sent")
    doubts = f"; an answer was lost for {counted(job.doubted)} of these rows" if job.doubted else ""
    lines.append(Count("waiting", job.waiting, f"{waiting}{doubts}", good=False))
    return [line for line in lines if line.number > 0]
