"""File work beside the event loop."""

from collections.abc import Callable
from typing import TypeVar

import anyio

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, abandon: bool = True) -> T:
    """Run blocking work in a worker thread; who is cancelled does not wait for it, unless told."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=abandon)
