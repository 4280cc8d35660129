"""The lane: calls, turns, attempts and outcomes on a virtual clock, checked by three histories."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fake_campaign import (
    FakeCampaigns,
    Fault,
    Post,
    Told,
    busy,
    check,
    check_proof,
    check_told,
    engine,
    lost,
    phones,
    reply,
    status,
    unsent,
    without,
)
from report_in import report_in

from voiso_async._structs import replace
from voiso_async.errors import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    IngestError,
    NotFoundError,
    RateLimitError,
    SourceError,
    UnprocessableEntityError,
    UsageError,
    VoisoError,
)
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation
from voiso_async.models.leads import Lead, LeadUpdate
from voiso_async.wire import Response

pytestmark = pytest.mark.virtual

ADD, UPDATE = Operation.ADD, Operation.UPDATE


def counts(report: IngestReport) -> dict[str, int]:
    return {outcome.value: count for outcome, count in report.counts.items() if count}


async def add(batcher: LeadBatcher, leads: Any, campaign: int = 3, **options: Any) -> IngestReport:
    return await Ingestion(batcher, ADD, campaign, leads, **options)


# Sizes, pace, order


@pytest.mark.row(89)
@pytest.mark.parametrize(
    ("leads", "posts"),
    [(0, []), (1, [1]), (999, [999]), (1000, [1000]), (1001, [1000, 1]), (2001, [1000, 1000, 1])],
)
async def test_leads_leave_in_full_batches_in_order(leads: int, posts: list[int]) -> None:
    server = FakeCampaigns()
    report = await add(engine(server), phones(leads))
    check(server, [report])
    assert posts == [len(post.leads) for post in server.history]
    assert phones(leads) == [phone for post in server.history for phone in post.phones]
    assert leads == report.counts[Outcome.CREATED]


async def test_gap_is_the_cooldown_exactly() -> None:
    server = FakeCampaigns(seconds=0.5)
    report = await add(engine(server), phones(5000))
    starts = [post.began for post in server.history]
    assert [pytest.approx(2.5)] * 4 == [b - a for a, b in itertools.pairwise(starts)]
    assert report.ceiling_share == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("leads", "told"), [(2999, False), (3000, True)])
async def test_a_share_of_the_ceiling_is_told_from_three_full_batches_on(leads: int, *, told: bool) -> None:
    """Only rows that the server answered count: invalid ones had no part in the pace."""
    batcher = engine(FakeCampaigns(seconds=0.5))
    report = await add(batcher, [*phones(leads), *["none"] * 1000])
    assert told is (report.ceiling_share is not None) is (batcher.statuses()[0].ceiling_share is not None)


async def test_calls_that_share_a_campaign_each_have_less_of_the_ceiling() -> None:
    """A call's share is the time that it would have taken alone, divided by the time that it took."""
    batcher = engine(FakeCampaigns(seconds=0.5))
    reports = await asyncio.gather(add(batcher, phones(5000)), add(batcher, phones(5000, 10_000)))
    assert [pytest.approx(0.5, abs=0.05)] * 2 == [report.ceiling_share for report in reports]
    assert 1.0 == pytest.approx(batcher.statuses()[0].ceiling_share or 0, abs=0.01)


@pytest.mark.row(97)
async def test_a_thousand_tasks_with_one_lead_each_leave_in_at_most_two_posts() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    reports = await asyncio.gather(*(add(batcher, [phone]) for phone in phones(1000)))
    check(server, reports)
    assert len(server.history) <= 2
    assert phones(1000) == [report.outcomes[0].phone for report in reports]


async def test_a_single_lead_rides_the_next_batch_of_a_big_import() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    big = asyncio.create_task(add(batcher, phones(10_000)))
    await asyncio.sleep(12)
    sent = len(server.history)
    single = await add(batcher, ["447700900123"])
    assert "447700900123" in server.history[sent].phones
    check(server, [await big, single])


@pytest.mark.row(106)
async def test_calls_share_a_batch_round_robin() -> None:
    server = FakeCampaigns()
    batcher = engine(server, max_rows=10)
    one, two = phones(30), phones(30, start=100)
    reports = await asyncio.gather(add(batcher, one), add(batcher, two))
    check(server, reports)
    assert [5] * 6 == [len(set(post.phones) & set(one)) for post in server.history]


async def test_same_phone_of_two_calls_goes_in_two_batches() -> None:
    """The row is deferred, not its call."""
    server = FakeCampaigns()
    batcher = engine(server)
    shared = phones(1)
    reports = await asyncio.gather(add(batcher, shared + phones(3, 10)), add(batcher, shared + phones(3, 20)))
    check(server, reports)
    assert [7, 1] == [len(post.leads) for post in server.history]
    assert 1 == reports[1].counts[Outcome.DUPLICATE]


@pytest.mark.row(99)
async def test_campaigns_go_side_by_side() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    reports = await asyncio.gather(*(add(batcher, phones(2500), campaign=c) for c in range(1, 11)))
    check(server, reports)
    assert asyncio.get_running_loop().time() < 3 * 2.5 + 1


@pytest.mark.row(100)
async def test_campaign_as_number_and_text_share_a_gate() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    reports = await asyncio.gather(add(batcher, phones(1)), Ingestion(batcher, ADD, "3", phones(1, 5)))
    check(server, reports)


@pytest.mark.row(98)
async def test_two_clients_share_the_gate() -> None:
    server = FakeCampaigns()
    reports = await asyncio.gather(*(add(engine(server), phones(3000, i * 3000)) for i in range(2)))
    check(server, reports)
    assert 6 == len(server.history)


async def test_a_new_run_keeps_what_is_left_of_the_cooldown() -> None:
    server = FakeCampaigns()
    check(server, [await add(engine(server), phones(1))])
    check(server, [await add(engine(server), phones(1, 1))])


async def test_bytes_limit_cuts_a_batch() -> None:
    server = FakeCampaigns()
    leads = [Lead(phone, name="n" * 900) for phone in phones(10)]
    report = await add(engine(server, max_bytes=3000), leads)
    check(server, [report])
    assert 10 == report.counts[Outcome.CREATED]
    assert 3 == max(len(post.leads) for post in server.history)


async def test_adds_and_updates_take_turns() -> None:
    server = FakeCampaigns()
    batcher = engine(server, max_rows=10)
    changes = [LeadUpdate(phone, active=False) for phone in phones(30)]
    reports = await asyncio.gather(add(batcher, phones(30, 100)), Ingestion(batcher, UPDATE, 3, changes))
    check(server, reports)
    assert ["add", "update"] * 3 == [post.operation for post in server.history]


