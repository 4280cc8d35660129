"""A Talkdesk account in the sandbox, clients of it, and what the report of a push must agree with."""

from typing import Any

from attrs import evolve

from voiso_async import LanePolicy, Outcome, RetryPolicy
from voiso_async.ingest.report import IngestReport
from voiso_async.phone import digits_of
from voiso_async.sandbox import Sandbox
from voiso_async.sandbox.talkdesk.account import TalkdeskList
from voiso_async.talkdesk import Record, TalkdeskClient

QUICK = RetryPolicy(max_attempts=5, base_delay=0.001, max_delay=0.01)
LANE = LanePolicy(cooldown=0, max_rows=100, doubt_backoff=0.01, doubt_backoff_longest=0.01, unsent_for=0.05)
TOKEN = "/talkdesk/oauth/token"
BULKS = r"/talkdesk/record-lists/.+/records/bulks"


def client_of(sandbox: Sandbox, **options: Any) -> TalkdeskClient:
    """A client that does not wait long."""
    usual: dict[str, Any] = {
        "base_url": sandbox.talkdesk_url,
        "token_url": f"{sandbox.talkdesk_url}/oauth/token",
        "client_id": sandbox.talkdesk.client_id,
        "client_secret": sandbox.talkdesk.client_secret,
        "retry": QUICK,
        "lane": LANE,
    }
    return TalkdeskClient(**usual | options)


def tokens(sandbox: Sandbox) -> int:
    """How many token requests the sandbox has seen."""
    return sum(exchange.path == TOKEN for exchange in sandbox.history)


def calls(sandbox: Sandbox) -> list[str]:
    """Verb and path of every other request, in order."""
    return [f"{one.method} {one.path}" for one in sandbox.history if one.path != TOKEN]


def posts(sandbox: Sandbox) -> int:
    """How many bulk additions the sandbox has seen."""
    return sum(call.endswith("/records/bulks") for call in calls(sandbox))


def people(count: int, start: int = 0) -> list[Record]:
    """Records with numbers reserved for fiction."""
    return [
        Record(f"1201555{number:04}", first_name="Rui", last_name="Mota") for number in range(start, start + count)
    ]


def odd(sandbox: Sandbox, **rules: Any) -> None:
    """Change the rules of the account."""
    sandbox.talkdesk.rules = evolve(sandbox.talkdesk.rules, **rules)


def counts(report: IngestReport) -> dict[str, int]:
    """The outcomes that occur."""
    return {outcome.value: count for outcome, count in report.counts.items() if count}


def check_report(report: IngestReport, target: TalkdeskList) -> None:
    """Compare what the report says of each record with what is in the list."""
    assert report.balanced
    assert report.rows == len(report.outcomes)
    there = [digits_of(record["phone_numbers"][0]["phone_number"]) for record in target.records]
    if target.kind == "PHONE_NUMBER":
        assert len(there) == len(set(there))
    for outcome in report.outcomes:
        if outcome.outcome in {Outcome.CREATED, Outcome.DUPLICATE, Outcome.CONFIRMED}:
            assert outcome.phone in there
        if outcome.outcome in {Outcome.NOT_SENT, Outcome.REJECTED}:
            assert outcome.phone not in there or target.kind == "NOTHING"
