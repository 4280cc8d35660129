"""``voiso worker`` and ``voiso lanes``: send what others put into an outbox, and see how campaigns stand."""

from collections.abc import Sequence
from typing import Annotated, Any

import anyio
from cyclopts import Parameter

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, connected
from voiso_async.cli.outbox_option import STANDARD, OutboxOption, opened
from voiso_async.cli.render.progress import NOTES
from voiso_async.cli.render.tables import counted, duration, note, printable, show_json, show_table
from voiso_async.cli.render.words import in_words
from voiso_async.cli.render.workers import as_json
from voiso_async.cli.signals import Signals
from voiso_async.convert import unstructure
from voiso_async.errors import OutboxError
from voiso_async.events import BatchAnswered, Event, LaneStopped
from voiso_async.outbox import Outbox
from voiso_async.outbox.jobs import CampaignBacklog

LOOK_SECONDS = 30.0
GRACE_SECONDS = 30.0


class Log:
    """What a worker tells: a line for each answer, each campaign given up, and now and then what waits."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._said = ""

    def __call__(self, event: Event) -> None:
        """Tell of an answer, or that a campaign was given up."""
        if isinstance(event, BatchAnswered):
            figures = {"event": "answer", **unstructure(event)}
            words = NOTES.get(event.verdict, "").format(hold=event.hold)
            after = f": {words}" if words else ""
            text = f"campaign {event.campaign}: {counted(event.rows, 'lead')} in {event.seconds:.1f} s{after}"
        elif isinstance(event, LaneStopped):
            figures = {"event": "given_up", **unstructure(event)}
            text = f"campaign {event.campaign} is given up, and tried again in 5 minutes: {in_words(event.reason)}"
        else:
            return
        self._tell(figures, text)

    def backlog(self, campaigns: Sequence[CampaignBacklog]) -> None:
        """Tell what waits, if that has changed."""
        waiting, doubted = sum(c.waiting for c in campaigns), sum(c.doubted for c in campaigns)
        parked = sum(c.parked for c in campaigns)
        wait = counted(waiting, "lead waits", "leads wait")
        text = f"{wait}, {counted(doubted)} in doubt, {counted(parked)} parked"
        if text != self._said:
            self._said = text
            self._tell({"event": "standing", "waiting": waiting, "doubted": doubted, "parked": parked}, text)

    def _tell(self, figures: dict[str, Any], text: str) -> None:
        if self._json:
            show_json(figures)
        else:
            note(text)


async def worker(
    *,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Send what comes into the outbox until SIGTERM or Ctrl-C: from services, and from jobs that were stopped.

    Any number of workers on one machine share an outbox. A campaign that the server refuses is given up for five
    minutes, others go on. The first signal lets the calls in flight end; a second leaves at once, nothing is lost.
    """
    log = Log(json=json)
    async with opened(place, connection, make=True) as outbox, connected(connection, log, outbox) as voiso:
        note(f"working on {place.path(connection).name}, until SIGTERM or Ctrl-C")
        async with anyio.create_task_group() as group:
            group.start_soon(_log_backlog, outbox, log)
            with signals.stoppable():
                await voiso.leads.run()
            in_flight = any(lane.state == "sending" for lane in voiso.lanes())
            if in_flight:
                note("waiting for the answers to the POSTs in flight (once more to leave at once)")
            with signals.stoppable():
                await voiso.aclose(GRACE_SECONDS if in_flight else 0)
            with anyio.CancelScope(shield=True):
                await voiso.aclose(0)
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            log.backlog(await outbox.campaigns())
    signals.answered()
    return Exit.OK


async def lanes(
    *,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Show how each campaign of the outbox stands: what waits, what is in doubt, when the next call may leave."""
    try:
        async with opened(place, connection) as outbox:
            campaigns = await outbox.campaigns()
    except OutboxError as error:
        if error.reason != "missing":
            raise
        note(error.message)
        return Exit.OK
    if json:
        for campaign in campaigns:
            show_json(
                {
                    "campaign": campaign.campaign,
                    "waiting": campaign.waiting,
                    "in_doubt": campaign.doubted,
                    "parked": campaign.parked,
                    "sending": campaign.sending,
                    "opens_in": round(campaign.opens_in, 1),
                    "oldest_age": round(campaign.oldest_age, 1),
                    "suspended": campaign.suspended,
                    "status": campaign.status,
                    "workers": [as_json(worker) for worker in campaign.workers],
                }
            )
        return Exit.OK
    if campaigns:
        header = ("CAMPAIGN", "WAITING", "IN DOUBT", "PARKED", "OLDEST", "NEXT CALL", "PROCESS", "GIVEN UP")
        show_table(header, [_line(c) for c in campaigns], right=("CAMPAIGN", "WAITING", "IN DOUBT", "PARKED"))
    note(counted(len(campaigns), "campaign"))
    return Exit.OK


def _line(campaign: CampaignBacklog) -> tuple[Any, ...]:
    call: str | None
    if campaign.sending:
        call = "in flight"
    elif campaign.opens_in > 0:
        call = f"in {campaign.opens_in:.1f} s"
    else:
        call = "any time" if campaign.waiting else None
    return (
        *(str(campaign.campaign), counted(campaign.waiting), counted(campaign.doubted), counted(campaign.parked)),
        duration(campaign.oldest_age) if campaign.waiting else None,
        call,
        ", ".join(str(worker.pid) for worker in campaign.workers) or None,
        None if campaign.suspended is None else printable(in_words(campaign.suspended)),
    )


async def _log_backlog(outbox: Outbox, log: Log) -> None:
    try:
        while True:
            log.backlog(await outbox.campaigns())
            await anyio.sleep(LOOK_SECONDS)
    except OutboxError:
        return  # the run itself meets it too
