"""``voiso campaigns``: find them, drive them, and say who works in them."""

from typing import Annotated

from attrs import frozen
from cyclopts import App, Parameter, validators

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Json, connected
from voiso_async.cli.render.listing import Limit, show_campaigns, show_listing, show_users
from voiso_async.cli.render.tables import counted, note, show_json, show_record
from voiso_async.cli.units import CampaignId, TextId, one_of
from voiso_async.errors import VoisoError
from voiso_async.models import CampaignStatus, CampaignStrategy

AT_REST: dict[str, tuple[str, ...]] = {
    "start": ("active", "auto_paused", "completed"),
    "pause": ("paused",),
    "stop": ("stopped", "completed"),
}
"""Where each state call leads, once the transitions are over."""

Campaign = Annotated[CampaignId, Parameter(help="Id of the campaign.")]


@Parameter(name="*")
@frozen(kw_only=True)
class Waiting:
    """Whether a state call is watched until its transition is over."""

    wait: Annotated[bool, Parameter(negative="", show_default=False)] = False
    """Wait until the campaign is through the transition."""
    timeout: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 60.0
    """Seconds to wait at most, with --wait."""


NO_WAITING = Waiting()

campaigns: App = App(name="campaigns", help="Find campaigns, start and stop them, and say who works in them.")


@campaigns.command(name="list")
async def list_campaigns(
    *,
    name: Annotated[str | None, Parameter(help="Only those with this name, or with it in their name.")] = None,
    status: Annotated[
        str | None,
        Parameter(converter=one_of(CampaignStatus), help="Only those in this state, such as active or paused."),
    ] = None,
    strategy: Annotated[
        str | None,
        Parameter(converter=one_of(CampaignStrategy), help="Only those that dial so: simple or predictive_ai."),
    ] = None,
    live: Annotated[bool | None, Parameter(negative="--no-live", help="Only live ones, or only others.")] = None,
    limit: Limit = None,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """List campaigns; with --json one a line."""
    async with connected(connection) as voiso:
        found = voiso.campaigns.list(name=name, status=status, strategy=strategy, live=live)
        await show_listing(found, show_campaigns, "campaign", limit=limit, json=json)


@campaigns.command
async def get(
    campaign_id: Campaign,
    /,
    *,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """Show one campaign with its full configuration."""
    async with connected(connection) as voiso:
        campaign = await voiso.campaigns.get(campaign_id)
    (show_json if json else show_record)(campaign)


@campaigns.command
async def start(
    campaign_id: Campaign,
    /,
    *,
    waiting: Waiting = NO_WAITING,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """Start dialling."""
    await _drive("start", campaign_id, waiting, connection, json=json)


@campaigns.command
async def pause(
    campaign_id: Campaign,
    /,
    *,
    waiting: Waiting = NO_WAITING,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """Pause dialling."""
    await _drive("pause", campaign_id, waiting, connection, json=json)


@campaigns.command
async def stop(
    campaign_id: Campaign,
    /,
    *,
    waiting: Waiting = NO_WAITING,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """End dialling."""
    await _drive("stop", campaign_id, waiting, connection, json=json)


@campaigns.command
async def users(
    campaign_id: Campaign,
    /,
    *,
    limit: Limit = None,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """List the users of a campaign; with --json one a line."""
    async with connected(connection) as voiso:
        await show_listing(voiso.campaigns.users(campaign_id), show_users, "user", limit=limit, json=json)


@campaigns.command
async def add_users(
    campaign_id: Campaign,
    user_ids: Annotated[list[TextId], Parameter(negative="", help="Ids of the users to add, in any number.")],
    /,
    *,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """Let users work in a campaign; prints those that were added."""
    async with connected(connection) as voiso:
        try:
            added = await voiso.campaigns.add_users(campaign_id, user_ids)
        except VoisoError as error:
            if error.added_users is not None and error.added_users.added:
                before = counted(len(error.added_users.added), "user was", "users were")
                note(f"{before} added before the error")
            raise
    show_users(added, json=json)
    known = len(set(user_ids)) - len(added)
    if known > 0:
        note(f"{known} of the users were not added: they work in the campaign already")


@campaigns.command
async def remove_user(
    campaign_id: Campaign,
    user_id: Annotated[TextId, Parameter(help="Id of the user to remove.")],
    /,
    *,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """Take a user out of a campaign; prints whom."""
    async with connected(connection) as voiso:
        removed = await voiso.campaigns.remove_user(campaign_id, user_id)
    if removed is None:
        note("the user is out of the campaign; the answer that says who it was got lost")
    else:
        show_users([removed], json=json)


async def _drive(action: str, campaign_id: int, waiting: Waiting, connection: Connection, *, json: bool) -> None:
    async with connected(connection) as voiso:
        calls = {"start": voiso.campaigns.start, "pause": voiso.campaigns.pause, "stop": voiso.campaigns.stop}
        campaign = await calls[action](campaign_id)
        if waiting.wait:
            campaign = await voiso.campaigns.wait_for(campaign_id, AT_REST[action], timeout=waiting.timeout)
    show_campaigns([campaign], json=json)
