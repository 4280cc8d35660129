"""Why rows are not in the campaign: by reason, with a few rows of each, named by their place in the file."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from attrs import define, field
from rich.table import Table
from rich.text import Text

from voiso_async.cli.show import counted, grid, printable
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import JobOutcome

__all__ = ["PROBLEMS", "Group", "Problems", "as_json", "problems_of", "row_of", "show_problems"]

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
