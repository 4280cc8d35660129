"""One run against the fault server as text: the callers with their numbers of leads, who leaves, and the verbs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self, cast

import pytest
from attrs import frozen
from fault_server import FaultServer
from http_histories import Histories
from http_stage import Stage, phones
from report_in import report_in

from voiso_async.errors import VoisoError
from voiso_async.ingest.outcome import Outcome
from voiso_async.sandbox import Sandbox

FOLDER = Path(__file__).parent / "schedules"
LAST_FAILURE = FOLDER / "last-failure.txt"
PATIENCE = 0.08
SETTLE = 0.02
MAX_ROWS = 5
LIMIT_SECONDS = 20


@frozen(kw_only=True)
class Script:
    """``leads`` has for each caller the number of leads and when it leaves (``None``: it stays)."""

    callers: tuple[tuple[int, float | None], ...]
    closes: float | None
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        callers = [
            f"leads {count}" + (f" leaves {leaves}" if leaves is not None else "")
            for count, leaves in self.callers
        ]
        closes = [] if self.closes is None else [f"closes {self.closes}"]
        return "\n".join([*callers, *closes, *self.verbs, ""])

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what ``str`` wrote; lines that begin with # are remarks."""
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        callers = [(int(line[1]), float(line[3]) if line[3:] else None) for line in lines if line[0] == "leads"]
        closes = [float(line[1]) for line in lines if line[0] == "closes"]
        verbs = [" ".join(line) for line in lines if line[0] not in {"leads", "closes"}]
        return cls(callers=tuple(callers), closes=closes[0] if closes else None, verbs=tuple(verbs))

    async def play(self) -> None:
        """Run it, compare the histories, then add everything again: now no lead may be missing."""
        async with asyncio.timeout(LIMIT_SECONDS), on_stage(*self.verbs) as stage:
            pace = {"max_rows": MAX_ROWS, "doubt_attempts": 2, "doubt_backoff_longest": SETTLE, "busy_for": 0.3}
            voiso = await stage.client(doubt_backoff=SETTLE, **pace)
            calls = [voiso.leads.add(3, phones(count, 1000 * at)) for at, (count, _) in enumerate(self.callers)]
            tasks = [
                asyncio.create_task(_call(call, leaves))
                for call, (_, leaves) in zip(calls, self.callers, strict=True)
            ]
            if self.closes is not None:
                await asyncio.sleep(self.closes)
                await voiso.aclose(grace=0.05)
            await asyncio.gather(*tasks)
            await voiso.aclose(grace=10)
            await self._again(stage)

    async def _again(self, stage: Stage) -> None:
        server = cast(FaultServer, stage.sandbox)
        server.script.clear()
        server.campaigns[3].busy = False
        stage.patience = LIMIT_SECONDS
        everyone = [phone for at, (count, _) in enumerate(self.callers) for phone in phones(count, 1000 * at)]
        report = await (await stage.client(doubt_backoff=SETTLE)).leads.add(3, everyone)
        assert report.ok
        assert set(everyone) == set(server.campaigns[3].leads)
        assert 0 == report.counts[Outcome.CONFIRMED]


async def _call(call: Any, leaves: float | None) -> None:
    try:
        async with asyncio.timeout(leaves):
            await call
    except TimeoutError:
        assert leaves is not None
    except VoisoError as error:
        balanced = report_in(error).balanced
        assert balanced


@asynccontextmanager
async def on_stage(*verbs: str, **server: Any) -> AsyncIterator[Stage]:
    """A ``Stage`` with the fault server in place of the sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        async with FaultServer(*verbs, **server) as faulty:
            histories = Histories(cast(Sandbox, faulty), paced=False)
            histories.record(patch)
            async with AsyncExitStack() as exits:
                yield Stage(cast(Sandbox, faulty), histories, exits, patience=PATIENCE)
            histories.check()
        lanes = [task for task in asyncio.all_tasks() if task.get_name().startswith("voiso lane")]
        assert [] == lanes, "every lane's task has ended"
