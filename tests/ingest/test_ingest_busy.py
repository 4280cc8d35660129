"""The campaign is busy, or the body too large: the engine waits or cuts the batch, and loses no lead."""

import itertools
from typing import Any

import http_stage
import pytest
from http_stage import COOLDOWN, Stage, counts, phones
from report_in import report_in

from voiso_async.errors import (
    APIError,
    ConflictError,
    RateLimitError,
)
from voiso_async.sandbox import (
    ApplyThenClose,
    Busy,
    Rules,
)

stage = http_stage.stage


@pytest.mark.row(43, 48)
@pytest.mark.parametrize("status", [409, 423, 429])
async def test_busy_is_waited_out_and_costs_nothing(stage: Stage, status: int) -> None:
    stage.fail(Busy(3, status=status))
    voiso = await stage.client(doubt_attempts=1)
    report = await voiso.leads.add(3, phones(10))
    assert {"created": 10} == counts(report)
    assert (3, 4, 0) == (report.busy, report.attempts, report.doubted)
    gaps = [b.began - a.ended for a, b in itertools.pairwise(stage.histories.attempts)]
    assert gaps == sorted(gaps), "the wait grows gently"


@pytest.mark.row(44)
@pytest.mark.parametrize("fault", [Busy(retry_after=1), Busy(status=429, retry_after=1)], ids=repr)
async def test_busy_obeys_retry_after(stage: Stage, fault: Busy) -> None:
    stage.fail(fault)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    first, second = stage.histories.attempts
    assert {"created": 10} == counts(report)
    assert 1.0 <= second.began - first.ended <= 1.2


@pytest.mark.row(43, 48)
@pytest.mark.parametrize(
    ("fault", "kind"), [(Busy(100), ConflictError), (Busy(100, status=429), RateLimitError)], ids=repr
)
async def test_busy_for_too_long_stops_and_names_another_writer(
    stage: Stage, fault: Busy, kind: type[APIError]
) -> None:
    stage.fail(fault)
    voiso = await stage.client(busy_for=0.3)
    with pytest.raises(kind) as caught:
        await voiso.leads.add(3, phones(10))
    assert "another writer" in str(caught.value)
    assert {"not_sent": 10} == counts(report_in(caught.value))


@pytest.mark.row(46)
async def test_a_day_of_retry_after_gives_up_at_once(stage: Stage) -> None:
    stage.fail(Busy(status=429, retry_after=86_400))
    voiso = await stage.client()
    with pytest.raises(RateLimitError) as caught:
        await voiso.leads.add(3, phones(10))
    assert 86_400 == caught.value.retry_after
    assert {"not_sent": 10} == counts(report_in(caught.value))


async def test_busy_after_a_lost_answer_stays_in_doubt(stage: Stage) -> None:
    stage.fail(ApplyThenClose(5), Busy(2))
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"confirmed": 5, "created": 5} == counts(report)


@pytest.mark.row(41)
async def test_a_batch_that_is_too_large_is_cut_and_goes_on(stage: Stage) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, max_body=400)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(40))
    assert {"created": 40} == counts(report)
    assert phones(40) == list(stage.sandbox.campaigns[3].leads)


@pytest.mark.row(41)
async def test_one_lead_that_is_too_large_is_rejected_alone(stage: Stage) -> None:
    stage.sandbox.rules = Rules(cooldown=COOLDOWN, max_body=400)
    voiso = await stage.client()
    leads: list[Any] = [*phones(9), {"phone_number": phones(1, 9)[0], "name": "n" * 500}]
    report = await voiso.leads.add(3, leads)
    assert {"created": 9, "rejected": 1} == counts(report)
    assert {"too_large": 1} == report.reasons
