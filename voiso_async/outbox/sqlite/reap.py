"""Taking back what is lent: from the dead, from who is frozen, and from ourselves."""

from voiso_async.outbox.sqlite.database import Database, as_json
from voiso_async.outbox.sqlite.faults import real
from voiso_async.outbox.sqlite.presence import remove_stale_files
from voiso_async.outbox.sqlite.schema import CLAIMED, WAITING

_IN_LINE = f"state = {WAITING}, owner = NULL, fence = NULL"


def lease_lost(db: Database, campaign: int) -> bool:
    """Whether nobody will close the turn that holds a gate, or may not any more.

    One of our own is lost if its closing failed.
    """
    fence, owner, asked, lease = db.row(
        "SELECT fence, owner, asked, lease FROM gates WHERE campaign = ?", campaign
    )
    if owner is None:
        return False  # it was given back this moment
    if owner == db.me:
        return (campaign, fence) not in db.slots
    return not db.present(owner) or not 0 <= db.clock() - real(asked) <= real(lease)


def reap_gate(db: Database, campaign: int) -> None:
    """Take a gate from a holder that is lost: its POST may have been applied, and may still be at work.

    The rows in flight become doubted, an old batch; what else the holder had of this campaign goes back as it is.
    """
    fence, owner = db.row("SELECT fence, owner FROM gates WHERE campaign = ?", campaign)
    db.run(
        f"""UPDATE rows SET {_IN_LINE}, doubts = doubts + 1,
        batch = iif(coalesce(batch, -1) < 0, fence, batch),
        doubted_at = coalesce(doubted_at, ?)
        WHERE state = {CLAIMED} AND owner = ? AND campaign = ? AND fence = ?""",  # noqa: S608
        db.wall(),
        owner,
        campaign,
        fence,
    )
    if owner != db.me:
        nack(db, owner, campaign)
    db.run(
        "UPDATE gates SET owner = NULL, asked = NULL, hold = caution, due = ? + caution WHERE campaign = ?",
        db.clock(),
        campaign,
    )


def nack(db: Database, owner: int, campaign: int | None = None, *, ids: list[int] | None = None) -> int:
    """Put rows lent to ``owner`` back in line as they are, but for those of an open turn; say how many."""
    return db.run(
        f"""UPDATE rows SET {_IN_LINE} WHERE state = {CLAIMED} AND owner = :owner
        AND (:campaign IS NULL OR campaign = :campaign)
        AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
        AND NOT EXISTS (SELECT 1 FROM gates WHERE gates.campaign = rows.campaign
            AND gates.owner = rows.owner AND gates.fence = rows.fence)""",  # noqa: S608
        owner=owner,
        campaign=campaign,
        ids=None if ids is None else as_json(ids),
    )


def reap_lost_gates(db: Database) -> None:
    """Take every gate from a holder that is lost."""
    for campaign in _held(db):
        if lease_lost(db, campaign):
            reap_gate(db, campaign)


def _held(db: Database) -> list[int]:
    return db.listed("SELECT json_group_array(campaign) FROM gates WHERE owner IS NOT NULL")


def claim_holders(db: Database) -> set[int]:
    """Other owners that have rows or gates."""
    return set(
        db.listed(
            f"""SELECT json_group_array(owner) FROM (
                SELECT owner FROM gates WHERE owner IS NOT NULL
                UNION SELECT owner FROM rows WHERE state = {CLAIMED}) WHERE owner <> ?""",  # noqa: S608
            db.me,
        )
    )


def release_pending(db: Database) -> int:
    """Take back what lanes here let go, and every gate that is lost; say how many rows lanes let go."""
    with db.writing():
        reap_lost_gates(db)
        back = nack(db, db.me, ids=sorted(db.pending_release))
        kept = db.listed(
            f"""SELECT json_group_array(id) FROM rows WHERE id IN (SELECT value FROM json_each(?))
            AND state = {CLAIMED} AND owner = ?""",  # noqa: S608
            as_json(sorted(db.pending_release)),
            db.me,
        )
    db.pending_release = set(kept)  # of a turn that is open, which may end without a word on them
    return back


def reap_lost_workers(db: Database) -> bool:
    """Take back what dead owners had, frozen ones held for too long, and a closing or release of ours failed to.

    Say whether anybody was dead.
    """
    if db.pending_release or any(lease_lost(db, campaign) for campaign in _held(db)):
        release_pending(db)
    dead = [owner for owner in claim_holders(db) if not db.present(owner)]
    if not dead:
        return False
    with db.writing():
        reap_lost_gates(db)
        for owner in dead:
            nack(db, owner)
        db.run("DELETE FROM owners WHERE n IN (SELECT value FROM json_each(?))", as_json(dead))
    return True


def forget_unknown_workers(db: Database) -> None:
    """Drop owners that are gone, and lock files that nobody is known by."""
    known = db.listed("SELECT json_group_array(n) FROM owners")
    gone = [owner for owner in known if not db.present(owner)]
    if gone:
        with db.writing():
            db.run("DELETE FROM owners WHERE n IN (SELECT value FROM json_each(?))", as_json(gone))
    remove_stale_files(db.path, set(known))
