"""The setup of every ingestion test over real HTTP: a sandbox, its clients, and at the end the three histories."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from attrs import define
from http_histories import Histories

from voiso_async.client import VoisoClient
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.sandbox import Rules, Sandbox

COOLDOWN = 0.05
KEY = "canary-key-0f2b7c9d51"


def phones(count: int, start: int = 0) -> list[str]:
    """Distinct numbers that begin with a range reserved for fiction, longer than real ones so there are enough."""
    return [f"4416329600{start + i:05d}" for i in range(count)]


@define(eq=False, repr=False)
class Stage:
    """A sandbox with campaign 3, clients that are closed at the end, and the three histories.

    ``patience`` is how long its clients wait for an answer to a lead write.
    """

    sandbox: Sandbox
    histories: Histories
    _exits: AsyncExitStack
    patience: float = LanePolicy().post_timeout

    async def client(self, *, doubt_backoff: float = COOLDOWN, **options: Any) -> VoisoClient:
        """A client with the sandbox's pace; options of ``LanePolicy`` go to ``lane``, others to the client."""
        names = set(LanePolicy.__annotations__) & set(options)
        pace = {
            "cooldown": self.sandbox.rules.cooldown,
            "doubt_backoff": doubt_backoff,
            "post_timeout": self.patience,
        }
        lane = LanePolicy(**pace | {name: options.pop(name) for name in names})
        options.setdefault("api_key", self.sandbox.key)
        return await self._exits.enter_async_context(VoisoClient(base_url=self.sandbox.url, lane=lane, **options))

    def fail(self, *faults: Any, times: float | None = None, campaign: int = 3) -> None:
        """Answer the next lead writes with these faults, one after the other."""
        for fault in faults:
            self.sandbox.faults.add(fault, path=f"/campaigns/{campaign}/leads", times=times)

    @property
    def sizes(self) -> list[int]:
        """The number of leads in each lead write of the client."""
        return [len(attempt.phones) for attempt in self.histories.attempts]


@asynccontextmanager
async def staged(**rules: Any) -> AsyncIterator[Stage]:
    """Start the sandbox; after the test close every client, then compare the histories."""
    with pytest.MonkeyPatch.context() as patch:
        async with Sandbox(rules=Rules(**{"cooldown": COOLDOWN} | rules), key=KEY) as sandbox:
            sandbox.add_campaign(id=3, name="Summer")
            histories = Histories(sandbox)
            histories.record(patch)
            async with AsyncExitStack() as exits:
                yield Stage(sandbox, histories, exits)
        histories.check()
        lanes = [task for task in asyncio.all_tasks() if task.get_name().startswith("voiso lane")]
        assert [] == lanes, "every lane's task has ended"


@pytest.fixture(autouse=True)
async def stage(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Stage]:
    """The ``Stage`` of one test; also scans everything that was logged for the key and for phone numbers."""
    caplog.set_level("DEBUG")
    async with staged() as stage:
        yield stage
    known = {phone for handed in stage.histories.handed for phone in handed.phones}
    logged = "\n".join(
        logging.Formatter().format(record)
        for when in ("setup", "call", "teardown")
        for record in caplog.get_records(when)
    )
    assert KEY not in logged, "12"
    assert not known & set(re.findall(r"\d{7,}", logged)), "14"


def counts(report: IngestReport) -> dict[str, int]:
    """The outcomes that occurred."""
    return {outcome.value: count for outcome, count in report.counts.items() if count}
