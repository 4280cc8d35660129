"""Leads of campaigns: added and updated in bulk."""

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
    """The two requests that write leads, as the lanes send them."""

    def __init__(self, session: Session, update_verb: Literal["PATCH", "PUT"]) -> None:
        self._session = session
        self._verbs = {Operation.ADD: "POST", Operation.UPDATE: update_verb}

    async def post(self, campaign: int, operation: Operation, body: bytes) -> Response:
        """Send one batch, once."""
        return await self._session.attempt(self._request(campaign, operation, body))

    def parse_error(self, campaign: int, operation: Operation, response: Response) -> APIError:
        """Make the error of a response that says no."""
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
    """``voiso.leads``: send leads in any number, from any number of tasks.

    Every way to send goes through the lane of its campaign, so all of them keep the pace together:

    ==========================  ========  ======================================================================
    call                        durable   what it does
    ==========================  ========  ======================================================================
    ``leads.add()``             no        sends new leads; gives the report, or each outcome as it comes
    ``leads.update()``          no        the same for changes to leads
    ``leads.push()``            yes       puts leads into the outbox as one job, sends them, gives the job
    ``leads.drain()``           yes       sends what waits in the outbox, until nothing does
    ``leads.run()``             yes       sends what comes into the outbox, until it is cancelled
    ``outbox.put()``            yes       puts leads into the outbox as one job; needs no client and no key
    ``outbox.begin()/.load()``  yes       the same in two steps, so that an interrupted job can be loaded on
    ==========================  ========  ======================================================================
    """

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

        Iterate it inside ``async with``, so that leaving the loop cancels what was not sent.

        ``leads`` is any iterable or async iterable, of any length, of ``Lead``, mappings with the same fields, or
        phone numbers. They go in batches of up to 1000, one POST at a time for each campaign, two seconds apart,
        together with the leads of every other call on that campaign. A phone that comes twice in one call is sent
        once, which costs about 110 bytes a lead; ``dedupe=False`` is for endless sources. ``timeout`` is this
        caller's deadline in seconds.

        On a client with an outbox this keeps the pace of the outbox, but it is not durable: what was not sent when
        the process ends is lost. ``push`` is durable.

        Raises:
            ConfigurationError: an argument cannot work; nothing was sent.
            VoisoError: when the result is awaited or iterated, see ``Ingestion``.

        >>> report = await voiso.leads.add(3, [Lead("441632960123", name="R. Okafor")])   # doctest: +SKIP
        >>> print(report)                                                                  # doctest: +SKIP
        created 1
        """
        return Ingestion(self._batcher, Operation.ADD, campaign_id, leads, dedupe=dedupe, timeout=timeout)

    def update(self, campaign_id: int | str, updates: AnyLeads, *, timeout: float | None = None) -> Ingestion:
        """Change leads of a campaign, found by phone number: as ``add``, through the same lane.

        ``updates`` are ``LeadUpdate`` or mappings; only name, source, active and priority can be changed. Two
        updates of one phone keep their order. Voiso does not publish the verb: if every update gives 404 or 405,
        make the client with ``update_verb="PUT"``. A reply without lists leaves rows UNREPORTED.

        Raises:
            ConfigurationError: an argument cannot work; nothing was sent.
            VoisoError: when the result is awaited or iterated, see ``Ingestion``.

        >>> await voiso.leads.update(3, [LeadUpdate("441632960123", active=False)])        # doctest: +SKIP
        """
        return Ingestion(self._batcher, Operation.UPDATE, campaign_id, updates, dedupe=False, timeout=timeout)

    async def drain(self, job_id: str | None = None) -> IngestReport:
        """Send what waits in the client's outbox, of one job or of all, until nothing waits.

        Campaigns go side by side, each at its own pace. The report counts what this call has sent; the outcome of
        each row is in the outbox. A campaign that the server refuses for good is suspended and others go on; its
        error is raised at the end, and its rows stay in the outbox. Cancelled, it releases what was not sent.

        Raises:
            ConfigurationError: the client has no outbox.
            OutboxError: the outbox failed.
            VoisoError: a campaign was suspended, with the error that stopped its lane.

        Each carries ``.report``.

        >>> report = await voiso.leads.drain()                                             # doctest: +SKIP
        """
        return await drain(self._batcher, self._durable(), job_id)

    async def run(self) -> None:
        """Send what comes into the client's outbox until cancelled or closed.

        A suspended campaign is tried again every five minutes.

        Raises:
            ConfigurationError: the client has no outbox.
            OutboxError: the outbox failed.
            ClientClosedError: the client was closed.

        >>> worker = asyncio.create_task(voiso.leads.run())                                # doctest: +SKIP
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

        Gives the job once none of its rows waits; ``outbox.outcomes(job.id)`` has each row. ``name``,
        ``expires_in`` (seconds), ``source`` and ``idempotent`` are those of ``outbox.put()``. ``campaign_id`` may
        be ``None`` if each lead is a ``FileRow`` that names its own.

        Raises:
            ConfigurationError: the client has no outbox, or an argument cannot work.
            OutboxError: the outbox failed.
            SourceError: the source of leads raised.
            VoisoError: a campaign was suspended, with the error that stopped its lane.

        Each carries the job's report as ``.report``. The job stays in the outbox; ``drain(job.id)`` goes on with
        it.

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
