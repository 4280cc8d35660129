"""Processor time for a thousand leads, from mapping to outcome, without any network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec

from benchmarks.leads import leads
from benchmarks.meter import cheapest
from benchmarks.peers.bulk import bulk
from benchmarks.peers.floor import outcomes_of
from benchmarks.peers.hand_written import batches
from benchmarks.peers.typed import Typed, new_client
from benchmarks.result import Line, Result, Target
from voiso_async import APIError, LanePolicy
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import LocalGate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.rows import Operation
from voiso_async.wire import Response

BATCH = 1000
TYPED, BULK, FLOOR = "httpx + pydantic", "bulk helper", "msgspec alone"


class Answers:
    """The server's answers, made in advance, so that they cost nothing while the clock runs."""

    def __init__(self, mappings: list[dict[str, Any]]) -> None:
        self._bodies = [
            msgspec.json.encode(
                {
                    "leads_import": {
                        "created": [lead["phone_number"] for lead in batch],
                        "rejected": [],
                        "duplicates": [],
                    }
                }
            )
            for batch in batches(mappings)
        ]
        self._next = 0

    def take(self) -> bytes:
        """Return the answer to the next batch; after the last one start again."""
        self._next += 1
        return self._bodies[(self._next - 1) % len(self._bodies)]


def run(*, quick: bool) -> Result:
    """Let each contender send the same batches; the cheapest round counts."""
    return asyncio.run(_run(3 if quick else 5, 3 if quick else 60))


async def _run(count: int, rounds: int) -> Result:
    mappings = list(leads(count * BATCH))
    contenders: dict[str, Callable[[], Awaitable[object]]] = {
        "ours": lambda: _each(mappings),
        "ours, the report only": lambda: _report(mappings),
        TYPED: lambda: _typed(mappings),
        BULK: lambda: bulk(mappings),
        FLOOR: lambda: _floor(mappings),
    }
    best = await cheapest(contenders, rounds)
    spent = {name: 1000 * seconds / count for name, seconds in best.items()}
    peers = {name: spent[name] for name in (TYPED, BULK, FLOOR)}
    targets = (Target("<=", 10), Target("<=", 0.5, TYPED), Target("<=", 1, BULK))
    return Result(
        name="cost",
        title=f"processor time for 1000 leads from mapping to outcome, network excluded, {count} batches",
        lines=(
            Line(what="each lead's outcome", unit="ms", ours=spent["ours"], peers=peers, targets=targets),
            Line(what="the report alone", unit="ms", ours=spent["ours, the report only"], peers=peers),
        ),
        notes=("of all contenders only ours looks for hidden characters, keeps rows apart and claims each phone",),
    )


def _batcher(mappings: list[dict[str, Any]]) -> LeadBatcher:
    answers = Answers(mappings)

    async def post(_: int, __: Operation, ___: bytes) -> Response:
        return Response(status=200, headers={"content-type": "application/json"}, body=answers.take())

    return LeadBatcher(post, LocalGate("benchmark", 0.0), _never, policy=LanePolicy(cooldown=0))


def _never(_: int, __: Operation, ___: Response) -> APIError:
    raise AssertionError("nothing is refused here")


async def _each(mappings: list[dict[str, Any]]) -> None:
    batcher = _batcher(mappings)
    created = 0
    async for outcome in Ingestion(batcher, Operation.ADD, 1, mappings):
        created += outcome.outcome.ok
    _check(created, mappings)
    await batcher.aclose(0)


async def _report(mappings: list[dict[str, Any]]) -> None:
    batcher = _batcher(mappings)
    report = await Ingestion(batcher, Operation.ADD, 1, mappings)
    report.raise_unless_ok()
    await batcher.aclose(0)


async def _typed(mappings: list[dict[str, Any]]) -> None:
    answers = Answers(mappings)
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=answers.take(), headers={"content-type": "application/json"})
    )
    async with new_client("http://127.0.0.1", "key", transport) as client:
        _check(len(await Typed(client, 0).add(1, mappings)), mappings)


async def _floor(mappings: list[dict[str, Any]]) -> None:
    answers = Answers(mappings)
    _check(sum(len(outcomes_of(batch, answers.take())[1]) for batch in batches(mappings)), mappings)


def _check(done: int, mappings: list[dict[str, Any]]) -> None:
    if done != len(mappings):
        raise RuntimeError(f"{done} of {len(mappings)} leads have an outcome")
