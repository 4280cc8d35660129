"""Records in bulk over real HTTP: every row exactly one outcome, and nothing claimed without proof."""

from typing import Any

import pytest
from attrs import evolve
from report_in import report_in
from talkdesk_stage import BULKS, LANE, check_report, client_of, counts, odd, people, posts

from voiso_async import (
    BadRequestError,
    Outcome,
    RateLimitError,
    ServerError,
)
from voiso_async.sandbox import (
    ApplyThenClose,
    ApplyThenReset,
    CloseAfterHeaders,
    Garbage,
    Html,
    Json,
    Refuse,
    Sandbox,
    Status,
    Truncate,
)
from voiso_async.sandbox.talkdesk.account import TalkdeskList
from voiso_async.talkdesk import Record

LOST = [
    ApplyThenClose(),
    ApplyThenClose(first=30),
    ApplyThenReset(first=99),
    CloseAfterHeaders(),
    Refuse(),
    Garbage(apply=True),
    Truncate(40),
    Html(200, apply=True),
    Status(503),
    Status(500, apply=True),
    Json({"total_created": 100, "has_errors": False}, status=201, apply=True),
]


@pytest.fixture
def target(voiso_sandbox: Sandbox) -> TalkdeskList:
    return voiso_sandbox.talkdesk.add_list(name="Spring")


async def test_records_arrive_a_hundred_at_a_time(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, iter(people(950)))
        again = await talkdesk.record_lists.add(target.id, people(2))
    assert ({"created": 950}, 10, 10, True) == (counts(report), report.batches, report.attempts, report.ok)
    assert ({"duplicate": 2}, True) == (counts(again), again.ok)
    assert (11, 950) == (posts(voiso_sandbox), len(target.records))
    assert all(
        one.headers["content-type"] == "application/hal+json" for one in voiso_sandbox.history if one.applied
    )


async def test_each_kind_of_row_has_its_outcome(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    records: list[Any] = [*people(3), {"phone_number": "x"}, people(1)[0], *people(1, start=5)]
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.record_lists.add(target.id, people(1))
        outcomes = [outcome async for outcome in talkdesk.record_lists.add(target.id, records)]
    by_index = {outcome.index: outcome for outcome in outcomes}
    assert ["duplicate", "created", "created", "invalid", "repeated", "created"] == [
        by_index[index].outcome.value for index in range(6)
    ]
    assert 0 == by_index[4].first


async def test_refused_records_say_why_and_the_others_are_taken(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    def refuse(answer: Any) -> Any:
        for record in answer.get("_embedded", {}).get("records", ())[:2]:
            record["errors"] = ["TIMEZONE_UNMATCHED", "OTHER"]
        return answer

    voiso_sandbox.rules = evolve(voiso_sandbox.rules, decorate=refuse)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(10))
    assert {"created": 8, "rejected": 2} == counts(report)
    problem = report.problems[0]
    assert ("timezone_unmatched", "timezone") == (problem.reason, problem.field)
    assert "TIMEZONE_UNMATCHED, OTHER" in str(problem.detail)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
async def test_after_a_lost_answer_the_same_records_go_again(
    voiso_sandbox: Sandbox, target: TalkdeskList, fault: Any
) -> None:
    voiso_sandbox.faults.add(fault, path=BULKS)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(150))
    check_report(report, target)
    assert report.ok
    assert report.counts[Outcome.CREATED] + report.counts[Outcome.CONFIRMED] == 150 == len(target.records)
    assert 0 == report.counts[Outcome.DUPLICATE]
    bodies = [one.body for one in voiso_sandbox.history if one.path.endswith("bulks") and one.body]
    assert len(bodies) - len(set(bodies)) == (1 if report.doubted and len(bodies) > 2 else 0)
    assert 100 == report.doubted


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
async def test_a_list_that_tells_nothing_apart_is_never_sent_a_record_twice(
    voiso_sandbox: Sandbox, fault: Any
) -> None:
    target = voiso_sandbox.talkdesk.add_list(kind="NOTHING")
    voiso_sandbox.faults.add(fault, path=BULKS)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(150))
    assert {"unknown": 100, "created": 50} == counts(report)
    assert 2 == posts(voiso_sandbox)
    numbers = [record["phone_numbers"][0]["phone_number"] for record in target.records]
    assert len(numbers) == len(set(numbers))


