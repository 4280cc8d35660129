"""Three histories of one ingestion test over real HTTP, and the checker that compares them.

``sandbox.history`` has what the server saw and applied; a wrapper of the transport records what clients sent and
received; callers got the reports of every ingestion. The numbers in the assertions are these invariants:
1 conservation, 2 truth, 3 no silent loss, 4 no resend after a final outcome, 5 one in flight,
6 cooldown, 7 size and order, 8 same bytes, 9 retry proof, 11 the server's word, 12 key secrecy on the wire,
13 one origin, 23 no lies from HTTP.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Generator
from functools import cached_property
from typing import Any

import pytest
from attrs import Factory, define, frozen
from http_attempts import CREATED, DUPLICATES, LEADS_PATH, REJECTED, UPDATED, Attempt, Handed, Told

from voiso_async.errors import ClientClosedError, VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import LocalGate
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.sandbox import Exchange, Sandbox
from voiso_async.transport import Transport
from voiso_async.wire import Response


@define(eq=False, repr=False)
class Histories:
    """Records while a test runs; ``check`` compares.

    A test switches ``paced`` off if another process writes too, or if the server goes on working after the client
    has given up; ``alone`` if clients talk to other servers too.
    """

    sandbox: Sandbox
    attempts: list[Attempt] = Factory(list)
    handed: list[Handed] = Factory(list)
    told: list[Told] = Factory(list)
    urls: set[str] = Factory(set)
    paced: bool = True
    alone: bool = True

    def record(self, patch: pytest.MonkeyPatch) -> None:
        """Record at every transport, at the entrance of every batcher, and at the end of every call."""
        self._listen_at_transports(patch)
        self._listen_at_batchers(patch)
        self._listen_at_callers(patch)

    def _listen_at_transports(self, patch: pytest.MonkeyPatch) -> None:
        send = Transport.send

        async def recorded(transport: Transport, request: Any, url: str, *rest: Any) -> Response:
            if not self.concerns(url):
                return await send(transport, request, url, *rest)
            self.urls.add(url)
            found = LEADS_PATH.fullmatch(request.path)
            if found is None:
                return await send(transport, request, url, *rest)
            attempt = Attempt(transport, int(found[1]), request.method, request.body, time.monotonic())
            self.attempts.append(attempt)
            try:
                attempt.answer = await send(transport, request, url, *rest)
            except VoisoError as error:
                attempt.proof = error.proof
                raise
            finally:
                attempt.ended = time.monotonic()
            return attempt.answer

        patch.setattr(Transport, "send", recorded)

    def _listen_at_batchers(self, patch: pytest.MonkeyPatch) -> None:
        make = Ingestion.__init__

        def handing(
            ingestion: Ingestion, batcher: LeadBatcher, operation: Any, campaign: Any, leads: Any, **rest: Any
        ) -> None:
            make(ingestion, batcher, operation, campaign, leads, **rest)
            session = getattr(getattr(batcher._parts.post, "__self__", None), "_session", None)
            durable = not isinstance(batcher._parts.gate, LocalGate)
            if session is None or durable or not self.concerns(session._base_url):
                return  # what an outbox knows of earlier attempts is not in these histories
            client = session._shared.leads
            listed = list(leads) if isinstance(leads, list | tuple) else None
            self.handed.append(Handed(client, int(campaign), listed, ingestion))

        patch.setattr(Ingestion, "__init__", handing)

    def _listen_at_callers(self, patch: pytest.MonkeyPatch) -> None:
        """Keep the report as it is when a call ends early, by an error or by its caller's leaving."""
        awaiting, following, leaving = Ingestion.__await__, Ingestion.__anext__, Ingestion.__aexit__

        def awaited(ingestion: Ingestion) -> Generator[Any, None, IngestReport]:
            try:
                return (yield from awaiting(ingestion))
            except BaseException:
                self.told.append(Told(ingestion, ingestion.report, time.monotonic()))
                raise

        async def followed(ingestion: Ingestion) -> LeadOutcome:
            try:
                return await following(ingestion)
            except (VoisoError, asyncio.CancelledError):
                self.told.append(Told(ingestion, ingestion.report, time.monotonic()))
                raise

        async def left(ingestion: Ingestion, *how: Any) -> None:
            await leaving(ingestion, *how)
            self.told.append(Told(ingestion, ingestion.report, time.monotonic()))

        patch.setattr(Ingestion, "__await__", awaited)
        patch.setattr(Ingestion, "__anext__", followed)
        patch.setattr(Ingestion, "__aexit__", left)

    def concerns(self, url: str) -> bool:
        """Whether these histories are about requests to that address."""
        return self.alone or url.startswith(f"{self.sandbox.url}/")

    @property
    def posts(self) -> list[Exchange]:
        """The lead writes that the server saw."""
        return [one for one in self.sandbox.history if LEADS_PATH.fullmatch(one.path)]

    def check(self) -> None:
        """Compare the three histories."""
        self._match()
        self._check_wire()
        self._check_pace()
        self._check_repeats()
        for client in {handed.client for handed in self.handed}:
            calls = [handed for handed in self.handed if handed.client is client]
            times = Counter(phone for handed in calls for phone in set(handed.phones))
            for handed in calls:
                _CallCheck(self, handed, times).check()
                self._check_told(handed, times)

    def _check_told(self, handed: Handed, times: Counter[str]) -> None:
        """What a caller's report calls NOT_SENT was never sent, and never is; nothing else is certain."""
        for told in (told for told in self.told if told.ingestion is handed.ingestion):
            for outcome in told.report.outcomes or told.report.problems:
                phone = outcome.phone
                if phone is None or times[phone] > 1:
                    continue
                carrying = [a for a in self.attempts if a.client is handed.client and phone in a.numbers]
                if outcome.outcome is Outcome.NOT_SENT:
                    assert all(attempt.ended <= told.at for attempt in carrying), "2: it left after that"
                elif outcome.outcome is Outcome.UNKNOWN:
                    open_ = [
                        a for a in carrying if a.began <= told.at and (a.ended >= told.at or a.leaves_open(phone))
                    ]
                    assert open_ or isinstance(handed.error, ClientClosedError), "2: it is provably not applied"

    def _match(self) -> None:
        """Find the exchange of each attempt: it has the same bytes, and began while the attempt ran.

        On a busy machine a server may read a request only after its client has given up.
        """
        for post in self.posts:
            same = [attempt for attempt in self.attempts if self._is_that_of(attempt, post)]
            running = [attempt for attempt in same if post.began <= attempt.ended]
            late = [attempt for attempt in same if attempt.exchange is None and attempt.told == "lost"]
            if late and all(attempt.told == "unsent" for attempt in running):
                running = late[-1:]
            for attempt in running:
                attempt.exchange = post
        for attempt in self.attempts:
            if attempt.told == "unsent":
                assert () == attempt.applied, "2: proved as not sent, and applied all the same"

    def _is_that_of(self, attempt: Attempt, post: Exchange) -> bool:
        ours = post.body == attempt.body[: len(post.body)] and attempt.began <= post.began
        return ours and post.path == f"/campaigns/{attempt.campaign}/leads"

    def _check_wire(self) -> None:
        for url in self.urls:
            assert url.startswith(f"{self.sandbox.url}/"), "13"
        for exchange in self.sandbox.history:
            assert not exchange.key_elsewhere, "12"
            proves_itself_otherwise = exchange.path.endswith("/oauth/token")  # by a signed assertion in the body
            assert proves_itself_otherwise or 1 == exchange.authorization_count, "12"
        for attempt in self.attempts:
            assert 1 <= len(attempt.leads) <= 1000, "7"
            assert len(attempt.leads) == len(attempt.numbers), "7"

    def _check_pace(self) -> None:
        for campaign in {attempt.campaign for attempt in self.attempts}:
            left = [a for a in self.attempts if a.campaign == campaign and a.told != "unsent"]
            for before, after in itertools.pairwise(sorted(left, key=lambda attempt: attempt.began)):
                assert before.ended <= after.began, "5"
                assert after.began - before.ended >= self.sandbox.rules.cooldown, "6"
                assert after.began - before.ended >= before.asked_for, "11"
        if self.paced:
            assert 0 == self.sandbox.too_early, "5 and 6, measured at the server"

    def _check_repeats(self) -> None:
        """Repeats are the same bytes, or those of fewer leads, and only where that is safe."""
        times = Counter((handed.client, phone) for handed in self.handed for phone in handed.phones)
        last: dict[tuple[Transport, int, str], Attempt] = {}
        for attempt in self.attempts:
            for phone in attempt.phones:
                before = last.get((attempt.client, attempt.campaign, phone))
                if before is not None and times[attempt.client, phone] == 1:
                    assert attempt.numbers <= before.numbers, "8"
                    assert attempt.by_phone[phone] == before.by_phone[phone], "8"
                    assert before.told != "answered" or 1 != len(before.lists_of(phone)), "4 and 9"
                    assert attempt.numbers != before.numbers or attempt.body == before.body, "8"
                last[attempt.client, attempt.campaign, phone] = attempt


