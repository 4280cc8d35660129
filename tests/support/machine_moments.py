"""Work for a loop that is run again and again: what happens between two steps of a world."""

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["cut", "over", "rounds"]


async def rounds(count: int) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def over(tasks: set["asyncio.Task[Any]"]) -> None:
    """Wait for the end of tasks, whatever it is."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def cut(work: Coroutine[Any, Any, Any], moment: float | None) -> bool:
    """Cancel at some moment; say whether it was through before."""
    task = asyncio.ensure_future(work)
    _, waiting = await asyncio.wait({task}, timeout=moment)
    for late in waiting:
        late.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    return not task.cancelled()
