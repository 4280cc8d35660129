"""Claims and closings: the gate and the rows behind it, whatever implementation."""

import asyncio

import outbox_cases
import pytest
from fake_campaign import FakeCampaigns, Post, explain
from outbox_cases import (
    POLICY,
    Make,
    asking,
    balanced,
    gate_of,
    indexes,
    leads,
    lose,
    phone,
    results,
    said,
    send,
)

from voiso_async.errors import OutboxError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Attempt, Operation, RowResult
from voiso_async.outbox import Outbox
from voiso_async.outbox.dispatcher import drain
from voiso_async.outbox.protocol import StoredRow
from voiso_async.wire import Response

make = outbox_cases.make
pytestmark = pytest.mark.virtual


async def test_a_claim_lends_rows_in_order_and_its_closing_writes_them_down(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(3))
    turn = await gate_of(outbox).acquire(3, asking())
    assert [phone(0), phone(1), phone(2)] == [row.phone for row in turn.rows]
    assert b'{"phone_number":"441632960000","name":"Canary"}' == turn.rows[0].body
    assert (False, frozenset()) == (turn.is_retry, turn.doubts)
    sure = results(turn.rows[:1]) + results(turn.rows[1:2], Outcome.REJECTED, "server_rejected")
    last = [RowResult(turn.rows[2], Outcome.UNKNOWN, "no_usable_answer", "sent")]
    await turn.release(sure + last, 0.0, Attempt(first=True, seconds=0.5, busy=True, anomalies=2))
    assert [("created", None), ("rejected", "server_rejected"), ("unknown", "no_usable_answer")] == await said(
        outbox, job.id
    )
    job = await outbox.job(job.id)
    report = job.report
    assert ("done", 0) == (job.state, job.waiting)
    assert (1, 1, 1, 2) == (report.batches, report.attempts, report.busy, report.anomalies)
    assert {"server_rejected": 1, "no_usable_answer": 1} == report.reasons
    await balanced(outbox)


async def test_another_campaign_and_operation_have_their_own_rows(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(2))
    await outbox.put(4, leads(2, 10))
    await outbox.put(3, [{"phone_number": phone(5), "active": False}], operation=Operation.UPDATE)
    gate = gate_of(outbox)
    assert [phone(10), phone(11)] == [row.phone for row in (await send(gate, campaign=4)).rows]
    turn = await send(gate, Outcome.UPDATED, operation=Operation.UPDATE)
    assert [phone(5)] == [row.phone for row in turn.rows]
    assert 2 == len((await send(gate)).rows)
    await balanced(outbox)


async def test_small_jobs_ride_along_with_large_ones(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(50), name="large")
    await outbox.put(3, leads(50, 50), name="large too")
    await outbox.put(3, leads(1, 100), name="small")
    turn = await send(gate_of(outbox), room=21)
    assert [(0, 10), (50, 60), (100, 101)] == [
        (min(numbers), max(numbers) + 1)
        for numbers in (
            [
                index
                for index in range(101)
                if phone(index) in {row.phone for row in turn.rows} and low <= index < high
            ]
            for low, high in ((0, 50), (50, 100), (100, 101))
        )
    ]
    assert sorted(row.id for row in turn.rows if isinstance(row, StoredRow)) == [
        row.id for row in turn.rows if isinstance(row, StoredRow)
    ]


async def test_one_job_alone_may_be_asked_for(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(2))
    job = await outbox.put(3, leads(2, 10))
    turn = await send(gate_of(outbox), job=job.id)
    assert [phone(10), phone(11)] == [row.phone for row in turn.rows]
    assert [] == await outbox.backlog(job.id)
    assert [2] == [item.rows for item in await outbox.backlog()]
    with pytest.raises(OutboxError) as caught:
        await send(gate_of(outbox), job="none")
    assert "unknown_job" == caught.value.reason


async def test_a_batch_keeps_to_its_bytes_but_has_at_least_one_row(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(5))
    gate = gate_of(outbox)
    turn = await send(gate, max_bytes=10)
    assert [0] == indexes(turn)
    size = len(turn.rows[0].body)
    assert [1, 2] == indexes(await send(gate, max_bytes=2 * size + 4))
    assert [3] == indexes(await send(gate, max_bytes=2 * size + 3))


async def test_phones_in_a_batch_are_distinct(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(3))
    await outbox.put(3, leads(3))
    gate = gate_of(outbox)
    assert [0, 1, 2] == indexes(await send(gate))
    assert [0, 1, 2] == indexes(await send(gate))