async def test_updates_of_one_phone_go_one_after_the_other() -> None:
    server = FakeCampaigns(members={3: set(phones(1))})
    batcher = engine(server)
    changes = [LeadUpdate(phones(1)[0], priority=p) for p in (1, 2, 3)]
    report = await Ingestion(batcher, UPDATE, 3, changes)
    check(server, [report])
    assert [1, 2, 3] == [post.leads[0]["priority"] for post in server.history]
    assert {"updated": 3} == counts(report)


# Outcomes inside one call


@pytest.mark.row(85)
async def test_repeated_invalid_and_known_leads_have_their_own_outcomes() -> None:
    known, *new = phones(3)
    server = FakeCampaigns(members={3: {known}})
    report = await add(
        engine(server), [known, new[0], "no", f"+{new[0]}", {"phone_number": new[1], "priority": 0}]
    )
    check(server, [report])
    assert {"created": 1, "duplicate": 1, "repeated": 1, "invalid": 2} == counts(report)
    assert 1 == report.outcomes[3].first
    assert ("priority", "out_of_range") == (report.outcomes[4].field, report.outcomes[4].reason)


@pytest.mark.row(87)
async def test_only_a_valid_row_claims_its_phone() -> None:
    server = FakeCampaigns()
    phone = phones(1)[0]
    report = await add(engine(server), [{"phone_number": phone, "priority": "x"}, phone])
    assert ["invalid", "created"] == [outcome.outcome.value for outcome in report.outcomes]


@pytest.mark.row(90)
async def test_all_invalid_sends_nothing() -> None:
    server = FakeCampaigns()
    report = await add(engine(server), ["", "abc", None])
    assert [] == server.history
    assert {"invalid": 3} == counts(report)
    assert not report.ok
    with pytest.raises(IngestError) as caught:
        report.raise_unless_ok()
    assert caught.value.report is report


async def test_without_dedupe_a_repeat_is_the_servers_word() -> None:
    server = FakeCampaigns()
    phone = phones(1)[0]
    report = await add(engine(server), [phone, phone], dedupe=False)
    check(server, [report])
    assert {"created": 1, "duplicate": 1} == counts(report)


async def test_rejected_by_the_server() -> None:
    server = FakeCampaigns(refuses=set(phones(1)))
    report = await add(engine(server), phones(3))
    check(server, [report])
    assert {"created": 2, "rejected": 1} == counts(report)


async def test_large_calls_count_but_keep_only_problems() -> None:
    server = FakeCampaigns()
    report = await add(engine(server), [*phones(1500), "bad"])
    assert () == report.outcomes
    assert [1500] == [problem.index for problem in report.problems]
    assert report.balanced


# Answers that never come


@pytest.mark.row(16)
@pytest.mark.parametrize("applied", [0, 1, None])
async def test_a_lost_answer_is_settled_by_sending_the_same_bytes_again(applied: int | None) -> None:
    """What the first attempt applied is CONFIRMED: never CREATED, never DUPLICATE."""
    server = FakeCampaigns(script=[lost(applied)])
    report = await add(engine(server), phones(3))
    check(server, [report])
    assert server.history[0].leads == server.history[1].leads
    done = 3 if applied is None else applied
    assert done == report.counts[Outcome.CONFIRMED]
    assert 3 - done == report.counts[Outcome.CREATED]
    assert 3 == report.doubted
    assert set(phones(3)) == server.members[3]


async def test_settle_time_doubles_and_then_the_rows_are_unknown() -> None:
    server = FakeCampaigns(script=[lost()] * 5)
    report = await add(engine(server), phones(2))
    check(server, [report])
    gaps = [after.began - before.ended for before, after in itertools.pairwise(server.history)]
    assert [2, 4, 8, 16] == [round(gap, 3) for gap in gaps]
    assert {"unknown": 2} == counts(report)
    assert not report.ok


async def test_two_batches_in_doubt_stop_the_lane() -> None:
    server = FakeCampaigns(script=[lost()] * 10)
    with pytest.raises(ConnectionLostError) as caught:
        await add(engine(server), phones(5000))
    check(server, [report_in(caught.value)])
    assert 10 == len(server.history)
    assert 2000 == report_in(caught.value).counts[Outcome.UNKNOWN]
    assert 2000 <= report_in(caught.value).counts[Outcome.NOT_SENT]


async def test_one_bad_batch_does_not_stop_the_lane() -> None:
    server = FakeCampaigns(script=[lost()] * 5)
    report = await add(engine(server), phones(2000))
    check(server, [report])
    assert {"created": 1000, "unknown": 1000} == counts(report)


@pytest.mark.row(32)
async def test_policy_report_never_sends_twice() -> None:
    server = FakeCampaigns(script=[lost(None)])
    report = await add(engine(server, on_doubt="report"), phones(3))
    check(server, [report])
    assert 1 == len(server.history)
    assert {"unknown": 3} == counts(report)


async def test_doubt_belongs_to_the_phone_for_the_life_of_the_client() -> None:
    """A later call cannot report its lead as a plain duplicate: it may have been ours."""
    server = FakeCampaigns(script=[lost(None)])
    batcher = engine(server, on_doubt="report")
    first = await add(batcher, phones(1))
    second = await add(batcher, phones(1))
    check(server, [first, second])
    assert {"confirmed": 1} == counts(second)


async def test_created_clears_the_doubt() -> None:
    server = FakeCampaigns(script=[lost(0)])
    batcher = engine(server)
    await add(batcher, phones(1))
    assert 0 == batcher.statuses()[0].rows_in_doubt
    assert {"duplicate": 1} == counts(await add(batcher, phones(1)))


@pytest.mark.row(49, 50, 52)
@pytest.mark.parametrize("code", [408, 500, 502, 503, 504, 520, 599])
async def test_server_faults_leave_doubt(code: int) -> None:
    server = FakeCampaigns(script=[status(code, b"<html>oops</html>", apply=True)])
    report = await add(engine(server), phones(2))
    check(server, [report])
    assert {"confirmed": 2} == counts(report)


@pytest.mark.row(54, 58, 60, 67, 68)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"error": "no"}', b'{"leads_import": {}}', b"null"]
)
async def test_a_2xx_without_lists_proves_nothing(body: bytes) -> None:
    server = FakeCampaigns(script=[status(200, body, apply=True)])
    report = await add(engine(server), phones(2))
    assert {"confirmed": 2} == counts(report)


@pytest.mark.row(51)
async def test_503_with_retry_after_is_waited_for() -> None:
    server = FakeCampaigns(script=[status(503, None, {"retry-after": "30"})])
    await add(engine(server), phones(1))
    assert 30 == pytest.approx(server.history[1].began - server.history[0].ended)


