"""How additions of records end early, and beside each other: the report is full in every case."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from raw_server import closed_port
from report_in import report_in
from talkdesk_stage import BULKS, check_report, client_of, counts, odd, people, posts, tokens

from voiso_async import (
    ConnectError,
    DeadlineExceededError,
    IngestReport,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    SourceError,
    UsageError,
    VoisoError,
)
from voiso_async.sandbox import Sandbox, Stall
from voiso_async.sandbox.talkdesk.account import TalkdeskList
from voiso_async.talkdesk import Record


@pytest.fixture
def target(voiso_sandbox: Sandbox) -> TalkdeskList:
    return voiso_sandbox.talkdesk.add_list(name="Spring")


async def test_a_missing_scope_or_list_ends_the_call(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        known = await talkdesk.record_lists.get(target.id)
        voiso_sandbox.talkdesk.scopes.discard("record-lists:manage")
        voiso_sandbox.talkdesk.revoke()
        with pytest.raises(PermissionDeniedError, match="scope record-lists:manage") as denied:
            await talkdesk.record_lists.add(known, people(3))
        voiso_sandbox.talkdesk.scopes.add("record-lists:manage")
        voiso_sandbox.talkdesk.revoke()
        del voiso_sandbox.talkdesk.lists[target.id]
        with pytest.raises(NotFoundError) as gone:
            await talkdesk.record_lists.add(known, people(3))
    assert ("0530902", "0530910") == (denied.value.code, gone.value.code)
    assert {"not_sent": 3} == counts(report_in(denied.value)) == counts(report_in(gone.value))


async def test_a_token_that_ends_in_between_is_renewed(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    def source() -> Iterator[Record]:
        yield from people(100)
        voiso_sandbox.talkdesk.revoke()
        yield from people(100, start=100)

    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, source())
    assert ({"created": 200}, 2, 3) == (counts(report), tokens(voiso_sandbox), posts(voiso_sandbox))


async def test_a_token_that_cannot_be_renewed_ends_the_call(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        known = await talkdesk.record_lists.get(target.id)
        voiso_sandbox.talkdesk.secrets.clear()
        voiso_sandbox.talkdesk.revoke()
        with pytest.raises(VoisoError, match="client authentication failed") as caught:
            await talkdesk.record_lists.add(known, people(3))
    assert {"not_sent": 3} == counts(report_in(caught.value))


async def test_what_cannot_leave_this_machine_was_not_sent(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        known = await talkdesk.record_lists.get(target.id)
    nowhere = f"http://127.0.0.1:{await closed_port()}"
    async with client_of(voiso_sandbox, base_url=nowhere) as talkdesk:
        with pytest.raises(ConnectError) as caught:
            await talkdesk.record_lists.add(known, people(3))
    assert {"not_sent": 3} == counts(report_in(caught.value))


async def test_a_source_that_raises_leaves_a_full_report(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    def source() -> Iterator[Record]:
        yield from people(130)
        raise KeyError("a key of the caller")

    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(SourceError, match="KeyError") as caught:
            await talkdesk.record_lists.add(target.id, source())
    assert {"created": 100, "not_sent": 30} == counts(report_in(caught.value))
    assert isinstance(caught.value.__cause__, KeyError)
    check_report(report_in(caught.value), target)


async def test_an_async_source_that_pauses_does_not_keep_what_has_come(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncIterator[Record]:
        yield people(1)[0]
        await go_on.wait()
        yield people(1, start=1)[0]

    found = []
    async with client_of(voiso_sandbox) as talkdesk, talkdesk.record_lists.add(target.id, source()) as addition:
        async for outcome in addition:
            found.append(outcome.outcome)
            go_on.set()
    assert [Outcome.CREATED] * 2 == found
    assert 2 == posts(voiso_sandbox)


async def test_leaving_while_the_source_pauses_ends_it(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    ended = asyncio.Event()

    async def source() -> AsyncIterator[Record]:
        try:
            yield people(1)[0]
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with client_of(voiso_sandbox) as talkdesk:
        async with talkdesk.record_lists.add(target.id, source()) as addition:
            assert Outcome.CREATED is (await anext(addition)).outcome
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(addition), 0.05)
        assert ended.is_set()
        assert [] == [outcome async for outcome in addition]
    assert {"created": 1} == counts(addition.report)


async def test_an_async_source_that_raises_or_is_unread(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async def source() -> AsyncIterator[Record]:
        yield people(1)[0]
        raise ValueError

    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(SourceError, match="ValueError") as caught:
            await talkdesk.record_lists.add(target.id, source())
        assert {"not_sent": 1} == counts(report_in(caught.value))
        addition = talkdesk.record_lists.add(target.id, people(1))
        assert (0, True) == (addition.report.rows, addition.report.balanced)


async def test_outcomes_that_nobody_reads_hold_the_reading_up(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    taken: list[int] = []

    def source() -> Iterator[dict[str, str]]:
        for number in range(5000):
            taken.append(number)
            yield {"phone_number": "x"}

    async with client_of(voiso_sandbox) as talkdesk:
        addition = talkdesk.record_lists.add(target.id, source())
        assert Outcome.INVALID is (await anext(addition)).outcome
        assert len(taken) <= 200
        assert 4999 == len([outcome async for outcome in addition])


async def test_leaving_early_reads_and_sends_nothing_more(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        async with talkdesk.record_lists.add(target.id, people(500)) as addition:
            async for _ in addition:
                break
        assert {"created": 100} == counts(addition.report)
        assert 99 == len([outcome async for outcome in addition])
        with pytest.raises(UsageError):
            await addition
    assert 1 == posts(voiso_sandbox)


async def test_a_loop_that_was_left_sends_nothing_more_and_its_report_balances(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        addition = talkdesk.record_lists.add(target.id, people(500))
        async for _ in addition:
            break
        await asyncio.sleep(0.05)
    report = addition.report
    assert (100, 0, True) == (report.rows, report.pending, report.balanced)
    assert 1 == posts(voiso_sandbox)


async def test_an_addition_is_awaited_or_iterated_and_never_both(
    voiso_sandbox: Sandbox, target: TalkdeskList
) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        addition = talkdesk.record_lists.add(target.id, people(150))
        task = asyncio.ensure_future(addition._whole())
        await asyncio.sleep(0)
        for _ in range(2):
            with pytest.raises(UsageError, match="awaited or iterated"):
                await anext(addition)
            await task
    assert {"created": 150} == counts(addition.report)
    assert 2 == posts(voiso_sandbox)


async def test_tasks_that_share_an_addition_miss_no_outcome(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    seen: list[int] = []
    async with client_of(voiso_sandbox) as talkdesk:
        addition = talkdesk.record_lists.add(target.id, people(250))

        async def reads() -> None:
            async for outcome in addition:
                seen.append(outcome.index)
                await asyncio.sleep(0)

        await asyncio.gather(*(reads() for _ in range(5)))
    assert list(range(250)) == sorted(seen)
    assert 3 == posts(voiso_sandbox)


@pytest.mark.parametrize("applied", [True, False])
async def test_cancelled_in_flight_the_records_are_unknown_and_the_rest_not_sent(
    voiso_sandbox: Sandbox, target: TalkdeskList, applied: Any
) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        known = await talkdesk.record_lists.get(target.id)
        voiso_sandbox.faults.add(Stall(apply=applied), path=BULKS)
        addition = talkdesk.record_lists.add(known, people(150))

        async def whole() -> IngestReport:
            return await addition

        task = asyncio.create_task(whole())
        while posts(voiso_sandbox) == 0:  # noqa: ASYNC110 - the sandbox runs in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {"unknown": 100} == counts(addition.report)
        check_report(addition.report, target)
        report = await talkdesk.record_lists.add(known, people(150))
    assert report.ok
    assert 150 == len(target.records)


async def test_at_the_deadline_the_report_is_full(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    voiso_sandbox.faults.add(Stall(), path=BULKS)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(DeadlineExceededError, match=r"the deadline of 0\.3 s") as caught:
            await talkdesk.record_lists.add(target.id, people(150), timeout=0.3)
        assert report_in(caught.value).balanced
        assert not report_in(caught.value).counts[Outcome.CREATED]
        with pytest.raises(DeadlineExceededError):
            await talkdesk.record_lists.add(target.id, people(1), timeout=0)


async def test_two_calls_on_one_list_take_turns(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    odd(voiso_sandbox, latency=0.01)
    async with client_of(voiso_sandbox) as talkdesk:
        add = talkdesk.record_lists.add
        await asyncio.gather(*(_whole(add(target.id, people(250, start=250 * n))) for n in range(4)))
    assert (1000, 0) == (len(target.records), target.concurrent_requests)


async def _whole(addition: Any) -> IngestReport:
    report = await addition
    assert isinstance(report, IngestReport)
    assert report.ok
    return report


async def test_an_empty_source_sends_nothing(voiso_sandbox: Sandbox, target: TalkdeskList) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        report = await talkdesk.record_lists.add(target.id, [])
        invalid = await talkdesk.record_lists.add(target.id, ({"phone_number": "x"} for _ in range(1500)))
    assert (0, True, 0) == (report.rows, report.ok, posts(voiso_sandbox))
    assert {"invalid": 1500} == counts(invalid)
