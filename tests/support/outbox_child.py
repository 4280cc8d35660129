"""Another process at an outbox: it does one thing, says so, and waits to be killed or told to go on."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import outbox_cases
from outbox_cases import leads, results

from voiso_async.errors import OutboxError
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.rows import Attempt
from voiso_async.outbox import SqliteOutbox

POLICY = LanePolicy(cooldown=0.1, doubt_backoff=0.2, post_timeout=0.1)
LEASE = 1.3


def say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 - the parent listens


def told() -> "asyncio.Future[str]":
    return asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def asking(room: int = 100) -> outbox_cases.Claims:
    return outbox_cases.asking(room)


async def hold(outbox: SqliteOutbox) -> None:
    """Be in the middle of a POST."""
    turn = await outbox.gate(outbox_cases.ORIGIN, POLICY).acquire(3, asking())
    say("held")
    await told()
    try:
        await turn.release(results(turn.rows), 0.0)
    except OutboxError as error:
        say(error.reason)
    else:
        say("closed")


async def keep(outbox: SqliteOutbox) -> None:
    """Have rows between two turns."""
    turn = await outbox.gate(outbox_cases.ORIGIN, POLICY).acquire(3, asking())
    await turn.release([], 0.0)
    say("kept")
    await told()


async def load(outbox: SqliteOutbox) -> None:
    """Be in the middle of a file."""

    async def source() -> AsyncIterator[Any]:
        for lead in leads(1500):
            yield lead
        say("loading")
        await told()

    job = await outbox.begin(name="loaded")
    await outbox.load(job.id, 3, source())


async def work(outbox: SqliteOutbox) -> None:
    """Work on the only job, between two POSTs; then leave it as one should."""
    [job] = await outbox.jobs()
    await outbox.begin_work(job.id)
    say("working")
    await told()
    await outbox.end_work(job.id)
    say("left")
    await told()


async def serve(outbox: SqliteOutbox) -> None:
    """Work on whatever comes; the end of the program is the end of that."""
    await outbox.begin_work()
    say("working")
    await told()


async def drain(outbox: SqliteOutbox) -> None:
    """Send until nothing is left; tell the time and the rows of each POST."""
    gate = outbox.gate(outbox_cases.ORIGIN, POLICY)
    while any(item.rows or item.claimed for item in await outbox.backlog()):
        turn = await gate.acquire(3, asking(20))
        began = time.monotonic()
        await asyncio.sleep(0.005)
        turn.attempt_ended()
        ended = time.monotonic()
        if not turn.rows:
            await turn.release([], None)
            continue
        await turn.release(results(turn.rows), 0.0, Attempt(first=not turn.is_retry, seconds=ended - began))
        rows = ",".join(str(row.index) for row in turn.rows)
        say(f"{began} {ended} {int(turn.is_retry)} {rows}")


async def deny(outbox: SqliteOutbox) -> None:
    """Be nobody."""
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        await outbox.open()
        await outbox.put(3, leads(1))
    except OutboxError as error:
        say(error.reason)


async def main(path: str, action: str) -> None:
    async with SqliteOutbox(path, lease=LEASE) as outbox:
        await globals()[action](outbox)


async def main_unopened(path: str) -> None:
    outbox = SqliteOutbox(path)
    await deny(outbox)
    await outbox.aclose()


if __name__ == "__main__":
    asyncio.run(main_unopened(sys.argv[1]) if sys.argv[2] == "deny" else main(sys.argv[1], sys.argv[2]))