@pytest.mark.row(29)
async def test_lost_answer_then_401_leaves_unknown_not_not_sent() -> None:
    server = FakeCampaigns(script=[lost(), status(401, {"error": "Unauthorized"})])
    with pytest.raises(AuthenticationError) as caught:
        await add(engine(server), phones(1500))
    check(server, [report_in(caught.value)])
    assert {"unknown": 1000, "not_sent": 500} == counts(report_in(caught.value))


# Rows that an answer leaves out


@pytest.mark.row(81)
async def test_rows_in_no_list_ride_once_more() -> None:
    server = FakeCampaigns(script=[without(3)])
    report = await add(engine(server), phones(10))
    assert [10, 3] == [len(post.leads) for post in server.history]
    assert {"created": 7, "confirmed": 3} == counts(report)


@pytest.mark.row(81)
async def test_rows_in_no_list_twice_are_unreported() -> None:
    server = FakeCampaigns(script=[without(3), without(3)])
    report = await add(engine(server), phones(10))
    assert {"created": 7, "unreported": 3} == counts(report)
    assert {"unaccounted": 3} == dict(report.reasons)


async def test_rows_in_two_lists_are_conflicting() -> None:
    both = {"leads_import": {"created": phones(1), "duplicates": phones(1)}}
    server = FakeCampaigns(script=[status(200, both), status(200, both)])
    report = await add(engine(server), phones(1))
    assert {"unreported": 1} == counts(report)
    assert {"conflicting": 1} == dict(report.reasons)


@pytest.mark.row(82)
async def test_numbers_that_were_never_sent_are_anomalies() -> None:
    answer = {
        "leads_import": {"created": [*phones(1), "447700900999"], "duplicates": [{"phone_number": 12025550123}]}
    }
    server = FakeCampaigns(script=[status(200, answer)])
    report = await add(engine(server), phones(1))
    assert 2 == report.anomalies
    assert {"created": 1} == counts(report)


async def test_an_update_answered_without_lists_is_unreported_and_not_sent_twice() -> None:
    server = FakeCampaigns(script=[status(204)])
    report = await Ingestion(engine(server), UPDATE, 3, [LeadUpdate(phones(1)[0], active=False)])
    assert {"unreported": 1} == counts(report)
    assert 1 == len(server.history)


# Busy, unsent, too large


@pytest.mark.row(48)
@pytest.mark.parametrize("code", [409, 423, 429])
async def test_busy_costs_no_attempt_and_waits_gently_longer(code: int) -> None:
    server = FakeCampaigns(script=[busy(code)] * 6)
    report = await add(engine(server), phones(3))
    check(server, [report])
    gaps = [after.began - before.ended for before, after in itertools.pairwise(server.history)]
    assert [2, 3, 4.5, 6.75, 10, 10] == [round(gap, 3) for gap in gaps]
    assert {"created": 3} == counts(report)
    assert (6, 0) == (report.busy, report.doubted)


@pytest.mark.row(44)
async def test_busy_obeys_retry_after() -> None:
    server = FakeCampaigns(script=[busy(429, {"retry-after": "7"})])
    await add(engine(server), phones(1))
    assert 7 == pytest.approx(server.history[1].began - server.history[0].ended)


async def test_busy_for_too_long_stops_and_says_who() -> None:
    server = FakeCampaigns(script=[busy()] * 100)
    with pytest.raises(ConflictError, match="another writer is feeding this campaign") as caught:
        await add(engine(server), phones(2))
    check(server, [report_in(caught.value)])
    assert 100 < asyncio.get_running_loop().time() < 125
    assert {"not_sent": 2} == counts(report_in(caught.value))


@pytest.mark.row(46)
async def test_a_day_of_retry_after_gives_up_at_once() -> None:
    server = FakeCampaigns(script=[busy(429, {"retry-after": "86400"})])
    with pytest.raises(RateLimitError) as caught:
        await add(engine(server), phones(1))
    assert 86400 == caught.value.retry_after
    assert asyncio.get_running_loop().time() < 5


async def test_conflict_without_the_vendors_envelope_is_in_doubt() -> None:
    server = FakeCampaigns(script=[status(409, b"<html>", apply=True)])
    assert {"confirmed": 1} == counts(await add(engine(server), phones(1)))


@pytest.mark.row(3)
async def test_unsent_leaves_the_gate_as_it_was_and_is_no_doubt() -> None:
    server = FakeCampaigns(seconds=0, script=[unsent, unsent])
    report = await add(engine(server), phones(2))
    assert {"created": 2} == counts(report)
    assert 0 == report.doubted
    assert asyncio.get_running_loop().time() < 2


async def test_unsent_for_a_minute_stops_the_lane() -> None:
    server = FakeCampaigns(script=[unsent] * 1000)
    with pytest.raises(ConnectError, match="nothing could leave this machine") as caught:
        await add(engine(server), phones(2))
    assert 50 < asyncio.get_running_loop().time() < 70
    assert {"not_sent": 2} == counts(report_in(caught.value))


@pytest.mark.row(41)
async def test_too_large_is_cut_and_goes_on() -> None:
    server = FakeCampaigns(script=[status(413)])
    report = await add(engine(server), phones(100))
    check(server, [report])
    assert {"created": 100} == counts(report)
    assert 100 == sum(len(post.leads) for post in server.history[1:])
    assert 3 <= len(server.history) <= 4


@pytest.mark.row(41)
async def test_one_lead_that_is_too_large_is_rejected() -> None:
    server = FakeCampaigns(script=[status(413)])
    report = await add(engine(server), phones(1))
    assert {"rejected": 1} == counts(report)
    assert {"too_large": 1} == dict(report.reasons)


# Refused batches


def bad_names(lead: dict[str, Any]) -> str | None:
    return "is not allowed" if lead.get("name") == "bad" else None


@pytest.mark.row(33)
async def test_one_poisoned_row_is_found_by_halves() -> None:
    server = FakeCampaigns(poison=bad_names)
    leads = [Lead(phone, name="bad" if i == 137 else "fine") for i, phone in enumerate(phones(500))]
    report = await add(engine(server), leads)
    check(server, [report])
    assert {"created": 499, "rejected": 1} == counts(report)
    assert (137, "server_refused") == (report.problems[0].index, report.problems[0].reason)
    assert "is not allowed" in (report.problems[0].detail or "")
    assert len(server.history) <= 2 * 9 + 2


@pytest.mark.row(34)
async def test_a_row_named_by_the_server_is_tried_first() -> None:
    server = FakeCampaigns(poison=bad_names, name_index=True)
    leads = [Lead(phone, name="bad" if i in (7, 300) else "fine") for i, phone in enumerate(phones(500))]
    report = await add(engine(server), leads)
    check(server, [report])
    assert {"created": 498, "rejected": 2} == counts(report)
    assert [500, 1, 499, 1, 498] == [len(post.leads) for post in server.history]


