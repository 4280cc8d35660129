"""Cancels a coroutine at its n-th suspension point: count them once, then cancel at 1, 2, 3 and so on."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

import anyio

__all__ = ["WAYS", "Counted", "Way", "points_of"]

T = TypeVar("T")
NEVER = 10**9


class Counted(Generic[T]):
    """Awaits ``inner`` and calls ``act`` when it waits for the ``at``-th time."""

    def __init__(self, inner: Coroutine[Any, Any, T], at: int = NEVER, act: Callable[[], object] = int) -> None:
        self._inner = inner.__await__()
        self._at = at
        self._act = act
        self.points = 0

    def __await__(self) -> Generator[Any, Any, T]:
        thrown: BaseException | None = None
        while True:
            try:
                waiting = self._inner.send(None) if thrown is None else self._inner.throw(thrown)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            self.points += 1
            if self.points == self._at:
                self._act()
            thrown = None
            try:
                yield waiting
            except BaseException as error:  # noqa: BLE001 - goes on to where it belongs
                thrown = error


async def points_of(inner: Coroutine[Any, Any, Any]) -> int:
    """How often a coroutine waits when nobody disturbs it."""
    counted = Counted(inner)
    await counted
    return counted.points


Way = Callable[[Coroutine[Any, Any, Any], int], Awaitable[bool]]


async def native(inner: Coroutine[Any, Any, Any], at: int) -> bool:
    """A plain ``task.cancel()``; says whether it came before the end."""
    return await _cancelled(inner, at, times=1)


async def twice(inner: Coroutine[Any, Any, Any], at: int) -> bool:
    """A second ``task.cancel()`` while the first is still on its way."""
    return await _cancelled(inner, at, times=2)


async def _cancelled(inner: Coroutine[Any, Any, Any], at: int, times: int) -> bool:
    loop = asyncio.get_running_loop()

    def act() -> None:
        for _ in range(times):
            loop.call_soon(task.cancel)

    async def run() -> None:
        await Counted(inner, at, act)

    task = asyncio.ensure_future(run())
    await asyncio.wait([task])
    return task.cancelled()


async def scoped(inner: Coroutine[Any, Any, Any], at: int) -> bool:
    """A cancel scope of anyio, which cancels again whatever waits in the cleaning up."""
    with anyio.CancelScope() as scope:
        await Counted(inner, at, scope.cancel)
    return scope.cancelled_caught


async def timed(inner: Coroutine[Any, Any, Any], at: int) -> bool:
    """A timeout of asyncio that is over at that very moment."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            await Counted(inner, at, lambda: limit.reschedule(loop.time()))
    except TimeoutError:
        return True
    return False


WAYS: dict[str, Way] = {"native": native, "twice": twice, "scoped": scoped, "timed": timed}
