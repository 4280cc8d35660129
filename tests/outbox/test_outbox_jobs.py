"""Jobs: put, listed, loaded on, withdrawn, settled, copied and purged, whatever implementation."""

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import outbox_cases
import pytest
from outbox_cases import Make, asking, balanced, gate_of, leads, lose, phone, results, said, send, words

from voiso_async.errors import ConfigurationError, OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.prepare import FileRow, InvalidLead
from voiso_async.ingest.rows import Operation
from voiso_async.models.leads import Lead
from voiso_async.outbox import Job, JobSource, JobState, Outbox, SqliteOutbox
from voiso_async.outbox.sqlite.queries import _ceiling_share, backlog_of

make = outbox_cases.make
QUICK = LanePolicy(cooldown=0.0, doubt_backoff=0.0)


async def test_a_put_is_one_job_with_its_report(make: Make) -> None:
    outbox = make()
    given = [Lead(phone(1), key="k1"), phone(2), phone(1), "call me", {"phone_number": phone(3), "priority": 0}]
    before = datetime.now(UTC)
    job = await outbox.put("3", given, name="summer")
    assert (JobState.OPEN, "summer", (3,), Operation.ADD, 2) == (
        job.state,
        job.name,
        job.campaigns,
        job.operation,
        job.waiting,
    )
    assert before <= job.created <= datetime.now(UTC)
    assert [
        ("not_sent*", None),
        ("not_sent*", None),
        ("repeated", None),
        ("invalid", "letters"),
        ("invalid", "out_of_range"),
    ] == await said(outbox, job.id)
    rows = await words(outbox, job.id)
    assert (0, phone(1), "k1", 3) == (rows[2].first, rows[0].phone, rows[0].key, rows[0].campaign)
    assert ("priority", phone(3)) == (rows[4].field, rows[4].phone)
    assert rows[4].detail
    assert job == await outbox.job(job.id)
    await balanced(outbox)


class Day:
    """The wall clock of every outbox that is made here, and POSTs that take half a second each."""

    def __init__(self, make: Make, patch: pytest.MonkeyPatch) -> None:
        self.time = 1e9
        self._make = make
        self._patch = patch

    def outbox(self) -> Outbox:
        outbox = self._make()
        self._patch.setattr(outbox._clock, "wall", lambda: self.time)  # type: ignore[attr-defined]
        return outbox

    async def post(self, outbox: Outbox, campaign: int = 3, outcome: Outcome = Outcome.CREATED) -> None:
        self.time += 0.5
        await send(gate_of(outbox, QUICK), outcome, campaign=campaign)
        self.time += 2.0


@pytest.fixture
def day(make: Make, monkeypatch: pytest.MonkeyPatch) -> Day:
    return Day(make, monkeypatch)


async def share_of(outbox: Outbox, job: Job) -> float | None:
    return (await outbox.job(job.id)).report.ceiling_share


async def test_a_jobs_share_of_the_ceiling_is_over_its_whole_time(day: Day) -> None:
    """From three full batches on, whoever sends them; a pause counts."""
    outbox = day.outbox()
    job = await outbox.put(3, [*leads(4000), "none", phone(1)])
    for _ in range(2):
        await day.post(outbox)
        assert await share_of(outbox, job) is None
    await outbox.aclose()
    outbox = day.outbox()
    await day.post(outbox)
    assert 1.0 == await share_of(outbox, job)
    day.time += 92
    await day.post(outbox)
    assert 0.08 == pytest.approx(await share_of(outbox, job)), "8 of 100 seconds"
    await balanced(outbox)


async def test_jobs_that_share_a_campaign_each_have_less_of_the_ceiling(day: Day) -> None:
    outbox = day.outbox()
    jobs = [await outbox.put(3, leads(3000, start)) for start in (1000, 11_000)]
    for _ in range(6):
        await day.post(outbox)
    alone, together = 3 * 0.5 + 2 * 2.0, 6 * 0.5 + 5 * 2.0
    assert [pytest.approx(alone / together)] * 2 == [await share_of(outbox, job) for job in jobs]


async def test_of_several_campaigns_the_slowest_sets_the_ceiling(day: Day) -> None:
    """They go side by side: the job could not have been done before it."""
    outbox = day.outbox()
    rows = [
        FileRow(lead=lead, row=2 + at, campaign=3 if at < 4000 else 4) for at, lead in enumerate(leads(5000, 1000))
    ]
    job = await outbox.put(None, rows)
    await day.post(outbox, campaign=4)
    day.time -= 2.5
    for _ in range(4):
        await day.post(outbox)
    assert 1.0 == await share_of(outbox, job)