async def test_the_poisoned_call_does_not_harm_the_others() -> None:
    server = FakeCampaigns(poison=bad_names)
    batcher = engine(server)
    await add(batcher, phones(1, 900))
    calls = [add(batcher, [Lead(phone, name="bad" if i == 3 else "fine")]) for i, phone in enumerate(phones(6))]
    reports = await asyncio.gather(*calls)
    check(server, reports)
    assert ["created"] * 3 + ["rejected"] + ["created"] * 2 == [r.outcomes[0].outcome.value for r in reports]


@pytest.mark.row(33)
async def test_two_parts_refused_alike_mean_the_call_is_at_fault() -> None:
    server = FakeCampaigns(script=[status(422, {"errors": {"campaign": ["type should be live"]}})] * 50)
    with pytest.raises(UnprocessableEntityError, match="type should be live") as caught:
        await add(engine(server), phones(10))
    check(server, [report_in(caught.value)])
    assert 3 == len(server.history)
    assert {"not_sent": 10} == counts(report_in(caught.value))


async def test_poison_in_both_halves_is_found_once_the_server_has_taken_others() -> None:
    """Accepted rows of the same operation show that the cause is in the rows."""
    server = FakeCampaigns(poison=bad_names)
    leads = [Lead(phone, name="bad" if i in (1100, 1900) else "fine") for i, phone in enumerate(phones(2000))]
    report = await add(engine(server), leads)
    check(server, [report])
    assert {"created": 1998, "rejected": 2} == counts(report)


def odd(lead: dict[str, Any]) -> str | None:
    return "no" if int(lead["phone_number"]) % 2 else None


async def test_a_search_that_costs_too_much_ends() -> None:
    """Rows that could not be isolated are REJECTED; accepted parts show that the cause is in the rows."""
    server = FakeCampaigns(poison=lambda lead: odd(lead) if lead["phone_number"] < phones(1, 100)[0] else None)
    batcher = engine(server, max_extra_posts=12, cooldown=0)
    await add(batcher, phones(2, 1000)[:1])
    report = await add(batcher, phones(200))
    check(server, [report], cooldown=0)
    assert 14 == len(server.history)
    assert 100 == report.counts[Outcome.CREATED]
    assert {"not_isolated": 100} == dict(report.reasons)


async def test_a_search_in_which_nothing_was_ever_taken_stops_its_call() -> None:
    server = FakeCampaigns(poison=odd)
    batcher = engine(server, max_extra_posts=12, cooldown=0)
    await add(batcher, phones(2, 1000)[:1])
    with pytest.raises(UnprocessableEntityError) as caught:
        await add(batcher, phones(200))
    check(server, [report_in(caught.value)], cooldown=0)
    assert 14 == len(server.history)
    assert {"not_sent": 200} == counts(report_in(caught.value))


def secretly(apply: int | None) -> Fault:
    """A refusal that stores the first leads all the same."""

    def fault(server: FakeCampaigns, post: Post) -> Response:
        poison, server.poison = server.poison, None
        server.answer(post, apply)
        server.poison = poison
        post.told, post.listed, post.applied = "refused", {}, frozenset()
        return reply(422, {"errors": {"name": ["is not allowed"]}})

    return fault


def one_bad(count: int, at: int) -> list[Lead]:
    return [Lead(phone, name="bad" if i == at else "fine") for i, phone in enumerate(phones(count))]


async def test_a_duplicate_among_the_rows_of_a_refused_batch_is_confirmed() -> None:
    """That a refused call stores nothing is an assumption."""
    server = FakeCampaigns(poison=bad_names, script=[secretly(4)], members={3: set(phones(1, 6))})
    report = await add(engine(server), one_bad(8, 7))
    assert {"created": 2, "confirmed": 5, "rejected": 1} == counts(report)


@pytest.mark.parametrize("between", [status(413), busy(), unsent, lost(0)], ids=["413", "409", "unsent", "lost"])
async def test_however_often_a_part_is_sent_it_stays_one_of_a_refused_batch(between: Fault) -> None:
    server = FakeCampaigns(poison=bad_names, script=[None, between], members={3: set(phones(2))})
    report = await add(engine(server), one_bad(8, 7))
    check(server, [report])
    assert {"created": 5, "confirmed": 2, "rejected": 1} == counts(report)


@pytest.mark.parametrize("between", [status(413), busy(), unsent], ids=["413", "409", "unsent"])
async def test_a_batch_that_was_not_taken_at_all_leaves_duplicates_certain(between: Fault) -> None:
    server = FakeCampaigns(script=[between], members={3: set(phones(2))})
    report = await add(engine(server), phones(8))
    check(server, [report])
    assert {"created": 6, "duplicate": 2} == counts(report)


async def test_a_refusal_belongs_to_the_phone_until_an_answer_clears_it() -> None:
    """Also for the next call, and after the stop of a lane whose refusals had a common cause."""
    server = FakeCampaigns(poison=lambda _: "is not allowed")
    batcher = engine(server)
    with pytest.raises(UnprocessableEntityError):
        await add(batcher, phones(4))
    server.poison, server.members = None, {3: set(phones(2))}
    again = await add(batcher, phones(4))
    assert {"created": 2, "confirmed": 2} == counts(again)
    assert 0 == batcher.statuses()[0].rows_in_doubt
    third = await add(batcher, phones(4))
    check(server, [again, third])
    assert ["confirmed", "confirmed", "duplicate", "duplicate"] == [o.outcome for o in third.outcomes]


async def test_a_refused_update_makes_no_duplicate_uncertain() -> None:
    """An update creates nothing."""
    server = FakeCampaigns(script=[status(422, {"errors": {"priority": ["no"]}})], members={3: set(phones(1))})
    batcher = engine(server)
    await Ingestion(batcher, UPDATE, 3, [LeadUpdate(phones(1)[0], priority=1)])
    assert {"duplicate": 1} == counts(await add(batcher, phones(1)))


async def test_a_bisection_and_waiting_calls_take_turns() -> None:
    server = FakeCampaigns(poison=bad_names)
    batcher = engine(server, max_rows=100)
    leads = [Lead(phone, name="bad" if i == 50 else "fine") for i, phone in enumerate(phones(1000))]
    report = await add(batcher, leads)
    check(server, [report])
    sizes = [len(post.leads) for post in server.history]
    assert [100, 50, 100, 50, 100] == sizes[:5]
    assert {"created": 999, "rejected": 1} == counts(report)


# Refusals that no repeat would mend


