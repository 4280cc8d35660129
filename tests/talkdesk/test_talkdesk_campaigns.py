"""Campaigns, users and record lists of a Talkdesk account over real HTTP."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from report_in import report_in
from talkdesk_stage import calls, client_of, posts

from voiso_async import (
    BadRequestError,
    ConfigurationError,
    ConnectionLostError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnprocessableEntityError,
    UsageError,
    VoisoError,
)
from voiso_async.sandbox import ApplyThenClose, Html, Json, Sandbox, Status, WrongType
from voiso_async.talkdesk import CampaignUser, RecordList, RecordListStatus, TalkdeskStatus, TalkdeskUser

GROUP = r"/talkdesk/campaigns/[^/]+"


async def test_campaigns_are_found_by_every_filter(voiso_sandbox: Sandbox) -> None:
    account = voiso_sandbox.talkdesk
    spring = account.add_campaign(name="Spring renewals", user_ids=["u1"])
    account.add_campaign(name="Autumn", status="PAUSED")
    async with client_of(voiso_sandbox) as talkdesk:
        every: list[dict[str, Any]] = [{"search": "spring"}, {"status": "RUNNING"}, {"user_id": "u1"}]
        for filters in every:
            found = await talkdesk.campaigns.list(**filters).collect()
            assert [spring.id] == [one.id for one in found]
        assert 2 == len(await talkdesk.campaigns.list(dialing_mode="predictive", action_required=False))
    sent = voiso_sandbox.history[-1]
    assert {"dialing_mode": "PREDICTIVE", "action_required": "false", "page": "1", "per_page": "100"} == sent.query
    assert "application/hal+json" in sent.headers["accept"]


async def test_a_campaign_is_read_with_what_is_not_known_here(voiso_sandbox: Sandbox) -> None:
    group = voiso_sandbox.talkdesk.add_campaign(name="Spring", dialing_strategy={"attempts": 3}, status="DORMANT")
    async with client_of(voiso_sandbox) as talkdesk:
        campaign = await talkdesk.campaigns.get(group.id)
    assert datetime(2026, 2, 3, 8, 0, 0, 120000, tzinfo=UTC) == campaign.created_at
    assert ("DORMANT", 5, {"attempts": 3}) == (
        campaign.status,
        campaign.priority,
        campaign.extra["dialing_strategy"],
    )
    assert campaign == evolve(campaign, extra={})
    assert 1 == len({campaign, campaign})
    known = (TalkdeskUser, CampaignUser, RecordList)
    assert 3 == len({cls(id="x") for cls in known} | {cls(id="x") for cls in known})


@pytest.mark.parametrize("word", ["running", "RUNNING", "Running"])
def test_states_are_compared_whatever_their_case(word: str) -> None:
    assert TalkdeskStatus.RUNNING is TalkdeskStatus(word)
    assert "whatever" == RecordListStatus("whatever")


async def test_campaigns_are_paused_and_resumed(voiso_sandbox: Sandbox) -> None:
    group = voiso_sandbox.talkdesk.add_campaign()
    async with client_of(voiso_sandbox) as talkdesk:
        assert TalkdeskStatus.PAUSED is (await talkdesk.campaigns.pause(group.id)).status
        assert TalkdeskStatus.RUNNING is (await talkdesk.campaigns.resume(group.id)).status
        with pytest.raises(UsageError, match="only paused"):
            await talkdesk.campaigns.stop(group.id)
    assert 2 == len(calls(voiso_sandbox))
    body = b'{"op":"REPLACE","path":"status","value":"running"}'
    assert (body, "application/json") == (
        voiso_sandbox.history[-1].body,
        voiso_sandbox.history[-1].headers["content-type"],
    )


@pytest.mark.parametrize("fault", [ApplyThenClose(), Status(503), Html(502)])
async def test_after_a_lost_answer_the_state_is_set_again(voiso_sandbox: Sandbox, fault: Any) -> None:
    group = voiso_sandbox.talkdesk.add_campaign()
    voiso_sandbox.faults.add(fault, method="PATCH", path=GROUP, times=2)
    async with client_of(voiso_sandbox) as talkdesk:
        assert TalkdeskStatus.PAUSED is (await talkdesk.campaigns.pause(group.id)).status
    assert 3 == len(calls(voiso_sandbox))


async def test_refusals_carry_the_vendors_code_and_fields(voiso_sandbox: Sandbox) -> None:
    group = voiso_sandbox.talkdesk.add_campaign(status="INCOMPLETE")
    body = {
        "code": "0530001",
        "message": "Errors were found in the submitted data",
        "description": "per_page is out of range",
        "fields": [{"name": "per_page", "description": "must be between 1 and 100"}, {"name": 3}, "what"],
    }
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(UnprocessableEntityError, match=r"incomplete \(code 0530008\)") as caught:
            await talkdesk.campaigns.resume(group.id)
        assert "0530008" == caught.value.code
        with pytest.raises(NotFoundError, match="the region is wrong") as missing:
            await talkdesk.campaigns.get("c9")
        assert ("0530002", "refused") == (missing.value.code, missing.value.proof)
        voiso_sandbox.faults.add(Json(body, status=400))
        with pytest.raises(BadRequestError, match="per_page is out of range") as refused:
            await talkdesk.campaigns.get(group.id)
        assert {"per_page": ("must be between 1 and 100",)} == refused.value.fields
        assert body == refused.value.body
        voiso_sandbox.faults.add(Json({"code": 530001, "message": "a number is no code"}, status=400))
        with pytest.raises(BadRequestError) as odd:
            await talkdesk.campaigns.get(group.id)
        assert "" == odd.value.code
        voiso_sandbox.faults.add(Html(404))
        with pytest.raises(NotFoundError) as page:
            await talkdesk.campaigns.get(group.id)
        assert ("", {}) == (page.value.code, page.value.fields)
        assert "<!doctype" in page.value.body


@pytest.mark.parametrize(
    "fault",
    [
        Status(429, headers={"Retry-After": "0.01"}),
        Status(429),
        Json(
            {
                "code": "0012001",
                "message": "API rate limit exceeded",
                "fields": [{"name": "Retry-After", "description": "0.02"}],
            },
            status=429,
        ),
        Status(503),
    ],
)
async def test_a_busy_server_is_waited_for(voiso_sandbox: Sandbox, fault: Any) -> None:
    voiso_sandbox.faults.add(fault, path=r"/talkdesk/campaigns", times=4)
    async with client_of(voiso_sandbox) as talkdesk:
        assert [] == list(await talkdesk.campaigns.list())
    assert 5 == len(calls(voiso_sandbox))
    voiso_sandbox.faults.add(fault, path=r"/talkdesk/campaigns", times=5)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises((RateLimitError, ServerError)):
            await talkdesk.campaigns.list()
    assert 10 == len(calls(voiso_sandbox))


async def test_the_wait_may_stand_in_the_body(voiso_sandbox: Sandbox) -> None:
    body = {"code": "0020017", "message": "slow down", "fields": [{"name": "retry-after", "description": "90"}]}
    voiso_sandbox.faults.add(Json(body, status=429), path=r"/talkdesk/campaigns")
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(RateLimitError, match="90 s of quiet") as caught:
            await talkdesk.campaigns.list()
    assert 90 == caught.value.retry_after


@pytest.mark.parametrize(
    ("headers", "quiet"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.2"}, 0.2),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "30"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, 0.0),
        ({"X-RateLimit-Remaining": "0"}, 0.0),
    ],
)
async def test_a_quota_that_is_spent_is_waited_out(
    voiso_sandbox: Sandbox, headers: dict[str, str], quiet: float
) -> None:
    voiso_sandbox.faults.add(Json({"id": "c1"}, headers=headers), path=GROUP)
    voiso_sandbox.faults.add(Json({"id": "c2"}), path=GROUP)
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.campaigns.get("c1")
        await talkdesk.campaigns.get("c2")
    first, second = (one for one in voiso_sandbox.history if "/campaigns/" in one.path)
    gap = second.began - (first.ended or 0.0)
    assert gap >= quiet - 0.05
    assert gap < 20


async def test_at_most_four_requests_are_in_flight(voiso_sandbox: Sandbox) -> None:
    ids = [voiso_sandbox.talkdesk.add_user() for _ in range(20)]
    voiso_sandbox.talkdesk.rules = evolve(voiso_sandbox.talkdesk.rules, latency=0.02)
    async with client_of(voiso_sandbox) as talkdesk:
        await asyncio.gather(*(talkdesk.users.get(one) for one in ids))
    spans = [(one.began, one.ended or 0.0) for one in voiso_sandbox.history if "/users/" in one.path]
    assert 20 == len(spans)
    assert 4 >= max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


async def test_a_wrong_content_type_is_no_fault(voiso_sandbox: Sandbox) -> None:
    group = voiso_sandbox.talkdesk.add_campaign()
    voiso_sandbox.faults.add(WrongType(), path=GROUP)
    async with client_of(voiso_sandbox) as talkdesk:
        assert group.id == (await talkdesk.campaigns.get(group.id)).id


async def test_a_user_has_a_name_and_an_address(voiso_sandbox: Sandbox) -> None:
    number = voiso_sandbox.talkdesk.add_user(name="Ines Duarte", email="ines@example.net", extension=214)
    bare = voiso_sandbox.talkdesk.add_user()
    voiso_sandbox.talkdesk.users[bare] = {"id": bare}
    async with client_of(voiso_sandbox) as talkdesk:
        user = await talkdesk.users.get(number)
        assert (None, None) == ((await talkdesk.users.get(bare)).name, (await talkdesk.users.get(bare)).email)
        assert [number] == [one.id for one in await talkdesk.users.list(email="ines@example.net", active=True)]
    assert ("Ines Duarte", "ines@example.net", True, 214) == (user.name, user.email, user.active, user.extension)
    assert not any(secret in repr(user) for secret in ("Ines", "ines@", "214"))


@pytest.mark.parametrize(("members", "account", "most"), [(5, 400, 5), (30, 40, 1), (30, 9000, 31), (250, 300, 2)])
async def test_users_are_named_in_few_requests(
    voiso_sandbox: Sandbox, members: int, account: int, most: int
) -> None:
    ids = [voiso_sandbox.talkdesk.add_user(id=f"u{number}") for number in range(account)][-members:]
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.users.resolve(ids)
    assert ids == list(found)
    assert all(user is not None and user.id == one for one, user in found.items())
    assert len(calls(voiso_sandbox)) <= most


async def test_a_user_who_is_gone_stays_without_a_name(voiso_sandbox: Sandbox) -> None:
    known = voiso_sandbox.talkdesk.add_user()
    async with client_of(voiso_sandbox) as talkdesk:
        found = await talkdesk.users.resolve([known, "u-gone"])
        assert [True, False] == [user is not None for user in found.values()]
        voiso_sandbox.talkdesk.scopes.discard("users:read")
        voiso_sandbox.talkdesk.revoke()
        with pytest.raises(PermissionDeniedError, match=r"users:read"):
            await talkdesk.users.resolve([known, "u-gone"])
        with pytest.raises(ConfigurationError):
            await talkdesk.users.resolve("u-gone")


async def test_lists_are_made_found_and_attached(voiso_sandbox: Sandbox) -> None:
    account = voiso_sandbox.talkdesk
    group = account.add_campaign()
    account.add_list(name="Spring leads")
    async with client_of(voiso_sandbox) as talkdesk:
        made = await talkdesk.record_lists.create("Spring", "EXTERNAL")
        assert ("Spring", "EXTERNAL") == (made.name, made.unique_identifier_type)
        assert made == await talkdesk.record_lists.ensure("Spring")
        assert made == await talkdesk.record_lists.get(made.id)
        assert await talkdesk.record_lists.find("Leads") is None
        other = await talkdesk.record_lists.ensure("Leads")
        await talkdesk.campaigns.add_record_lists(group.id, [made.id, other.id, made.id])
        await talkdesk.campaigns.add_record_lists(group.id, [made.id])
        assert [made, other] == await talkdesk.campaigns.record_lists(group.id).collect()
    assert Counter(group.list_ids) == {made.id: 1, other.id: 1}
    posted = next(
        one for one in voiso_sandbox.history if one.path.endswith("/record-lists") and one.method == "POST"
    )
    assert "application/hal+json" == posted.headers["content-type"]


async def test_more_lists_than_one_request_takes(voiso_sandbox: Sandbox) -> None:
    group = voiso_sandbox.talkdesk.add_campaign()
    ids = [voiso_sandbox.talkdesk.add_list().id for _ in range(120)]
    voiso_sandbox.faults.add(ApplyThenClose(), method="POST", path=rf"{GROUP}/record-lists")
    async with client_of(voiso_sandbox) as talkdesk:
        await talkdesk.campaigns.add_record_lists(group.id, ids)
    assert (ids, 3) == (group.list_ids, len(calls(voiso_sandbox)))


async def test_a_list_whose_making_is_in_doubt_is_not_made_twice(voiso_sandbox: Sandbox) -> None:
    path = "/talkdesk/record-lists"
    voiso_sandbox.faults.add(ApplyThenClose(), method="POST", path=path)
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(ConnectionLostError) as caught:
            await talkdesk.record_lists.create("Spring")
        assert "in_doubt" == caught.value.proof
        voiso_sandbox.faults.add(ApplyThenClose(), method="POST", path=path)
        found = await talkdesk.record_lists.ensure("Summer")
        assert "Summer" == found.name
        voiso_sandbox.faults.add(Status(503), method="POST", path=path)
        with pytest.raises(ServerError):
            await talkdesk.record_lists.ensure("Winter")
    assert ["Spring", "Summer"] == [one.name for one in voiso_sandbox.talkdesk.lists.values()]


async def test_a_name_that_two_lists_have_is_not_guessed(voiso_sandbox: Sandbox) -> None:
    for _ in range(2):
        voiso_sandbox.talkdesk.add_list(name="Spring")
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(ConfigurationError, match="several record lists"):
            await talkdesk.record_lists.ensure("Spring")


async def test_what_cannot_be_is_refused_before_anything_is_sent(voiso_sandbox: Sandbox) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        lists = talkdesk.record_lists
        for name in ("", " ", "x" * 121, "a\nb", None, 3):
            with pytest.raises(ConfigurationError, match=r"^name must be"):
                await lists.create(name)  # type: ignore[arg-type]
        for kind in ("EMAIL", ""):
            with pytest.raises(ConfigurationError, match="PHONE_NUMBER, EXTERNAL, NOTHING"):
                await lists.create("Spring", kind)
        for records in ("441632960123", {"phone_number": "1"}, 3, None):
            with pytest.raises(ConfigurationError, match="iterable of records"):
                lists.add("l1", records)  # type: ignore[arg-type]
        for ids in ("l1", [3], [""], None):
            with pytest.raises(ConfigurationError, match="list_ids"):
                await talkdesk.campaigns.add_record_lists("c1", ids)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="timeout"):
            lists.add("l1", [], timeout=-1)
    assert [] == voiso_sandbox.history


async def test_an_unknown_list_is_told_with_an_empty_report(voiso_sandbox: Sandbox) -> None:
    async with client_of(voiso_sandbox) as talkdesk:
        with pytest.raises(VoisoError) as caught:
            await talkdesk.record_lists.add("l-none", [])
    assert isinstance(caught.value, NotFoundError)
    assert ("0530910", 0) == (caught.value.code, report_in(caught.value).rows)
    assert 0 == posts(voiso_sandbox)


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_a_state_that_is_set_without_a_word_is_looked_at_and_not_set_again(
    voiso_sandbox: Sandbox, code: int
) -> None:
    group = voiso_sandbox.talkdesk.add_campaign()
    voiso_sandbox.faults.add(Status(code, body=b"", apply=True), method="PATCH", path=GROUP)
    async with client_of(voiso_sandbox) as talkdesk:
        assert TalkdeskStatus.PAUSED is (await talkdesk.campaigns.pause(group.id)).status
    assert ["PATCH", "GET"] == [call.partition(" ")[0] for call in calls(voiso_sandbox)]


@pytest.mark.parametrize("code", [200, 203, 206, 207])
async def test_any_2xx_with_a_campaign_is_a_success(voiso_sandbox: Sandbox, code: int) -> None:
    voiso_sandbox.faults.add(Json({"id": "c-9", "status": "RUNNING"}, status=code), path=GROUP)
    async with client_of(voiso_sandbox) as talkdesk:
        assert "c-9" == (await talkdesk.campaigns.get("c-9")).id


@pytest.mark.parametrize("code", [201, 202, 204])
async def test_a_list_that_is_made_without_a_word_is_found_and_not_made_again(
    voiso_sandbox: Sandbox, code: int
) -> None:
    voiso_sandbox.faults.add(Status(code, body=b"", apply=True), method="POST", path=r"/talkdesk/record-lists")
    async with client_of(voiso_sandbox) as talkdesk:
        made = await talkdesk.record_lists.create("Leads")
    assert "Leads" == made.name
    assert 1 == len(voiso_sandbox.talkdesk.lists)
