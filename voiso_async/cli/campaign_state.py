"""Whether a campaign takes leads and dials them: its state, whether it is live, and who works in it."""

import time
from collections.abc import Mapping

import anyio
from attrs import Factory, define, frozen

from voiso_async.cli.common import Connection, connected
from voiso_async.cli.render.tables import note, printable
from voiso_async.cli.render.words import not_there, translated
from voiso_async.client import VoisoClient
from voiso_async.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    TransportError,
    VoisoError,
)
from voiso_async.models import Campaign
from voiso_async.paginator import Paginator

LOOK_SECONDS = 15.0


@frozen(kw_only=True)
class CampaignState:
    """A campaign as it stands; what the key may not see, or the API does not tell, is ``None``."""

    id: int
    name: str | None = None
    status: str | None = None
    live: bool | None = None

    @property
    def dials(self) -> bool:
        """Whether it is live and active, as far as one can see."""
        return self.live is not False and self.status in (None, "active")

    @property
    def title(self) -> str:
        """What to call it."""
        name = f' "{printable(self.name)}"' if self.name else ""
        return f"campaign {self.id}{name}"

    @property
    def state(self) -> str:
        """Its state in a few words."""
        live = {True: "live", False: "not live", None: ""}[self.live]
        return ", ".join(filter(None, (live, self.status)))

    def __str__(self) -> str:
        return f"{self.title} ({self.state})" if self.state else self.title


async def campaign_state_of(voiso: VoisoClient, campaign: int) -> CampaignState:
    """Look at a campaign with GETs alone; a key may lack the scope to look."""
    try:
        found = await voiso.campaigns.get(campaign)
        live = found.live
        if live is None:  # the documents show it as a filter only
            named = voiso.campaigns.list(name=found.name, live=True)
            live = await _lists(named, campaign)
    except PermissionDeniedError:
        return CampaignState(id=campaign)
    return CampaignState(id=campaign, name=found.name, status=found.status, live=live)


async def wait_until_live(voiso: VoisoClient, campaign: int, seconds: float) -> CampaignState:
    """Look at a campaign every quarter of a minute until it is live and active, at most so long."""
    deadline = time.monotonic() + seconds
    said = ""
    while True:
        state = await campaign_state_of(voiso, campaign)
        left = deadline - time.monotonic()
        if state.dials or left <= 0:
            return state
        if said != state.state:
            note(f"{state.title} is {state.state}: waiting until it is live and active")
            said = state.state
        await anyio.sleep(min(LOOK_SECONDS, left))


async def _lists(listing: Paginator[Campaign], campaign: int) -> bool | None:
    try:
        async for found in listing:
            if found.id == campaign:
                return True
    except VoisoError:
        return None
    return False


MOST_CAMPAIGNS = 20
"""Campaigns that are looked at one by one; of more, a listing tells which are there."""


@define
class CampaignCheck:
    """What was seen of the campaigns; ``faults`` say in words what a push could not go on with."""

    asked: bool = False
    standings: dict[int, CampaignState] = Factory(dict)
    missing: list[int] = Factory(list)
    faults: list[str] = Factory(list)


async def check_campaigns(connection: Connection, rows: Mapping[int, int], *, counted_rows: bool) -> CampaignCheck:
    """Look at each campaign, if there is a key to do so; ``rows`` go to each."""
    seen = CampaignCheck(asked=connection.is_set())
    if not seen.asked:
        return seen
    async with connected(connection) as voiso:
        await _check(voiso, sorted(rows), seen)
    if seen.missing:
        named = {campaign: rows[campaign] if counted_rows else None for campaign in seen.missing}
        seen.faults.insert(0, not_there(named))
    return seen


async def _check(voiso: VoisoClient, campaigns: list[int], seen: CampaignCheck) -> None:
    for campaign in campaigns[:MOST_CAMPAIGNS]:
        try:
            seen.standings[campaign] = await campaign_state_of(voiso, campaign)
        except NotFoundError:
            seen.missing.append(campaign)
        except VoisoError as error:
            seen.faults.append(f"campaign {campaign} cannot be looked at: {translated(error)}")
            if isinstance(error, AuthenticationError | TransportError):  # so it is with the others
                return
    if len(campaigns) > MOST_CAMPAIGNS:
        await _check_by_list(voiso, campaigns[MOST_CAMPAIGNS:], seen)


async def _check_by_list(voiso: VoisoClient, campaigns: list[int], seen: CampaignCheck) -> None:
    """Look for many in one listing; of a few that it does not name, ask for each."""
    try:
        listed = {campaign.id async for campaign in voiso.campaigns.list()}
        absent = [campaign for campaign in campaigns if campaign not in listed]
        if len(absent) <= MOST_CAMPAIGNS:
            absent = [campaign for campaign in absent if not await _is_there(voiso, campaign)]
        seen.missing += absent
    except PermissionDeniedError:
        return
    except VoisoError as error:
        seen.faults.append(f"not every campaign could be looked at: {translated(error)}")


async def _is_there(voiso: VoisoClient, campaign: int) -> bool:
    try:
        await voiso.campaigns.get(campaign)
    except NotFoundError:
        return False
    return True