async def test_a_second_update_never_overtakes_the_first(make: Make) -> None:
    outbox = make()
    updates = [{"phone_number": phone(n), "priority": p} for n, p in ((1, 1), (2, 1), (1, 2), (1, 3), (2, 2))]
    await outbox.put(3, updates[:3], operation=Operation.UPDATE)
    await outbox.put(3, updates[3:], operation=Operation.UPDATE)
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking(operation=Operation.UPDATE))
    assert [(phone(1), b"1"), (phone(2), b"1")] == [(row.phone, row.body[-2:-1]) for row in turn.rows]
    await lose(turn, turn.rows)
    spare = await gate.acquire(3, asking(operation=Operation.UPDATE))
    assert [] == list(spare.rows), "the first are with the lane"
    await spare.release([], None)
    await outbox.release(turn.rows)
    sent = []
    for _ in range(3):
        rows = (await send(gate, Outcome.UPDATED, operation=Operation.UPDATE)).rows
        sent.append([(row.phone, row.body[-2:-1]) for row in rows])
    assert [[(phone(1), b"1"), (phone(2), b"1")], [(phone(1), b"2"), (phone(2), b"2")], [(phone(1), b"3")]] == sent


async def test_a_result_of_not_sent_puts_a_row_back_in_line(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(2))
    gate = gate_of(outbox)
    await send(gate, Outcome.NOT_SENT)
    assert [("not_sent*", None)] * 2 == await said(outbox, job.id)
    assert [(2, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
    assert [0, 1] == indexes(await send(gate))


async def test_rows_without_a_result_stay_with_the_lane_and_go_again(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(2))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    rows = list(turn.rows)
    await lose(turn, rows)
    assert [(0, 2)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
    assert [("unknown*", None)] * 2 == await said(outbox, job.id)
    assert 2 == (await outbox.job(job.id)).doubted
    again = await gate.acquire(3, asking(0, again=rows))
    assert ([], {phone(0), phone(1)}) == (list(again.rows), set(again.doubts))
    await again.release(results(rows, Outcome.CONFIRMED), 0.0, Attempt(first=False, seconds=0.5))
    report = (await outbox.job(job.id)).report
    assert (2, 1, 2, 2) == (
        report.counts[Outcome.CONFIRMED],
        report.batches,
        report.attempts,
        report.doubted,
    )
    await balanced(outbox)


async def test_rows_that_are_released_while_their_turn_is_open_come_back_when_it_ends(make: Make) -> None:
    """Whoever looks at the outbox next may be another process: it must not wait for a look of ours."""
    outbox = make()
    await outbox.put(3, leads(2))
    turn = await gate_of(outbox).acquire(3, asking())
    await outbox.release(turn.rows)
    assert [(0, 2)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
    await lose(turn, turn.rows)
    assert [(2, 0)] == [(item.rows, item.claimed) for item in await make().backlog()]
    await balanced(outbox)


async def test_released_rows_come_back_as_their_old_batch_alone_and_in_order(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(5))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking(2))
    await lose(turn, turn.rows)
    await outbox.release(turn.rows)
    assert [(5, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
    again = await gate.acquire(3, asking())
    assert ([0, 1], True, [1, 1]) == (indexes(again), again.is_retry, [row.doubts for row in again.rows])
    assert {phone(0), phone(1)} == again.doubts
    await again.release(results(again.rows), 0.0)
    assert ([2, 3, 4], False) == (indexes(rest := await send(gate)), rest.is_retry)


async def test_undoubted_rows_are_released_as_they_were(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(2))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    await turn.release([], 0.0)
    await outbox.release(turn.rows)
    fresh = await send(gate)
    assert ([0, 1], False, [0, 0]) == (indexes(fresh), fresh.is_retry, [row.doubts for row in fresh.rows])


async def test_release_leaves_an_open_turn_alone(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(2))
    turn = await gate_of(outbox).acquire(3, asking())
    await outbox.release(turn.rows)
    await turn.release(results(turn.rows), 0.0)
    assert [("created", None)] * 2 == await said(outbox, job.id)


async def test_left_out_and_doubts_survive(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(1))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    turn.rows[0].unaccounted, turn.rows[0].doubts = True, 4
    await turn.release([], 0.0)
    await outbox.release(turn.rows)
    again = await gate.acquire(3, asking())
    assert (True, 4) == (again.rows[0].unaccounted, again.rows[0].doubts)


async def test_doubt_belongs_to_campaign_and_phone_until_an_answer_clears_it(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(1))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    await lose(turn, turn.rows)
    again = await gate.acquire(3, asking(0, again=turn.rows))
    await again.release(results(turn.rows, Outcome.CONFIRMED), 0.0)
    await outbox.put(3, leads(2))
    later = await gate.acquire(3, asking())
    assert {phone(0)} == later.doubts, "of another job, and only its phone"
    await later.release(results(later.rows), 0.0)
    await outbox.put(3, leads(1))
    assert frozenset() == (await send(gate)).doubts


REFUSED = Attempt(first=True, seconds=0.5, refused=True)


async def test_a_refusal_belongs_to_campaign_and_phone_until_an_answer_clears_it(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(3))
    await outbox.put(4, leads(3))
    turn = await gate_of(outbox).acquire(3, asking(2))
    assert frozenset() == turn.refused
    await turn.release([], 0.0, REFUSED)
    again = await gate_of(outbox).acquire(3, asking(0, again=turn.rows))
    assert (frozenset({phone(0), phone(1)}), frozenset()) == (again.refused, again.doubts)
    await again.release([], None)
    await outbox.aclose()
    outbox = make()
    later = await gate_of(outbox).acquire(3, asking())
    assert (frozenset({phone(0), phone(1)}), 3, False) == (later.refused, len(later.rows), later.is_retry)
    sure = results(later.rows[:1], Outcome.CREATED) + results(later.rows[1:], Outcome.CONFIRMED)
    await later.release(sure, 0.0, Attempt(first=True, seconds=0.5))
    assert frozenset() == (await send(gate_of(outbox), campaign=4)).refused
    await outbox.put(3, leads(3))
    assert {phone(1)} == (await send(gate_of(outbox))).refused, "of another job"
    await outbox.put(3, leads(3))
    assert frozenset() == (await send(gate_of(outbox))).refused
    await balanced(outbox)


async def test_rows_that_went_back_in_line_before_a_refusal_were_not_in_it(make: Make) -> None:
    outbox = make()
    await outbox.put(3, leads(3))
    turn = await gate_of(outbox).acquire(3, asking())
    await turn.release(results(turn.rows[:1], Outcome.NOT_SENT), 0.0, REFUSED)
    await outbox.release(turn.rows)
    assert {phone(1), phone(2)} == (await send(gate_of(outbox))).refused


async def test_a_refused_update_marks_nothing(make: Make) -> None:
    """An update creates nothing."""
    outbox = make()
    await outbox.put(3, [{"phone_number": phone(0), "active": False}], operation=Operation.UPDATE)
    turn = await gate_of(outbox).acquire(3, asking(operation=Operation.UPDATE))
    await turn.release(results(turn.rows, Outcome.REJECTED, "server_refused"), 0.0, REFUSED)
    await outbox.put(3, leads(1))
    assert frozenset() == (await send(gate_of(outbox))).refused


@pytest.mark.parametrize(("refused", "outcome"), [(True, "confirmed"), (False, "duplicate")])
async def test_who_goes_on_with_a_search_after_a_crash_knows_of_the_refusal(
    make: Make, outcome: str, *, refused: bool
) -> None:
    """Its duplicates may be of our making: that a refused call stores nothing is an assumption."""
    outbox = make()
    job = await outbox.put(3, leads(4))
    server = FakeCampaigns(poison=lambda lead: "no" if lead["phone_number"] == phone(3) else None)
    if refused:
        first = lanes_of(outbox, server)
        draining = asyncio.create_task(drain(first, outbox))

        def interrupted(server: FakeCampaigns, post: Post) -> Response:
            draining.cancel()
            return server.answer(post)

        server.script = [interrupted]
        await asyncio.wait({draining})
        await first.aclose(0)
        assert [4] == [len(post.leads) for post in server.history], "no part of it has gone"
    await outbox.aclose()
    outbox = make()
    server.members, server.poison = {3: {phone(0), phone(1)}}, None
    await drain(lanes_of(outbox, server), outbox)
    assert [(outcome, None)] * 2 + [("created", None)] * 2 == await said(outbox, job.id)


def lanes_of(outbox: Outbox, server: FakeCampaigns) -> LeadBatcher:
    clock = asyncio.get_running_loop().time
    return LeadBatcher(server.post, gate_of(outbox), explain, policy=POLICY, clock=clock)


async def test_a_doubt_that_is_too_old_is_parked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = make()
    job = await outbox.put(3, leads(2))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking(1))
    await lose(turn, turn.rows)
    await outbox.release(turn.rows)
    monkeypatch.setattr(outbox._clock, "wall", lambda: 2e9)  # type: ignore[attr-defined]
    assert [1] == indexes(await send(gate))
    assert [("unknown", "doubt_too_old"), ("created", None)] == await said(outbox, job.id)
    assert 1 == await outbox.requeue(job.id)
    assert [("unknown*", None), ("created", None)] == await said(outbox, job.id)
    again = await send(gate, Outcome.CONFIRMED)
    assert ([0], True, [1]) == (indexes(again), again.is_retry, [row.doubts for row in again.rows])
    await balanced(outbox)


async def test_rows_of_a_search_are_settled_in_a_later_turn(make: Make) -> None:
    """A lane may settle rows that it holds and that did not fly in this turn."""
    outbox = make()
    job = await outbox.put(3, leads(3))
    gate = gate_of(outbox)
    turn = await gate.acquire(3, asking())
    await turn.release([], 0.0)
    part = await gate.acquire(3, asking(0, again=turn.rows[:1]))
    await part.release(results(turn.rows, Outcome.REJECTED, "not_isolated"), 0.0)
    assert [("rejected", "not_isolated")] * 3 == await said(outbox, job.id)