@pytest.mark.row(36, 38, 39, 40)
@pytest.mark.parametrize("code", [301, 308, 401, 403, 404, 405, 406, 410, 414, 415, 431, 451])
async def test_fatal_stops_after_one_request(code: int) -> None:
    server = FakeCampaigns(script=[status(code, {"error": "no"})])
    with pytest.raises(APIError) as caught:
        await add(engine(server), phones(3000))
    check(server, [report_in(caught.value)])
    assert 1 == len(server.history)
    assert caught.value.status == code
    assert {"not_sent"} == set(counts(report_in(caught.value)))


@pytest.mark.row(37)
async def test_key_revoked_in_mid_run_keeps_what_is_final() -> None:
    server = FakeCampaigns(script=[None] * 4 + [status(401, {"error": "Unauthorized"})])
    with pytest.raises(AuthenticationError) as caught:
        await add(engine(server), phones(10_000))
    assert 4000 == report_in(caught.value).counts[Outcome.CREATED]
    assert report_in(caught.value).balanced


async def test_each_call_gets_its_own_error_and_report() -> None:
    server = FakeCampaigns(script=[status(404, {"error": "Not found"})])
    batcher = engine(server)
    results = await asyncio.gather(add(batcher, phones(1)), add(batcher, phones(2, 10)), return_exceptions=True)
    assert all(isinstance(result, NotFoundError) for result in results)
    assert results[0] is not results[1]
    assert [1, 2] == [report_in(result).rows for result in results if isinstance(result, VoisoError)]


async def test_an_update_refused_with_404_names_the_verb_and_spares_the_adds() -> None:
    server = FakeCampaigns(script=[None, status(404, {"error": "Not found"})])
    batcher = engine(server)
    results = await asyncio.gather(
        add(batcher, phones(2500)),
        Ingestion(batcher, UPDATE, 3, [LeadUpdate(phones(1, 9000)[0], active=False)])._whole(),
        return_exceptions=True,
    )
    assert isinstance(results[0], IngestReport)
    assert isinstance(results[1], NotFoundError)
    assert "update_verb" in str(results[1])
    check(server, [results[0], report_in(results[1])])


async def test_the_next_call_starts_afresh_after_a_stop() -> None:
    server = FakeCampaigns(script=[status(403, {"error": "Forbidden"})])
    batcher = engine(server)
    with pytest.raises(APIError):
        await add(batcher, phones(1))
    assert "stopped" == batcher.statuses()[0].state
    assert "403" in (batcher.statuses()[0].reason or "")
    assert {"created": 1} == counts(await add(batcher, phones(1)))
    assert "idle" == batcher.statuses()[0].state


async def test_a_defect_in_the_engine_still_resolves_every_call() -> None:
    server = FakeCampaigns(script=[lambda *_: ZeroDivisionError("bug")])
    with pytest.raises(IngestError, match="ZeroDivisionError") as caught:
        await add(engine(server), phones(1500))
    assert {"unknown": 1000, "not_sent": 500} == counts(report_in(caught.value))


# Callers who leave


@pytest.mark.row(103)
async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    gone = Ingestion(batcher, ADD, 3, phones(3000))
    task = asyncio.create_task(gone._whole())
    other = asyncio.create_task(add(batcher, phones(10, 5000)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone.report.balanced
    assert gone.report.counts[Outcome.UNKNOWN] == len(set(server.history[0].phones) & set(phones(3000)))
    report = await other
    check(server, [report, gone.report])
    assert {"created": 10} == counts(report)
    assert 0 == gone.report.counts[Outcome.UNKNOWN]


@pytest.mark.row(101)
async def test_a_cancelled_post_in_flight_goes_on_and_keeps_the_gate() -> None:
    server = FakeCampaigns(seconds=5)
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, phones(1)))
    await asyncio.sleep(1)
    task.cancel()
    report = await add(batcher, phones(1, 1))
    check(server, [report])
    assert set(phones(2)) == server.members[3]


async def test_rows_of_a_cancelled_call_are_left_out_of_the_repeat() -> None:
    server = FakeCampaigns(script=[lost(0)])
    batcher = engine(server)
    gone = Ingestion(batcher, ADD, 3, phones(5))
    task = asyncio.create_task(gone._whole())
    stays = asyncio.create_task(add(batcher, phones(5, 10)))
    await asyncio.sleep(0.1)
    task.cancel()
    report = await stays
    check(server, [report, gone.report])
    assert set(phones(5, 10)) == set(server.history[1].phones)
    assert {"unknown": 5} == counts(gone.report)


@pytest.mark.row(109, 110)
@pytest.mark.parametrize("moment", [0.0, 0.2, 0.6, 1.5, 2.4, 2.6, 3.1])
async def test_cancelled_at_any_moment_the_report_balances(moment: float) -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    gone = Ingestion(batcher, ADD, 3, phones(2500))
    task = asyncio.create_task(gone._whole())
    await asyncio.sleep(moment)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gone.report.balanced
    await batcher.aclose()
    check(server, [gone.report])


REFUSING = {
    "429": busy(429),
    "409": busy(),
    "429, a minute": busy(429, {"retry-after": "60"}),
    "413": status(413),
    "422": status(422, {"errors": {"name": ["is bad"]}}),
    "unsent": unsent,
}
"""The ends of an attempt that provably did nothing; afterwards its rows wait to be sent again."""


async def leave_after(server: FakeCampaigns, way: str, moment: float, count: int = 5) -> tuple[Told, Ingestion]:
    """Cancel a call at some moment, while another keeps the lane busy; then wait for the end of both."""
    batcher = engine(server)
    late = moment - asyncio.get_running_loop().time()
    gone = Ingestion(batcher, ADD, 3, phones(count), timeout=late if way == "deadline" else None)
    leaving = asyncio.create_task(gone._whole())
    staying = asyncio.create_task(add(batcher, phones(count, 5000)))
    await asyncio.sleep(late)
    if way == "cancelled":
        leaving.cancel()
    elif way == "closed":
        await batcher.aclose(grace=0)
    ended = (await asyncio.gather(leaving, return_exceptions=True))[0]
    told = Told.now(getattr(ended, "report", None) or gone.report)
    await asyncio.gather(staying, return_exceptions=True)
    await batcher.aclose()
    check(server, [gone.report])
    check_told(server, told)
    return told, gone


