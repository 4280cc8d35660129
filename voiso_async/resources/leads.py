"""Leads of campaigns: added and updated in bulk (contract 6 and 7)."""

import asyncio
from datetime import timedelta
from typing import Literal

from voiso_async.errors import APIError, ConfigurationError, VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.report import IngestReport, reporting
from voiso_async.ingest.rows import Operation
from voiso_async.ingest.source import AnyLeads
from voiso_async.outbox.dispatcher import Dispatcher, drain, run
from voiso_async.outbox.jobs import Job, JobSource
from voiso_async.outbox.protocol import Outbox
from voiso_async.session import Session
from voiso_async.wire import Request, Response


class LeadWrites:
    """The two calls that write leads, as the lanes use them."""

    def __init__(self, session: Session, update_verb: Literal["PATCH", "PUT"]) -> None:
        self._session = session
        self._verbs = {Operation.ADD: "POST", Operation.UPDATE: update_verb}

    async def post(self, campaign: int, operation: Operation, body: bytes) -> Response:
        """Send one batch, once."""
        return await self._session.attempt(self._request(campaign, operation, body))

    def parse_error(self, campaign: int, operation: Operation, response: Response) -> APIError:
        """Make the error of an answer that says no."""
        return self._session.api_error(self._request(campaign, operation), response)

    def _request(self, campaign: int, operation: Operation, body: bytes | None = None) -> Request:
        return Request.to(
            self._verbs[operation],
            "/campaigns/{campaign_id}/leads",
            {"campaign_id": campaign},
            body=body,
            scope="campaigns.manage",
            personal=True,
        )


class Leads:
    """``voiso.leads``: hand over leads in any number, from any number of tasks."""

    def __init__(self, batcher: LeadBatcher, outbox: Outbox | None = None) -> None:
        self._batcher = batcher
        self._outbox = outbox

    def add(
        self,
        campaign_id: int | str,
        leads: AnyLeads,
        *,
        dedupe: bool = True,
        timeout: float | None = None,
    ) -> Ingestion:
        """Add leads to a campaign: await the result for the report, or iterate it for each lead's outcome.

        Iterate it inside ``async with``, so that leaving the loop withdraws what was not sent.

        ``leads`` is any iterable or async iterable, of any length, of ``Lead``, mappings with the same fields, or
        phone numbers. They leave in batches of up to 1000, one at a time for each campaign, two seconds apart
        (contract 6.3), together with the leads of every other call on that campaign. A phone that comes twice in
        one call is sent once, which costs about 110 bytes a lead; ``dedupe=False`` is for endless sources.
        ``timeout`` is this caller's deadline in seconds. See ``Ingestion`` for what is raised.

        >>> report = await voiso.leads.add(3, [Lead("441632960123", name="R. Okafor")])   # doctest: +SKIP
        >>> print(report)                                                                  # doctest: +SKIP
        created 1
        """
        return Ingestion(self._batcher, Operation.ADD, campaign_id, leads, dedupe=dedupe, timeout=timeout)

    def update(self, campaign_id: int | str, updates: AnyLeads, *, timeout: float | None = None) -> Ingestion:
        """Change leads of a campaign, found by phone number: as ``add``, through the same lane.

        ``updates`` are ``LeadUpdate`` or mappings; only name, source, active and priority can be changed. Two
        updates of one phone keep their order. The verb is not published (contract 7): if every update gives 404
        or 405, make the client with ``update_verb="PUT"``. An answer without lists leaves rows UNREPORTED.
        """
        return Ingestion(self._batcher, Operation.UPDATE, campaign_id, updates, dedupe=False, timeout=timeout)

    async def drain(self, job_id: str | None = None) -> IngestReport:
        """Send what waits in the client's outbox, of one job or of all, until nothing waits.

        Campaigns go side by side, each at its own pace. The report counts what this call has written down; the
        outcome of each row is in the outbox. A campaign that the server refuses for good is given up, others go
        on, and its error is raised at the end with ``.report``; its rows stay in the outbox. Cancelled, it gives
        back what was not sent. ``OutboxError`` if the outbox fails.
        """
        return await drain(self._batcher, self._durable(), job_id)

    async def run(self) -> None:
        """Send what comes into the client's outbox until cancelled or closed.

        A campaign that was given up is tried again every five minutes.
        """
        await run(self._batcher, self._durable())

    async def push(
        self,
        campaign_id: int | str | None,
        leads: AnyLeads,
        *,
        operation: Operation = Operation.ADD,
        name: str = "",
        expires_in: float | timedelta | None = None,
        source: JobSource | None = None,
        idempotent: bool = True,
    ) -> Job:
        """Put leads into the client's outbox as one job, and send them while they are still being read.

        Gives the job once none of its rows waits; ``outbox.outcomes(job.id)`` has each row. What ends it early
        raises with the job's report as ``.report``: the job stays in the outbox, and ``drain(job.id)`` goes on.
        ``campaign_id`` may be ``None`` if each lead is a ``FileRow`` that names its own.

        >>> job = await voiso.leads.push(3, leads, name="summer")      # doctest: +SKIP
        >>> print(job.report)                                          # doctest: +SKIP
        created 2 981 · duplicate 12 · rejected 7
        """
        outbox = self._durable()
        job = await outbox.begin(
            operation=operation, name=name, expires_in=expires_in, source=source, idempotent=idempotent
        )
        loading = asyncio.create_task(outbox.load(job.id, campaign_id, leads))
        try:
            async with Dispatcher(self._batcher, outbox, job.id) as dispatcher:
                await dispatcher.until_empty(feeding=loading)
            await loading
        except VoisoError as error:
            left = await outbox.job(job.id)
            raise reporting(error, left.report, in_doubt=left.doubted > 0) from error.__cause__
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
        return await outbox.job(job.id)

    def _durable(self) -> Outbox:
        if self._outbox is None:
            raise ConfigurationError("the client has no outbox: make it with outbox=; nothing was sent")
        return self._outbox
