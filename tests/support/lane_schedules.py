"""Schedules for a lane: what the server does, who calls and leaves, and when the client is closed."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen
from fake_campaign import FakeCampaigns, Fault, Post, busy, lost, phones, status, unsent, without
from hypothesis import strategies as st

from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.wire import Response

POISON = 666
SHARED, MEMBER, UNWANTED = phones(3)


def defect(_: FakeCampaigns, post: Post) -> Exception:
    post.told = "lost"
    return ZeroDivisionError("a defect of the engine")


def two_left_out(server: FakeCampaigns, post: Post) -> Response | Exception:
    """A batch that should be refused gets the same answer."""
    answer = without(2)(server, post)
    post.told = "answered"
    return answer


FAULTS: dict[str, Fault | None] = {
    "none": None,
    "lost": lost(0),
    "lost, partly applied": lost(2),
    "lost, applied": lost(None),
    "500, applied": status(500, apply=True),
    "503, retry after 4 s": status(503, None, {"retry-after": "4"}),
    "200, silent": status(200, b"{}", apply=True),
    "200, two left out": two_left_out,
    "unsent": unsent,
    "busy": busy(),
    "busy, retry after 3 s": busy(429, {"retry-after": "3"}),
    "too large": status(413),
    "busy for hours": busy(429, {"retry-after": "9999"}),
    "key revoked": status(401, {"error": "Unauthorized"}),
    "campaign refused": status(422, {"errors": {"campaign": ["is not live"]}}),
    "defect": defect,
}
STOPPING = list(FAULTS)[-4:]
PASSING = list(FAULTS)[1:-4]


@frozen(kw_only=True)
class Caller:
    """One call: what its source yields and how fast, how its outcomes are read, and when it leaves."""

    operation: Operation
    rows: list[str]
    comes: float
    source_pause: float | None
    source_breaks_at: int | None
    streamed: bool
    reader_pause: float
    reads: int | None
    leaves: float | None
    timeout: float | None

    def leads(self, number: int) -> Iterator[dict[str, Any]]:
        for index, kind in enumerate(self.rows):
            if index == self.source_breaks_at:
                raise LookupError("the source is gone")
            common = {"shared": SHARED, "member": MEMBER, "unwanted": UNWANTED, "invalid": "bad"}
            yield {
                "phone_number": common.get(kind, phones(1, 100 * (number + 1) + index)[0]),
                "name": f"{number}/{index}",
                "priority": POISON if kind == "poison" else 5,
            }


@frozen(kw_only=True)
class Schedule:
    """Everything that happens in one run; times are seconds from its start."""

    faults: list[str]
    callers: list[Caller]
    closes: float | None
    grace: float
    server_seconds: float
    policy: dict[str, Any]


SECONDS = st.sampled_from([0, 0.01, 0.5, 2, 2.6, 6, 12])
RARELY = st.none() | st.none() | SECONDS
ROWS = st.sampled_from(["own", "own", "own", "shared", "member", "unwanted", "poison", "invalid"])
CALLERS = st.builds(
    Caller,
    operation=st.sampled_from([Operation.ADD, Operation.ADD, Operation.UPDATE]),
    rows=st.lists(ROWS, min_size=2, max_size=20),
    comes=st.just(0.0) | SECONDS,
    source_pause=st.none() | st.sampled_from([0, 0.005, 0.05, 1]),
    source_breaks_at=st.none() | st.none() | st.integers(0, 10),
    streamed=st.booleans(),
    reader_pause=SECONDS,
    reads=st.none() | st.none() | st.integers(1, 10),
    leaves=RARELY,
    timeout=RARELY,
)
SCHEDULES = st.builds(
    Schedule,
    faults=st.lists(st.sampled_from([*["none"] * 10, *PASSING * 2, *STOPPING]), min_size=5, max_size=30),
    callers=st.lists(CALLERS, min_size=2, max_size=6),
    closes=RARELY,
    grace=SECONDS,
    server_seconds=st.sampled_from([0, 0.5, 4]),
    policy=st.fixed_dictionaries(
        {
            "max_rows": st.sampled_from([1, 3, 5, 10]),
            "max_extra_posts": st.sampled_from([0, 3, 60]),
            "on_doubt": st.sampled_from(["resend", "resend", "report"]),
            "doubt_attempts": st.sampled_from([1, 3]),
        }
    ),
)


def refused_before(server: FakeCampaigns, phone: str, post: Post) -> bool:
    """Whether a batch that was refused as a whole had this number, and no later answer names it."""
    refused = False
    for earlier in server.history[: server.history.index(post)]:
        if earlier.operation == "add" and phone in earlier.phones:
            told = any(phone in earlier.listed.get(name, ()) for name in ("created", "rejected"))
            refused = earlier.refused_as_a_whole or (refused and not told)
    return refused


def check_truth(server: FakeCampaigns, outcome: LeadOutcome, posts: list[Post]) -> None:
    """An outcome agrees with the posts of this very row; a row that an answer listed is never sent again."""
    says = [{name for name, numbers in post.listed.items() if outcome.phone in numbers} for post in posts]
    assert not any(says[:-1])
    listed = set().union(*says)
    applied = any(outcome.phone in post.applied for post in posts)
    refused = all(post.told in {"unsent", "refused"} for post in posts)
    match outcome.outcome:
        case Outcome.CREATED | Outcome.UPDATED:
            assert "created" in listed
        case Outcome.CONFIRMED:
            assert "duplicates" in listed
        case Outcome.DUPLICATE:
            assert "duplicates" in listed
            origins = [post for post in server.history if outcome.phone in post.applied]
            assert all(outcome.phone in post.listed.get("created", ()) for post in origins)
            assert not refused_before(server, str(outcome.phone), posts[-1])
        case Outcome.REJECTED:
            assert not applied
            assert "rejected" in listed or "refused" in {post.told for post in posts}
        case Outcome.NOT_SENT:
            assert refused
            assert not applied
        case Outcome.UNKNOWN | Outcome.UNREPORTED:
            assert not refused
            assert not listed
        case _:
            assert not posts
