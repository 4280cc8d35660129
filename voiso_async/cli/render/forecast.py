"""What a push would do: rows, batches, time, columns and campaigns, for people and for programs."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from rich.table import Table
from rich.text import Text

from voiso_async.cli.campaign_state import MOST_CAMPAIGNS, CampaignCheck, CampaignState
from voiso_async.cli.render.progress import POLICY, seconds_for
from voiso_async.cli.render.report import Problems, as_json, row_of, show_problems
from voiso_async.cli.render.tables import counted, duration, grid, printable, show, show_json
from voiso_async.cli.render.words import in_words
from voiso_async.files.table_rows import FileShape
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import Job


@frozen(kw_only=True)
class Forecast:
    """What a push would do, campaign by campaign."""

    name: str
    format: str
    layout: str
    recognised: Mapping[str, str]
    unused: tuple[str, ...]
    shape: FileShape
    notes: tuple[str, ...] = ()
    job: Job
    sendable: Mapping[int, int]
    seen: CampaignCheck
    server_time: float

    @property
    def batches(self) -> int:
        """Calls that carry leads."""
        return sum(-(-rows // POLICY.max_rows) for rows in self.sendable.values())

    @property
    def seconds(self) -> float:
        """The time of the slowest campaign, as they go side by side."""
        return max((seconds_for(rows, self.server_time) for rows in self.sendable.values()), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        report = self.job.report
        campaigns = [self._campaign_as_json(campaign, rows) for campaign, rows in self.sendable.items()]
        return {
            "event": "plan",
            "file": self.name,
            "format": self.format,
            "layout": self.layout,
            "columns": dict(self.recognised),
            "unused": list(self.unused),
            "sheet": self.shape.sheet,
            "remarks": [*self.notes, *map(in_words, self.shape.remarks)],
            "rows": report.rows,
            "sendable": sum(self.sendable.values()),
            "invalid": report.counts[Outcome.INVALID],
            "repeated": report.counts[Outcome.REPEATED],
            "suppressed": report.counts[Outcome.SUPPRESSED],
            "batches": self.batches,
            "seconds": round(self.seconds, 1),
            "server_time": self.server_time,
            "campaigns": campaigns,
            "error": "; ".join(self.seen.faults) or None,
        }

    def state(self, campaign: int) -> CampaignState:
        """How a campaign stands, as far as it was looked at."""
        return self.seen.standings.get(campaign) or CampaignState(id=campaign)

    def state_text(self, campaign: int) -> str:
        """The same in a few words."""
        if campaign in self.seen.missing:
            return "does not exist"
        return self.state(campaign).state or ("" if self.seen.asked else "not looked at, without a key")

    def _campaign_as_json(self, campaign: int, rows: int) -> dict[str, Any]:
        found = True if campaign in self.seen.standings else None
        state = self.state(campaign)
        return {
            "id": campaign,
            "sendable": rows,
            "batches": -(-rows // POLICY.max_rows),
            "seconds": round(seconds_for(rows, self.server_time), 1),
            "found": False if campaign in self.seen.missing else found,
            "status": state.status,
            "live": state.live,
        }


async def show_each_row(outbox: Outbox, job_id: str, *, json: bool) -> None:
    """Name each row that cannot be sent."""
    async for row in outbox.outcomes(job_id, outcomes={Outcome.INVALID}, pending=False):
        if json:
            show_json({"event": "problem", **as_json(row)})
            continue
        reason = printable(f"{row.field}: {row.reason}".replace("_", " "))
        show(f"row {row_of(row)}: {reason}{f' - {printable(row.detail)}' if row.detail else ''}")


def show_forecast(forecast: Forecast, problems: Problems) -> None:
    """Print it for people."""
    report = forecast.job.report
    left_out = {
        "invalid": report.counts[Outcome.INVALID],
        "repeated in the file": report.counts[Outcome.REPEATED],
        "suppressed": report.counts[Outcome.SUPPRESSED],
    }
    parts = ", ".join(f"{counted(count)} {name}" for name, count in left_out.items() if count)
    sendable = sum(forecast.sendable.values())
    why = f" ({parts})" if parts else ""
    first = (
        f"{printable(forecast.name)}: {counted(report.rows, 'row')}, {counted(sendable)} sendable{why}, "
        f"{counted(forecast.batches, 'batch', 'batches')}"
    )
    show(Text(first, style="bold"))
    show(_columns(forecast), _campaigns(forecast))
    if problems.groups:
        show(Text("\nRows that cannot be sent", style="bold"), show_problems(problems))
    show("", "Nothing was sent.")


def _columns(forecast: Forecast) -> Table:
    table = grid("nt")
    found = ", ".join(f"{field} ← {column}" for field, column in forecast.recognised.items())
    table.add_row("  columns", Text(printable(f"{found} ({forecast.layout})")))
    if forecast.unused:
        table.add_row("  not used", Text(printable(", ".join(forecast.unused)), style="dim"))
    for remark in map(in_words, forecast.shape.remarks):
        table.add_row("  note", Text(printable(remark), style="yellow"))
    return table


def _campaigns(forecast: Forecast) -> Table:
    table = grid("tttt")
    for campaign, rows in list(forecast.sendable.items())[:MOST_CAMPAIGNS]:
        time = duration(seconds_for(rows, forecast.server_time))
        state = forecast.state(campaign)
        good = state.dials and campaign not in forecast.seen.missing
        table.add_row(
            Text(f"  {state.title}"),
            Text(forecast.state_text(campaign), style="" if good else "yellow"),
            counted(rows, "lead"),
            f"{time} at {forecast.server_time:g} s a call",
        )
    left = len(forecast.sendable) - MOST_CAMPAIGNS
    if left > 0:
        table.add_row(f"  and {counted(left, 'campaign')} more", "", "", "")
    if len(forecast.sendable) > 1:
        total = counted(sum(forecast.sendable.values()), "lead")
        table.add_row("  all of them", "", total, f"{duration(forecast.seconds)} side by side")
    return table