def test_a_job_that_was_begun_by_the_first_version_of_the_file_has_no_share() -> None:
    """Not all of its POSTs are known by campaign."""
    line = [3, 0, 0, 3, 1.5, 3000]
    assert 1.0 == _ceiling_share([line], 3, 5.5)
    assert _ceiling_share([line], 5, 5.5) is None


async def test_rows_without_an_answer_are_no_part_of_a_share(day: Day) -> None:
    outbox = day.outbox()
    job = await outbox.put(3, leads(3000))
    for outcome in (Outcome.CREATED, Outcome.UNKNOWN, Outcome.REJECTED):
        await day.post(outbox, outcome=outcome)
    assert await share_of(outbox, job) is None


@pytest.mark.parametrize("given", ["441632960001", b"1", {"phone_number": "441632960001"}, 5, None])
async def test_what_is_no_list_of_leads_is_refused(make: Make, given: Any) -> None:
    with pytest.raises(ConfigurationError):
        await make().put(3, given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"campaign_id": 0},
        {"campaign_id": "3/leads"},
        {"expires_in": -1},
        {"expires_in": float("nan")},
        {"expires_in": float("inf")},
        {"expires_in": True},
        {"expires_in": "3"},
        {"operation": "delete"},
        {"source": JobSource(options={"a": object()})},
    ],
)
async def test_wrong_arguments_store_nothing(make: Make, wrong: dict[str, Any]) -> None:
    outbox = make()
    with pytest.raises(ConfigurationError):
        await outbox.put(**_arguments(wrong))
    assert [] == await outbox.jobs()


def _arguments(wrong: dict[str, Any]) -> dict[str, Any]:
    return {"campaign_id": 3, "leads": leads(1)} | wrong


async def test_no_leads_make_a_job_that_is_done(make: Make) -> None:
    """Row 88."""
    job = await make().put(3, [])
    assert (JobState.DONE, 0) == (job.state, job.report.rows)
    assert job.finished is not None


async def test_rows_may_name_their_own_campaign(make: Make) -> None:
    outbox = make()
    given = [
        FileRow(lead=phone(1), row=2, cells=("a", '=1"'), campaign="4"),
        FileRow(lead=phone(1), row=3, campaign=5),
        FileRow(lead=phone(1), row=4, campaign="4"),
        FileRow(lead=phone(1), row=5, campaign="none"),
        FileRow(lead=InvalidLead(field="x", reason="y", detail="z", key="k"), row=7, campaign=4),
        FileRow(lead=phone(1), row=8),
    ]
    job = await outbox.put(None, given)
    rows = await words(outbox, job.id)
    assert [4, 5, 4, None, 4, None] == [row.campaign for row in rows]
    assert [None, None, None, "bad_campaign", "y", "no_campaign"] == [row.reason for row in rows]
    assert [2, 3, 4, 5, 7, 8] == [row.row for row in rows]
    assert (("a", '=1"'), 0, "k") == (rows[0].cells, rows[2].first, rows[4].key)
    assert (4, 5) == job.campaigns
    assert [4, 5] == [item.campaign for item in await outbox.backlog()]
    await balanced(outbox)


async def test_texts_that_cannot_be_written_are_stored_all_the_same(make: Make) -> None:
    outbox = make()
    lead = InvalidLead(field="\ud800", reason="\ud800", detail="\ud800", key="\ud800")
    job = await outbox.put(3, [FileRow(lead=lead, row=2, cells=("\ud800",))], name="\ud800")
    assert [("?", ("?",))] == [(row.key, row.cells) for row in await words(outbox, job.id)]


async def test_a_key_makes_put_idempotent(make: Make) -> None:
    outbox = make()
    await outbox.put(3, [Lead(phone(1), key="a"), Lead(phone(2), key="b"), phone(3)])
    again = [
        Lead(phone(1), key="a"),
        Lead(phone(2), key="b", name="other"),
        phone(3),
        Lead(phone(2), key="c"),
        Lead(phone(4), key="c"),
        Lead(phone(2), key="c"),
    ]
    job = await outbox.put(3, again)
    assert [
        ("repeated", "known"),
        ("invalid", "key_reused"),
        ("not_sent*", None),
        ("not_sent*", None),
        ("invalid", "key_reused"),
        ("repeated", "known"),
    ] == await said(outbox, job.id)
    other = await outbox.put(4, [Lead(phone(1), key="a")])
    update = await outbox.put(3, [{"phone_number": phone(1), "name": "x", "key": "a"}], operation=Operation.UPDATE)
    assert (1, 1) == (other.waiting, update.waiting), "keys belong to a campaign and an operation"
    await balanced(outbox)


async def test_a_key_whose_lead_was_withdrawn_may_be_put_again(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, [Lead(phone(1), key="a")])
    await outbox.withdraw(job.id)
    assert 1 == (await outbox.put(3, [Lead(phone(1), key="a", name="new")])).waiting


