"""Memory stays small and the event loop responsive, whatever a server sends and however many leads are added."""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from fault_server import FaultServer
from http_stage import phones
from raw_server import RawServer, answer, endless, gzip_bomb, raw

from voiso_async import LanePolicy, RetryPolicy, VoisoClient
from voiso_async.ingest.report import IngestReport

MEBIBYTE = 1024 * 1024
SUPPORT = Path(__file__).parents[1] / "support"
LIMITED = """
import resource, sys
sys.path[:0] = [{tests!r}]
{program}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
"""


def in_child(program: str, *words: str) -> tuple[int, list[str]]:
    """Run a program in its own process; return its largest resident size in MiB, and the words it printed."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-W", "error", "-c", LIMITED.format(tests=str(SUPPORT), program=program), *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-2000:]
    *said, peak = done.stdout.split("\n")[:-1]
    return int(peak), said


READING = """
import asyncio
from voiso_async import RetryPolicy, VoisoClient
from voiso_async.errors import VoisoError

async def main():
    async with VoisoClient("canary-key-55d0", base_url=sys.argv[1], retry=RetryPolicy(max_attempts=1)) as voiso:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        for _ in range(3):
            try:
                await voiso.campaigns.get(3)
            except VoisoError as error:
                print(getattr(error, "reason", "") or error.status)

asyncio.run(main())
"""
OVERSIZE = {
    "an endless body": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "too_big"),
    "an endless error": (endless(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536), "500"),
    "a gzip bomb": (raw(gzip_bomb(400 * MEBIBYTE), then="stay"), "too_big"),
    "endless chunks": (
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        "too_big",
    ),
    "an endless line": (endless(b"HTTP/1.1 200 ", b"x" * 65536), "protocol"),
    "endless headers": (endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 4096), "protocol"),
}
MOST_GROWTH = 2 * 8 + 24
"""MiB: twice the cap, plus what an interpreter needs for its first request."""


@pytest.mark.row(72, 73, 75, 79)
@pytest.mark.parametrize("name", OVERSIZE)
async def test_oversize_answers_cost_no_memory(name: str) -> None:
    verb, told = OVERSIZE[name]
    async with RawServer(verb) as server:
        peak, (before, *reasons) = await asyncio.to_thread(in_child, READING, server.url)
    assert [told] * 3 == reasons
    assert peak - int(before) < MOST_GROWTH


MILLION = """
import asyncio, json
sys.setswitchinterval(1)
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import LocalGate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Operation
from voiso_async.wire import Response

read = most_ahead = sent = 0

async def leads():
    global read, most_ahead
    for number in range(int(sys.argv[1])):
        read += 1
        most_ahead = max(most_ahead, read - sent)
        yield f"4416{32960000000 + number}"

async def post(campaign, operation, body):
    global sent
    phones = [lead["phone_number"] for lead in json.loads(body)]
    sent += len(phones)
    await asyncio.sleep(0)
    return Response(status=200, body=json.dumps({"leads_import": {"created": phones}}).encode())

async def main():
    policy = LanePolicy(cooldown=0, stall=0)
    batcher = LeadBatcher(post, LocalGate("https://a.example:443", 0), None, policy=policy)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    call = Ingestion(batcher, Operation.ADD, 3, leads(), dedupe=sys.argv[2] == "dedupe")
    report = await call
    print(report.counts["created"], most_ahead, len(report.outcomes), len(report.problems))

