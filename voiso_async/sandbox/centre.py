"""One contact centre: everything that requests share."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from attrs import Factory, define, field

from voiso_async.sandbox.history import History
from voiso_async.sandbox.limiter import Limiter
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.state import Campaign, User

__all__ = ["Centre"]


@define(kw_only=True, eq=False)
class Centre:
    """The data, the rules in force, the keys, the clock and the books."""

    rules: Rules
    clock: Callable[[], float] = time.monotonic
    keys: dict[str, set[str]] = field(factory=dict, repr=False)
    campaigns: dict[int, Campaign] = Factory(dict)
    users: dict[int, User] = Factory(dict)
    limiter: Limiter = Factory(Limiter)
    history: History = field(factory=History, repr=False)
    too_early: int = 0
    closing: asyncio.Event = field(factory=asyncio.Event, repr=False)

    async def pause(self, seconds: float) -> None:
        """Let time pass; a sandbox that is being closed waits for nothing."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), seconds)
