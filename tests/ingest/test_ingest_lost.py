"""The answer to a lead call is lost or cannot be trusted: the leads are sent again, and the report is certain."""

import asyncio
import time
from typing import Any

import http_stage
import pytest
from http_stage import Stage, counts, phones
from report_in import report_in
from sandbox_caller import eventually

from voiso_async import VoisoClient
from voiso_async.errors import (
    ConnectionLostError,
    ServerError,
)
from voiso_async.ingest.outcome import Outcome
from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    CloseAfterHeaders,
    CloseIdle,
    Delay,
    Drip,
    Fault,
    Garbage,
    GzipBomb,
    Html,
    Huge,
    Json,
    RawBytes,
    Refuse,
    Stall,
    Status,
    Truncate,
    WrongType,
)

stage = http_stage.stage

MEBIBYTE = 1024 * 1024
LATE = 0.2
"""A backoff in which the sandbox surely notices that its client has gone."""
IMPATIENT = 0.25


NO_LISTS: list[Any] = [{}, [], None, "created", 3, {"error": "no"}, {"errors": {}}]
NOTHING_DONE = [
    Refuse(),
    CloseAfterHeaders(),
    Stall(seconds=0.05),
    Garbage(),
    RawBytes(b""),
    RawBytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
    RawBytes(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    RawBytes(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300 + b"Content-Length: 2\r\n\r\n{}"),
    RawBytes(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 10_000 + b"\r\nContent-Length: 2\r\n\r\n{}"),
    RawBytes(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    RawBytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Length: 2\r\n\r\n{}"),
    Html(),
    Html(status=502),
    Huge(size=9 * MEBIBYTE),
    Huge(),
    Huge(size=MEBIBYTE, status=500),
    GzipBomb(64 * MEBIBYTE),
    *(Status(code) for code in (200, 202, 204, 206, 408, 500, 501, 502, 503, 504, 507, 520, 599)),
    *(Json(payload) for payload in NO_LISTS),
    Json({"leads_import": {"created": None, "duplicates": {}, "rejected": "all"}}),
    Json({"leads_import": [["created"]]}),
    Status(200, b"\xff\xfe{\x00}\x00"),
    Status(200, b"[" * 200_000),
    Status(200, b'{"leads_import": {"created": [NaN]}}'),
    Status(400, b"<html>proxy</html>"),
    Status(409, b"conflict"),
    Status(418, b"teapot"),
]


@pytest.mark.row(15, 50, 54, 55, 58, 60, 67, 68, 72, 73, 74, 75, 76, 77, 79)
@pytest.mark.parametrize("fault", NOTHING_DONE, ids=lambda fault: repr(fault)[:60])
async def test_after_an_answer_without_proof_the_same_bytes_go_again(stage: Stage, fault: Any) -> None:
    """The server had done nothing, which the client could not know: the leads are sent again, and created."""
    stage.fail(fault)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"created": 10} == counts(report)
    assert (1, 2, 10) == (report.batches, report.attempts, report.doubted)
    first, second = stage.histories.attempts
    assert first.body == second.body


ALL_DONE = [
    ApplyThenClose(),
    ApplyThenReset(),
    Stall(seconds=0.05, apply=True),
    Truncate(0),
    Truncate(20, "length"),
    Truncate(20, "chunked"),
    Truncate(20, "none"),
    Garbage(apply=True),
    Html(apply=True),
    Huge(size=9 * MEBIBYTE, apply=True),
    GzipBomb(64 * MEBIBYTE, apply=True),
    Status(408, apply=True),
    Status(500, apply=True),
    Status(503, {"error": "down"}, apply=True),
    Status(200, b"", apply=True),
    Json({"ok": True}, apply=True),
]


@pytest.mark.row(16, 18, 52, 61, 62, 63, 96)
@pytest.mark.parametrize("fault", ALL_DONE, ids=repr)
async def test_leads_whose_answer_was_lost_are_confirmed(stage: Stage, fault: Any) -> None:
    """Neither CREATED, which no answer said, nor DUPLICATE, which would say that they were there before."""
    stage.fail(fault)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"confirmed": 10} == counts(report)
    assert report.ok


@pytest.mark.parametrize(
    "fault",
    [ApplyThenClose(4), ApplyThenReset(4), Truncate(20, "none", apply=4), Status(500, apply=4), Html(apply=4)],
    ids=repr,
)
async def test_a_batch_applied_in_part_is_told_apart(stage: Stage, fault: Any) -> None:
    stage.fail(fault)
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert ["confirmed"] * 4 + ["created"] * 6 == [outcome.outcome for outcome in report.outcomes]


@pytest.mark.row(19, 20, 22, 23)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Stall(), Outcome.CREATED),
        (Stall(apply=True), Outcome.CONFIRMED),
        (Drip(seconds=0.05), Outcome.CONFIRMED),
        (Drip(seconds=0.05, head=True), Outcome.CONFIRMED),
    ],
    ids=repr,
)
async def test_an_attempt_ends_in_time(stage: Stage, fault: Any, outcome: Outcome) -> None:
    """Also when each read brings a byte: the limit is on the whole attempt."""
    stage.patience = IMPATIENT
    stage.fail(fault)
    voiso = await stage.client(doubt_backoff=LATE)
    report = await voiso.leads.add(3, phones(10))
    assert {outcome.value: 10} == counts(report)
    first, second = stage.histories.attempts
    assert IMPATIENT == pytest.approx(first.ended - first.began, abs=0.15)
    assert second.began - first.ended >= LATE


