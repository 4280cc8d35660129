"""Why rows are not in the campaign: by reason, with a few rows of each, named by their place in the file."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from attrs import Factory, define, field, frozen
from rich.table import Table
from rich.text import Text

from voiso_async.cli.common import Exit
from voiso_async.cli.render import workers
from voiso_async.cli.render.advice import Advice, Left, advice_on
from voiso_async.cli.render.counts import counts_of
from voiso_async.cli.render.tables import counted, duration, grid, of_the_fastest, printable, show, show_json
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobOutcome, JobState

MOST_LOOKED_AT = 10_000
MOST_EXAMPLES = 5
MOST_GROUPS = 12
PROBLEMS = (Outcome.REJECTED, Outcome.INVALID, Outcome.UNREPORTED, Outcome.UNKNOWN)

HINTS = {
    "national_without_region": "write + and the country code, or give --region such as GB, or --international if "
    "they have it already",
}
"""What the command line can add to a reason."""


@define
class Group:
    """Rows that ended the same way for the same reason."""

    first: JobOutcome
    rows: list[int] = field(factory=list)
    count: int = 0

    @property
    def title(self) -> str:
        """The reason in a few words."""
        problem = self.first
        place = f"{problem.field}: " if problem.field and problem.field != "lead" else ""
        return printable(f"{place}{problem.reason or problem.outcome}".replace("_", " "))

    @property
    def places(self) -> str:
        """The first of its rows."""
        more = ", …" if self.count > len(self.rows) else ""
        return f"{'row' if self.count == 1 else 'rows'} {', '.join(map(str, self.rows))}{more}"

    @property
    def advice(self) -> str:
        """What to do about it."""
        return printable(HINTS.get(self.first.reason or "") or self.first.detail or "")

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        problem = self.first
        return {
            "outcome": problem.outcome.value,
            "field": problem.field,
            "reason": problem.reason,
            "detail": problem.detail,
            "count": self.count,
            "rows": self.rows,
        }


@define
class Problems:
    """The problems of a job, the greatest first; ``left_out`` counts those that were not looked at."""

    groups: Sequence[Group] = ()
    left_out: int = 0


async def problems_of(outbox: Outbox, job_id: str, total: int) -> Problems:
    """Look at a job's problems, of which there are ``total``."""
    groups: dict[tuple[Any, ...], Group] = {}
    seen = 0
    if total:
        async with aclosing(_rows(outbox, job_id)) as rows:
            async for row in rows:
                seen += 1
                _sort_in(groups, row)
                if seen >= min(total, MOST_LOOKED_AT):
                    break
    ranked = sorted(groups.values(), key=lambda group: -group.count)
    return Problems(groups=ranked, left_out=max(0, total - seen))


def show_problems(problems: Problems) -> Table:
    """Lay the reasons out: how many, why, which rows, and below it what to do."""
    table = grid("#t")
    for group in problems.groups[:MOST_GROUPS]:
        text = Text(group.title, style="yellow")
        text.append(f" in {group.places}", style="default")
        if group.advice:
            text.append(f"\n{group.advice}", style="dim")
        table.add_row(f"  {counted(group.count)}", text)
    if len(problems.groups) > MOST_GROUPS:
        rest = sum(group.count for group in problems.groups[MOST_GROUPS:])
        table.add_row(f"  {counted(rest)}", "for other reasons")
    if problems.left_out:
        table.add_row(f"  {counted(problems.left_out)}", "more, which were not looked at")
    return table


def row_of(outcome: JobOutcome) -> int:
    """Tell which row of its file a lead came from; without a file they count from 1."""
    return outcome.index + 1 if outcome.row is None else outcome.row