@frozen(eq=False, repr=False)
class _CallCheck:
    """Check one call's report; ``times`` is the number of calls of this client that handed a phone over."""

    histories: Histories
    handed: Handed
    times: Counter[str]

    def check(self) -> None:
        report = self.handed.report
        assert report.balanced, "1"
        assert 0 == report.pending, "3"
        if self.handed.leads is not None and self.handed.went_through:
            assert len(self.handed.leads) == report.rows, "3"
        if len(report.outcomes) == report.rows:
            assert list(range(report.rows)) == [outcome.index for outcome in report.outcomes], "1"
        else:
            self._check_counts(report)
        for outcome in report.outcomes or report.problems:
            self._check_truth(outcome)

    @cached_property
    def _attempts(self) -> list[Attempt]:
        mine = (self.handed.client, self.handed.campaign)
        return [attempt for attempt in self.histories.attempts if (attempt.client, attempt.campaign) == mine]

    def _check_counts(self, report: IngestReport) -> None:
        """Large calls keep no rows: compare their counts with the lists of the answers."""
        if self.handed.leads is None:
            return
        alone = {phone for phone in self.handed.phones if self.times[phone] == 1}
        if len(alone) == len(self.handed.phones) and {"POST"} == {attempt.method for attempt in self._attempts}:
            created = {phone for attempt in self._attempts for phone in attempt.lists.get(CREATED, ())} & alone
            assert len(created) == report.counts[Outcome.CREATED], "2"

    def _check_truth(self, outcome: LeadOutcome) -> None:
        phone, kind = outcome.phone, outcome.outcome
        assert phone is not None or kind is Outcome.INVALID, "2"
        if phone is None or kind in {Outcome.INVALID, Outcome.REPEATED}:
            return
        carrying = [attempt for attempt in self._attempts if phone in attempt.numbers]
        closed = isinstance(self.handed.error, ClientClosedError)
        evidence = _Evidence(phone, carrying, closed=closed, alone=self.times[phone] <= 1)
        objection = evidence.against(kind)
        assert not objection, f"{objection}, and called {kind.value}"
        if kind in {Outcome.CREATED, Outcome.DUPLICATE, Outcome.CONFIRMED}:
            assert phone in self.histories.sandbox.campaigns[self.handed.campaign].leads, (
                "2: the server's own book"
            )


