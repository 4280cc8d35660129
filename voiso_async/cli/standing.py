"""Whether a campaign takes leads and dials them: its state, whether it is live, and who works in it."""

import time

import anyio
from attrs import frozen

from voiso_async.cli.show import note, printable
from voiso_async.client import VoisoClient
from voiso_async.errors import PermissionDeniedError, VoisoError
from voiso_async.models import Campaign
from voiso_async.paginator import Paginator

__all__ = ["Standing", "standing_of", "wait_until_live"]

LOOK_SECONDS = 15.0


@frozen(kw_only=True)
class Standing:
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


async def standing_of(voiso: VoisoClient, campaign: int) -> Standing:
    """Look at a campaign with GETs alone; a key may lack the scope to look."""
    try:
        found = await voiso.campaigns.get(campaign)
        live = found.live
        if live is None:  # the documents show it as a filter only
            named = voiso.campaigns.list(name=found.name, live=True)
            live = await _lists(named, campaign)
    except PermissionDeniedError:
        return Standing(id=campaign)
    return Standing(id=campaign, name=found.name, status=found.status, live=live)


async def wait_until_live(voiso: VoisoClient, campaign: int, seconds: float) -> Standing:
    """Look at a campaign every quarter of a minute until it is live and active, at most so long."""
    deadline = time.monotonic() + seconds
    said = ""
    while True:
        standing = await standing_of(voiso, campaign)
        left = deadline - time.monotonic()
        if standing.dials or left <= 0:
            return standing
        if said != standing.state:
            note(f"{standing.title} is {standing.state}: waiting until it is live and active")
            said = standing.state
        await anyio.sleep(min(LOOK_SECONDS, left))


async def _lists(listing: Paginator[Campaign], campaign: int) -> bool | None:
    try:
        async for found in listing:
            if found.id == campaign:
                return True
    except VoisoError:
        return None
    return False
