"""``voiso leads``: push a file of leads into a campaign."""

from typing import Annotated

from cyclopts import App, Parameter, validators

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Json, connected
from voiso_async.cli.pushing import Push
from voiso_async.cli.show import note, printable
from voiso_async.cli.signals import Signals
from voiso_async.client import VoisoClient
from voiso_async.errors import PermissionDeniedError
from voiso_async.files import DEFAULT_ENCODING, CsvLeads

__all__ = ["leads"]

STANDARD_INPUT = 0

leads: App = App(name="leads", help="Push leads into campaigns, in bulk and paced.")


@leads.command
async def push(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    campaign: str,
    timeout: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,  # noqa: ASYNC109
    delimiter: str | None = None,
    encoding: str = DEFAULT_ENCODING,
    international: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Push the leads of a CSV file into a campaign, at most 1000 a call and two seconds apart.

    The usual column names are understood: phone_number, phone or mobile; name, or first name and last name;
    source; url; priority; active; id. Columns named X-... become context headers.

    Ctrl-C stops after the call in flight; twice, at once. The exit code is 0 if every lead is in the campaign, 3
    if some are not, 1 after an error, 2 if nothing could be begun.

    Parameters
    ----------
    file
        The CSV file; - is standard input.
    campaign
        Id of the campaign.
    timeout
        Seconds after which to stop.
    delimiter
        What stands between cells; else comma, semicolon or tab, whichever the header shows.
    encoding
        Encoding of the file, such as cp1252 or utf-16.
    international
        Numbers of up to 10 digits have their country code already; else those without a + are refused.
    """
    job = Push(signals=signals, json=json)
    path = STANDARD_INPUT if file == "-" else file
    async with connected(connection, job.meter) as voiso:
        source = await CsvLeads.open(path, delimiter=delimiter, encoding=encoding, international=international)
        async with source:
            known_as = await _look(voiso, campaign)
            await source.check()
            if source.columns.unused:
                note(f"columns without a meaning here: {', '.join(source.columns.unused)}")
            title = f"{source.name} → {known_as}"
            return await job.run(voiso, source, int(campaign), title=title, timeout=timeout)


async def _look(voiso: VoisoClient, campaign_id: str) -> str:
    """Find out before anything is sent whether the campaign is there; a key may lack the scope to look."""
    try:
        campaign = await voiso.campaigns.get(campaign_id)
    except PermissionDeniedError:
        return f"campaign {campaign_id}"
    name = f' "{printable(campaign.name)}"' if campaign.name else ""
    state = f" ({campaign.status})" if campaign.status else ""
    return f"campaign {campaign.id}{name}{state}"
