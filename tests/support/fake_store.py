"""An outbox in memory, as strict as a real one about what may leave."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from attrs import Factory, define, field
from fake_campaign import ORIGIN, FakeCampaigns, explain

from voiso_async.errors import OutboxError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import ClaimRequest, ClaimSource, LocalGate, LocalSlot
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt, Operation, Row, RowResult, Submission
from voiso_async.outbox.jobs import Backlog
from voiso_async.outbox.protocol import StoredRow
from voiso_async.wire import Response


@define(eq=False)
class Kept:
    """A row in the store: waiting, claimed, in flight, parked or final."""

    id: int
    campaign: int
    operation: Operation
    phone: str
    job: str = "j"
    claimed: bool = False
    flying: "MemorySlot | None" = None
    doubts: int = 0
    left_out: bool = False
    refused: bool = False
    group: int | None = None
    outcome: Outcome | None = None

    @property
    def body(self) -> bytes:
        lead: dict[str, Any] = {"phone_number": self.phone}
        if self.operation is Operation.UPDATE:
            lead["priority"] = 1
        return json.dumps(lead, separators=(",", ":")).encode()


@define(eq=False)
class MemoryStore:
    """Rows by id; ``fail_closing`` and ``late`` script what goes wrong."""

    rows: list[Kept] = Factory(list)
    suspended: dict[int, str | None] = Factory(dict)
    fail_closing: int = 0
    late: int = 0
    turns: int = 0
    working: int = 0
    _local: LocalGate | None = None
    _news: asyncio.Event = field(factory=asyncio.Event)

    def put(
        self, campaign: int, phones: Iterable[str], operation: Operation = Operation.ADD, job: str = "j"
    ) -> None:
        for phone in phones:
            self.rows.append(Kept(len(self.rows), campaign, operation, phone, job))
        self._news.set()

    def outcomes(self) -> list[Outcome | None]:
        return [row.outcome for row in self.rows]

    # The gate

    def gate(self, origin: str, policy: LanePolicy, clock: Callable[[], float] | None = None) -> "MemoryStore":
        self._local = LocalGate(origin, policy.cooldown, asyncio.get_running_loop().time)
        return self

    async def acquire(self, campaign: int, source: ClaimSource) -> "MemorySlot":
        assert self._local is not None
        local = await self._local.acquire(campaign)
        turn = MemorySlot(self, local)
        try:
            await self._fill(turn, campaign, source)
        except asyncio.CancelledError:
            turn.give_back()
            raise
        return turn

    async def _fill(self, turn: "MemorySlot", campaign: int, source: ClaimSource) -> None:
        await asyncio.sleep(0.001)
        asked = source.claim_request()
        for row in asked.retry_rows:
            if isinstance(row, StoredRow):
                assert self.rows[row.id].claimed
                self.rows[row.id].flying = turn
        if asked.submission is not None and not asked.retry_rows:
            turn.claim(campaign, asked, asked.submission)
        self.turns += 1
        await asyncio.sleep(0.001)

    def opens_in(self, campaign: int) -> float:
        assert self._local is not None
        return self._local.opens_in(campaign)

    async def backlog(self, job_id: str | None = None) -> list[Backlog]:
        await asyncio.sleep(0.001)
        open_ = [row for row in self.rows if row.outcome is None and job_id in (None, row.job)]
        keys = sorted({(row.campaign, row.operation) for row in open_})
        return [
            Backlog(
                campaign=campaign,
                operation=operation,
                rows=sum(
                    not row.claimed for row in open_ if (row.campaign, row.operation) == (campaign, operation)
                ),
                claimed=sum(
                    row.claimed for row in open_ if (row.campaign, row.operation) == (campaign, operation)
                ),
            )
            for campaign, operation in keys
        ]

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), timeout)
        except TimeoutError:
            return

    async def release(self, rows: Collection[Row]) -> None:
        ids = {row.id for row in rows if isinstance(row, StoredRow)}
        await asyncio.sleep(0.001)
        for row in self.rows:
            if row.id in ids and row.flying is None:
                row.claimed = False

    async def suspend(self, campaign: int, reason: str | None, status: int | None = None) -> None:
        self.suspended[campaign] = reason

    async def begin_work(self, job_id: str | None = None) -> None:
        self.working += 1

    async def end_work(self, job_id: str | None = None) -> None:
        await asyncio.sleep(0.001)
        self.working -= 1


class MemorySlot:
    """A slot that remembers which rows may leave."""

    def __init__(self, store: MemoryStore, local: LocalSlot) -> None:
        self.rows: list[Row] = []
        self.is_retry: bool = False
        self.doubts: frozenset[str] = frozenset()
        self.refused: frozenset[str] = frozenset()
        self._store = store
        self._local = local

    def claim(self, campaign: int, request: ClaimRequest, owner: Submission) -> None:
        line = [
            row
            for row in self._store.rows
            if row.outcome is None
            and not row.claimed
            and (row.campaign, row.operation) == (campaign, request.operation)
            and request.job_id in (None, row.job)
        ]
        groups = [row.group for row in line if row.group is not None]
        if groups:
            self.is_retry = True
            line = [row for row in line if row.group == min(groups)]
        else:
            line = line[: request.max_rows]
        for row in line:
            row.claimed, row.flying = True, self
            self.rows.append(
                StoredRow(
                    row.id,
                    row.phone,
                    row.body,
                    None,
                    owner,
                    doubts=row.doubts,
                    unaccounted=row.left_out,
                    id=row.id,
                )
            )
        doubted = {row.phone for row in self._store.rows if row.doubts and row.campaign == campaign}
        refused = {row.phone for row in self._store.rows if row.refused and row.campaign == campaign}
        self.doubts = frozenset(doubted & {row.phone for row in line})
        self.refused = frozenset(refused & {row.phone for row in line})

    def give_back(self) -> None:
        """Nothing has left."""
        claimed = {row.id for row in self.rows if isinstance(row, StoredRow)}
        for row in self._store.rows:
            if row.flying is self:
                row.flying = None
                row.claimed = row.id not in claimed
        self._local.release_now(None)

    def in_time(self) -> bool:
        self._store.late -= 1
        return self._store.late < 0

    def attempt_ended(self) -> None:
        self._local.attempt_ended()

    async def release(
        self, results: Iterable[RowResult], hold: float | None, attempt: Attempt | None = None
    ) -> None:
        store = self._store
        in_flight = [row for row in store.rows if row.flying is self]
        handed = {row.id: row for row in self.rows if isinstance(row, StoredRow)}
        given = {result.row.id: result for result in results if isinstance(result.row, StoredRow)}
        await asyncio.sleep(0.001)
        try:
            if store.fail_closing:
                store.fail_closing -= 1
                raise OutboxError("the disk is full", reason="full")
            for row in in_flight:
                row.flying = None
                row.refused = row.refused or (attempt is not None and attempt.refused)
                result = given.get(row.id)
                if result is None:
                    continue
                row.doubts, row.left_out = result.row.doubts, result.row.unaccounted
                if result.outcome is Outcome.NOT_SENT:
                    row.claimed = False
                else:
                    row.outcome = result.outcome
            for id_, claimed in handed.items():
                if id_ not in given:
                    store.rows[id_].doubts = claimed.doubts
            store._news.set()
        finally:
            await self._local.release([], hold)


def durable_engine(server: FakeCampaigns, store: MemoryStore, **policy: Any) -> LeadBatcher:
    """A batcher whose gate is the store; nothing durable leaves that the store does not know to be in flight."""
    clock = asyncio.get_running_loop().time
    settings = LanePolicy(**policy)

    async def post(campaign: int, operation: Operation, body: bytes) -> Response:
        phones = {lead["phone_number"] for lead in json.loads(body)}
        known = [row for row in store.rows if (row.campaign, row.operation) == (campaign, operation)]
        waiting = {row.phone for row in known if row.outcome is None and row.flying is None}
        flying = {row.phone for row in known if row.flying is not None}
        final = {row.phone for row in known if row.outcome is not None}
        assert not phones & (waiting - flying), "a row leaves before that is written down"
        assert not phones & (final - flying), "a settled row leaves again"
        return await server.post(campaign, operation, body)

    gate = store.gate(ORIGIN, settings)
    return LeadBatcher(post, gate, explain, policy=settings, clock=clock)
