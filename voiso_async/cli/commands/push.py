"""``voiso leads push`` and ``update``: a file of leads into campaigns, through the outbox."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from voiso_async.cli.commands.plan import Plan, planned
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Json, check_all
from voiso_async.cli.file_options import AS_IT_IS, File, FileOptions
from voiso_async.cli.file_push import FilePush
from voiso_async.cli.outbox_option import STANDARD, OutboxOption, opened
from voiso_async.cli.run import PLAIN, Monitor, SendContext, SendOptions
from voiso_async.cli.signals import Signals
from voiso_async.cli.units import CampaignId, Seconds
from voiso_async.errors import ConfigurationError
from voiso_async.ingest.rows import Operation

Wait = Annotated[Seconds | None, Parameter(negative="")]


async def push(
    file: File,
    /,
    *,
    campaign: CampaignId | None = None,
    campaign_column: str | None = None,
    again: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    without_suppress: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    wait_live: Wait = None,
    expires_in: Wait = None,
    reading: FileOptions = AS_IT_IS,
    sending: SendOptions = PLAIN,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Push the leads of a file into a campaign, at most 1000 a call and two seconds apart.

    The leads are kept in an outbox until the campaign has them: whatever ends this command, the same command goes
    on, and no lead is lost. A file that was pushed before is not sent again. The usual column names are
    understood, and columns named X-... become context headers; see voiso leads plan.

    Ctrl-C stops after the call in flight; twice, at once. The exit code is 0 if every lead is in the campaign or
    suppressed, 3 if some are not, 4 if it was stopped and can go on, 1 after an error, 2 if nothing could begin.

    Parameters
    ----------
    file
        The file: CSV, JSON Lines or XLSX; - is standard input.
    campaign
        Id of the campaign.
    campaign_column
        Column that holds the id of each row's campaign, instead of --campaign; campaigns go side by side.
    again
        Push a file once more that was pushed before, as a new job and whatever its keys.
    without_suppress
        Push a file that was pushed with --suppress before without any, also to those who must not be called.
    dry_run
        Read and check everything, list each row that cannot be sent, and send nothing.
    wait_live
        Wait until the campaign is live and active, at most this long, such as 10m.
    expires_in
        Never send a lead that waited longer than this, such as 2h.
    """
    push = FilePush(
        file=file,
        operation=Operation.ADD,
        campaign=campaign,
        campaign_column=campaign_column,
        wait_live=wait_live,
        expires_in=expires_in,
        again=again,
        without_suppress=without_suppress,
        reading=reading,
    )
    if dry_run:
        check_all(push.check, partial(_check_dry, sending))
        plan = Plan(file=file, campaign=campaign, campaign_column=campaign_column, reading=reading, every_row=True)
        return await planned(plan, connection, json=json)
    return await _run(push, sending, place, connection, signals, json=json)


async def update(
    file: File,
    /,
    *,
    campaign: CampaignId | None = None,
    campaign_column: str | None = None,
    again: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    without_suppress: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    expires_in: Wait = None,
    reading: FileOptions = AS_IT_IS,
    sending: SendOptions = PLAIN,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Change leads of a campaign, found by phone number: name, source, active and priority.

    As voiso leads push, through the same outbox and at the same pace.

    Parameters
    ----------
    file
        The file: CSV, JSON Lines or XLSX; - is standard input.
    campaign
        Id of the campaign.
    campaign_column
        Column that holds the id of each row's campaign, instead of --campaign.
    again
        Send a file once more that was sent before, as a new job and whatever its keys.
    without_suppress
        Send a file that was sent with --suppress before without any.
    expires_in
        Never send a change that waited longer than this, such as 2h.
    """
    push = FilePush(
        file=file,
        operation=Operation.UPDATE,
        campaign=campaign,
        campaign_column=campaign_column,
        wait_live=None,
        expires_in=expires_in,
        again=again,
        without_suppress=without_suppress,
        reading=reading,
    )
    return await _run(push, sending, place, connection, signals, json=json)


def _check_dry(sending: SendOptions) -> None:
    if sending.outputs:
        raise ConfigurationError("--dry-run sends nothing and writes no --results and no --rejects")


async def _run(
    push: FilePush,
    sending: SendOptions,
    place: OutboxOption,
    connection: Connection,
    signals: Signals,
    *,
    json: bool,
) -> int:
    paths = place.paths(connection)
    check_all(push.check, partial(sending.check, *paths), connection.check, lambda: place.label)
    watch = Monitor(signals, json=json)
    async with opened(place, connection, make=True) as outbox:
        return await push.run(SendContext(watch, outbox, place, connection, sending, json=json))