async def test_updates_are_never_repeated(make: Make) -> None:
    update = {"phone_number": phone(1), "active": False}
    job = await make().put(3, [update, update], operation=Operation.UPDATE)
    assert 2 == job.waiting


async def test_rows_whose_time_is_over_count_until_they_are_ended(tmp_path: Path) -> None:
    """Their time may pass within one look: a drain that found nothing would leave them without an outcome."""
    async with SqliteOutbox(tmp_path / "leads.db") as outbox:
        job = await outbox.put(3, leads(3), expires_in=0)
        assert [3] == [item.rows for item in await outbox._thread.do(backlog_of, None)]
        assert [] == await outbox.backlog()
        assert [("not_sent", "expired")] * 3 == await said(outbox, job.id)


async def test_rows_of_an_expired_job_are_never_sent(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(3), expires_in=timedelta(seconds=0))
    other = await outbox.put(3, leads(1, 50), expires_in=60)
    assert other.expires == other.created + timedelta(seconds=60)
    turn = await send(gate_of(outbox, QUICK))
    assert [phone(50)] == [row.phone for row in turn.rows]
    assert [("not_sent", "expired")] * 3 == await said(outbox, job.id)
    assert [] == await outbox.backlog()
    assert JobState.DONE == (await outbox.job(job.id)).state
    await balanced(outbox)


async def test_doubted_rows_that_expire_are_parked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = make()
    job = await outbox.put(3, leads(3), expires_in=60)
    turn = await gate_of(outbox, QUICK).acquire(3, asking(1))
    await lose(turn, turn.rows, 0.0)
    await outbox.release(turn.rows)
    later = time.time() + 61
    monkeypatch.setattr(outbox._clock, "wall", lambda: later)  # type: ignore[attr-defined]
    assert [] == await outbox.backlog()
    assert [("unknown", "expired"), *[("not_sent", "expired")] * 2] == await said(outbox, job.id)


async def test_withdrawing_ends_what_waits(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(5))
    gate = gate_of(outbox, QUICK)
    turn = await gate.acquire(3, asking(1))
    await lose(turn, turn.rows, 0.0)
    await outbox.release(turn.rows)
    again = await gate.acquire(3, asking(1))
    await again.release([], 0.0)
    await outbox.release(turn.rows)
    claimed = await gate.acquire(3, asking(0, again=again.rows))
    assert 4 == await outbox.withdraw(job.id)
    assert [("unknown*", None), *[("not_sent", "withdrawn")] * 4] == await said(outbox, job.id)
    await claimed.release(results(again.rows, Outcome.NOT_SENT), None)
    assert [] == await outbox.backlog()
    assert ("unknown", "withdrawn") == (await said(outbox, job.id))[0]
    assert 0 == await outbox.withdraw(job.id)
    await balanced(outbox)


async def test_settling_puts_parked_rows_back(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(2500))
    gate = gate_of(outbox, QUICK)
    for _ in range(3):
        await send(gate, Outcome.UNKNOWN)
    assert [] == await outbox.backlog()
    assert [2500] == [status.parked for status in await outbox.campaigns()]
    assert 2500 == await outbox.requeue(job.id)
    waiting = await outbox.job(job.id)
    assert (JobState.OPEN, 2500, 2500, None) == (waiting.state, waiting.waiting, waiting.doubted, waiting.finished)
    turn = await send(gate, Outcome.DUPLICATE)
    assert (True, 1000) == (turn.is_retry, len(turn.doubts))
    await balanced(outbox)


async def test_retry_makes_a_job_of_the_same_rows(make: Make) -> None:
    outbox = make()
    given = [FileRow(lead=Lead(phone(n), key=f"k{n}"), row=n + 2, cells=(str(n),)) for n in range(5)]
    source = JobSource(header=("a",))
    job = await outbox.put(3, [*given, FileRow(lead="x", row=9), *given[:1]], name="file", source=source)
    turn = await gate_of(outbox, QUICK).acquire(3, asking())
    rejected = results(turn.rows[1:3], Outcome.REJECTED, "server_rejected")
    await turn.release(results(turn.rows[:1]) + rejected + results(turn.rows[3:], Outcome.UNREPORTED), 0.0)
    copy = await outbox.retry(job.id, [Outcome.REJECTED, Outcome.INVALID, Outcome.REPEATED])
    rows = await words(outbox, copy.id)
    assert [(0, 3, "k1", ("1",)), (1, 4, "k2", ("2",))] == [(r.index, r.row, r.key, r.cells) for r in rows]
    assert ("file", ("a",)) == (copy.name, copy.source and copy.source.header)
    sent = await send(gate_of(outbox, QUICK))
    assert [row.body for row in turn.rows[1:3]] == [row.body for row in sent.rows]
    with pytest.raises(OutboxError) as caught:
        await outbox.retry(job.id, [Outcome.INVALID, Outcome.REPEATED])
    assert "nothing" == caught.value.reason
    assert 2 == len(await outbox.jobs())
    await balanced(outbox)