async def test_a_list_of_external_ids_is_sent_again(voiso_sandbox: Sandbox) -> None:
    target = voiso_sandbox.talkdesk.add_list(kind="EXTERNAL")
    records = [
        Record("12015550001", first_name="A", last_name="B", external_provider="crm", external_id=str(number))
        for number in range(20)
    ]
    voiso_sandbox.faults.add(ApplyThenClose(first=5), path=BULKS)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, [*records, records[3]])
    assert {"created": 15, "confirmed": 5, "repeated": 1} == counts(report)
    assert 20 == len(target.records)


async def test_a_list_that_tells_nothing_apart_takes_one_number_twice(voiso_sandbox: Sandbox) -> None:
    target = voiso_sandbox.talkdesk.add_list(kind="NOTHING")
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(3) * 2)
    assert ({"created": 6}, 6) == (counts(report), len(target.records))


async def test_a_record_with_several_numbers_is_not_taken_for_present(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    """One of the numbers may be that of somebody else's record."""
    both = Record("12015550100", first_name="A", last_name="B", phones={"HOME": "12015550000"})
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.record_lists.add(target.id, people(1))
        report = await talkdesk.record_lists.add(target.id, [both])
        assert ({"rejected": 1}, {"not_unique": 1}) == (counts(report), report.reasons)
        voiso_sandbox.faults.add(Status(503), path=BULKS)
        assert {"unknown": 1} == counts(await talkdesk.record_lists.add(target.id, [both]))
    check_report(report, target)


async def test_doubt_is_remembered_for_later_calls(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    lane = evolve(LANE, on_doubt="report")
    voiso_sandbox.faults.add(ApplyThenClose(), path=BULKS)
    async with client_of(voiso_sandbox, lane=lane) as talkdesk:
        first = await talkdesk.record_lists.add(target.id, people(2))
        second = await talkdesk.record_lists.add(target.id, people(3))
    assert ({"unknown": 2}, {"confirmed": 2, "created": 1}) == (counts(first), counts(second))


@pytest.mark.parametrize("kind", ["PHONE_NUMBER", "NOTHING"])
async def test_two_chunks_without_an_answer_are_an_outage(voiso_sandbox: Sandbox, kind: str) -> None:
    target = voiso_sandbox.talkdesk.add_list(kind=kind)
    voiso_sandbox.faults.add(Status(502), path=BULKS, times=float("inf"))
    async with client_of(voiso_sandbox, lane=evolve(LANE, doubt_attempts=2)) as talkdesk:
        with pytest.raises(ServerError, match="two requests in a row") as caught:
            await talkdesk.record_lists.add(target.id, people(250))
    assert {"unknown": 200} == counts(report_in(caught.value))
    assert (4 if kind == "PHONE_NUMBER" else 2) == posts(voiso_sandbox)


BUSY = {"code": "0012001", "message": "slow", "fields": [{"name": "retry-after", "description": "0.01"}]}


@pytest.mark.parametrize(
    "fault", [Status(429, headers={"Retry-After": "0.01"}), Json(BUSY, status=429), Status(429)]
)
async def test_a_busy_answer_proves_that_nothing_was_done(
    voiso_sandbox: Sandbox, target: TalkdeskList, fault: Any
) -> None:
    voiso_sandbox.faults.add(fault, path=BULKS, times=4)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(5))
        assert ({"created": 5}, 4, 0, 5) == (counts(report), report.busy, report.doubted, report.attempts)
        voiso_sandbox.faults.add(fault, path=BULKS, times=5)
        with pytest.raises(RateLimitError, match="was not sent can be added again later") as caught:
            await talkdesk.record_lists.add(target.id, people(5, start=10))
    assert {"not_sent": 5} == counts(report_in(caught.value))
    check_report(report_in(caught.value), target)


@pytest.mark.parametrize(("most", "fewest"), [(99, 5), (30, 10), (1, 250)])
async def test_too_many_records_for_a_request_are_halved(
    voiso_sandbox: Sandbox, target: TalkdeskList, most: int, fewest: int
) -> None:
    odd(voiso_sandbox, max_bulk=most)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(250))
    assert ({"created": 250}, 0) == (counts(report), report.doubted)
    assert fewest <= posts(voiso_sandbox) <= 2 * fewest + 8


