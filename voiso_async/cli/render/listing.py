"""Listings of records: as a table for people, or as JSON, one record a line, while the pages arrive."""

from collections.abc import Callable, Sequence
from typing import Annotated, Protocol, TypeVar

from cyclopts import Parameter, validators

from voiso_async.cli.render.tables import counted, note, show_json, show_table
from voiso_async.models import Campaign, User
from voiso_async.pages import HasId
from voiso_async.paginator import Paginator

AT_A_TIME = 4
"""Pages that are read at the same time."""

Limit = Annotated[
    int | None, Parameter(validator=validators.Number(gte=1), help="Show at most so many; else all of them.")
]

T = TypeVar("T", bound=HasId)
T_contra = TypeVar("T_contra", contravariant=True)


class Show(Protocol[T_contra]):
    """Print records, as a table or as JSON."""

    def __call__(self, records: Sequence[T_contra], /, *, json: bool) -> None:
        """Print a page of records."""
        ...


async def show_listing(listing: Paginator[T], show: Show[T], noun: str, *, limit: int | None, json: bool) -> None:
    """Print a listing: JSON as the pages arrive, a table when all of it is there."""
    if json:
        await _stream(listing, show_json, limit)
        return
    found = await listing.collect(limit, concurrency=AT_A_TIME)
    if found:
        show(found, json=False)
    of = f" of {counted(found.total)}" if found.total is not None and found.total > len(found) else ""
    note(f"{counted(len(found))}{of} {noun if len(found) == 1 and not of else noun + 's'}")
    if found.drifted:
        note("the listing changed while it was read: some may be missing")


async def _stream(listing: Paginator[T], show: Callable[[T], None], limit: int | None) -> None:
    shown = 0
    async for record in listing:
        show(record)
        shown += 1
        if shown == limit:
            return


def show_campaigns(campaigns: Sequence[Campaign], *, json: bool) -> None:
    """Print campaigns."""
    if json:
        for campaign in campaigns:
            show_json(campaign)
        return
    rows = [(c.id, c.name, c.status, c.strategy, c.dial_level, _day(c)) for c in campaigns]
    show_table(("ID", "NAME", "STATUS", "STRATEGY", "DIAL LEVEL", "UPDATED"), rows, right=("ID", "DIAL LEVEL"))


def show_users(users: Sequence[User], *, json: bool) -> None:
    """Print users."""
    if json:
        for user in users:
            show_json(user)
        return
    rows = [(u.id, u.name, u.email, u.extension, u.timezone, u.status) for u in users]
    show_table(("ID", "NAME", "EMAIL", "EXTENSION", "TIME ZONE", "STATUS"), rows, right=("ID",))


def _day(campaign: Campaign) -> str | None:
    return None if campaign.updated_at is None else f"{campaign.updated_at:%Y-%m-%d %H:%M}"
