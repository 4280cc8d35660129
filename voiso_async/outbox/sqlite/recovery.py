"""Taking back what is lent: from the dead, from who is frozen, and from ourselves."""

from voiso_async.outbox.sqlite.faults import real
from voiso_async.outbox.sqlite.ledger import Ledger, as_json
from voiso_async.outbox.sqlite.owners import sweep_files
from voiso_async.outbox.sqlite.schema import LENT, WAITING

__all__ = [
    "bury_the_dead",
    "forget_strangers",
    "free_gate",
    "free_lost_gates",
    "give_back",
    "is_lost",
    "lenders",
    "take_back",
]

_IN_LINE = f"state = {WAITING}, owner = NULL, fence = NULL"


def is_lost(ledger: Ledger, campaign: int) -> bool:
    """Whether nobody will close the turn that holds a gate, or may not any more.

    One of our own is lost if its closing failed.
    """
    fence, owner, asked, lease = ledger.row(
        "SELECT fence, owner, asked, lease FROM gates WHERE campaign = ?", campaign
    )
    if owner is None:
        return False  # it was given back this moment
    if owner == ledger.me:
        return (campaign, fence) not in ledger.turns
    return not ledger.present(owner) or not 0 <= ledger.clock() - real(asked) <= real(lease)


def free_gate(ledger: Ledger, campaign: int) -> None:
    """Take a gate from a holder that is lost: its POST may have been applied, and may still be at work.

    The rows in flight become doubted, an old batch; what else the holder had of this campaign goes back as it is.
    """
    fence, owner = ledger.row("SELECT fence, owner FROM gates WHERE campaign = ?", campaign)
    ledger.run(
        f"""UPDATE rows SET {_IN_LINE}, doubts = doubts + 1,
        batch = iif(coalesce(batch, -1) < 0, fence, batch),
        doubted_at = coalesce(doubted_at, ?)
        WHERE state = {LENT} AND owner = ? AND campaign = ? AND fence = ?""",  # noqa: S608
        ledger.wall(),
        owner,
        campaign,
        fence,
    )
    if owner != ledger.me:
        give_back(ledger, owner, campaign)
    ledger.run(
        "UPDATE gates SET owner = NULL, asked = NULL, hold = caution, due = ? + caution WHERE campaign = ?",
        ledger.clock(),
        campaign,
    )


def give_back(ledger: Ledger, owner: int, campaign: int | None = None, *, ids: list[int] | None = None) -> int:
    """Put rows lent to ``owner`` back in line as they are, but for those of an open turn; say how many."""
    return ledger.run(
        f"""UPDATE rows SET {_IN_LINE} WHERE state = {LENT} AND owner = :owner
        AND (:campaign IS NULL OR campaign = :campaign)
        AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
        AND NOT EXISTS (SELECT 1 FROM gates WHERE gates.campaign = rows.campaign
            AND gates.owner = rows.owner AND gates.fence = rows.fence)""",  # noqa: S608
        owner=owner,
        campaign=campaign,
        ids=None if ids is None else as_json(ids),
    )


def free_lost_gates(ledger: Ledger) -> None:
    """Take every gate from a holder that is lost."""
    for campaign in _held(ledger):
        if is_lost(ledger, campaign):
            free_gate(ledger, campaign)


def _held(ledger: Ledger) -> list[int]:
    return ledger.listed("SELECT json_group_array(campaign) FROM gates WHERE owner IS NOT NULL")


def lenders(ledger: Ledger) -> set[int]:
    """Other owners that have rows or gates."""
    return set(
        ledger.listed(
            f"""SELECT json_group_array(owner) FROM (
                SELECT owner FROM gates WHERE owner IS NOT NULL
                UNION SELECT owner FROM rows WHERE state = {LENT}) WHERE owner <> ?""",  # noqa: S608
            ledger.me,
        )
    )


def take_back(ledger: Ledger) -> int:
    """Take back what lanes here let go, and every gate that is lost; say how many rows lanes let go."""
    with ledger.writing():
        free_lost_gates(ledger)
        back = give_back(ledger, ledger.me, ids=sorted(ledger.owed))
        kept = ledger.listed(
            f"""SELECT json_group_array(id) FROM rows WHERE id IN (SELECT value FROM json_each(?))
            AND state = {LENT} AND owner = ?""",  # noqa: S608
            as_json(sorted(ledger.owed)),
            ledger.me,
        )
    ledger.owed = set(kept)  # of a turn that is open, which may end without a word on them
    return back


def bury_the_dead(ledger: Ledger) -> bool:
    """Take back what dead owners had, frozen ones held for too long, and a closing or release of ours failed to.

    Say whether anybody was dead.
    """
    if ledger.owed or any(is_lost(ledger, campaign) for campaign in _held(ledger)):
        take_back(ledger)
    dead = [owner for owner in lenders(ledger) if not ledger.present(owner)]
    if not dead:
        return False
    with ledger.writing():
        free_lost_gates(ledger)
        for owner in dead:
            give_back(ledger, owner)
        ledger.run("DELETE FROM owners WHERE n IN (SELECT value FROM json_each(?))", as_json(dead))
    return True


def forget_strangers(ledger: Ledger) -> None:
    """Drop owners that are gone, and lock files that nobody is known by."""
    known = ledger.listed("SELECT json_group_array(n) FROM owners")
    gone = [owner for owner in known if not ledger.present(owner)]
    if gone:
        with ledger.writing():
            ledger.run("DELETE FROM owners WHERE n IN (SELECT value FROM json_each(?))", as_json(gone))
    sweep_files(ledger.path, set(known))
