"""The file itself: full, denied, damaged, foreign, newer, private."""

import asyncio
import contextlib
import os
import random
import resource
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import outbox_child
import pytest
from outbox_cases import ORIGIN, balanced, content, gate_of, leads, mode, phone, results, said, send, spoil, words
from outbox_child import POLICY, asking

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.models.leads import Lead
from voiso_async.outbox import JobActivity, SqliteOutbox
from voiso_async.outbox.sqlite import schema
from voiso_async.outbox.sqlite.faults import Damaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


@contextlib.contextmanager
def no_more_room() -> Iterator[None]:
    """No file may grow, as on a disk that is full; the journal is truncated at each commit, so it cannot begin."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def limit_pages(outbox: SqliteOutbox, more: int) -> None:
    """Let the file have so many more pages."""
    db = outbox._thread._database
    assert db is not None
    db.row(f"PRAGMA max_page_count = {db.value('PRAGMA page_count') + more}")


async def reason_of(coroutine: Any) -> str:
    with pytest.raises(OutboxError) as caught:
        await coroutine
    cause = caught.value.__cause__
    assert cause is None or isinstance(cause, sqlite3.Error | Damaged)
    assert cause is None or (None is cause.__traceback__ and "4416" not in str(cause)), "no frame, no data"
    assert caught.value.__context__ is None
    return caught.value.reason


async def test_a_full_disk_at_a_put_stores_nothing_of_it(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(10))
        limit_pages(outbox, 5)
        assert "full" == await reason_of(outbox.put(3, leads(5000)))
        limit_pages(outbox, 1000)
        await outbox.put(3, leads(5000))
        assert [10, 5000] == sorted(job.waiting for job in await outbox.jobs())
        await balanced(outbox)


async def test_a_full_disk_while_loading_can_be_mended_and_loaded_on(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        job = await outbox.begin()
        limit_pages(outbox, 100)
        assert "full" == await reason_of(outbox.load(job.id, 3, leads(5000)))
        there = (await outbox.job(job.id)).report.rows
        assert 0 < there < 5000
        limit_pages(outbox, 1000)
        assert 5000 == (await outbox.load(job.id, 3, leads(5000))).waiting


@pytest.mark.row(131)
async def test_a_full_disk_at_a_claim_sends_nothing(path: Path) -> None:
    """Row 131."""
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(10))
        gate = outbox.gate(ORIGIN, POLICY)
        turn = await gate.acquire(3, asking())
        await turn.release([], None)
        await outbox.release(turn.rows)
        with no_more_room():
            assert await reason_of(gate.acquire(3, asking())) in {"full", "io"}
        assert [(10, 0)] == [(item.rows, item.claimed) for item in await outbox.backlog()]
        assert 10 == len((await send(gate)).rows)
        await balanced(outbox)


@pytest.mark.row(132)
async def test_a_full_disk_at_a_closing_leaves_the_rows_doubted(path: Path) -> None:
    """Row 132: the outcomes of an answer could not be written, so the rows may be in the campaign."""
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(3))
        gate = outbox.gate(ORIGIN, POLICY)
        turn = await gate.acquire(3, asking())
        with no_more_room():
            assert await reason_of(turn.release(results(turn.rows), 0.0)) in {"full", "io"}
        await outbox.release(turn.rows)
        assert [("unknown*", None)] * 3 == await said(outbox, job.id)
        again = await gate.acquire(3, asking())
        assert (True, [1, 1, 1], 3) == (again.is_retry, [row.doubts for row in again.rows], len(again.doubts))
        await again.release(results(again.rows, Outcome.CONFIRMED), 0.0)
        await balanced(outbox)


async def test_a_closing_that_failed_is_noticed_by_the_next_claim(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
        gate = outbox.gate(ORIGIN, POLICY)
        turn = await gate.acquire(3, asking())
        with no_more_room():
            await reason_of(turn.release(results(turn.rows), 0.0))
        again = await asyncio.wait_for(gate.acquire(3, asking(2)), 60)
        assert (True, 2) == (again.is_retry, len(again.rows))


@pytest.mark.parametrize("kind", ["missing folder", "a folder", "a dangling link"])
async def test_a_path_that_cannot_be_a_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "leads.db"
    if kind == "missing folder":
        path = tmp_path / "none" / "leads.db"
    elif kind == "a folder":
        path.mkdir(mode=0o755)
    else:
        path.symlink_to(tmp_path / "none")
    outbox = SqliteOutbox(path)
    assert "missing" == await reason_of(outbox.put(3, leads(1)))
    await outbox.aclose()
    assert kind != "a folder" or 0o755 == mode(path)


@pytest.mark.parametrize("kind", ["new", "file", "folder"])
@pytest.mark.row(133)
async def test_what_may_not_be_written_is_denied(tmp_path: Path, kind: str) -> None:
    """Row 133, as a user that is not root."""
    path = tmp_path / "leads.db"
    if kind != "new":
        await SqliteOutbox(path).aclose()
        async with SqliteOutbox(path):
            pass
        path.chmod(0o444 if kind == "file" else 0o666)
    os.chmod(tmp_path, 0o777 if kind == "file" else 0o555)  # noqa: PTH101
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        outbox_child.__file__,
        str(path),
        "deny",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    os.chmod(tmp_path, 0o700)  # noqa: PTH101
    assert out.decode().strip() in {"denied", "read_only"}, err.decode()


async def damaged(path: Path, before: dict[str, bytes]) -> str:
    """Use a damaged file: it must say so, or still give what was stored."""
    outbox = SqliteOutbox(path)
    try:
        jobs = await outbox.jobs()
        assert jobs, "a silent fresh start"
        turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking(1000))
        assert turn.rows or (await outbox.campaigns())
        await turn.release([], None)
        for row in turn.rows:
            assert before[row.phone] == row.body
        for job in jobs:
            await said(outbox, job.id)
    except OutboxError as error:
        return error.reason
    finally:
        await outbox.aclose()
    return "usable"


@pytest.fixture
async def stored(path: Path) -> dict[str, bytes]:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, [*leads(250), "x", Lead(phone(3), key="k")])
        turn = await outbox.gate(ORIGIN, POLICY).acquire(3, asking(1000))
        await turn.release([], None)
        return {row.phone: row.body for row in turn.rows}


@pytest.mark.row(134)
async def test_a_file_cut_at_any_kilobyte_is_damaged(path: Path, stored: dict[str, bytes]) -> None:
    """Row 134."""
    size = len(content(path))
    for cut in range(1024, size, 1024):
        copy = path.with_name("cut.db")
        shutil.copy(path, copy)
        os.truncate(copy, cut)
        assert await damaged(copy, stored) in {"corrupt", "foreign"}, cut


@pytest.mark.row(134)
async def test_a_file_flipped_at_any_kilobyte_sends_nothing_else(path: Path, stored: dict[str, bytes]) -> None:
    """Row 134: it is refused, or what it still gives is what was stored."""
    chance = random.Random(7)
    original = content(path)
    said_so = 0
    for start in range(0, len(original), 1024):
        spoilt = bytearray(original)
        for offset in chance.sample(range(start, min(start + 1024, len(original))), 40):
            spoilt[offset] ^= 1 << chance.randrange(8)
        copy = path.with_name("flipped.db")
        spoil(copy, bytes(spoilt))
        said_so += await damaged(copy, stored) != "usable"
    assert said_so > 10


async def test_a_flipped_lead_is_noticed_by_its_sum(path: Path, stored: dict[str, bytes]) -> None:
    whole = content(path)
    at = whole.index(b"Canary")
    spoil(path, whole[:at] + b"canary" + whole[at + 6 :])
    assert "corrupt" == await damaged(path, stored)


@pytest.mark.parametrize("other", [b"phone_number\n441632960001\n" * 100, b"x", bytes(5000)])
async def test_a_file_of_another_kind_is_left_alone(path: Path, other: bytes) -> None:
    spoil(path, other)
    os.chmod(path, 0o600)  # noqa: PTH101
    outbox = SqliteOutbox(path)
    assert "foreign" == await reason_of(outbox.jobs())
    await outbox.aclose()
    assert other == content(path)
    assert [path.name] == [file.name for file in path.parent.iterdir() if file.stat().st_size]


async def test_an_empty_file_becomes_an_outbox(path: Path) -> None:
    spoil(path, b"")
    async with SqliteOutbox(path) as outbox:
        assert [] == await outbox.jobs()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("PRAGMA user_version = 99", "newer"),
        ("PRAGMA application_id = 7", "foreign"),
        ("DROP TABLE rows", "corrupt"),
    ],
)
@pytest.mark.row(135)
async def test_another_version_or_program_is_never_written_to(path: Path, change: str, reason: str) -> None:
    """Row 135."""
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    before = content(path)
    outbox = SqliteOutbox(path)
    assert reason == await reason_of(outbox.put(3, leads(1)))
    await outbox.aclose()
    assert reason == "corrupt" or before == content(path)


@pytest.mark.row(135)
async def test_the_account_is_a_label_for_all(path: Path) -> None:
    """Row 135."""
    async with SqliteOutbox(path, account="a"):
        pass
    other = SqliteOutbox(path, account="b")
    assert "mismatch" == await reason_of(other.jobs())
    await other.aclose()
    async with SqliteOutbox(path, account="a") as outbox:
        assert [] == await outbox.jobs()


async def test_a_file_of_the_first_version_is_gone_on_with(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        job = await outbox.put(3, leads(3))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX rows_refused")
        connection.execute("DROP TABLE work")
        for table, column in [
            ("rows", "refused"),
            *(("lines", name) for name in ("attempts", "seconds", "answered")),
            *(("owners", name) for name in ("pid", "host", "since")),
            *(("jobs", name) for name in ("idempotent", "requeued")),
            ("gates", "status"),
        ]:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 1")
        fresh = sqlite3.connect(":memory:")
        schema.migrate(fresh, "x", schema.STEPS[:1])
        assert tables(fresh) == tables(connection), "as the first version made it"
        fresh.close()
    async with SqliteOutbox(path) as outbox:
        turn = await send(gate_of(outbox))
        assert (3, frozenset()) == (len(turn.rows), turn.refused)
        report = (await outbox.job(job.id)).report
        assert (3, None) == (report.counts[Outcome.CREATED], report.ceiling_share)


def tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return {
        name: [column[1] for column in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in names.fetchall()
    }


async def test_rows_of_the_first_version_that_must_not_be_called_are_suppressed(path: Path) -> None:
    """They were INVALID then, and would be written to be mended and pushed again."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, "x", schema.STEPS[:1])
        connection.execute(
            "INSERT INTO jobs (n, id, name, op, state, created, rows) VALUES (1, 'a', '', 0, 1, 0, 3)"
        )
        for index, reason in enumerate(("suppressed", "letters", "suppressed")):
            connection.execute(
                "INSERT INTO rows (id, campaign, op, state, outcome, reason) VALUES (?, 3, 0, 3, 6, ?)",
                ((1 << 32) + index, reason),
            )
        connection.execute("INSERT INTO tallies VALUES (1, 6, 'suppressed', 2), (1, 6, 'letters', 1)")
    async with SqliteOutbox(path) as outbox:
        await balanced(outbox)
        assert ["suppressed", "invalid", "suppressed"] == [word.outcome for word in await words(outbox, "a")]
        assert JobActivity.DONE is (await outbox.job("a")).activity


async def test_an_older_version_is_migrated_as_a_whole_or_not_at_all(path: Path) -> None:
    async with SqliteOutbox(path) as outbox:
        await outbox.put(3, leads(3))

    def step(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE jobs ADD COLUMN colour TEXT")

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE jobs ADD COLUMN other TEXT")
        raise sqlite3.OperationalError("no")

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection, "x", (*schema.STEPS, broken))
        connection.execute("ROLLBACK")
        assert (len(schema.STEPS),) == connection.execute("PRAGMA user_version").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        schema.migrate(connection, "x", (*schema.STEPS, step))
        connection.execute("COMMIT")
        assert (len(schema.STEPS) + 1,) == connection.execute("PRAGMA user_version").fetchone()
        assert [(None,)] == connection.execute("SELECT colour FROM jobs").fetchall()
