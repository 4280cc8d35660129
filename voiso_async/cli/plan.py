"""``voiso leads plan``: what a push would do, by the same path up to the socket."""

import tempfile
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter, validators

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, connected
from voiso_async.cli.forecast import MOST_CAMPAIGNS, Forecast, show_each_row, show_forecast
from voiso_async.cli.problems import problems_of
from voiso_async.cli.reading import AS_IT_IS, File, Reading, leads_of
from voiso_async.cli.sending import nothing_in
from voiso_async.cli.show import note, show_json
from voiso_async.cli.standing import Standing, standing_of
from voiso_async.errors import ConfigurationError, VoisoError
from voiso_async.files import LeadFile
from voiso_async.ingest.jobs import Job
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import Outbox, SqliteOutbox
from voiso_async.wire import positive_id

__all__ = ["Plan", "plan", "planned"]

USUAL_SERVER_TIME = 0.6


@frozen(kw_only=True)
class Plan:
    """What is to be planned; ``every_row`` names each row that cannot be sent."""

    file: str
    campaign: int | None
    campaign_column: str | None
    reading: Reading = AS_IT_IS
    server_time: float = USUAL_SERVER_TIME
    every_row: bool = False


async def plan(
    file: File,
    /,
    *,
    campaign: str | None = None,
    campaign_column: str | None = None,
    server_time: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=600))] = USUAL_SERVER_TIME,
    reading: Reading = AS_IT_IS,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Say what a push would do, and how long it would take; nothing is sent.

    The file is read, checked and counted exactly as by voiso leads push. With a key at hand the campaign is looked
    at. The exit code is 0 if every row can be sent, else 3.

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
    if (campaign is None) == (campaign_column is None):
        raise ConfigurationError("say where the leads would go: --campaign 3, or --campaign-column NAME")
    number = None if campaign is None else positive_id(campaign)
    wanted = Plan(
        file=file, campaign=number, campaign_column=campaign_column, reading=reading, server_time=server_time
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
                raise nothing_in(leads.name, leads.shape.elsewhere)
            forecast = await _forecast(plan, leads, outbox, job, connection)
            await _tell(forecast, outbox, every_row=plan.every_row, json=json)
    return Exit.NOT_ALL if job.report.counts[Outcome.INVALID] else Exit.OK


async def _forecast(plan: Plan, leads: LeadFile, outbox: Outbox, job: Job, connection: Connection) -> Forecast:
    sendable = {item.campaign: item.rows + item.lent for item in await outbox.backlog(job.id)}
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
        standings=await _looked(sorted(sendable)[:MOST_CAMPAIGNS], connection),
        server_time=plan.server_time,
    )


async def _looked(campaigns: list[int], connection: Connection) -> dict[int, Standing]:
    """Look at the campaigns with GETs alone, if there is a key to do so."""
    try:
        connection.key()
        connection.address()
    except ConfigurationError:
        return {}
    standings: dict[int, Standing] = {}
    async with connected(connection) as voiso:
        for campaign in campaigns:
            try:
                standings[campaign] = await standing_of(voiso, campaign)
            except VoisoError as error:
                note(f"campaign {campaign} cannot be looked at: {error}")
                if not standings:
                    break
    return standings


async def _tell(forecast: Forecast, outbox: Outbox, *, every_row: bool, json: bool) -> None:
    wrong = forecast.job.report.counts[Outcome.INVALID]
    problems = await problems_of(outbox, forecast.job.id, wrong)
    if every_row:
        await show_each_row(outbox, forecast.job.id, json=json)
    if json:
        show_json(forecast.as_json() | {"reasons": [group.as_json() for group in problems.groups]})
    else:
        show_forecast(forecast, problems)
