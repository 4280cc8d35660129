"""A process that forks a child for each line it reads; that puts and drains, and may end at its n-th statement."""

import asyncio
import json
import os
import sys
import traceback
from typing import Any

from client_calls import QUICK
from durable_cases import Watched, numbers

from voiso_async import LanePolicy, VoisoClient
from voiso_async.outbox import SqliteOutbox
from voiso_async.outbox.sqlite import database as db

LEASE = 1.3
ENDED = 7


def end_at(statement: int, *, after: bool) -> None:
    """End this process, as a power cut would, just before or after so many statements."""
    seen, connect = [0], db._connected

    def look(_: str) -> None:
        seen[0] += 1
        if seen[0] == statement:
            os._exit(ENDED)

    db._connected = lambda path: Watched(connect(path), look, after=after)  # type: ignore[assignment,return-value]


async def work(order: dict[str, Any]) -> None:
    """Put what is not there yet, and drain until nothing waits."""
    lane = LanePolicy(cooldown=order["cooldown"], doubt_backoff=0.06, post_timeout=0.1 if order["short"] else 20)
    async with (
        SqliteOutbox(order["path"], lease=LEASE if order["short"] else 300) as outbox,
        VoisoClient(order["key"], base_url=order["url"], lane=lane, retry=QUICK, outbox=outbox) as voiso,
    ):
        if order["rows"]:
            leads = [{"phone_number": phone, "key": phone} for phone in numbers(order["rows"])]
            await outbox.put(3, leads)
        await voiso.leads.drain()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                order = json.loads(line)
                if order["at"]:
                    end_at(order["at"], after=order["after"])
                asyncio.run(work(order))
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
