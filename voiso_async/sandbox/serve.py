"""Keeping a sandbox open until somebody says stop."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from voiso_async.sandbox.server import Sandbox

__all__ = ["serve"]

STOPPERS = (signal.SIGINT, signal.SIGTERM)


async def serve(sandbox: Sandbox, announce: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is told the URL once requests are welcome."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPERS:
        with suppress(NotImplementedError):  # Windows: there the interrupt ends asyncio.run itself
            loop.add_signal_handler(number, stop.set)
    try:
        async with sandbox:
            announce(sandbox.url)
            await stop.wait()
    finally:
        for number in STOPPERS:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
