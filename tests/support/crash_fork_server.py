"""A process that has everything imported and forks, for each line it reads, a child that works on an outbox.

A fresh interpreter takes half a second to import what a child needs; a hundred lives of fifty milliseconds would
mostly be imports. The parent kills the children itself.
"""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from voiso_async import LanePolicy, VoisoClient
from voiso_async.outbox import SqliteOutbox
from voiso_async.outbox.jobs import JobState

REFUSED_EVERY, INVALID_EVERY, REPEATED_EVERY = 97, 101, 103


def leads(count: int) -> Iterator[dict[str, Any]]:
    """Leads of which some cannot be sent, some come twice, and some the server does not want."""
    for index in range(count):
        phone = f"4416329600{index:05d}"
        if index % INVALID_EVERY == 50:
            yield {"phone_number": "no number", "key": f"k{index}"}
        elif index % REPEATED_EVERY == 51:
            yield {"phone_number": f"4416329600{index - 1:05d}", "key": f"k{index}"}
        else:
            yield {"phone_number": phone, "name": f"Lead {index}", "key": f"k{index}"}


async def load(outbox: SqliteOutbox, count: int) -> None:
    """Go on with the one job, or begin it; with a count of 0 it has been loaded before."""
    if count:
        known = await outbox.jobs(name="import")
        job = known[0] if known else await outbox.begin(name="import")
        if job.state is JobState.LOADING:
            await outbox.load(job.id, 3, leads(count))


async def work(order: dict[str, Any]) -> None:
    """Load and drain side by side, until nothing waits."""
    lane = LanePolicy(cooldown=order["cooldown"], doubt_backoff=order["settle"])
    async with (
        SqliteOutbox(order["path"]) as outbox,
        VoisoClient(order["key"], base_url=order["url"], lane=lane, outbox=outbox) as voiso,
    ):
        loading = asyncio.create_task(load(outbox, order["load"]))
        await voiso.leads.drain()
        await loading
        await voiso.leads.drain()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.run(work(json.loads(line)))
                status = 0
            except BaseException:  # noqa: BLE001 - told, and then this process ends at once
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(status)
        print(child, flush=True)  # noqa: T201 - to the parent
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
