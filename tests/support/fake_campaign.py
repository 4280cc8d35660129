"""A campaign behind a five-line ``post``, its history, and the checker that compares three histories."""

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Factory, define, frozen
from report_in import report_in

from voiso_async.decipher import api_error, parse_voiso_error
from voiso_async.errors import APIError, ConnectError, ConnectionLostError, VoisoError
from voiso_async.ingest.batcher import LeadBatcher
from voiso_async.ingest.gate import LocalGate
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation
from voiso_async.wire import Request, Response

ORIGIN = "https://voiso.example:443"


@define
class Post:
    """One POST on the wire: what it carried, when, what was applied, and what the client was told.

    ``heard`` is when, if that was later than it ended.
    """

    campaign: int
    operation: str
    leads: list[dict[str, Any]]
    began: float
    ended: float = -1.0
    applied: frozenset[str] = frozenset()
    told: str = ""
    listed: dict[str, list[str]] = Factory(dict)
    status: int = 0
    heard: float = -1.0

    def over(self, at: float) -> bool:
        """Whether it had ended by then, and its client knew."""
        return 0 <= self.ended <= at and self.heard <= at

    @property
    def refused_as_a_whole(self) -> bool:
        """Whether the answer refused all leads because of some of them."""
        return self.operation == "add" and self.told == "refused" and self.status in {400, 422}

    @property
    def phones(self) -> list[str]:
        return [lead["phone_number"] for lead in self.leads]


@frozen
class Told:
    """A report as its caller got it, and when."""

    report: IngestReport
    at: float

    @classmethod
    def now(cls, report: IngestReport) -> "Told":
        return cls(report, asyncio.get_running_loop().time())


Carriers = dict[str, list[tuple["Post", frozenset[str]]]]
Fault = Callable[["FakeCampaigns", Post], Response | Exception]


@define
class FakeCampaigns:
    """Every campaign of one account; ``script`` has a fault (or None) for each POST to come."""

    seconds: float = 0.5
    script: list[Fault | None] = Factory(list)
    members: dict[int, set[str]] = Factory(dict)
    history: list[Post] = Factory(list)
    poison: Callable[[dict[str, Any]], str | None] | None = None
    name_index: bool = False
    refuses: set[str] = Factory(set)

    async def post(self, campaign: int, operation: Operation, body: bytes) -> Response:
        loop = asyncio.get_running_loop()
        post = Post(campaign, operation.value, json.loads(body), loop.time())
        self.history.append(post)
        fault = self.script.pop(0) if self.script else None
        try:
            await asyncio.sleep(self.seconds)
            answer = fault(self, post) if fault else self.answer(post)
        except asyncio.CancelledError:
            post.told = "lost"
            raise
        finally:
            post.ended = loop.time()
        if isinstance(answer, Exception):
            raise answer
        post.status = answer.status
        return answer

    def answer(self, post: Post, first: int | None = None) -> Response:
        """Apply the first leads (all by default) and answer as the vendor documents."""
        refusal = self._refusal(post)
        if refusal is not None:
            post.told = "refused"
            return refusal
        members = self.members.setdefault(post.campaign, set())
        lists: dict[str, list[str]] = {"created": [], "duplicates": [], "rejected": []}
        for phone in post.phones[:first]:
            if phone in self.refuses:
                lists["rejected"].append(phone)
            elif phone in members:
                lists["duplicates" if post.operation == "add" else "created"].append(phone)
            else:
                lists["created" if post.operation == "add" else "rejected"].append(phone)
        if post.operation == "add":
            post.applied = frozenset(lists["created"])
            members |= post.applied
        post.told, post.listed = "answered", lists
        return reply(200, {"leads_import": lists})

    def _refusal(self, post: Post) -> Response | None:
        for index, lead in enumerate(post.leads):
            text = self.poison(lead) if self.poison else None
            if text:
                field = f"{index}.name" if self.name_index else "name"
                return reply(422, {"errors": {field: [text]}})
        return None