asyncio.run(main())
"""


def read_through(leads: int, dedupe: str) -> int:
    """Send this many leads; return the growth in MiB."""
    peak, (before, told) = in_child(MILLION, str(leads), dedupe)
    created, ahead, outcomes, problems = map(int, told.split())
    assert (leads, 0, 0) == (created, outcomes, problems)
    assert ahead <= 3 * 1000 + 1, "two batches in the buffer, one on its way"
    return peak - int(before)


@pytest.mark.row(91)
@pytest.mark.parametrize(("dedupe", "most"), [("endless", 20), ("dedupe", 60)])
def test_a_long_generator_is_read_a_little_ahead(dedupe: str, most: int) -> None:
    """Without dedupe only the counts are kept. The exact index of phones has a known size."""
    assert read_through(150_000, dedupe) < most


@pytest.mark.soak
@pytest.mark.row(91)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("dedupe", "most"), [("endless", 20), ("dedupe", 250)])
def test_a_million_leads_from_a_generator_are_read_a_little_ahead(dedupe: str, most: int) -> None:
    assert read_through(1_000_000, dedupe) < most


# The loop


@define
class Lag:
    """The longest callback of the loop, in CPU time of this thread, so that other processes do not count."""

    longest: float = 0.0
    culprit: str = ""

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        run = asyncio.Handle._run

        def watched(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            run(handle)
            if (taken := time.thread_time() - began) > self.longest:
                self.longest, self.culprit = taken, repr(handle._callback)  # type: ignore[attr-defined]

        patch.setattr(asyncio.Handle, "_run", watched)


MOST_LAG = 0.05 if sys.gettrace() is None else 0.2
"""Under coverage everything takes several times as long."""
RUNS = 3


async def held(run: Callable[[], Awaitable[Any]]) -> Lag:
    """The longest hold in the best of some runs."""
    lags = []
    for _ in range(RUNS):
        gc.collect()
        with pytest.MonkeyPatch.context() as patch:
            lags.append(Lag())
            lags[-1].watch(patch)
            await run()
        if lags[-1].longest < MOST_LAG:
            break
    return min(lags, key=lambda lag: lag.longest)


def fat(count: int) -> list[dict[str, Any]]:
    """Leads of two kilobytes each."""
    return [
        {"phone_number": phone, "name": "n" * 900, "context_headers": {"X-A": "h" * 1000}}
        for phone in phones(count)
    ]


async def _added(leads: Any, *, streamed: bool = False) -> IngestReport:
    async with FaultServer(cooldown=0.0) as server:
        lane = LanePolicy(cooldown=0.0)
        async with VoisoClient(server.key, base_url=server.url, lane=lane) as voiso:
            call = voiso.leads.add(3, leads)
            if streamed:
                async for _ in call:
                    pass
                return call.report
            return await call


async def slowly(count: int) -> AsyncIterator[str]:
    for phone in phones(count):
        yield phone


def quickly(count: int) -> Iterator[str]:
    yield from phones(count)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "source",
    [lambda: phones(20_000), lambda: quickly(20_000), lambda: slowly(20_000), lambda: fat(3000)],
    ids=["list", "generator", "async generator", "large leads"],
)
async def test_the_loop_is_never_held_by_leads(source: Any, streamed: bool) -> None:  # noqa: FBT001 - a parameter
    """The server shares this loop, so its time counts too."""
    leads = source()
    lag = await held(lambda: _added(leads if isinstance(leads, list) else source(), streamed=streamed))
    assert lag.longest < MOST_LAG, lag


async def test_the_loop_is_not_held_by_very_many_invalid_leads() -> None:
    leads = ["not a number"] * 40_000
    lag = await held(lambda: _added(leads))
    assert lag.longest < MOST_LAG, lag


@pytest.mark.parametrize("size", [1000, 8 * MEBIBYTE - 100])
async def test_the_loop_is_not_held_by_an_answer_of_any_size(size: int) -> None:
    page = {"campaigns": [{"id": 1, "name": "n" * size}], "metadata": {"total": 1}}
    async with RawServer(answer(200, page)) as server:
        voiso = VoisoClient("canary-key-8d1f", base_url=server.url, retry=RetryPolicy(max_attempts=1))
        async with voiso:
            lag = await held(lambda: voiso.campaigns.list().collect())
    assert lag.longest < MOST_LAG, lag


async def test_a_hold_is_found() -> None:
    """Otherwise the tests above would prove nothing."""

    async def hold() -> None:
        ends = time.thread_time() + 1.2 * MOST_LAG
        while time.thread_time() < ends:
            pass

    lag = await held(lambda: asyncio.create_task(hold()))
    assert lag.longest > MOST_LAG
