"""The books of a job, for people and for programs; rows are named by their place in the file, never by phone."""

from typing import Any

from attrs import Factory, frozen
from rich.table import Table
from rich.text import Text

from voiso_async.cli import workers
from voiso_async.cli.advice import Advice, Left, advice_on
from voiso_async.cli.common import Exit
from voiso_async.cli.problems import PROBLEMS, Problems, as_json, problems_of, show_problems
from voiso_async.cli.show import counted, duration, grid, of_the_fastest, printable, show, show_json
from voiso_async.cli.tally import counts_of
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job, JobState

__all__ = ["Ending", "job_as_json", "print_report", "show_report"]

MOST_PROBLEM_LINES = 10_000


@frozen(kw_only=True)
class Ending:
    """How a command left a job: ``error`` is what went wrong, ``stop`` why it was stopped on purpose.

    ``words`` are the options that a command which goes on needs as well, ``unread`` about how many rows of a file
    are still to be read.
    """

    job: Job
    title: str
    error: str | None = None
    stop: str | None = None
    words: str = ""
    passing: bool = False
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


async def print_report(outbox: Outbox, ending: Ending, *, json: bool) -> None:
    """Print how a job stands, and why rows are not in the campaign; as JSON the report is the last line."""
    total = sum(ending.job.report.counts[outcome] for outcome in PROBLEMS)
    advice = None if ending.passing else await advice_on(outbox, ending.job, ending.words, ending.left)
    if json:
        await _print_problems(outbox, ending.job.id, total)
        show_json(_as_json(ending, advice))
        return
    show_report(ending, await problems_of(outbox, ending.job.id, total), advice)


def show_report(ending: Ending, problems: Problems, advice: Advice | None = None) -> None:
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


def _as_json(ending: Ending, advice: Advice | None) -> dict[str, Any]:
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
    books = f"{counted(wrong, 'row')} without an outcome" if wrong else "all rows accounted for"
    table.add_row(Text("  rows", style="bold"), Text(counted(report.rows), style="bold"), books)
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