WAYS = ["cancelled", "deadline", "closed"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", [0.6, 1.5])
@pytest.mark.parametrize("refusing", REFUSING.values(), ids=REFUSING)
async def test_rows_that_wait_to_go_again_are_not_sent_once_their_caller_has_left(
    refusing: Fault, way: str, moment: float
) -> None:
    """And they are never sent: neither in the repeat, nor in a part of a batch that was too large or refused."""
    server = FakeCampaigns(script=[refusing])
    moment = 0.55 if refusing is unsent else moment  # it is sent again at once
    told, gone = await leave_after(server, way, moment)
    assert {"not_sent": 5} == counts(told.report) == counts(gone.report)
    assert gone._submission is not None
    assert gone._submission.done, "nothing more can become of it"


@pytest.mark.parametrize("way", WAYS)
async def test_rows_that_were_doubted_before_they_were_refused_stay_unknown(way: str) -> None:
    server = FakeCampaigns(script=[lost(2), busy()])
    told, gone = await leave_after(server, way, 4.0)
    assert {"unknown": 5} == counts(told.report) == counts(gone.report)


@pytest.mark.parametrize("way", WAYS)
async def test_rows_that_an_answer_left_out_are_unknown_once_their_caller_has_left(way: str) -> None:
    server = FakeCampaigns(script=[without(4)])  # two of each call
    told, gone = await leave_after(server, way, 1.5)
    assert {"created": 3, "unknown": 2} == counts(told.report) == counts(gone.report)


@pytest.mark.parametrize("refusing", REFUSING.values(), ids=REFUSING)
async def test_a_post_in_flight_that_is_refused_settles_the_rows_of_who_left(refusing: Fault) -> None:
    """Not when the lane reaches them again, which may be a minute later."""
    server = FakeCampaigns(script=[refusing])
    batcher = engine(server)
    gone = Ingestion(batcher, ADD, 3, phones(5))
    task = asyncio.create_task(gone._whole())
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.sleep(0)
    assert {"unknown": 5} == counts(gone.report)
    await asyncio.sleep(0.31)
    told = Told.now(gone.report)
    assert {"not_sent": 5} == counts(told.report)
    report = await add(batcher, phones(5, 5000))
    check(server, [report, gone.report])
    check_told(server, told)


@pytest.mark.parametrize("way", WAYS)
async def test_of_a_search_only_the_part_in_flight_is_unknown(way: str) -> None:
    """Halves of a refused batch wait for their turn: they are provably not applied."""
    server = FakeCampaigns(script=[None, lost(None)], poison=bad_names)
    batcher = engine(server)
    leads = [Lead(phone, name="bad" if at == 3 else None) for at, phone in enumerate(phones(8))]
    gone = Ingestion(batcher, ADD, 3, leads, timeout=2.7 if way == "deadline" else None)
    task = asyncio.create_task(gone._whole())
    await asyncio.sleep(2.7)
    if way == "cancelled":
        task.cancel()
    elif way == "closed":
        await batcher.aclose(grace=0)
    await asyncio.gather(task, return_exceptions=True)
    told = Told.now(gone.report)
    assert {"unknown": 4, "not_sent": 4} == counts(told.report)
    await asyncio.sleep(60)
    await batcher.aclose()
    check(server, [gone.report])
    check_told(server, told)
    assert counts(told.report) == counts(gone.report)


async def test_deadline_raises_with_a_report() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    with pytest.raises(DeadlineExceededError) as caught:
        await add(batcher, phones(5000), timeout=4)
    assert 4 == pytest.approx(asyncio.get_running_loop().time())
    assert report_in(caught.value).balanced
    assert 2000 == report_in(caught.value).counts[Outcome.CREATED]


@pytest.mark.row(14)
async def test_a_deadline_in_the_past_opens_nothing() -> None:
    server = FakeCampaigns()
    with pytest.raises(DeadlineExceededError):
        await add(engine(server), phones(1), timeout=0)
    await asyncio.sleep(5)
    assert [] == server.history


async def test_leaving_the_context_withdraws_what_was_not_sent() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    async with Ingestion(batcher, ADD, 3, phones(3000)) as ingestion:
        async for outcome in ingestion:
            assert Outcome.CREATED is outcome.outcome
            break
    await batcher.aclose()
    assert ingestion.report.balanced
    assert 0 < ingestion.report.counts[Outcome.NOT_SENT]
    assert len(server.history) <= 2


# Streams


async def test_outcomes_come_as_they_are_known() -> None:
    server = FakeCampaigns()
    loop = asyncio.get_running_loop()
    seen = [(outcome.index, loop.time()) async for outcome in Ingestion(engine(server), ADD, 3, phones(2500))]
    assert list(range(2500)) == [index for index, _ in seen]
    assert [0.5, 3.0, 5.5] == sorted({round(at, 3) for _, at in seen})


async def test_a_consumer_that_does_not_read_holds_only_itself() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    slow = Ingestion(batcher, ADD, 3, phones(10_000))
    await anext(slow)
    await asyncio.sleep(60)
    assert len(server.history) <= 4
    fast = await add(batcher, phones(1, 20_000))
    rest = [outcome async for outcome in slow]
    assert 9_999 == len(rest)
    check(server, [fast, slow.report])


async def test_async_sources_are_read_as_they_come() -> None:
    async def trickle() -> AsyncIterator[str]:
        for phone in phones(3):
            yield phone
            await asyncio.sleep(10)

    server = FakeCampaigns()
    report = await add(engine(server), trickle())
    check(server, [report])
    assert [pytest.approx(0.02), pytest.approx(10.02), pytest.approx(20.02)] == [p.began for p in server.history]


async def test_a_quick_async_source_fills_the_batch() -> None:
    async def quick() -> AsyncIterator[str]:
        for phone in phones(2000):
            await asyncio.sleep(0)
            yield phone

    server = FakeCampaigns()
    await add(engine(server), quick())
    assert [1000, 1000] == [len(post.leads) for post in server.history]


async def test_a_source_is_read_in_its_callers_task_and_at_most_two_batches_ahead() -> None:
    task = asyncio.current_task()
    read = 0

    def source() -> Iterator[str]:
        nonlocal read
        for phone in phones(10_000):
            assert task is asyncio.current_task()
            read += 1
            yield phone

    server = FakeCampaigns()

    def ahead(_: Any, post: Any) -> Any:
        assert read <= sum(len(p.leads) for p in server.history) + 2000
        return server.answer(post)

    server.script = [ahead] * 10
    check(server, [await add(engine(server), source())])


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_source_that_raises_ends_its_call_with_everything_said(*, asynchronous: bool) -> None:
    def broken() -> Iterator[str]:
        yield from phones(1500)
        raise LookupError("database gone")

    async def broken_async() -> AsyncIterator[str]:
        for phone in broken():
            yield phone
            await asyncio.sleep(0.002)

    server = FakeCampaigns()
    with pytest.raises(SourceError, match="LookupError") as caught:
        await add(engine(server), broken_async() if asynchronous else broken())
    assert isinstance(caught.value.__cause__, LookupError)
    assert str(caught.value.__cause__) not in str(caught.value)  # it may hold anything
    report = report_in(caught.value)
    check(server, [report])
    assert 1500 == report.rows
    assert 0 == report.counts[Outcome.UNKNOWN]


async def test_a_stop_ends_the_wait_for_a_source() -> None:
    async def endless() -> AsyncIterator[str]:
        yield phones(1)[0]
        await asyncio.sleep(10_000)

    server = FakeCampaigns(script=[status(403, {"error": "Forbidden"})])
    with pytest.raises(APIError):
        await add(engine(server), endless())
    assert asyncio.get_running_loop().time() < 5


# What an error proves

DOUBTED = [lost(0)]
LATER_UNSENT, LATER_BUSY = [unsent] * 99, [busy()] * 99


@pytest.mark.parametrize("doubt", [True, False])
@pytest.mark.parametrize(
    ("later", "kind", "proof"),
    [
        (LATER_UNSENT, ConnectError, "not_sent"),
        (LATER_BUSY, ConflictError, "refused"),
        ([busy(429, {"retry-after": "9999"})], RateLimitError, "refused"),
        ([status(401, {"error": "Unauthorized"})], AuthenticationError, "refused"),
        ([status(403)], APIError, "refused"),
    ],
    ids=["unsent", "busy", "told to come tomorrow", "401", "403"],
)
async def test_what_an_error_proves_is_what_its_report_says(
    later: list[Fault], kind: type[VoisoError], proof: str, *, doubt: bool
) -> None:
    """A refusal does not change that an earlier answer was lost."""
    server = FakeCampaigns(script=[*DOUBTED, *later] if doubt else [*later])
    with pytest.raises(kind) as caught:
        await add(engine(server), phones(2))
    assert {"unknown" if doubt else "not_sent": 2} == counts(report_in(caught.value))
    assert caught.value.proof == ("in_doubt" if doubt else proof)
    check_proof(caught.value)


async def test_of_one_stop_each_call_learns_what_it_proves_for_its_own_leads() -> None:
    """Two batches without an answer are an outage: a call with rows in neither has no row in doubt."""
    server = FakeCampaigns(script=[lost(0)] * 2)
    batcher = engine(server, max_rows=2, doubt_attempts=1)
    early = asyncio.create_task(add(batcher, phones(4)))
    await asyncio.sleep(2.6)  # the second batch is in flight
    errors = await asyncio.gather(early, add(batcher, phones(4, 100)), return_exceptions=True)
    assert [ConnectionLostError] * 2 == [type(error) for error in errors]
    told = [(counts(report_in(error)), error.proof) for error in errors if isinstance(error, VoisoError)]
    assert [({"unknown": 4}, "in_doubt"), ({"not_sent": 4}, "not_sent")] == told


@pytest.mark.parametrize(("moment", "proof"), [(0.2, "in_doubt"), (1.0, "not_sent"), (3.0, "in_doubt")])
async def test_a_deadline_proves_what_its_report_says(moment: float, proof: str) -> None:
    """In flight, then busy, then in flight again."""
    with pytest.raises(DeadlineExceededError) as caught:
        await add(engine(FakeCampaigns(script=[busy()], seconds=0.8)), phones(2), timeout=moment)
    assert caught.value.proof == proof
    check_proof(caught.value)


@pytest.mark.parametrize(("moment", "proof"), [(0.2, "in_doubt"), (1.0, "not_sent")])
async def test_a_close_proves_what_its_report_says(moment: float, proof: str) -> None:
    batcher = engine(FakeCampaigns(script=[busy()], seconds=0.8))
    task = asyncio.create_task(add(batcher, phones(2)))
    await asyncio.sleep(moment)
    await batcher.aclose(grace=0)
    with pytest.raises(ClientClosedError) as caught:
        await task
    assert caught.value.proof == proof
    check_proof(caught.value)


@pytest.mark.parametrize(
    ("fault", "proof"), [(None, "not_sent"), (lost(0), "in_doubt"), (status(200, {}), "in_doubt")]
)
async def test_a_source_that_raises_proves_what_its_report_says(fault: Fault | None, proof: str) -> None:
    async def breaking() -> AsyncIterator[str]:
        yield phones(1)[0]
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(SourceError) as caught:
        await add(engine(FakeCampaigns(script=[fault])), breaking())
    assert caught.value.proof == proof
    check_proof(caught.value)


@pytest.mark.parametrize(
    ("script", "outcomes", "proof"),
    [
        ([], {"rejected": 1, "created": 1}, "refused"),
        ([without(2)] * 2, {"unreported": 2}, "in_doubt"),
        ([lost(0)] * 5, {"unknown": 2}, "in_doubt"),
    ],
    ids=["rejected", "unreported", "unknown"],
)
async def test_raise_unless_ok_proves_what_its_report_says(
    script: list[Fault | None], outcomes: dict[str, int], proof: str
) -> None:
    report = await add(engine(FakeCampaigns(script=script, refuses=set(phones(1)))), phones(2))
    assert outcomes == counts(report)
    with pytest.raises(IngestError) as caught:
        report.raise_unless_ok()
    assert caught.value.report is report
    assert caught.value.proof == proof


# Closing


@pytest.mark.row(115)
async def test_close_lets_buffered_rows_go_within_the_grace() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, phones(1500)))
    await asyncio.sleep(0.1)
    await batcher.aclose(grace=30)
    report = await task
    check(server, [report])
    assert {"created": 1500} == counts(report)


