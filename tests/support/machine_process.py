"""One process of the machine: its outbox, its client, its callers and drains, and how its life ends."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import Factory, define, frozen
from fake_campaign import ORIGIN, FakeCampaigns, Post, Told, explain
from loop_thread import LoopThread
from outbox_cases import balanced

from voiso_async.errors import VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import SqliteOutbox
from voiso_async.wire import Response

LEASE = 30.0
BeforePost = Callable[[int, list[dict[str, Any]]], None]


class Address(str):
    """One address as one process knows it: what a process keeps by address is not another's."""

    __slots__ = ("life",)
    life: int

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True and getattr(other, "life", self.life) == self.life

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str.__hash__(self), self.life))


def address(life: int) -> Address:
    made = Address(ORIGIN)
    made.life = life
    return made


@frozen(kw_only=True)
class Reach:
    """How much of a POST the server still does whose client has gone: its first leads, or (``None``) all."""

    first: int | None = 0

    def __call__(self, server: FakeCampaigns, post: Post) -> None:
        server.answer(post, self.first)
        post.told, post.listed = "lost", {}


@define(eq=False)
class Called:
    """A direct call on its way; its leads are named after its number. ``told`` is its report at its end."""

    number: int
    ingestion: Ingestion
    seen: list[LeadOutcome] = Factory(list)
    task: "asyncio.Task[None] | None" = None
    told: Told | None = None

    async def run(self, *, streamed: bool) -> None:
        try:
            await self._run(streamed=streamed)
        finally:
            self.told = Told.now(self.ingestion.report)

    async def _run(self, *, streamed: bool) -> None:
        if not streamed:
            await self.ingestion
            return
        async with self.ingestion:
            async for outcome in self.ingestion:
                self.seen.append(outcome)


@define(eq=False)
class Process:
    """A life; ``carried`` are its POSTs, whose answers it hears while it is ``awake``."""

    server: FakeCampaigns
    outbox: SqliteOutbox
    batcher: LeadBatcher
    thread: LoopThread
    heard_late: Callable[[Post], None]
    awake: asyncio.Event = Factory(asyncio.Event)
    reach: Reach = Factory(Reach)
    attempt: list[Post] = Factory(list)
    calls: list[Called] = Factory(list)
    drains: list["asyncio.Task[Any]"] = Factory(list)

    @classmethod
    async def begin(
        cls,
        *,
        life: int,
        path: Path,
        server: FakeCampaigns,
        policy: LanePolicy,
        before_post: BeforePost,
        heard_late: Callable[[Post], None],
    ) -> "Process":
        clock = asyncio.get_running_loop().time

        async def post(campaign: int, operation: Operation, body: bytes) -> Response:
            before_post(life, json.loads(body))
            return await process.post(campaign, operation, body)

        outbox = SqliteOutbox(path, lease=LEASE)
        thread = LoopThread.under(outbox)
        gate = outbox.gate(address(life), policy, clock)
        batcher = LeadBatcher(post, gate, explain, policy=policy, clock=clock)
        process = cls(server, outbox, batcher, thread, heard_late)
        process.awake.set()
        await outbox.open()
        await outbox._thread.do(lambda db: db.run("PRAGMA synchronous = OFF"))  # no power fails here
        return process

    async def post(self, campaign: int, operation: Operation, body: bytes) -> Response:
        """Carry one POST; a process that sleeps hears the answer when it wakes, if it lives to."""
        at = len(self.server.history)
        answer: Response | Exception
        try:
            answer = await self.server.post(campaign, operation, body)
        except asyncio.CancelledError:
            self.reach(self.server, self.server.history[at])
            raise
        except Exception as error:  # noqa: BLE001 - whatever the script says
            answer = error
        finally:
            self.attempt.append(self.server.history[at])
        if not self.awake.is_set():
            await self._hear_later(self.server.history[at])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _hear_later(self, post: Post) -> None:
        """Until it is heard it counts as lost."""
        told, listed = post.told, post.listed
        post.told, post.listed = "lost", {}
        await self.awake.wait()
        post.told, post.listed = told, listed
        post.heard = asyncio.get_running_loop().time()
        self.heard_late(post)

    # How it ends

    async def close(self, grace: float, reach: Reach) -> None:
        """Let the client end, then the outbox; everybody who waits is told."""
        self.reach = reach
        await self.batcher.aclose(grace)
        await self._settle()
        await asyncio.sleep(1)  # drains give back what they had in tasks of their own
        await balanced(self.outbox)
        await self.outbox.aclose()

    async def die(self, reach: Reach) -> None:
        """Leave the file as it is; what still runs of it afterwards is heard by nobody."""
        self.reach = reach
        self.thread.die()
        self.outbox._thread.abandon()
        for task in self.tasks():
            task.cancel()
        with contextlib.suppress(VoisoError):
            await self.batcher.aclose(0)
        await asyncio.gather(*self.tasks(), return_exceptions=True)
        await self.outbox.aclose()

    def tasks(self) -> list["asyncio.Task[Any]"]:
        return [*self.drains, *(called.task for called in self.calls if called.task is not None)]

    async def _settle(self) -> None:
        """Whatever ended a call or a drain is a cancellation or one of our errors, with a whole report."""
        for ended in await asyncio.gather(*self.tasks(), return_exceptions=True):
            if isinstance(ended, VoisoError):
                assert ended.report is None or ended.report.balanced
            elif isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended
