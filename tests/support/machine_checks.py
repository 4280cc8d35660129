"""What always holds between the campaign, the wire, the file, and what callers were told."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

from fake_campaign import FakeCampaigns, Post, check, check_told
from lane_schedules import check_truth
from machine_file import Kept, look
from machine_process import Called, Process

from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.rows import Operation

__all__ = ["ALWAYS", "Checks"]

ARRIVED = {Outcome.CREATED, Outcome.DUPLICATE, Outcome.CONFIRMED, Outcome.UPDATED}
ELSEWHERE = {Outcome.REJECTED, Outcome.UNREPORTED, Outcome.NOT_SENT}


class Checks:
    """The model: who was handed over, what was written down, and the final word on every row so far.

    The numbers in the campaign are the server's; ``lives`` says by which life each of its POSTs was sent.
    """

    def __init__(self, server: FakeCampaigns, path: Path, cooldown: float, settle: float) -> None:
        self.tried: set[str] = set()
        self.promised: set[str] = set()
        self.calls: list[Called] = []
        self._server = server
        self._path = path
        self._cooldown = cooldown
        self._settle = settle
        self._lives: list[int] = []
        self._words: dict[str, Outcome] = {}
        self._asked_for: set[str] = set()
        self._late: list[Post] = []
        self._wrong: list[str] = []

    # What is watched as it happens

    def before_post(self, life: int, leads: list[dict[str, Any]]) -> None:
        """A row is written down as in flight before it leaves, and updates of one number go in order."""
        self._lives.append(life)
        going = {lead["name"] for lead in leads}
        kept = look(self._path)
        for row in kept:
            if row.name in going and not row.claimed:
                self._wrong.append(f"{row.name} leaves although it is {'final' if row.final else 'not lent'}")
        updates = [row for row in kept if row.operation is Operation.UPDATE]
        self._wrong += [
            f"{row.name} overtakes {ahead.name}"
            for ahead, row in itertools.combinations(updates, 2)
            if row.name in going and row.phone == ahead.phone and self._keeps_its_place(ahead)
        ]

    def _keeps_its_place(self, row: Kept) -> bool:
        """Whether later updates wait for it; one that was parked was given up once."""
        return not (row.final or row.parked or row.doubts or row.name in self._asked_for)

    def heard_late(self, post: Post) -> None:
        """The answer came when others may have taken the rows over: what goes once more was not told by it."""
        self._late.append(post)

    def died(self, process: Process) -> None:
        """What it had not written down by then it was never told; and nobody is left to be told the rest."""
        self.calls = [call for call in self.calls if call not in process.calls]
        waiting = {row.name for row in look(self._path) if not row.final}
        for post in process.attempt:
            _strike(post, {lead["phone_number"] for lead in post.leads if lead["name"] in waiting})

    # What always holds

    def nothing_is_lost(self) -> None:
        """Every row that was promised is there, once, and nothing else."""
        names = Counter(row.name for row in look(self._path))
        assert {1} >= set(names.values())
        assert self.promised <= set(names) <= self.tried

    def a_final_word_stays(self) -> None:
        final = {row.name: row.outcome for row in look(self._path) if row.final}
        for name, outcome in final.items():
            assert outcome is not None
            assert self._words.setdefault(name, outcome) is outcome
        assert set(self._words) == set(final)

    def a_word_on_a_row_is_true(self) -> None:
        members = self._server.members.get(3, set())
        self._strike_late()
        for row in look(self._path):
            posts = self._posts_of(row.name)
            if row.final and row.outcome is not None:
                assert row.outcome not in ARRIVED or row.phone in members
                told = LeadOutcome(index=0, outcome=row.outcome, phone=row.phone)
                self._check_truth(told, posts, stored=True)
            elif row.parked:
                self._asked_for.add(row.name)
                assert not any(row.phone in numbers for post in posts for numbers in post.listed.values())

    def a_caller_is_told_the_truth(self) -> None:
        self._strike_late()
        for call in self.calls:
            if call.task is not None and call.task.done():
                self._check_call(call, open_ends=call.task.cancelled())
                self._check_told(call)

    def posts_keep_their_distance(self) -> None:
        """One in flight, the cooldown after each, and after a lost answer the time to settle."""
        check(self._server, [], self._cooldown)
        left = [post for post in self._server.history if post.told != "unsent"]
        for before, after in itertools.pairwise(left):
            settles = before.told == "lost" and before.operation == "add"  # 2xx without a word is a yes to updates
            assert not settles or after.began - before.ended >= self._settle - 1e-6

    def nothing_leaves_that_may_not(self) -> None:
        assert [] == self._wrong

    def a_repeat_is_the_same_or_less(self) -> None:
        """After a lost answer the same leads go again, or some of them, and no others with them."""
        self._strike_late()
        for at, post in enumerate(self._server.history):
            for lead in post.leads:
                before = [earlier for earlier in self._server.history[:at] if lead in earlier.leads]
                if before and self._in_doubt(lead, before[-1], at):
                    assert any(_names(post) <= _names(earlier) for earlier in before)

    def at_the_end(self) -> None:
        """Nothing waits, and every number that was not refused or withdrawn is in the campaign."""
        for row in look(self._path):
            assert row.final
            assert row.outcome in ARRIVED | ELSEWHERE

    def everybody_was_told(self, process: Process) -> None:
        """Its client is closed: every row of every call has its outcome."""
        self._strike_late()
        for call in process.calls:
            assert 0 == call.ingestion.report.pending
            self._check_call(call, open_ends=False)

    # How it is found out

    def _posts_of(self, name: str) -> list[Post]:
        return [post for post in self._server.history if name in _names(post)]

    def _check_call(self, call: Called, *, open_ends: bool) -> None:
        """``open_ends``: a row of a caller who left counts as UNKNOWN until its answer comes."""
        report = call.ingestion.report
        assert report.balanced
        assert call.seen == [report.outcomes[outcome.index] for outcome in call.seen]
        for outcome in report.outcomes:
            if open_ends and outcome.outcome is Outcome.UNKNOWN:
                continue
            posts = self._posts_of(f"call {call.number}/{outcome.index}")
            self._check_truth(outcome, posts, stored=False)

    def _check_told(self, call: Called) -> None:
        """What it was told at its end still holds, whatever has been sent since."""
        if call.told is not None:
            check_told(
                self._server,
                call.told,
                lambda post, outcome: f"call {call.number}/{outcome.index}" in _names(post),
            )

    def _check_truth(self, outcome: LeadOutcome, posts: list[Post], *, stored: bool) -> None:
        """A caller's doubt is known to its client for life; a stored row's to every stored row of its number."""
        history = self._server.history
        last = self._lives[history.index(posts[-1])] if posts else 0
        known = [
            post
            for post, life in zip(history, self._lives, strict=True)
            if life == last or (stored and any(_is_of(lead, outcome.phone) for lead in post.leads))
        ]
        check_truth(FakeCampaigns(history=known), outcome, posts)

    def _in_doubt(self, lead: dict[str, Any], post: Post, until: int) -> bool:
        """Whether an answer was lost that has not been cleared up since by what another row was told."""
        phone = lead["phone_number"]
        if post.told not in {"lost", "answered"} or any(phone in numbers for numbers in post.listed.values()):
            return False
        since = self._server.history[self._server.history.index(post) + 1 : until]
        return not any(phone in later.listed.get(name, ()) for later in since for name in ("created", "rejected"))

    def _strike_late(self) -> None:
        """What came too late told nothing of rows that have gone again or were parked meanwhile."""
        parked = {row.name for row in look(self._path) if row.parked} if self._late else set()
        for post in self._late:
            since = self._server.history[self._server.history.index(post) + 1 :]
            again = {name for other in since for name in _names(other)}
            _strike(post, {lead["phone_number"] for lead in post.leads if lead["name"] in again | parked})


ALWAYS = (
    Checks.nothing_is_lost,
    Checks.a_final_word_stays,
    Checks.a_word_on_a_row_is_true,
    Checks.a_caller_is_told_the_truth,
    Checks.posts_keep_their_distance,
    Checks.nothing_leaves_that_may_not,
    Checks.a_repeat_is_the_same_or_less,
)


def _names(post: Post) -> set[str]:
    return {lead["name"] for lead in post.leads}


def _is_of(lead: dict[str, Any], phone: str | None) -> bool:
    """Whether a lead is a stored row's with this number."""
    return bool(lead["phone_number"] == phone) and str(lead["name"]).startswith("put")


def _strike(post: Post, phones: set[str]) -> None:
    """Take numbers out of what an answer told."""
    if any(phones.intersection(numbers) for numbers in post.listed.values()):
        post.listed = {name: [p for p in numbers if p not in phones] for name, numbers in post.listed.items()}
        post.told = "lost"
