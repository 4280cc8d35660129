"""The loop that most people write first: aiohttp, and for each campaign a lock with a sleep in it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import aiohttp

BATCH = 1000


def batches(leads: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut leads into full batches."""
    rest = iter(leads)
    while batch := list(islice(rest, BATCH)):
        yield batch


class HandWritten:
    """Adds leads with one session, one lock and one sleep for each campaign."""

    def __init__(self, session: aiohttp.ClientSession, api: str, key: str, cooldown: float) -> None:
        self._session = session
        self._api = api
        self._headers = {"Authorization": f"Bearer {key}"}
        self._cooldown = cooldown
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def add(self, campaign: int, leads: Iterable[Any]) -> dict[str, str]:
        """Add leads and return the outcome of each number."""
        outcomes: dict[str, str] = {}
        for batch in batches(leads):
            async with self._locks[campaign]:
                answer = await self._post(campaign, batch)
                for outcome, numbers in answer["leads_import"].items():
                    outcomes.update(dict.fromkeys(numbers, outcome))
                await asyncio.sleep(self._cooldown)
        return outcomes

    async def _post(self, campaign: int, batch: list[Any]) -> Any:
        url = f"{self._api}/campaigns/{campaign}/leads"
        async with self._session.post(url, json=batch, headers=self._headers, raise_for_status=True) as response:
            return await response.json()
