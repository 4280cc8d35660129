"""The campaigns of a plan, looked at with GETs alone: which are there, and how they stand."""

from collections.abc import Mapping

from attrs import Factory, define

from voiso_async.cli.common import Connection, connected
from voiso_async.cli.standing import Standing, standing_of
from voiso_async.cli.words import not_there, said
from voiso_async.client import VoisoClient
from voiso_async.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    TransportError,
    VoisoError,
)

__all__ = ["MOST_CAMPAIGNS", "Seen", "look_at"]

MOST_CAMPAIGNS = 20
"""Campaigns that are looked at one by one; of more, a listing tells which are there."""


@define
class Seen:
    """What was seen of the campaigns; ``faults`` say in words what a push could not go on with."""

    asked: bool = False
    standings: dict[int, Standing] = Factory(dict)
    missing: list[int] = Factory(list)
    faults: list[str] = Factory(list)


async def look_at(connection: Connection, rows: Mapping[int, int], *, counted_rows: bool) -> Seen:
    """Look at each campaign, if there is a key to do so; ``rows`` go to each."""
    seen = Seen(asked=connection.is_set())
    if not seen.asked:
        return seen
    async with connected(connection) as voiso:
        await _look(voiso, sorted(rows), seen)
    if seen.missing:
        named = {campaign: rows[campaign] if counted_rows else None for campaign in seen.missing}
        seen.faults.insert(0, not_there(named))
    return seen


async def _look(voiso: VoisoClient, campaigns: list[int], seen: Seen) -> None:
    for campaign in campaigns[:MOST_CAMPAIGNS]:
        try:
            seen.standings[campaign] = await standing_of(voiso, campaign)
        except NotFoundError:
            seen.missing.append(campaign)
        except VoisoError as error:
            seen.faults.append(f"campaign {campaign} cannot be looked at: {said(error)}")
            if isinstance(error, AuthenticationError | TransportError):  # so it is with the others
                return
    if len(campaigns) > MOST_CAMPAIGNS:
        await _look_for(voiso, campaigns[MOST_CAMPAIGNS:], seen)


async def _look_for(voiso: VoisoClient, campaigns: list[int], seen: Seen) -> None:
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
        seen.faults.append(f"not every campaign could be looked at: {said(error)}")


async def _is_there(voiso: VoisoClient, campaign: int) -> bool:
    try:
        await voiso.campaigns.get(campaign)
    except NotFoundError:
        return False
    return True
