"""The real two seconds, measured at the server: virtual and scaled time agree with it."""

import asyncio
import itertools
import statistics
import sys

import http_stage
import pytest
from http_stage import Stage, counts, phones

from voiso_async import VoisoClient
from voiso_async.sandbox import ApplyThenReset, Rules

pytestmark = pytest.mark.realtime
stage = http_stage.stage

POSTS = 20
COOLDOWN = Rules().cooldown
USUAL_GAP = 2.03
TRACED_GAP = 2.25
"""The cooldown, and the time for sending and reading; under coverage both take longer."""


async def _add(voiso: VoisoClient, batches: int, start: int) -> dict[str, int]:
    return counts(await voiso.leads.add(3, phones(batches * 1000, start)))


@pytest.mark.row(98, 101)
@pytest.mark.timeout(900)
async def test_twenty_posts_are_two_seconds_apart_and_no_longer(stage: Stage) -> None:
    """Two clients take turns; one answer is lost and one caller leaves in the middle: the pace is the same."""
    stage.sandbox.rules = Rules(server_time=0.02)
    first, second = await stage.client(doubt_backoff=COOLDOWN), await stage.client(doubt_backoff=COOLDOWN)
    leaving = asyncio.create_task(_add(second, 2, 50_000))
    staying = [asyncio.create_task(_add(first, 8, 0)), asyncio.create_task(_add(second, 9, 20_000))]
    await asyncio.sleep(3 * COOLDOWN)
    stage.fail(ApplyThenReset())
    await asyncio.sleep(COOLDOWN)
    leaving.cancel()
    told = await asyncio.gather(*staying)
    assert [8000, 9000] == [sum(counted.values()) for counted in told]
    assert {"created", "confirmed"} == set(told[0]) | set(told[1])
    last = POSTS - len(stage.histories.posts)
    assert last >= 0
    for number in range(last):
        assert {"created": 1} == counts(await first.leads.add(3, phones(1, 90_000 + number)))
    gaps = [after.began - (before.ended or 0.0) for before, after in itertools.pairwise(stage.histories.posts)]
    print(f"\n{len(gaps)} gaps from {min(gaps):.4f} to {max(gaps):.4f} s")  # noqa: T201 - the measurement itself
    assert POSTS - 1 == len(gaps)
    assert COOLDOWN <= min(gaps)
    assert statistics.median(gaps) <= (USUAL_GAP if sys.gettrace() is None else TRACED_GAP)
