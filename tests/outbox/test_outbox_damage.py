"""Damage is found where values are decoded; what is wrong with our own code comes out as what it is."""

import asyncio
import contextlib
import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from outbox_cases import POLICY, asking, gate_of, leads, lose, results

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox import SqliteOutbox
from voiso_async.outbox.sqlite import claim as claims
from voiso_async.outbox.sqlite import complete as closing
from voiso_async.outbox.sqlite import insert as storing
from voiso_async.outbox.sqlite import maintenance as housekeeping
from voiso_async.outbox.sqlite import outbox
from voiso_async.outbox.sqlite import queries as reading
from voiso_async.outbox.sqlite.faults import Damaged

pytestmark = pytest.mark.virtual


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.db"


class OurError(KeyError):
    pass


def mistaken(*_: Any, **__: Any) -> Any:
    raise OurError("our own")


async def claimed(box: SqliteOutbox) -> None:
    await (await gate_of(box).acquire(3, asking())).release([], None)


async def closed(box: SqliteOutbox) -> None:
    slot = await gate_of(box).acquire(3, asking())
    await slot.release(results(slot.rows), 0.0)


WORK: dict[str, tuple[Any, str, Callable[[SqliteOutbox], Awaitable[Any]]]] = {
    "put": (storing, "insert_rows", lambda box: box.put(3, leads(2, 10))),
    "claim": (claims, "_mark", claimed),
    "close": (closing, "_update_rows", closed),
    "read": (reading, "_jobs", lambda box: box.jobs()),
    "backlog": (outbox, "backlog_of", lambda box: box.backlog()),
    "purge": (housekeeping, "purge_slice", lambda box: box.purge(older_than=None, force=True)),
}


@pytest.mark.parametrize("kind", WORK)
async def test_a_mistake_of_our_own_is_told_as_what_it_is(
    path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody restores a backup for a bug; and the outbox goes on, with the rows as they were."""
    module, name, work = WORK[kind]
    async with SqliteOutbox(path) as box:
        job = await box.put(3, leads(3))
        with monkeypatch.context() as patch:
            patch.setattr(module, name, mistaken)
            with pytest.raises(OurError, match="our own") as caught:
                await work(box)
            assert "mistaken" in "".join(traceback.format_exception(caught.value)), "it names the place"
        left = [] if kind == "purge" else [(await box.job(job.id)).waiting]
        assert left == [job.waiting for job in await box.jobs()], "a purge that began is not taken back"


@pytest.mark.parametrize("error", [TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError])
async def test_no_kind_of_mistake_is_taken_for_damage(
    path: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise error("our own")

    async with SqliteOutbox(path) as box:
        monkeypatch.setattr(reading, "_jobs", failing)
        with pytest.raises(error, match="our own"):
            await box.jobs()


async def everything(box: SqliteOutbox) -> None:
    for job in await box.jobs():
        [one async for one in box.outcomes(job.id)]
    await box.campaigns()
    await box.backlog()
    slot = await gate_of(box, POLICY).acquire(3, asking())
    await lose(slot, slot.rows, 0.0)


COLUMNS = [
    ("jobs", "rows"),
    ("jobs", "op"),
    ("jobs", "created"),
    ("jobs", "source"),
    ("jobs", "began"),
    ("rows", "body"),
    ("rows", "phone"),
    ("rows", "crc"),
    ("rows", "op"),
    ("rows", "doubts"),
    ("rows", "outcome"),
    ("lines", "fresh"),
    ("tallies", "outcome"),
    ("gates", "hold"),
    ("gates", "due"),
    ("work", "since"),
]


@pytest.mark.parametrize("value", ["'4416329601'", "x'ff00'", "-7000000000"])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_a_value_of_another_type_is_damage_or_does_no_harm(
    path: Path, table: str, column: str, value: str
) -> None:
    """Whatever stands in a column: an OutboxError that shows nothing of it, or no error; never one of ours."""
    async with SqliteOutbox(path) as box:
        await box.put(3, [*leads(3), "12"])
        slot = await gate_of(box).acquire(3, asking(1))
        await slot.release(results(slot.rows, Outcome.CREATED), 0.0)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for trigger in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        with contextlib.suppress(sqlite3.IntegrityError):  # STRICT tables refuse another type themselves
            connection.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608
    async with SqliteOutbox(path) as box:
        [ended] = await asyncio.gather(everything(box), return_exceptions=True)
    assert ended is None or isinstance(ended, OutboxError)
    if ended is not None:
        assert "corrupt" == ended.reason
        assert isinstance(ended.__cause__, Damaged | sqlite3.Error | None)
        assert "4416" not in f"{ended} {ended.__cause__}"