@pytest.mark.row(21)
async def test_a_late_answer_is_never_matched_with_the_next_request(stage: Stage) -> None:
    """The server works on after the client has given up, and refuses the repeat until it has finished."""
    stage.histories.paced = False
    stage.patience = IMPATIENT
    stage.fail(Delay(0.6))
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"confirmed": 10} == counts(report)
    assert report.busy >= 1


@pytest.mark.row(28)
async def test_many_lost_answers_in_a_row_leave_the_rows_unknown(stage: Stage) -> None:
    stage.fail(ApplyThenClose(), times=3)
    voiso = await stage.client(doubt_attempts=3)
    report = await voiso.leads.add(3, phones(10))
    assert {"unknown": 10} == counts(report)
    assert 3 == len(stage.histories.attempts)
    again = await voiso.leads.add(3, phones(10))
    assert {"confirmed": 10} == counts(again)


async def test_two_batches_without_an_answer_stop_the_lane(stage: Stage) -> None:
    stage.fail(ApplyThenReset(), times=100)
    voiso = await stage.client(doubt_attempts=2, max_rows=10)
    with pytest.raises(ConnectionLostError) as caught:
        await voiso.leads.add(3, phones(30))
    assert {"unknown": 20, "not_sent": 10} == counts(report_in(caught.value))
    assert "in_doubt" == caught.value.proof


@pytest.mark.row(32)
async def test_under_the_policy_report_nothing_is_sent_twice(stage: Stage) -> None:
    stage.fail(ApplyThenClose())
    voiso = await stage.client(on_doubt="report", max_rows=10)
    report = await voiso.leads.add(3, phones(20))
    assert {"unknown": 10, "created": 10} == counts(report)
    assert [10, 10] == stage.sizes


@pytest.mark.row(26)
async def test_a_connection_is_never_used_twice_for_leads(stage: Stage) -> None:
    """An idle connection that the server closes during the cooldown can lose nothing."""
    stage.fail(CloseIdle(), times=3)
    voiso = await stage.client(max_rows=10)
    report = await voiso.leads.add(3, phones(30))
    assert {"created": 30} == counts(report)
    assert [10, 10, 10] == stage.sizes
    assert 3 == len({post.connection for post in stage.histories.posts})


@pytest.mark.row(59)
async def test_json_under_another_content_type_is_an_answer(stage: Stage) -> None:
    stage.fail(WrongType())
    voiso = await stage.client()
    report = await voiso.leads.add(3, phones(10))
    assert {"created": 10} == counts(report)
    assert [10] == stage.sizes


@pytest.mark.row(56)
async def test_the_rate_of_requests_in_an_outage_is_bounded(stage: Stage) -> None:
    stage.fail(Status(503), times=1000)
    voiso = await stage.client(doubt_backoff=0.05, doubt_backoff_longest=0.4, doubt_attempts=4, max_rows=10)
    began = time.monotonic()
    with pytest.raises(ServerError) as caught:
        await voiso.leads.add(3, phones(30))
    assert 8 == len(stage.histories.attempts)
    assert time.monotonic() - began >= 2 * (0.05 + 0.1 + 0.2)
    assert {"unknown": 20, "not_sent": 10} == counts(report_in(caught.value))


@pytest.mark.row(57)
@pytest.mark.parametrize("fault", [Stall(), Status(503)], ids=["silent", "failing"])
async def test_an_outage_of_one_campaign_leaves_the_others_alone(stage: Stage, fault: Fault) -> None:
    """Campaign 3 gets no answer, or waits an hour after a failure, until campaign 4 has everything."""
    stage.sandbox.add_campaign(id=4, name="Winter")
    stage.fail(fault)
    voiso = await stage.client(max_rows=10, doubt_backoff=3600, doubt_backoff_longest=3600)
    slow = asyncio.ensure_future(voiso.leads.add(3, phones(10))._whole())
    await eventually(lambda: stage.histories.posts)
    assert {"created": 50} == counts(await voiso.leads.add(4, phones(50, 500)))
    assert not slow.done()
    slow.cancel()
    await voiso.aclose(grace=0)


@pytest.mark.parametrize("seconds", [0.0, 0.2])
async def test_no_foreign_error_leaves_an_ingestion(stage: Stage, seconds: float) -> None:
    stage.patience = 0.1
    for fault in (Stall(seconds=seconds), Garbage(), ApplyThenReset(), Huge(), Truncate(9, "none")):
        stage.fail(fault)
        voiso: VoisoClient = await stage.client(doubt_backoff=LATE, doubt_attempts=1, max_rows=1)
        report = await voiso.leads.add(3, phones(1))
        assert {"unknown": 1} == counts(report), fault
