"""Every benchmark by its name."""

from typing import Protocol

from benchmarks import (
    coalesce,
    collect,
    cost,
    files,
    lag,
    lane,
    lanes,
    memory,
    outbox,
    overtaking,
    pages,
    start,
)
from benchmarks.apart import apart
from benchmarks.result import Result


class Run(Protocol):
    """A benchmark."""

    def __call__(self, *, quick: bool) -> Result:
        """Measure; ``quick`` makes everything small."""
        ...


BENCHMARKS: dict[str, Run] = {
    "lane": lane.run,
    "lanes": lanes.run,
    "coalesce": coalesce.run,
    "overtaking": overtaking.run,
    "cost": cost.run,
    "pages": pages.run,
    "collect": collect.run,
    "outbox": outbox.run,
    "files": files.run,
    "memory": memory.run,
    "start": start.run,
    "lag": lag.run,
}


def measure(name: str, *, quick: bool) -> Result:
    """Run one benchmark in a process of its own."""
    return apart(BENCHMARKS[name], quick=quick)