def as_json(outcome: JobOutcome) -> dict[str, Any]:
    """Give a problem as plain values, without the phone."""
    fields = {
        "row": row_of(outcome),
        "key": outcome.key,
        "campaign": outcome.campaign,
        "outcome": outcome.outcome.value,
        "field": outcome.field,
        "reason": outcome.reason,
        "detail": outcome.detail,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _rows(outbox: Outbox, job_id: str) -> Any:
    return outbox.outcomes(job_id, outcomes=PROBLEMS, pending=False)


def _sort_in(groups: dict[tuple[Any, ...], Group], row: JobOutcome) -> None:
    group = groups.setdefault((row.outcome, row.field, row.reason), Group(row))
    group.count += 1
    if len(group.rows) < MOST_EXAMPLES:
        group.rows.append(row_of(row))


MOST_PROBLEM_LINES = 10_000


@frozen(kw_only=True)
class JobSummary:
    """How a command left a job: ``error`` is what went wrong, ``stop`` why it was stopped on purpose.

    ``words`` are the options that a command which goes on needs as well, ``unread`` about how many rows of a file
    are still to be read.
    """

    job: Job
    title: str
    error: str | None = None
    stop: str | None = None
    words: str = ""
    temporary: bool = False
    unread: int | None = None
    left: Left = Factory(Left)
    extra: dict[str, Any] = Factory(dict)

    @property
    def code(self) -> Exit:
        """The exit code that says so."""
        if self.stop is not None:
            return Exit.STOPPED
        if self.error is not None:
            return Exit.ERROR
        if self.job.state is not JobState.DONE:
            return Exit.STOPPED
        return Exit.OK if self.job.report.ok else Exit.NOT_ALL


async def print_report(outbox: Outbox, ending: JobSummary, *, json: bool) -> None:
    """Print how a job stands, and why rows are not in the campaign; as JSON the report is the last line."""
    total = sum(ending.job.report.counts[outcome] for outcome in PROBLEMS)
    advice = None if ending.temporary else await advice_on(outbox, ending.job, ending.words, ending.left)
    if json:
        await _print_problems(outbox, ending.job.id, total)
        show_json(_as_json(ending, advice))
        return
    show_report(ending, await problems_of(outbox, ending.job.id, total), advice)


def show_report(ending: JobSummary, problems: Problems, advice: Advice | None = None) -> None:
    """Print the counts, the pace, the reasons, and what to do next."""
    job = ending.job
    show(Text(printable(ending.title), style="bold"), _counts(job, ending.unread))
    if job.report.attempts:
        show("", _pace(job.report))
    if problems.groups:
        show(Text("\nRows to look at", style="bold"), show_problems(problems))
    if advice is not None:
        show("", str(advice))


def job_as_json(job: Job) -> dict[str, Any]:
    """Give a job as plain values, without its leads."""
    times = {"created": job.created, "expires": job.expires, "finished": job.finished}
    return {
        "job": job.id,
        "name": job.name,
        "state": job.activity.value,
        "loaded": job.state is not JobState.LOADING,
        "workers": [workers.as_json(worker) for worker in job.workers],
        "operation": job.operation.value,
        "campaigns": list(job.campaigns),
        **{name: None if time is None else time.isoformat(timespec="seconds") for name, time in times.items()},
        "retry_of": job.retry_of,
        "requeued": job.requeued,
        "withdrawn": job.withdrawn,
        "waiting": job.waiting,
        "in_doubt": job.doubted,
        **job.report.as_dict(),
        "ok": job.state is JobState.DONE and job.report.ok,
    }


def _as_json(ending: JobSummary, advice: Advice | None) -> dict[str, Any]:
    told = {"advice": advice and advice.text, "next": advice and advice.command}
    end = {"error": ending.error or ending.stop, **told}
    return {"event": "report", **job_as_json(ending.job), **ending.extra, **end}


async def _print_problems(outbox: Outbox, job_id: str, total: int) -> None:
    left = min(total, MOST_PROBLEM_LINES)
    if not left:
        return
    async for row in outbox.outcomes(job_id, outcomes=PROBLEMS, pending=False):
        show_json({"event": "problem", **as_json(row)})
        left -= 1
        if not left:
            return


def _counts(job: Job, unread: int | None) -> Table:
    table = grid("n#t")
    for line in counts_of(job):
        style = "green" if line.good else "yellow"
        table.add_row(Text(f"  {line.name}", style=style), counted(line.number), Text(line.meaning, style="dim"))
    report = job.report
    wrong = report.unaccounted
    accounted = f"{counted(wrong, 'row')} without an outcome" if wrong else "all rows accounted for"
    table.add_row(Text("  rows", style="bold"), Text(counted(report.rows), style="bold"), accounted)
    if job.state is JobState.LOADING and unread is not None and unread > 0:
        table.add_row("  not read", f"~{counted(unread)}", Text("more rows of the file", style="dim"))
    return table


def _pace(report: IngestReport) -> str:
    parts = [f"  {counted(report.attempts, 'POST')} in {_seconds(report.elapsed)}"]
    if report.attempts > 1 and report.leads_per_second:
        parts.append(f"{report.leads_per_second:.0f} leads/s")
    if report.ceiling_share is not None:
        parts.append(of_the_fastest(report.ceiling_share))
    if report.doubted:
        parts.append(f"{counted(report.doubted, 'row')} went again after a lost answer")
    return " · ".join(parts)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