@pytest.mark.row(115)
async def test_close_after_the_grace_cancels_the_post_in_flight() -> None:
    server = FakeCampaigns(seconds=100)
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, phones(1500)))
    await asyncio.sleep(0.1)
    await batcher.aclose(grace=3)
    with pytest.raises(ClientClosedError) as caught:
        await task
    check(server, [report_in(caught.value)])
    assert {"unknown": 1000, "not_sent": 500} == counts(report_in(caught.value))


RETRY_AFTER = busy(429, {"retry-after": "59"})


async def gone(batcher: LeadBatcher, *, by: str) -> Ingestion:
    """A call that ends a second after its start."""
    call = Ingestion(batcher, ADD, 3, phones(5), timeout=1 if by == "deadline" else None)
    task = asyncio.ensure_future(call._whole())
    await asyncio.sleep(1)
    if by == "cancellation":
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return call


@pytest.mark.row(115)
@pytest.mark.parametrize("by", ["deadline", "cancellation"])
@pytest.mark.parametrize(
    "script",
    [[RETRY_AFTER], [unsent] * 20, [lost()] * 2, [status(503, None, {"retry-after": "59"})], [status(413)]],
)
async def test_close_waits_for_no_turn_that_nobody_wants(script: list[Any], by: str) -> None:
    """The caller has left, and with it every row that would be sent again once the gate opens."""
    server = FakeCampaigns(seconds=0, script=script)
    batcher = engine(server)
    call = await gone(batcher, by=by)
    began = asyncio.get_running_loop().time()
    await batcher.aclose(grace=30)
    assert began == asyncio.get_running_loop().time()
    check(server, [call.report])


