"""Pushing a file of leads into a campaign while somebody watches, and may stop it."""

import anyio

from voiso_async.cli.common import Exit
from voiso_async.cli.meter import Meter
from voiso_async.cli.progress import View, view_for
from voiso_async.cli.report import exit_code, show_report, show_report_json
from voiso_async.cli.show import complain
from voiso_async.cli.signals import Signals
from voiso_async.client import VoisoClient
from voiso_async.errors import DeadlineExceededError, InputFileError, VoisoError
from voiso_async.files import CsvLeads
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.status import LaneStatus

__all__ = ["Push"]

GRACE_SECONDS = 30.0
"""How long the POST in flight is waited for once a push was stopped."""


class Push:
    """One push; ``meter`` must hear the events of the client that ``run`` is given."""

    def __init__(self, *, signals: Signals, json: bool = False) -> None:
        self.signals = signals
        self.json: bool = json
        self.view: View = view_for(json=json)
        self.meter: Meter = Meter(self.view.tell)

    async def run(
        self,
        voiso: VoisoClient,
        leads: CsvLeads,
        campaign: int,
        *,
        title: str,
        timeout: float | None = None,  # noqa: ASYNC109 - handed on to the library
    ) -> Exit:
        """Push until the file ends, the time is over or the first signal comes; then print the report.

        What was not sent is withdrawn; the POST in flight may end, until a second signal. The client is closed.
        """
        ingestion = voiso.leads.add(campaign, leads, timeout=timeout)
        self.meter.begin()
        with self.view:
            error = await self._watched(voiso, leads, campaign, ingestion)
        report = ingestion.report
        if not report.rows and error is None and self.signals.number is None:
            raise InputFileError(f"{leads.name}: it has no rows below its header: nothing to send", reason="empty")
        if self.json:
            show_report_json(
                report,
                leads,
                campaign=campaign,
                error=error,
                signal_number=self.signals.number,
            )
        else:
            show_report(report, leads, title)
        if error is not None:
            complain(_in_short(error, timeout))
        return exit_code(report, error)

    async def _watched(
        self, voiso: VoisoClient, leads: CsvLeads, campaign: int, ingestion: Ingestion
    ) -> VoisoError | None:
        error = None

        def lane() -> LaneStatus | None:
            return next((lane for lane in voiso.lanes() if lane.campaign == campaign), None)

        async def watch() -> None:
            while True:
                await anyio.sleep(self.view.every)
                self.view.draw(self.meter.look(ingestion.report, leads.rows, lane()))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            with self.signals.stoppable():
                try:
                    await ingestion
                except VoisoError as stopped:
                    error = stopped
            await self._finish(voiso, lane())
            group.cancel_scope.cancel()
        return error

    async def _finish(self, voiso: VoisoClient, lane: LaneStatus | None) -> None:
        in_flight = lane is not None and lane.state == "sending"
        if in_flight:
            again = "" if self.signals.number is None else " (once more to leave at once)"
            self.view.tell(f"waiting for the answer to the POST in flight{again}")
        with self.signals.stoppable():
            await voiso.aclose(GRACE_SECONDS if in_flight else 0)
        with anyio.CancelScope(shield=True):  # after a second signal there is something left to close
            await voiso.aclose(0)


def _in_short(error: VoisoError, timeout: float | None) -> str:
    """Say in the words of this command what the library says in its own."""
    if isinstance(error, DeadlineExceededError):
        return f"the {timeout:g} s of --timeout were over before every lead was sent"
    if isinstance(error.__cause__, InputFileError):
        return f"{error.__cause__}; what was sent before that is in the report"
    return str(error)
