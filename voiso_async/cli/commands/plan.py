"""``voiso leads plan``: what a push would do, by the same path up to the socket."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter, validators

from voiso_async.cli.campaign_state import check_campaigns
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, check_all
from voiso_async.cli.file_options import AS_IT_IS, File, FileOptions, check_target, empty_file, leads_of
from voiso_async.cli.render.forecast import Forecast, show_each_row, show_forecast
from voiso_async.cli.render.report import problems_of
from voiso_async.cli.render.tables import complain, show_json
from voiso_async.cli.units import CampaignId
from voiso_async.files import LeadFile
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox, SqliteOutbox
from voiso_async.outbox.jobs import Job

USUAL_SERVER_TIME = 0.6


@frozen(kw_only=True)
class Plan:
    """What is to be planned; ``every_row`` names each row that cannot be sent."""

    file: str
    campaign: int | None
    campaign_column: str | None
    reading: FileOptions = AS_IT_IS
    server_time: float = USUAL_SERVER_TIME
    every_row: bool = False


async def plan(
    file: File,
    /,
    *,
    campaign: CampaignId | None = None,
    campaign_column: str | None = None,
    server_time: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=600))] = USUAL_SERVER_TIME,
    reading: FileOptions = AS_IT_IS,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Say what a push would do, and how long it would take; nothing is sent.

    The file is read, checked and counted exactly as by voiso leads push. If a key is set, the campaigns are looked
    at. The exit code is 0 if every row can be sent, 3 if some cannot, 1 if a campaign does not exist or cannot be
    looked at, 2 if the file cannot be read.

    Parameters
    ----------
    file
        The file: CSV, JSON Lines or XLSX; - is standard input.
    campaign
        Id of the campaign.
    campaign_column
        Column that holds the id of each row's campaign, instead of --campaign.
    server_time
        Seconds the server takes for each call, for the forecast.
    """
    check_all(partial(reading.check, file), partial(check_target, campaign, campaign_column))
    wanted = Plan(
        file=file, campaign=campaign, campaign_column=campaign_column, reading=reading, server_time=server_time
    )
    return await planned(wanted, connection, json=json)


async def planned(plan: Plan, connection: Connection, *, json: bool) -> int:
    """Load the file into an outbox that goes away again, and tell what would be sent; give the exit code."""
    with tempfile.TemporaryDirectory(prefix="voiso-plan-") as folder:
        async with (
            SqliteOutbox(Path(folder) / "plan.db") as outbox,
            await plan.reading.open(plan.file, plan.campaign_column) as leads,
        ):
            job = await outbox.begin(name=leads.name)
            keyed = plan.reading.key_column is not None
            job = await outbox.load(job.id, plan.campaign, leads_of(leads, keyed=keyed))
            if not job.report.rows:
                raise empty_file(leads.name, leads.shape.unread_sheets)
            forecast = await _forecast(plan, leads, outbox, job, connection)
            await _tell(forecast, outbox, every_row=plan.every_row, json=json)
    for fault in forecast.seen.faults:
        complain(fault)
    if forecast.seen.faults:
        return Exit.ERROR
    return Exit.NOT_ALL if job.report.counts[Outcome.INVALID] else Exit.OK


async def _forecast(plan: Plan, leads: LeadFile, outbox: Outbox, job: Job, connection: Connection) -> Forecast:
    sendable = {item.campaign: item.rows + item.claimed for item in await outbox.backlog(job.id)}
    if plan.campaign is not None:
        sendable.setdefault(plan.campaign, 0)
    return Forecast(
        name=leads.name,
        format=leads.format,
        layout=leads.columns.layout,
        recognised=leads.columns.recognised,
        unused=leads.columns.unused,
        shape=leads.shape,
        notes=leads.notes,
        job=job,
        sendable=sendable,
        seen=await check_campaigns(connection, sendable, counted_rows=plan.campaign is None),
        server_time=plan.server_time,
    )


async def _tell(forecast: Forecast, outbox: Outbox, *, every_row: bool, json: bool) -> None:
    wrong = forecast.job.report.counts[Outcome.INVALID]
    problems = await problems_of(outbox, forecast.job.id, wrong)
    if every_row:
        await show_each_row(outbox, forecast.job.id, json=json)
    if json:
        show_json(forecast.as_json() | {"reasons": [group.as_json() for group in problems.groups]})
    else:
        show_forecast(forecast, problems)
