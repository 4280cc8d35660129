"""The books of a push, for people and for programs; rows are named by their place in the file, never by phone."""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from voiso_async.cli.common import Exit
from voiso_async.cli.show import counted, duration, printable, show, show_json
from voiso_async.errors import VoisoError
from voiso_async.files import CsvLeads
from voiso_async.ingest.outcome import IngestReport, LeadOutcome, Outcome

__all__ = ["exit_code", "show_report", "show_report_json"]

MOST_EXAMPLES = 5
MOST_GROUPS = 12

MEANINGS: Mapping[Outcome, str] = {
    Outcome.CREATED: "are new in the campaign",
    Outcome.DUPLICATE: "were in the campaign before",
    Outcome.CONFIRMED: "are in the campaign; they went twice, as an answer was lost",
    Outcome.REPEATED: "have the phone of an earlier row",
    Outcome.UPDATED: "were changed",
    Outcome.REJECTED: "were refused by the server",
    Outcome.INVALID: "cannot be sent; mend them and push them again",
    Outcome.UNREPORTED: "were sent, but the answer does not name them",
    Outcome.UNKNOWN: "were sent, and no answer came: they may be in the campaign",
    Outcome.NOT_SENT: "are not in the campaign: the push ended before",
}
HINTS = {
    "national_without_region": "write + and the country code, or give --international if they have it already",
}
"""What the command line can add to a reason."""

RowOf = Callable[[int], int]


def exit_code(report: IngestReport, error: VoisoError | None) -> Exit:
    """Say how a push ended."""
    if error is not None:
        return Exit.ERROR
    return Exit.OK if report.ok else Exit.NOT_ALL


def show_report(report: IngestReport, leads: CsvLeads, title: str) -> None:
    """Print the counts, the pace, and why rows are not in the campaign."""
    show(Text(printable(title), style="bold"), _counts(report, _unread(report, leads)))
    if report.attempts:
        show("", _pace(report))
    if report.problems:
        show(Text("\nRows to look at", style="bold"), _reasons(report, leads.row_of))
    if report.counts[Outcome.NOT_SENT] or report.counts[Outcome.UNKNOWN]:
        show("", "Push the same file again to finish: what has arrived comes back as duplicate.")


def show_report_json(
    report: IngestReport,
    leads: CsvLeads,
    *,
    campaign: int,
    error: VoisoError | None,
    signal_number: int | None,
) -> None:
    """Print each problem, then the report, which is the last line."""
    for problem in report.problems:
        show_json({"event": "problem", **_problem(problem, leads.row_of)})
    end = None if signal_number is None else f"stopped by {signal.Signals(signal_number).name}"
    books = {"event": "report", "campaign": campaign, "file": leads.name, **report.as_dict()}
    show_json(books | {"unread": _unread(report, leads), "error": str(error) if error else end})


def _problem(problem: LeadOutcome, row_of: RowOf) -> dict[str, Any]:
    fields = {
        "row": row_of(problem.index),
        "key": problem.key,
        "outcome": problem.outcome.value,
        "field": problem.field,
        "reason": problem.reason,
        "detail": problem.detail,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _unread(report: IngestReport, leads: CsvLeads) -> int:
    """Count the rows that a push which ended early did not come to."""
    return max(0, (leads.rows or 0) - report.rows)


def _counts(report: IngestReport, unread: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for outcome, count in report.counts.items():
        if count:
            style = "green" if outcome.ok else "yellow"
            name = outcome.value.replace("_", " ")
            table.add_row(Text(f"  {name}", style=style), counted(count), Text(MEANINGS[outcome], style="dim"))
    total = "the books balance" if report.balanced else f"{counted(report.pending, 'row')} without an outcome"
    table.add_row(Text("  rows", style="bold"), Text(counted(report.rows), style="bold"), total)
    if unread:
        table.add_row("  not read", counted(unread), Text("more rows of the file; none was sent", style="dim"))
    return table


def _pace(report: IngestReport) -> str:
    parts = [f"  {counted(report.attempts, 'POST')} in {_seconds(report.elapsed)}"]
    if report.attempts > 1 and report.leads_per_second:
        parts.append(f"{report.leads_per_second:.0f} leads/s")
    if report.attempts > 1 and report.ceiling_share is not None:
        parts.append(f"{report.ceiling_share:.1%} of the ceiling")
    if report.doubted:
        parts.append(f"{counted(report.doubted, 'row')} went again after a lost answer")
    return " · ".join(parts)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _reasons(report: IngestReport, row_of: RowOf) -> Table:
    groups: dict[tuple[Outcome, str | None, str | None], list[LeadOutcome]] = {}
    for problem in report.problems:
        groups.setdefault((problem.outcome, problem.field, problem.reason), []).append(problem)
    ranked = sorted(groups.values(), key=len, reverse=True)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for group in ranked[:MOST_GROUPS]:
        table.add_row(f"  {counted(len(group))}", _cause(group, row_of))
    if len(ranked) > MOST_GROUPS:
        table.add_row(f"  {counted(sum(map(len, ranked[MOST_GROUPS:])))}", "for other reasons")
    if report.problems_left_out:
        table.add_row(f"  {counted(report.problems_left_out)}", "more, which were not kept")
    return table


def _cause(group: Sequence[LeadOutcome], row_of: RowOf) -> Text:
    """Name a reason and the rows it holds for, and below it what to do."""
    first = group[0]
    place = f"{first.field}: " if first.field and first.field != "lead" else ""
    text = Text(printable(f"{place}{first.reason or first.outcome}".replace("_", " ")), style="yellow")
    rows = ", ".join(str(row_of(problem.index)) for problem in group[:MOST_EXAMPLES])
    more = ", …" if len(group) > MOST_EXAMPLES else ""
    text.append(f" in {'row' if len(group) == 1 else 'rows'} {rows}{more}", style="default")
    if advice := HINTS.get(first.reason or "") or first.detail:
        text.append(f"\n{printable(advice)}", style="dim")
    return text
