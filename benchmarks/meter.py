"""Measures a process: processor time, memory, and how long its event loop is blocked."""

import asyncio
import gc
import re
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from attrs import define, field

GLANCE = 0.002
"""Seconds between two measurements of the event loop."""
STATUS = Path("/proc/self/status")


@define
class Spent:
    """Seconds of processor and of wall time."""

    processor: float = 0.0
    wall: float = 0.0


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure this process, all threads included, while the block runs."""
    spent = Spent()
    processor, wall = time.process_time(), time.perf_counter()
    yield spent
    spent.processor, spent.wall = time.process_time() - processor, time.perf_counter() - wall


async def cheapest(contenders: Mapping[str, Callable[[], Awaitable[object]]], rounds: int) -> dict[str, float]:
    """Return the processor seconds of each contender's cheapest round: the others were disturbed.

    The contenders alternate, so that a busy moment of the machine does not hit one alone.
    """
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, work in contenders.items():
            gc.collect()
            with spending() as spent:
                await work()
            best[name] = min(best[name], spent.processor)
    return best


def megabytes() -> float:
    """Return the memory that this process uses now, in MiB (its peak where the system does not tell)."""
    return _status("VmRSS")


def peak_megabytes() -> float:
    """Return the peak of the memory of this process."""
    return _status("VmHWM")


def _status(name: str) -> float:
    if STATUS.exists():  # getrusage would give a new process the peak of the one that started it
        found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())
        return int(found[1]) / 1024 if found else 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


@define
class Lag:
    """How late the event loop woke a task, in seconds.

    ``samples`` are by the wall clock; ``held`` is the processor time that the loop's thread spent meanwhile. Other
    processes took the difference.
    """

    samples: list[float] = field(factory=list)
    held: list[float] = field(factory=list)


@asynccontextmanager
async def lag_of(loop_lag: Lag, *, after: float = 0.0) -> AsyncIterator[None]:
    """Measure the running loop during the block, except in its first ``after`` seconds."""

    async def watch() -> None:
        await asyncio.sleep(after)
        while True:
            began, due = time.thread_time(), time.perf_counter() + GLANCE
            await asyncio.sleep(GLANCE)
            late = max(0.0, time.perf_counter() - due)
            loop_lag.samples.append(late)
            loop_lag.held.append(min(late, time.thread_time() - began))

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies, or the greatest if there are too few."""
    if len(values) < 2:
        return values[0] if values else 0.0
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    return cuts[min(round(share * 1000), 999) - 1]
