"""Two million leads through ``add`` from a generator: memory, and how long the event loop is blocked."""

import asyncio
from collections.abc import Iterator
from typing import Any

from benchmarks.apart import apart
from benchmarks.backend import KEY, backend
from benchmarks.leads import leads
from benchmarks.meter import Lag, lag_of, megabytes, peak_megabytes
from benchmarks.result import Line, Picture, Result, Series, Target
from voiso_async import LanePolicy, VoisoClient

WARM = 10_000
POINTS = 100

Found = tuple[float, float, float, list[tuple[float, float]]]


def run(*, quick: bool) -> Result:
    """Add everything as fast as the server answers, with and without dedupe, each in its own process."""
    rows = 20_000 if quick else 2_000_000
    exact, unchecked = apart(_measured, rows, dedupe=True), apart(_measured, rows, dedupe=False)
    return Result(
        name="memory",
        title=f"{rows} leads through add() from a generator",
        lines=(
            Line(what="growth, exact dedupe", unit="MB", ours=exact[0], targets=(Target("<=", 300),)),
            Line(what="growth, dedupe=False", unit="MB", ours=unchecked[0], targets=(Target("<=", 40),)),
            Line(what="longest stall, exact dedupe", unit="ms", ours=exact[1], targets=(Target("<=", 50),)),
            Line(what="longest stall, exact dedupe, of that at work", unit="ms", ours=exact[2]),
            Line(what="longest stall, dedupe=False", unit="ms", ours=unchecked[1], targets=(Target("<=", 50),)),
            Line(what="longest stall, dedupe=False, of that at work", unit="ms", ours=unchecked[2]),
        ),
        picture=Picture(
            kind="curves",
            title="Memory against rows",
            x_label="rows",
            y_label="MB beyond the start",
            series=tuple(
                Series(name, *map(tuple, zip(*curve, strict=True)))
                for name, curve in (("exact dedupe", exact[3]), ("dedupe=False", unchecked[3]))
            ),
        ),
    )


def _measured(rows: int, *, dedupe: bool) -> Found:
    with backend() as server:
        return asyncio.run(_run(server.url, rows, dedupe=dedupe))


async def _run(url: str, rows: int, *, dedupe: bool) -> Found:
    lag = Lag()
    curve: list[tuple[float, float]] = []
    async with VoisoClient(KEY, base_url=url, lane=LanePolicy(cooldown=0)) as voiso:
        await voiso.leads.add(1, leads(WARM, 50_000_000))
        before = megabytes()

        def watched() -> Iterator[dict[str, Any]]:
            for number, lead in enumerate(leads(rows)):
                if number % (rows // POINTS) == 0:
                    curve.append((float(number), megabytes() - before))
                yield lead

        async with lag_of(lag):
            report = await voiso.leads.add(1, watched(), dedupe=dedupe)
        report.raise_unless_ok()
        if report.rows != rows:
            raise RuntimeError(f"{report.rows} of {rows} leads were sent")
        curve.append((float(rows), megabytes() - before))
    return max(0.0, peak_megabytes() - before), 1000 * max(lag.samples), 1000 * max(lag.held), curve
