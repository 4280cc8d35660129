"""Leads of an async source: read together where they come together, and none waits for a later one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice

import pytest

from voiso_async.ingest.source import BufferedSource, read_chunk

pytestmark = pytest.mark.virtual


async def at_once(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def one_by_one(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(1)
        yield number


class Chunked(BufferedSource[int]):
    """Waits for each ten leads, and has them ready."""

    def __init__(self, count: int) -> None:
        self._numbers = iter(range(count))
        self._ready: Sequence[int] = ()

    async def __anext__(self) -> int:
        if not self._ready:
            await asyncio.sleep(1)
            self._ready = list(islice(self._numbers, 10))
        for number in self.get_nowait(1):
            return number
        raise StopAsyncIteration

    def get_nowait(self, most: int) -> Sequence[int]:
        given, self._ready = self._ready[:most], self._ready[most:]
        return given


async def test_leads_that_come_together_are_given_together() -> None:
    given: list[list[int]] = []
    assert await read_chunk(at_once(9), 20, given.append)
    assert [[0], [1, 2, 3, 4, 5, 6, 7, 8]] == given


async def test_no_more_is_read_than_there_is_room_for() -> None:
    given: list[list[int]] = []
    source = at_once(9)
    assert not await read_chunk(source, 4, given.append)
    assert [0, 1, 2, 3] == [number for some in given for number in some]
    assert 4 == await anext(source)


async def test_a_lead_that_was_waited_for_waits_for_no_other() -> None:
    given: list[tuple[float, list[int]]] = []
    began = asyncio.get_running_loop().time()
    await read_chunk(
        one_by_one(3), 20, lambda some: given.append((asyncio.get_running_loop().time() - began, some))
    )
    assert [(1.0, [0]), (2.0, [1]), (3.0, [2])] == [(round(at, 6), some) for at, some in given]


async def test_leads_before_one_that_is_waited_for_do_not_wait_with_it() -> None:
    given: list[list[int]] = []

    async def stops_after_three() -> AsyncIterator[int]:
        async for number in at_once(3):
            yield number
        await asyncio.sleep(3600)

    reading = asyncio.create_task(read_chunk(stops_after_three(), 20, given.append))
    await asyncio.sleep(0.001)
    assert [[0], [1, 2]] == given
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert [[0], [1, 2]] == given


async def test_what_was_read_before_a_fault_is_given() -> None:
    given: list[list[int]] = []

    async def fails_after_three() -> AsyncIterator[int]:
        async for number in at_once(3):
            yield number
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        await read_chunk(fails_after_three(), 20, given.append)
    assert [[0], [1, 2]] == given


async def test_what_a_source_holds_ready_is_taken_in_one_go() -> None:
    given: list[list[int]] = []
    source = Chunked(14)
    assert not await read_chunk(source, 8, given.append)
    assert await read_chunk(source, 8, given.append)
    assert [list(range(8)), [8, 9], [10, 11, 12, 13]] == given
