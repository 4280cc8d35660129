"""``voiso talkdesk``: campaigns of a Talkdesk account, their users, and the way from there to here."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from voiso_async.cli.commands.talkdesk_account import OF_ENVIRONMENT, Account, CampaignId, account_client
from voiso_async.cli.commands.talkdesk_push import push
from voiso_async.cli.commands.talkdesk_users import bring_users
from voiso_async.cli.common import Json
from voiso_async.cli.render.listing import Limit, show_listing
from voiso_async.cli.render.tables import counted, note, show_json, show_table
from voiso_async.cli.units import one_of
from voiso_async.talkdesk import CampaignUser, TalkdeskCampaign, TalkdeskStatus, TalkdeskUser

STATES = [status.value.lower() for status in TalkdeskStatus]

talkdesk: App = App(
    name="talkdesk",
    help="Talkdesk: its campaigns, their users and record lists, and how its agents come to Voiso.",
    help_epilogue="The client is read from TALKDESK_ACCOUNT, TALKDESK_REGION, TALKDESK_CLIENT_ID and "
    "TALKDESK_CLIENT_SECRET (or TALKDESK_PRIVATE_KEY and TALKDESK_KEY_ID).",
)
talkdesk.command(push)
talkdesk.command(bring_users)


@talkdesk.command(name="campaigns")
async def list_campaigns(
    *,
    search: Annotated[str | None, Parameter(help="Only those with this in their name.")] = None,
    status: Annotated[
        str | None,
        Parameter(
            converter=one_of(STATES),
            help="Only those in this state, such as running or paused.",
        ),
    ] = None,
    limit: Limit = None,
    json: Json = False,
    account: Account = OF_ENVIRONMENT,
) -> None:
    """List campaigns; with --json one a line. The client needs the scope campaigns:read."""
    async with account_client(account) as client:
        found = client.campaigns.list(search=search, status=status)
        await show_listing(found, _show_campaigns, "campaign", limit=limit, json=json)


@talkdesk.command
async def users(
    campaign_id: CampaignId,
    /,
    *,
    names: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    limit: Limit = None,
    json: Json = False,
    account: Account = OF_ENVIRONMENT,
) -> None:
    """List the users of a campaign; the campaign itself knows no more of them than their ids.

    Parameters
    ----------
    names
        Look up names and addresses too; the client needs the scope users:read.
    """
    async with account_client(account) as client:
        listing = client.campaigns.users(campaign_id)
        if not names:
            await show_listing(listing, _show_ids, "user", limit=limit, json=json)
            return
        found = await client.users.resolve(user.id for user in await listing.collect(limit))
    _show_users([TalkdeskUser(id=one) if user is None else user for one, user in found.items()], json=json)
    unknown = sum(user is None for user in found.values())
    note(counted(len(found), "user") + (f", {counted(unknown)} of them not known any more" if unknown else ""))


@talkdesk.command
async def pause(campaign_id: CampaignId, /, *, json: Json = False, account: Account = OF_ENVIRONMENT) -> None:
    """Pause a campaign. The client needs the scope campaigns:write."""
    async with account_client(account) as client:
        _show_campaigns([await client.campaigns.pause(campaign_id)], json=json)


@talkdesk.command
async def resume(campaign_id: CampaignId, /, *, json: Json = False, account: Account = OF_ENVIRONMENT) -> None:
    """Let a campaign dial, or go on. The client needs the scope campaigns:write."""
    async with account_client(account) as client:
        _show_campaigns([await client.campaigns.resume(campaign_id)], json=json)


def _show_campaigns(campaigns: Sequence[TalkdeskCampaign], *, json: bool) -> None:
    if json:
        for campaign in campaigns:
            show_json(campaign)
        return
    rows = [(c.id, c.name, c.status, c.dialing_mode, c.priority) for c in campaigns]
    show_table(("ID", "NAME", "STATUS", "DIALING MODE", "PRIORITY"), rows, right=("PRIORITY",))


def _show_ids(users: Sequence[CampaignUser], *, json: bool) -> None:
    if json:
        for user in users:
            show_json(user)
        return
    show_table(("ID",), [(user.id,) for user in users])


def _show_users(users: Sequence[TalkdeskUser], *, json: bool) -> None:
    if json:
        for user in users:
            show_json(user)
        return
    rows = [(u.id, u.name, u.email, None if u.active is None else str(u.active).lower()) for u in users]
    show_table(("ID", "NAME", "EMAIL", "ACTIVE"), rows)