@frozen(eq=False, repr=False)
class _Evidence:
    """Everything on the wire about one phone of one client."""

    phone: str
    carrying: list[Attempt]
    closed: bool
    alone: bool

    def against(self, kind: Outcome) -> str:
        """Return the reason why this outcome is wrong, or nothing."""
        told = {attempt.told for attempt in self.carrying}
        applied = any(self.phone in attempt.applied for attempt in self.carrying)
        answered = any(a.told == "answered" and self.phone in a.applied for a in self.carrying)
        rules = {
            Outcome.CREATED: CREATED in self._listed and answered,
            Outcome.DUPLICATE: DUPLICATES in self._listed and not self._doubted,
            Outcome.CONFIRMED: DUPLICATES in self._listed and self._doubted,
            Outcome.UPDATED: bool(UPDATED & self._listed),
            Outcome.REJECTED: REJECTED in self._listed or "refused" in told,
            Outcome.UNREPORTED: "answered" in told,
            Outcome.UNKNOWN: self.closed or any(attempt.leaves_open(self.phone) for attempt in self.carrying),
            Outcome.NOT_SENT: not self.alone or (told <= {"refused", "unsent"} and not applied),
        }
        said = ", ".join(sorted(self._listed)) or "nothing"
        return "" if rules[kind] else f"2 and 23: listed as {said}, {'in doubt' if self._doubted else 'certain'}"

    @cached_property
    def _listed(self) -> set[str]:
        return {name for attempt in self.carrying for name in attempt.lists_of(self.phone)}

    @cached_property
    def _doubted(self) -> bool:
        """Whether an attempt without a clear word came before the last one that lists the phone as duplicate."""
        doubted = doubted_then = False
        for attempt in self.carrying:
            listed = attempt.lists_of(self.phone)
            if listed == [DUPLICATES]:
                doubted_then = doubted
            elif listed in ([CREATED], [REJECTED]):
                doubted = False
            elif attempt.leaves_open(self.phone) or attempt.refused_as_a_whole:
                doubted = True
        return doubted_then