def reply(status: int, payload: Any = None, headers: dict[str, str] | None = None) -> Response:
    body = payload if isinstance(payload, bytes) else b"" if payload is None else json.dumps(payload).encode()
    return Response(status=status, headers=headers or {}, body=body)


# Faults


def lost(first: int | None = 0) -> Fault:
    """The connection ends without an answer, after the first leads were applied (None: all)."""

    def fault(server: FakeCampaigns, post: Post) -> Exception:
        server.answer(post, first)
        post.told, post.listed = "lost", {}
        return ConnectionLostError("the connection ended", request="POST /leads", reason="connection_lost")

    return fault


def unsent(_: FakeCampaigns, post: Post) -> Exception:
    """The request never left this machine."""
    post.told = "unsent"
    return ConnectError("refused", request="POST /leads", proof="not_sent", reason="refused")


def status(code: int, payload: Any = None, headers: dict[str, str] | None = None, *, apply: bool = False) -> Fault:
    """A plain answer with a status; ``apply`` does the work all the same."""

    def fault(server: FakeCampaigns, post: Post) -> Response:
        if apply:
            server.answer(post)
        post.listed = {}
        ambiguous = code == 408 or code >= 500 or 200 <= code < 300
        post.told = "lost" if ambiguous else "refused"
        return reply(code, payload, headers)

    return fault


def busy(code: int = 409, headers: dict[str, str] | None = None) -> Fault:
    return status(code, {"errors": {"base": ["previous request is still processing"]}}, headers)


def without(count: int) -> Fault:
    """Everything is applied, but the answer leaves out the first leads."""

    def fault(server: FakeCampaigns, post: Post) -> Response:
        server.answer(post)
        hidden = set(post.phones[:count])
        post.listed = {name: [p for p in phones if p not in hidden] for name, phones in post.listed.items()}
        return reply(200, {"leads_import": post.listed})

    return fault


# The engine under test


def explain(campaign: int, operation: Operation, response: Response) -> APIError:
    request = Request.to("POST", "/campaigns/{campaign_id}/leads", {"campaign_id": 3})
    return api_error(request, response, parse_voiso_error)


def engine(server: FakeCampaigns, **policy: Any) -> LeadBatcher:
    """A batcher on the running loop's clock, with the fake campaigns behind it."""
    clock = asyncio.get_running_loop().time
    settings = LanePolicy(**policy)
    gate = LocalGate(ORIGIN, settings.cooldown, clock)
    return LeadBatcher(server.post, gate, explain, policy=settings, clock=clock)


def phones(count: int, start: int = 0) -> list[str]:
    """Distinct numbers from a range reserved for fiction, longer than real ones so that there are enough."""
    return [f"4416329600{start + i:05d}" for i in range(count)]


# The checker


def check(server: FakeCampaigns, reports: Iterable[IngestReport], cooldown: float = 2.0) -> None:
    """Compare what the server applied, what went over the wire, and what the reports say."""
    for campaign in {post.campaign for post in server.history}:
        _check_pacing([post for post in server.history if post.campaign == campaign], cooldown)
    _check_bodies(server.history)
    carriers = _carriers(server.history)
    for report in reports:
        assert report.balanced
        assert report.rows == sum(report.counts.values())
        _check_report(carriers, report)


def _carries_phone(post: Post, outcome: LeadOutcome) -> bool:
    return outcome.phone in post.phones


def check_told(
    server: FakeCampaigns, told: Told, carries: Callable[[Post, LeadOutcome], bool] = _carries_phone
) -> None:
    """A report must be true when it is given: NOT_SENT for good, and UNKNOWN only in flight or in doubt by then.

    Check as late as possible, since a row that was NOT_SENT must not leave later.
    """
    for outcome in told.report.outcomes or told.report.problems:
        posts = [post for post in server.history if carries(post, outcome)]
        match outcome.outcome:
            case Outcome.NOT_SENT:
                assert all(post.over(told.at) for post in posts), "it left after it had been called NOT_SENT"
                assert {"unsent", "refused"} >= {post.told for post in posts}
            case Outcome.UNKNOWN:
                assert any(_leaves_open(post, outcome, told.at) for post in posts), "it is provably not applied"
            case _:
                continue


