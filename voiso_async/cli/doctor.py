"""``voiso doctor``: is everything ready to push leads, and if not, what to fix."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from voiso_async.cli.checkup import Check, api_checks, campaign_checks, environment_checks, outbox_checks
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, connected
from voiso_async.cli.outboxes import STANDARD, Place
from voiso_async.cli.show import printable, show, show_json
from voiso_async.cli.units import CampaignId
from voiso_async.errors import ConfigurationError

__all__ = ["doctor"]

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


async def doctor(
    *,
    campaign: Annotated[CampaignId | None, Parameter(help="Also look at this campaign.")] = None,
    place: Place = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Check settings, key, connection, clock, campaign and outbox; say what to fix. Nothing is written to Voiso.

    The exit code is 0 if nothing failed, else 1.
    """
    failed = False
    async with aclosing(_checks(campaign, place, connection)) as checks:
        async for check in checks:
            failed = failed or check.state == "fail"
            if json:
                show_json(check.as_json())
            else:
                line = Text(f"{check.state:<5}", style=STYLES[check.state])
                line.append(printable(f"{check.name}: {check.found}"), style="default")
                show(line, *([Text(f"      {printable(check.advice)}", style="dim")] if check.advice else []))
    return Exit.ERROR if failed else Exit.OK


async def _checks(campaign: int | None, place: Place, connection: Connection) -> AsyncGenerator[Check, None]:
    for check in environment_checks(connection):
        yield check
    try:
        connection.key()
        connection.address()
        async with connected(connection) as voiso:
            async for check in api_checks(voiso):
                yield check
            if campaign is not None:
                async for check in campaign_checks(voiso, campaign):
                    yield check
    except ConfigurationError:
        yield Check(name="API", state="warn", found="not looked at, as settings are missing")
    async for check in outbox_checks(place, connection):
        yield check
