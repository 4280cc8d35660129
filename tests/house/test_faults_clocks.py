"""Clocks that jump, stop or are wrong, and virtual time against the real one."""

import asyncio
import itertools
import time
from typing import Any

import pytest
from attrs import define
from fake_campaign import FakeCampaigns, busy, check, engine, lost, phones, status
from virtual_time import VirtualLoop

from voiso_async._structs import replace
from voiso_async.ingest import gate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation

HOUR = 3600.0


async def run(server: FakeCampaigns, leads: int = 3000, **policy: Any) -> IngestReport:
    return await Ingestion(engine(server, **policy), Operation.ADD, 3, phones(leads))


def script() -> list[Any]:
    return [lost(500), None, busy(), status(503, None, {"retry-after": "3"}), None]


def story(server: FakeCampaigns) -> list[tuple[int, str, int]]:
    return [(len(post.leads), post.told, len(post.applied)) for post in server.history]


@define
class Wall:
    """A wall clock that jumps an hour back and forth at each reading."""

    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        sign = 1 if self.looks % 2 else -1
        return 1.8e9 + HOUR * sign * self.looks


@pytest.mark.row(201)
@pytest.mark.virtual
async def test_a_wall_clock_that_jumps_changes_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FakeCampaigns(script=script())
    await run(honest)
    gate._GATES.clear()
    monkeypatch.setattr(time, "time", Wall())
    jumping = FakeCampaigns(script=script())
    report = await run(jumping)
    check(jumping, [report])
    assert waits(honest) == pytest.approx(waits(jumping))
    assert story(honest) == story(jumping)


def waits(server: FakeCampaigns) -> list[float]:
    return [after.began - before.ended for before, after in itertools.pairwise(server.history)]


@pytest.mark.row(202)
@pytest.mark.virtual
async def test_a_monotonic_clock_that_rests_makes_a_wait_longer_and_never_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock of a sleeping machine may stand still: here for three seconds in the middle of a cooldown."""
    loop = asyncio.get_running_loop()

    def resting() -> float:
        return min(loop.time(), max(1.0, loop.time() - 3.0))

    server = FakeCampaigns()
    batcher = engine(server)
    batcher.clock = resting
    monkeypatch.setattr(batcher._parts.gate, "_clock", resting)
    batcher._parts = replace(batcher._parts, clock=resting)
    report = await Ingestion(batcher, Operation.ADD, 3, phones(3000))
    assert report.ok
    assert [5.0, 2.0] == pytest.approx(waits(server))


@pytest.mark.row(205)
@pytest.mark.realtime
def test_virtual_and_real_time_tell_the_same_story() -> None:
    """The same script at a twentieth of the pace in real seconds: the same requests, the same outcomes."""
    pace: dict[str, Any] = {"cooldown": 0.1, "doubt_backoff": 0.1, "stall": 0.001, "max_rows": 500}
    servers = []
    for loop in (VirtualLoop, asyncio.new_event_loop):
        gate._GATES.clear()
        server = FakeCampaigns(seconds=0.01, script=[lost(200), None, busy(), status(500), None])
        with asyncio.Runner(loop_factory=loop) as runner:
            report = runner.run(run(server, **pace))
        servers.append((story(server), dict(report.counts), report.batches, report.attempts))
    assert servers[0] == servers[1]