@pytest.mark.row(115)
async def test_close_ends_when_the_last_one_who_waits_for_a_turn_goes() -> None:
    server = FakeCampaigns(script=[RETRY_AFTER])
    batcher = engine(server)
    calls = [asyncio.create_task(add(batcher, phones(5, 10 * number))) for number in range(3)]
    await asyncio.sleep(1)
    closing = asyncio.create_task(batcher.aclose(grace=30))
    for call in calls:
        await asyncio.sleep(3)
        assert not closing.done()
        call.cancel()
    await closing
    assert 10 == asyncio.get_running_loop().time()


@pytest.mark.row(115)
async def test_close_waits_for_a_turn_that_somebody_wants() -> None:
    server = FakeCampaigns(script=[busy(429, {"retry-after": "9"})])
    batcher = engine(server)
    gone_ = asyncio.create_task(add(batcher, phones(5)))
    stays = asyncio.create_task(add(batcher, phones(5, 10)))
    await asyncio.sleep(1)
    gone_.cancel()
    await batcher.aclose(grace=30)
    report = await stays
    check(server, [report])
    assert {"created": 5} == counts(report)


@pytest.mark.row(115)
async def test_close_waits_for_the_post_in_flight_whoever_has_gone() -> None:
    server = FakeCampaigns(seconds=20)
    batcher = engine(server)
    call = await gone(batcher, by="cancellation")
    await batcher.aclose(grace=30)
    assert 20 == asyncio.get_running_loop().time()
    assert {"created": 5} == counts(call.report)


@pytest.mark.row(115)
async def test_close_does_not_sit_out_a_quiet_that_nobody_waits_for() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    batcher._parts = replace(batcher._parts, backoff=lambda: asyncio.sleep(59))
    call = await gone(batcher, by="cancellation")
    await batcher.aclose(grace=30)
    assert 1 == asyncio.get_running_loop().time()
    assert {"not_sent": 5} == counts(call.report)
    assert [] == server.history


async def test_a_call_that_comes_as_the_last_one_goes_is_sent() -> None:
    """The wait for the gate ends with the one call and starts again with the other."""
    server = FakeCampaigns(script=[RETRY_AFTER])
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, phones(5)))
    await asyncio.sleep(1)
    task.cancel()
    for number in range(4):
        await asyncio.sleep(0)
        report = Ingestion(batcher, ADD, 3, phones(1, 10 * number + 10))
        assert (await report).ok
    assert [1, 1, 1, 1] == [len(post.leads) for post in server.history[1:]]


async def test_close_reads_sources_no_further() -> None:
    async def endless() -> AsyncIterator[str]:
        for phone in phones(100_000):
            yield phone
            await asyncio.sleep(0.01)

    server = FakeCampaigns()
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, endless()))
    await asyncio.sleep(5)
    await batcher.aclose()
    with pytest.raises(ClientClosedError) as caught:
        await task
    check(server, [report_in(caught.value)])
    assert report_in(caught.value).rows == report_in(caught.value).counts[Outcome.CREATED]


@pytest.mark.row(116)
async def test_after_close_nothing_begins() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    await batcher.aclose()
    await batcher.aclose()
    with pytest.raises(ClientClosedError):
        await add(batcher, phones(1))
    assert [] == server.history


async def test_close_settles_calls_whose_outcomes_nobody_reads() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    slow = Ingestion(batcher, ADD, 3, phones(10_000))
    await anext(slow)
    await asyncio.sleep(60)
    await batcher.aclose()
    check(server, [slow.report])
    with pytest.raises(ClientClosedError):
        async for _ in slow:
            pass


async def test_an_iteration_left_without_its_context_withdraws_too() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    async for _ in Ingestion(batcher, ADD, 3, phones(10_000)):
        break
    await asyncio.sleep(60)
    assert len(server.history) <= 2
    assert 0 == batcher.statuses()[0].rows_waiting


async def test_unsent_then_busy_is_two_waits_and_not_one() -> None:
    """Each counts from its own first attempt."""
    server = FakeCampaigns(script=[*([unsent] * 8), *([busy()] * 9)])
    report = await add(engine(server), phones(1))
    assert {"created": 1} == counts(report)


# Usage


@pytest.mark.parametrize(
    "leads", ["441632960123", {"phone_number": "441632960123"}, Lead("441632960123"), None, 5]
)
def test_a_single_lead_must_stand_in_a_list(leads: Any) -> None:
    async def post(*_: Any) -> Any:
        return reply(500)

    with pytest.raises(ConfigurationError, match="put a single lead into a list"):
        Ingestion(LeadBatcher(post, None, None), ADD, 3, leads)  # type: ignore[arg-type]


class Shut:
    """A source that cannot be opened."""

    def __iter__(self) -> Iterator[str]:
        raise LookupError("441632960123")


class ShutAsync:
    def __aiter__(self) -> AsyncIterator[str]:
        raise LookupError("441632960123")


class Unending:
    def __iter__(self) -> int:
        return 5


@pytest.mark.parametrize("leads", [Shut(), ShutAsync(), Unending()])
def test_a_source_that_cannot_be_opened_is_named_at_once(leads: Any) -> None:
    with pytest.raises(SourceError, match="when it was opened; nothing was sent") as caught:
        Ingestion(LeadBatcher(None, None, None), ADD, 3, leads)  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, LookupError | TypeError)
    assert "441632960123" not in str(caught.value)


@pytest.mark.parametrize(
    "campaign", ["../users", "3?x", "3#y", "%2e%2e", "3/leads", "", -1, 0, True, 10**400, None]
)
def test_hostile_campaign_ids_are_refused(campaign: Any) -> None:
    with pytest.raises(ConfigurationError, match="campaign_id"):
        Ingestion(LeadBatcher(None, None, None), ADD, campaign, [])  # type: ignore[arg-type]


async def test_an_ingestion_is_used_once() -> None:
    ingestion = Ingestion(engine(FakeCampaigns()), ADD, 3, phones(1))
    await ingestion
    with pytest.raises(UsageError):
        await ingestion


async def test_lanes_tell_how_they_stand() -> None:
    server = FakeCampaigns()
    batcher = engine(server)
    task = asyncio.create_task(add(batcher, phones(2500)))
    await asyncio.sleep(0.1)
    assert "sending" == batcher.statuses()[0].state
    await asyncio.sleep(1.4)
    status_now = batcher.statuses()[0]
    assert ("waiting", 1500) == (status_now.state, status_now.rows_waiting)
    assert 1.0 == pytest.approx(status_now.opens_in)
    await task