async def test_a_retry_that_was_cut_short_goes_on(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(7000))
    await outbox.withdraw(job.id)
    began = asyncio.create_task(outbox.retry(job.id, [Outcome.NOT_SENT]))
    while len(await outbox.jobs()) < 2:
        pass
    began.cancel()
    with pytest.raises(asyncio.CancelledError):
        await began
    copy = await outbox.retry(job.id, [Outcome.NOT_SENT])
    assert (7000, 2) == (copy.waiting, len(await outbox.jobs()))
    await balanced(outbox)


async def test_outcomes_are_filtered_and_come_in_order(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, [lead for pair in zip(leads(2500), itertools.repeat("x")) for lead in pair])
    await send(gate_of(outbox, QUICK))
    for kind, rows in ((Outcome.CREATED, 1000), (Outcome.INVALID, 2500), (Outcome.NOT_SENT, 1500)):
        found = await words(outbox, job.id, outcomes=[kind])
        assert rows == len(found)
        assert {kind} == {row.outcome for row in found}
        assert sorted(row.index for row in found) == [row.index for row in found]
    assert 3500 == len(await words(outbox, job.id, pending=False))
    assert [] == await words(outbox, job.id, outcomes=[])
    with pytest.raises(OutboxError):
        await words(outbox, "none")


async def test_jobs_are_listed_the_newest_first(make: Make) -> None:
    outbox = make()
    made = [(await outbox.put(3, leads(1), name=name)).id for name in ("a", "b", "a")]
    assert made[::-1] == [job.id for job in await outbox.jobs()]
    assert [made[2], made[0]] == [job.id for job in await outbox.jobs(name="a")]
    assert made[2:] == [job.id for job in await outbox.jobs(limit=1)]
    assert 3 == len(set(made))


@pytest.mark.parametrize("method", ["job", "requeue", "withdraw", "purge", "backlog"])
async def test_an_unknown_job_is_said_to_be_one(make: Make, method: str) -> None:
    with pytest.raises(OutboxError) as caught:
        await getattr(make(), method)("none")
    assert "unknown_job" == caught.value.reason


async def test_purge_takes_only_what_is_done(make: Make) -> None:
    outbox = make()
    done = await outbox.put(3, leads(1))
    gate = gate_of(outbox, QUICK)
    await send(gate)
    parked = await outbox.put(3, leads(1, 1))
    await send(gate, Outcome.UNKNOWN)
    waiting, loading = await outbox.put(3, leads(2, 5)), await outbox.begin()
    assert 0 == await outbox.purge(older_than=timedelta(hours=1))
    for job in (parked, waiting, loading):
        with pytest.raises(OutboxError) as caught:
            await outbox.purge(job.id)
        assert "not_done" == caught.value.reason
    assert 1 == await outbox.purge()
    assert done.id not in {job.id for job in await outbox.jobs()}
    turn = await gate.acquire(3, asking(1))
    with pytest.raises(OutboxError) as caught:
        await outbox.purge(waiting.id, force=True)
    assert "in_use" == caught.value.reason
    await turn.release(results(turn.rows, Outcome.NOT_SENT), None)
    assert 1 == await outbox.purge(waiting.id, force=True)
    assert 2 == await outbox.purge(force=True)
    assert ([], []) == (await outbox.jobs(), await outbox.backlog())


async def test_what_is_retained_long_enough_goes_at_the_next_opening(make: Make) -> None:
    outbox = make()
    job = await outbox.put(3, leads(3000))
    await outbox.withdraw(job.id)
    kept = make(retain=timedelta(hours=1))
    assert 1 == len(await kept.jobs())
    short = make(retain=timedelta(0))
    assert [] == await short.jobs()


async def test_changed_wakes_for_what_this_instance_does(make: Make) -> None:
    outbox = make()
    await outbox.backlog()
    waiting = asyncio.create_task(outbox.changed(3600))
    await asyncio.sleep(0)
    await outbox.put(3, leads(1))
    await waiting
    await outbox.put(3, leads(1))
    await outbox.changed(3600)  # it rang while nobody listened; else this test hangs
    await outbox.backlog()
    began = time.monotonic()
    await outbox.changed(0.05)
    assert time.monotonic() - began >= 0.049


async def test_a_path_may_be_text(tmp_path: Path) -> None:
    async with SqliteOutbox(str(tmp_path / "o.db")) as outbox:
        assert "SqliteOutbox('o.db')" == repr(outbox)
