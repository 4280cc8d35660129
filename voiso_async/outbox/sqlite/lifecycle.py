"""The life of a job after it was stored: ended early, put back in line, copied, removed."""

from voiso_async.errors import OutboxError
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.sqlite.database import Database
from voiso_async.outbox.sqlite.insert import mark_finished
from voiso_async.outbox.sqlite.queries import number_of
from voiso_async.outbox.sqlite.schema import ASKED, FINAL, LOADED, OUTCOMES, PARKED, PURGING, ROWS_PER_JOB, WAITING

_UNKNOWN, _NOT_SENT = OUTCOMES.index(Outcome.UNKNOWN), OUTCOMES.index(Outcome.NOT_SENT)


def expired_jobs(db: Database) -> list[int]:
    """Jobs with rows in line that may not be sent any more: withdrawn, or expired."""
    return db.listed(
        """SELECT json_group_array(n) FROM jobs WHERE ends IS NOT NULL AND finished IS NULL AND ends <= ?
        AND EXISTS (SELECT 1 FROM lines WHERE job = n AND fresh + old > 0)""",
        db.wall(),
    )


def end_rows(db: Database, job: int, most: int) -> int:
    """End rows in line of a job whose time is over, in the transaction that is open; say how many."""
    reason = "withdrawn" if db.value("SELECT withdrawn FROM jobs WHERE n = ?", job) else "expired"
    ended = 0
    for campaign, op in db.listed(
        "SELECT json_group_array(json_array(campaign, op)) FROM lines WHERE job = ? AND fresh + old > 0", job
    ):
        for batch in ("IS NULL", "IS NOT NULL"):
            ended += db.run(
                f"""UPDATE rows SET state = iif(doubts > 0, {PARKED}, {FINAL}),
                outcome = iif(doubts > 0, {_UNKNOWN}, {_NOT_SENT}), reason = ?
                WHERE id IN (SELECT id FROM rows WHERE campaign = ? AND op = ? AND state = {WAITING}
                AND batch {batch} AND id >= ? AND id < ? ORDER BY id LIMIT ?)""",  # noqa: S608
                reason,
                campaign,
                op,
                job * ROWS_PER_JOB,
                (job + 1) * ROWS_PER_JOB,
                most - ended,
            )
    mark_finished(db, [job])
    return ended


def end_slice(db: Database, most: int) -> int:
    """End rows of every job whose time is over; say how many."""
    if not expired_jobs(db):
        return 0
    with db.writing():
        return sum(end_rows(db, job, most) for job in expired_jobs(db)[:10])


def withdraw_job(db: Database, job_id: str) -> int:
    """Let nothing of a job be lent any more, and no more be loaded; give the job's number."""
    with db.writing():
        job = number_of(db, job_id)
        db.run("UPDATE jobs SET withdrawn = 1, ends = 0, state = ?, loader = NULL WHERE n = ?", LOADED, job)
        mark_finished(db, [job])
    return job


def withdraw_slice(db: Database, job: int, most: int) -> int:
    """End rows of a job that was withdrawn; say how many."""
    with db.writing():
        return end_rows(db, job, most)


def requeue_slice(db: Database, job_id: str, most: int, *, first: bool) -> int:
    """Put parked rows of a job back in line; say how many. The ``first`` slice counts as one request."""
    with db.writing():
        job = number_of(db, job_id)
        db.run("UPDATE jobs SET withdrawn = 0, ends = expires WHERE n = ?", job)
        back = 0
        for campaign in db.listed(
            "SELECT json_group_array(campaign) FROM lines WHERE job = ? AND parked > 0", job
        ):
            back += db.run(
                f"""UPDATE rows SET state = {WAITING}, outcome = NULL, reason = NULL, detail = NULL, doubts = 1,
                left_out = 0, doubted_at = ?,
                batch = iif(coalesce(batch, 0) < 0, batch, coalesce(batch, 0) - {ASKED})
                WHERE id IN (SELECT id FROM rows WHERE campaign = ? AND state = {PARKED}
                AND id >= ? AND id < ? ORDER BY id LIMIT ?)""",  # noqa: S608
                db.wall(),
                campaign,
                job * ROWS_PER_JOB,
                (job + 1) * ROWS_PER_JOB,
                most - back,
            )
        if back:
            db.run("UPDATE jobs SET requeued = requeued + ? WHERE n = ?", first, job)
        mark_finished(db, [job])
    return back


def finished_before(db: Database, when: float) -> list[int]:
    """Jobs that were done by then, and have nothing parked."""
    return db.listed(
        """SELECT json_group_array(n) FROM jobs WHERE finished <= ? AND state <> ?
        AND NOT EXISTS (SELECT 1 FROM lines WHERE job = n AND parked > 0)""",
        when,
        PURGING,
    )


def purgeable(db: Database, when: float, *, force: bool) -> list[int]:
    """Jobs that were done by then; by ``force`` every job that was made by then."""
    if not force:
        return finished_before(db, when)
    return db.listed("SELECT json_group_array(n) FROM jobs WHERE created <= ? AND state <> ?", when, PURGING)


def begin_purge(db: Database, job: int, *, force: bool) -> bool:
    """Mark a job as gone; say whether it may go without ``force``, which is what else it takes."""
    with db.writing():
        claimed = db.value("SELECT sum(lent) FROM lines WHERE job = ?", job)
        loader = db.value("SELECT loader FROM jobs WHERE n = ?", job)
        if claimed or (loader is not None and (job in db.loading or (loader != db.me and db.present(loader)))):
            raise OutboxError(
                f"outbox {db.path.name}: rows of the job are in somebody's hands; stop that, then purge it",
                reason="in_use",
            )
        open_rows = db.value("SELECT sum(fresh + old + parked) FROM lines WHERE job = ?", job)
        loaded = db.value("SELECT state = ? FROM jobs WHERE n = ?", LOADED, job)
        if not force and (open_rows or not loaded):
            return False
        db.run("DELETE FROM lines WHERE job = ?", job)
        db.run("DELETE FROM tallies WHERE job = ?", job)
        db.run("DELETE FROM work WHERE job = ?", job)
        db.run("UPDATE jobs SET state = ?, finished = NULL, ends = NULL WHERE n = ?", PURGING, job)
    return True


def purging(db: Database) -> list[int]:
    """Jobs whose rows are being removed."""
    return db.listed(f"SELECT json_group_array(n) FROM jobs WHERE state = {PURGING}")  # noqa: S608


def purge_slice(db: Database, job: int, most: int) -> bool:
    """Remove rows of a job, and at last the job; say whether it is gone."""
    with db.writing():
        gone = db.run(
            "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
            job * ROWS_PER_JOB,
            (job + 1) * ROWS_PER_JOB,
            most,
        )
        if gone < most:
            db.run("DELETE FROM jobs WHERE n = ?", job)
    return gone < most


def suspend(db: Database, campaign: int, reason: str | None, status: int | None) -> None:
    """Write down why a campaign was given up."""
    with db.writing():
        db.run(
            """INSERT INTO gates (campaign, suspended, status) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET suspended = excluded.suspended, status = excluded.status""",
            campaign,
            reason,
            status,
        )


def shrink_slice(db: Database, pages: int) -> bool:
    """Give free pages back to the file system; say whether more are left."""
    before = int(db.value("PRAGMA freelist_count"))
    db.shrink(pages)
    return 0 < int(db.value("PRAGMA freelist_count")) < before
