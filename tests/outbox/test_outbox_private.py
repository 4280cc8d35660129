"""What an outbox file keeps to itself, and what it leaves behind."""

import contextlib
import logging
import os
import pickle
import sqlite3
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from outbox_cases import ORIGIN, content, leads, mode, results
from outbox_child import POLICY, asking

from voiso_async.errors import ConfigurationError, OutboxError, VoisoError
from voiso_async.ingest.prepare import FileRow
from voiso_async.models.leads import Lead
from voiso_async.outbox import SqliteOutbox

PHONE, NAME, KEY = "447700900913", "Canarina Vogelsang", "customer-canary"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


@pytest.mark.row(198)
async def test_every_file_is_private(path: Path) -> None:
    """Row 198."""
    os.umask(os.umask(0))
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
        modes = {file.name: mode(file) for file in path.parent.iterdir()}
    assert 3 == len(modes)
    assert {0o600} == set(modes.values())


async def test_a_file_that_others_may_read_is_made_private(path: Path) -> None:
    async with SqliteOutbox(path):
        pass
    os.chmod(path, 0o664)  # noqa: PTH101
    async with SqliteOutbox(path):
        assert 0o600 == mode(path)


async def test_the_file_is_kept_as_was_promised(path: Path) -> None:
    """Write-ahead logging can damage a file with two writers in several releases of SQLite."""
    async with SqliteOutbox(path) as outbox:
        db = outbox._thread._database
        assert db is not None
        found = {
            name: db.value(f"PRAGMA {name}")
            for name in ("journal_mode", "synchronous", "secure_delete", "auto_vacuum")
        }
    assert {"journal_mode": "truncate", "synchronous": 2, "secure_delete": 1, "auto_vacuum": 2} == found


@pytest.mark.row(198)
async def test_a_purge_leaves_no_phone_and_no_name_behind(path: Path) -> None:
    """Row 198."""
    given = [FileRow(lead=Lead(PHONE, name=NAME, key=KEY), row=2, cells=(PHONE, NAME))]
    canaries = (PHONE.encode(), NAME.encode(), KEY.encode(), int(PHONE).to_bytes(6, "big"))
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, [*leads(2000), *given])
        turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking())
        await turn.release(results(turn.rows), 0.0)
        full = len(content(path))
        assert [True] * 4 == [canary in content(path) for canary in canaries]
        await outbox.purge(job.id, force=True)
        left = b"".join(content(file) for file in path.parent.iterdir())
        assert [False] * 4 == [canary in left for canary in canaries]
        assert len(content(path)) < full / 2


@pytest.mark.row(194)
async def test_no_error_holds_a_lead(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows 194 and 14 of the invariants, with the locals of every frame."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    given = [Lead(PHONE, name=NAME, key=KEY)] * 3

    async def note(step: object) -> None:
        try:
            await step  # type: ignore[misc]
        except VoisoError as error:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            texts.extend([str(error), repr(error), *told.format()])
            texts.append(str(pickle.loads(pickle.dumps(error))))  # noqa: S301 - our own bytes

    outbox = SqliteOutbox(path)
    job = await outbox.put(3, given)
    turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking())
    db = outbox._thread._database
    assert db is not None
    db.run("UPDATE gates SET fence = fence + 1")
    await note(turn.release(results(turn.rows), 0.0))
    db.row("PRAGMA max_page_count = 1")
    loading = await outbox.begin()
    await note(outbox.load(loading.id, 3, iter([*given, *leads(3000)])))
    db.run("DROP TABLE tallies")
    await note(outbox.put(3, given))
    await note(outbox.job(job.id))
    texts += [repr(outbox), repr(turn), repr(job), repr(loading)]
    with contextlib.suppress(OutboxError):
        texts += [repr(outcome) async for outcome in outbox.outcomes(job.id)]
    await outbox.aclose()
    await note(outbox.put(3, given))
    texts += [logging.Formatter().format(record) for record in caplog.records]
    assert len(texts) > 30
    for canary in (PHONE, NAME, KEY):
        assert not [text for text in texts if canary in text and "given = " not in text]


async def test_an_outbox_that_was_not_closed_says_so(path: Path) -> None:
    outbox = SqliteOutbox(path)
    await outbox.open()
    with pytest.warns(ResourceWarning, match="never closed"):
        del outbox
    assert [path.name, f"{path.name}-journal"] == sorted(file.name for file in path.parent.iterdir())


async def test_after_the_close_nothing_works_and_a_second_close_is_silent(path: Path) -> None:
    outbox = SqliteOutbox(path)
    gate = outbox.gate(ORIGIN, POLICY)
    await outbox.put(3, leads(3))
    turn = await gate.acquire(3, asking())
    await outbox.aclose()
    await outbox.aclose()
    for step in (
        outbox.jobs(),
        outbox.put(3, []),
        gate.acquire(3, asking()),
        turn.release([], None),
        outbox.changed(1),
    ):
        with pytest.raises(OutboxError) as caught:
            await step
        assert "closed" == caught.value.reason
    async with SqliteOutbox(path) as other:
        assert [(3, 3)] == [(status.waiting, status.doubted) for status in await other.campaigns()]
        assert 0 <= (await other.campaigns())[0].opens_in <= 0.31, "the turn that was open counts as lost"


@pytest.mark.parametrize("length", [10, 239, 247])
async def test_files_of_owners_that_died_early_are_swept(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("o" * length)
    async with SqliteOutbox(path) as outbox:
        await outbox.jobs()
        (owner,) = [name for name in os.listdir(tmp_path) if "owner" in name]  # noqa: PTH208
    stem = owner.rpartition("-")[0]
    path.with_name(f"{stem}-5").touch()
    path.with_name(f"{stem}-x").touch()
    async with SqliteOutbox(path) as outbox:
        await outbox.jobs()
        left = sorted(file.name for file in path.parent.iterdir() if "owner" in file.name)
        assert f"{stem}-5" not in left
        assert 2 == len(left), "its own, and what is none"


async def test_another_program_that_holds_the_file_is_waited_for_and_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
        db = outbox._thread._database
        assert db is not None
        db.row("PRAGMA busy_timeout = 20")
        monkeypatch.setattr(
            "voiso_async.outbox.sqlite.database.Database.writing.__wrapped__.__defaults__", (0.05,)
        )
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as unknown:
            unknown.execute("BEGIN IMMEDIATE")
            with pytest.raises(OutboxError) as caught:
                await outbox.put(3, leads(1))
            assert "in_use" == caught.value.reason
            unknown.execute("ROLLBACK")
            unknown.execute("BEGIN")
            unknown.execute("SELECT * FROM jobs").fetchone()
            with pytest.raises(OutboxError) as caught:
                await outbox.put(3, leads(1))
            assert "in_use" == caught.value.reason
            unknown.execute("ROLLBACK")
        assert 1 == len(await outbox.jobs())
        await outbox.put(3, leads(1))


@pytest.mark.parametrize("lease", [0, 0.5, float("inf"), float("nan")])
def test_a_lease_is_a_number_of_seconds(path: Path, lease: float) -> None:
    with pytest.raises(ConfigurationError):
        SqliteOutbox(path, lease=lease, retain=timedelta(1))