async def test_a_server_that_takes_not_even_one_ends_the_call(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    odd(voiso_sandbox, max_bulk=0)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(BadRequestError) as caught:
            await talkdesk.record_lists.add(target.id, people(8))
    assert ("0530936", {"not_sent": 8}) == (caught.value.code, counts(report_in(caught.value)))


async def test_a_request_too_large_in_bytes_is_halved_and_one_record_refused(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    voiso_sandbox.rules = evolve(voiso_sandbox.rules, max_body=1000)
    large = Record("12015559999", first_name="A", last_name="B", extra_data={"x": "y" * 2000})
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, [*people(20), large])
    assert ({"created": 20, "rejected": 1}, {"too_large": 1}) == (counts(report), report.reasons)


async def test_a_full_list_ends_the_call_and_what_went_before_stays(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    odd(voiso_sandbox, capacity=230)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(BadRequestError, match="list is full") as caught:
            await talkdesk.record_lists.add(target.id, people(300))
    assert ("0530911", {"created": 200, "not_sent": 100}) == (caught.value.code, counts(report_in(caught.value)))
    check_report(report_in(caught.value), target)


async def test_the_records_that_spoil_a_request_are_found(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    bad = {"+12015550007", "+12015550042"}
    odd(
        voiso_sandbox,
        poison=lambda record: "no zone" if record["phone_numbers"][0]["phone_number"] in bad else None,
    )
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(150))
    assert {"created": 148, "rejected": 2} == counts(report)
    assert {"12015550007", "12015550042"} == {problem.phone for problem in report.problems}
    assert all("no zone" in str(problem.detail) for problem in report.problems)
    check_report(report, target)


async def test_a_refusal_that_is_not_the_records_fault_ends_the_call(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    odd(voiso_sandbox, poison=lambda _: "unknown upload request")
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(BadRequestError, match="the same records would be refused") as caught:
            await talkdesk.record_lists.add(target.id, people(150))
    assert "unknown upload request" in caught.value.message
    assert "unknown" not in str(caught.value)
    assert {"not_sent": 100} == counts(report_in(caught.value))
    assert posts(voiso_sandbox) <= 4
    check_report(report_in(caught.value), target)


@pytest.mark.parametrize(("forget", "calls"), [(3, 2), (100, 2)])
async def test_records_that_an_answer_leaves_out_ride_once_more(
    voiso_sandbox: Sandbox, target: TalkdeskList, forget: int, calls: int
) -> None:
    odd(voiso_sandbox, forget=forget)
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, people(10))
    left = min(forget, 10)
    assert left == report.counts[Outcome.UNREPORTED] == report.doubted
    assert (calls, {"unaccounted": left}) == (posts(voiso_sandbox), report.reasons)
    check_report(report, target)


async def test_answers_in_another_order_are_matched(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    odd(voiso_sandbox, shuffled=True)
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.record_lists.add(target.id, people(3))
        report = await talkdesk.record_lists.add(target.id, people(5))
    assert ["duplicate"] * 3 + ["created"] * 2 == [outcome.outcome.value for outcome in report.outcomes]


@pytest.mark.parametrize("code", [200, 202, 207])
async def test_any_2xx_with_records_is_their_answer(
    voiso_sandbox: Sandbox, target: TalkdeskList, code: int
) -> None:
    answer = {"_embedded": {"records": [{"phone_number": one.phone_number} for one in people(2)]}}
    voiso_sandbox.faults.add(Json(answer, status=code), method="POST", path=BULKS)
    async with client_of(voiso_sandbox) as talkdesk:
        assert {"created": 2} == counts(await talkdesk.record_lists.add(target.id, people(2)))
    assert 1 == posts(voiso_sandbox)