def check_proof(error: VoisoError) -> None:
    """An error and its report agree."""
    report: IngestReport = report_in(error)
    in_doubt = report.counts[Outcome.UNKNOWN] + report.counts[Outcome.UNREPORTED] > 0
    assert ("in_doubt" == error.proof) is in_doubt
    assert error.proof is not None


def _leaves_open(post: Post, outcome: LeadOutcome, at: float) -> bool:
    """Whether a POST was in flight at that time, or had ended without a word about the row."""
    if post.began > at:
        return False
    wordless = post.told == "answered" and not any(outcome.phone in numbers for numbers in post.listed.values())
    return not post.over(at) or at in {post.ended, post.heard} or post.told == "lost" or wordless


def _check_pacing(posts: list[Post], cooldown: float) -> None:
    """One POST in flight, and the cooldown after every POST that left, whatever its result."""
    left = [post for post in posts if post.told != "unsent"]
    for before, after in itertools.pairwise(left):
        assert before.ended >= 0
        assert after.began - before.ended >= cooldown - 1e-6


def _check_bodies(posts: list[Post]) -> None:
    """1 to 1000 leads with distinct phones."""
    for post in posts:
        assert 1 <= len(post.leads) <= 1000
        assert max(Counter(post.phones).values()) == 1


def _carriers(posts: list[Post]) -> Carriers:
    """By phone, the POSTs that carried it, each with the lists that named it in the answer."""
    carriers: Carriers = defaultdict(list)
    for post in posts:
        named = {name: frozenset(numbers) for name, numbers in post.listed.items()}
        for phone in post.phones:
            names = frozenset(name for name, numbers in named.items() if phone in numbers)
            carriers[phone].append((post, names))
    return carriers


def _check_report(carriers: Carriers, report: IngestReport) -> None:
    outcomes = report.outcomes or report.problems
    assert len({outcome.index for outcome in outcomes}) == len(outcomes)
    for outcome in outcomes:
        _check_truth(carriers.get(outcome.phone or "", []), outcome)


def _check_truth(carriers: list[tuple[Post, frozenset[str]]], outcome: LeadOutcome) -> None:
    """What an outcome claims is what the server did."""
    sent = [post for post, _ in carriers]
    listed = {name for _, names in carriers for name in names}
    doubted = [post for post in sent if post.told == "lost"]
    match outcome.outcome:
        case Outcome.CREATED:
            assert "created" in listed
        case Outcome.DUPLICATE:
            assert "duplicates" in listed
            first = min(i for i, (_, names) in enumerate(carriers) if "duplicates" in names)
            clear = max((i + 1 for i in range(first) if carriers[i][1] & {"created", "rejected"}), default=0)
            assert not any(post.told == "lost" for post in sent[:first])
            assert not any(post.refused_as_a_whole for post in sent[clear:first])
        case Outcome.CONFIRMED:
            assert "duplicates" in listed
            unclear = doubted or any(post.refused_as_a_whole for post in sent)
            assert unclear or any(not names for _, names in carriers)
        case Outcome.REJECTED:
            assert "rejected" in listed or any(post.told == "refused" for post in sent)
        case Outcome.INVALID:
            assert not sent or outcome.reason is not None
        case Outcome.UNKNOWN:
            assert doubted or any(not names for _, names in carriers)
        case Outcome.NOT_SENT:
            assert all(post.told in {"unsent", "refused"} for post in sent)
        case Outcome.REPEATED:
            pass  # it shares the outcome of another, which may not have left
        case _:
            assert sent
