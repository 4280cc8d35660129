"""Two processes, one outbox and one campaign: what may happen to them, a step at a time."""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from durable_cases import everything
from fake_campaign import FakeCampaigns, phones
from lane_schedules import FAULTS, POISON, UNWANTED
from machine_checks import ALWAYS, Checks
from machine_moments import cut, over, rounds
from machine_process import Called, Process, Reach
from virtual_time import VirtualLoop

from voiso_async.errors import VoisoError
from voiso_async.ingest import gate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.dispatcher import drain, run

__all__ = ["SETTLE", "World"]

T = TypeVar("T")
CAMPAIGN = 3
SETTLE = 3.0
POST_TIMEOUT = 20.0
PATIENCE, ROUNDS = 3000.0, 300_000
"""Virtual seconds and rounds of the loop that one step may take: more than every wait of a policy together."""
LOOKS = 40
"""Drains at the end until nothing may wait any more."""


class World:
    """Whatever happens to it, the numbers in the campaign and the words on the rows must fit together.

    Its steps are the methods under "What may happen"; each may be called at any time, ``begin`` first.
    """

    def __init__(self, folder: Path) -> None:
        gate._GATES.clear()
        random.seed(0)
        self.path = folder / "leads.db"
        self.loop = VirtualLoop()
        self.server = FakeCampaigns(refuses={UNWANTED}, poison=_refusal)
        self.policy = LanePolicy()
        self.processes: dict[int, Process] = {}
        self.everybody: list[Process] = []
        self.drained = False
        self.jobs: list[str] = []
        self.handed: list[tuple[int, int]] = []
        self.names = 0
        self.checks = Checks(self.server, self.path, self.policy.cooldown, SETTLE)

    # What may happen

    def begin(self, *, drained: bool, **policy: Any) -> None:
        """Make the file, for clients with such a policy; ``drained``: each process sends what comes."""
        self.policy = LanePolicy(doubt_backoff=SETTLE, post_timeout=POST_TIMEOUT, **policy)
        self.drained = drained
        self._process(0)

    def put(self, *, who: int, start: int, count: int, operation: str, poison: bool, moment: float | None) -> None:
        """Store leads as a job, or be cancelled at some moment of that: then all are there, or none."""
        process, leads = self._process(who), self._leads("put", start, count, poison=poison)
        names = {lead["name"] for lead in leads}
        self.checks.tried |= names

        async def put() -> None:
            job = await process.outbox.put(CAMPAIGN, leads, operation=Operation(operation))
            self.jobs.append(job.id)

        if self._run(cut(put(), moment)):
            self.checks.promised |= names

    def add(self, *, who: int, start: int, count: int, operation: str, poison: bool, streamed: bool) -> None:
        """Hand leads over directly; the call goes on by itself."""
        process, leads = self._process(who), self._leads("call", start, count, poison=poison)
        ingestion = Ingestion(process.batcher, Operation(operation), CAMPAIGN, leads)
        self.handed.append((start, count))
        called = Called(self.names, ingestion)
        self.checks.calls.append(called)
        called.task = self.loop.create_task(called.run(streamed=streamed))
        process.calls.append(called)

    def again(self, who: int, which: int) -> None:
        """A caller hands the numbers of an earlier call over once more."""
        if self.handed:
            start, count = self.handed[which % len(self.handed)]
            self.add(who=who, start=start, count=count, operation="add", poison=False, streamed=False)

    def leave(self, who: int, which: int, times: int) -> None:
        self._cancel([called.task for called in self._process(who).calls if called.task], which, times)

    def drain(self, who: int, which: int | None) -> None:
        """Send what waits, of one job or of all."""
        process = self._process(who)
        job = self.jobs[which % len(self.jobs)] if self.jobs and which is not None else None
        process.drains.append(self.loop.create_task(drain(process.batcher, process.outbox, job)))

    def run(self, who: int) -> None:
        """Send whatever comes."""
        process = self._process(who)
        process.drains.append(self.loop.create_task(run(process.batcher, process.outbox)))

    def stop(self, who: int, which: int, times: int) -> None:
        self._cancel(list(self._process(who).drains), which, times)

    def fault(self, kind: str) -> None:
        """Something happens to a coming POST."""
        self.server.script.append(FAULTS[kind])

    def pace(self, seconds: float) -> None:
        self.server.seconds = seconds

    def foreign(self, start: int, count: int) -> None:
        """Somebody else adds numbers to the campaign."""
        self.server.members.setdefault(CAMPAIGN, set()).update(phones(count, start))

    def wait(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    def breathe(self, count: int) -> None:
        """Let the loop go round only so often."""
        self._run(rounds(count))

    def sleep(self, who: int, seconds: float) -> None:
        """A process hears no answer until it wakes."""
        process = self._process(who)
        process.awake.clear()
        self.loop.call_later(seconds, process.awake.set)

    def settle(self, which: int) -> None:
        """Ask for a job's parked rows to be sent again."""
        if self.jobs:
            self._run(self._process(0).outbox.requeue(self.jobs[which % len(self.jobs)]))

    def withdraw(self, which: int) -> None:
        if self.jobs:
            self._run(self._process(0).outbox.withdraw(self.jobs[which % len(self.jobs)]))

    def close(self, who: int, grace: float, reached: int | None) -> None:
        process = self.processes.pop(who, None)
        if process is not None:
            self._run(process.close(grace, Reach(first=reached)))
            self.checks.everybody_was_told(process)

    def crash(self, who: int, reached: int | None) -> None:
        process = self.processes.pop(who, None)
        if process is not None:
            self._run(process.die(Reach(first=reached)))
            self.checks.died(process)

    # At the end

    def end(self) -> None:
        """Nothing fails any more: every row gets its final word, and every number handed over is there."""
        self.server.script.clear()
        self.server.poison, self.server.seconds = None, 0.5
        self._run(self._everybody_is_told())
        for who in list(self.processes):
            self.close(who, 0, 0)
        self.check()
        self.drained = False
        self._run(self._everything_is_sent(self._process(0)))
        self.checks.at_the_end()
        self.close(0, 0, 0)
        self.check()

    def check(self) -> None:
        """Ask for everything that always holds."""
        for holds in ALWAYS:
            holds(self.checks)

    def leave_off(self) -> None:
        """End without a word, also in the middle of a failure."""
        for process in self.everybody:
            process.thread.die()
            process.outbox._thread.abandon()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        with self.loop.bounded(PATIENCE, ROUNDS):
            self.loop.run_until_complete(over(tasks))
            for process in self.everybody:
                self.loop.run_until_complete(process.outbox.aclose())
        self.loop.close()

    async def _everybody_is_told(self) -> None:
        """No caller waits for ever."""
        for process in self.processes.values():
            process.awake.set()
        await asyncio.gather(*(call.task for call in self.checks.calls if call.task), return_exceptions=True)

    async def _everything_is_sent(self, process: Process) -> None:
        for _ in range(LOOKS):
            try:
                await drain(process.batcher, process.outbox)
            except VoisoError:
                continue
            if not sum([await process.outbox.requeue(job.id) for job in await process.outbox.jobs(limit=1000)]):
                break
        await everything(process.outbox)

    # How it is done

    def _process(self, who: int) -> Process:
        if who not in self.processes:
            self.processes[who] = process = self._run(
                Process.begin(
                    life=len(self.everybody) + 1,
                    path=self.path,
                    server=self.server,
                    policy=self.policy,
                    before_post=self.checks.before_post,
                    heard_late=self.checks.heard_late,
                )
            )
            self.everybody.append(process)
            if self.drained:
                self.run(who)
        return self.processes[who]

    def _leads(self, kind: str, start: int, count: int, *, poison: bool) -> list[dict[str, Any]]:
        self.names += 1
        return [
            {
                "phone_number": phone,
                "name": f"{kind} {self.names}/{index}",
                "priority": POISON if poison and index == count // 2 else 5,
            }
            for index, phone in enumerate(phones(count, start))
        ]

    def _cancel(self, tasks: list["asyncio.Task[Any]"], which: int, times: int) -> None:
        for _ in range(times if tasks else 0):
            tasks[which % len(tasks)].cancel()
            self._run(rounds(1))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self.loop.bounded(PATIENCE, ROUNDS):
            return self.loop.run_until_complete(work)


def _refusal(lead: dict[str, Any]) -> str | None:
    return "is not allowed" if lead["priority"] == POISON else None
