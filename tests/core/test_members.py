"""The users of a campaign over real HTTP: listed, added in hundreds, removed; lost answers told apart."""

import json
import math
from typing import Any

import pytest
from attrs import evolve
from client_calls import ONCE, client_of, wire
from report_in import added_users_in

from voiso_async import (
    AddedUsers,
    ConfigurationError,
    ConflictError,
    ConnectionLostError,
    NotFoundError,
    ResponseError,
    ServerError,
    TransportError,
    UnprocessableEntityError,
    VoisoClient,
    VoisoError,
)
from voiso_async.sandbox import (
    ApplyThenClose,
    CloseAfterHeaders,
    Html,
    Json,
    Sandbox,
    Status,
    Truncate,
)

USERS = "/campaigns/3/users"
ADD, LIST = f"POST {USERS}", f"GET {USERS}"


@pytest.fixture
def sandbox(voiso_sandbox: Sandbox) -> Sandbox:
    """Users 1 to 400, nobody assigned to campaign 3."""
    for number in range(1, 401):
        voiso_sandbox.add_user(id=number)
    voiso_sandbox.add_campaign(id=3, name="Summer")
    return voiso_sandbox


def members(sandbox: Sandbox) -> list[int]:
    return sandbox.campaigns[3].user_ids


def sent_ids(sandbox: Sandbox) -> list[list[Any]]:
    return [json.loads(one.body)["user_ids"] for one in sandbox.history if one.method == "POST"]


def ids_of(users: Any) -> list[Any]:
    return [user.id for user in users]


class LetPass:
    """Lets some requests pass before the fault."""

    def __init__(self, passing: int, fault: Any) -> None:
        self._passing = passing
        self._fault = fault

    async def run(self, handler: Any) -> Any:
        self._passing -= 1
        return await (handler.run() if self._passing >= 0 else self._fault.run(handler))


# Listed


@pytest.mark.parametrize("style", ["int", "uuid"])
async def test_users_are_listed_over_all_pages(sandbox: Sandbox, style: Any) -> None:
    sandbox.rules = evolve(sandbox.rules, user_id_style=style)
    members(sandbox).extend(range(1, 251))
    async with client_of(sandbox) as voiso:
        found = await voiso.campaigns.users(3, page_size=100).collect(concurrency=3)
    expected = [user.uuid if style == "uuid" else user.id for user in sandbox.users.values()][:250]
    assert expected == ids_of(found)
    assert (250, "User 1", "voice") == (found.total, found[0].name, (found[0].channels or ())[0])


async def test_nobody_is_an_empty_list(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        assert [] == await voiso.campaigns.users(3).collect()
        assert await voiso.campaigns.users(3).first() is None


# Added


@pytest.mark.parametrize(
    ("count", "requests"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
@pytest.mark.parametrize("success", [200, 201])
async def test_any_number_is_added_a_hundred_at_a_time(
    sandbox: Sandbox, count: int, requests: list[int], success: Any
) -> None:
    sandbox.rules = evolve(sandbox.rules, success_status=success)
    wanted = list(range(1, count + 1))
    async with client_of(sandbox) as voiso:
        assert wanted == ids_of(await voiso.campaigns.add_users(3, wanted))
    assert wanted == members(sandbox)
    assert requests == [len(ids) for ids in sent_ids(sandbox)]


@pytest.mark.parametrize(
    ("user_ids", "sent"),
    [
        (["1", "2"], [1, 2]),
        ([1, "1", 1, "2", "001"], [1, 2]),
        (range(1, 4), [1, 2, 3]),
        (iter([4]), [4]),
        ({5: None}.keys(), [5]),
        ((number for number in (6, 7)), [6, 7]),
    ],
)
async def test_digits_become_integers_and_repeats_are_dropped(
    sandbox: Sandbox, user_ids: Any, sent: list[int]
) -> None:
    """Contract 12.2: the request takes integers."""
    async with client_of(sandbox) as voiso:
        assert sent == ids_of(await voiso.campaigns.add_users(3, user_ids))
    assert [sent] == sent_ids(sandbox)


async def test_ids_that_are_text_are_sent_as_they_are(sandbox: Sandbox) -> None:
    sandbox.rules = evolve(sandbox.rules, user_id_style="uuid", takes_uuids=True)
    uuid = sandbox.users[7].uuid
    async with client_of(sandbox) as voiso:
        assert [7] == ids_of(await voiso.campaigns.add_users(3, [uuid, uuid]))
        assert [uuid] == ids_of(await voiso.campaigns.users(3))
        removed = await voiso.campaigns.remove_user(3, uuid)
    assert [[uuid]] == sent_ids(sandbox)
    assert removed is not None
    assert (7, []) == (removed.id, members(sandbox))


async def test_a_server_that_takes_no_text_says_so(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(UnprocessableEntityError, match="user_ids must hold integers") as caught:
            await voiso.campaigns.add_users(3, [sandbox.users[7].uuid])
    assert AddedUsers(added=(), not_added=(sandbox.users[7].uuid,)) == caught.value.added_users


async def test_users_who_were_assigned_already_are_left_out(sandbox: Sandbox) -> None:
    members(sandbox).extend([1, 2])
    async with client_of(sandbox) as voiso:
        assert [3] == ids_of(await voiso.campaigns.add_users(3, [1, 2, 3]))
        assert [] == ids_of(await voiso.campaigns.add_users(3, [1, 2, 3]))
    assert [ADD, ADD] == wire(sandbox)


@pytest.mark.parametrize(
    "user_ids",
    [
        "12",
        b"12",
        1,
        None,
        {1: "Ada"},
        [0],
        [-1],
        [True],
        [1.0],
        [None],
        [[1]],
        ["0"],
        ["1 "],
        ["1/2"],
        ["../1"],
        ["%31"],
        ["é"],
        [""],
        ["9" * 30],
        [10**400],
        [1, 2, "a b"],
    ],
)
async def test_what_is_no_list_of_ids_is_refused_and_nothing_is_sent(sandbox: Sandbox, user_ids: Any) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match="user_ids must be"):
            await voiso.campaigns.add_users(3, user_ids)
    assert [] == sandbox.history


async def test_the_failure_of_the_third_request_tells_who_was_added(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(NotFoundError) as caught:
            await voiso.campaigns.add_users(3, [*range(1, 231), 999, *range(231, 350)])
    report = added_users_in(caught.value)
    assert list(range(1, 201)) == ids_of(report.added) == members(sandbox)
    assert ((), (*range(201, 231), 999, *range(231, 350))) == (report.in_doubt, report.not_added)
    assert 3 == len(sandbox.history)


@pytest.mark.parametrize("fault", [Status(409), Status(422), Status(403)])
async def test_a_refusal_is_sent_once(sandbox: Sandbox, fault: Status) -> None:
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        with pytest.raises(VoisoError) as caught:
            await voiso.campaigns.add_users(3, [1])
    assert ("refused", (1,)) == (caught.value.proof, added_users_in(caught.value).not_added)
    assert [ADD] == wire(sandbox)


LOST_BUT_DONE = [
    ApplyThenClose(),
    Truncate(5),
    Status(500, apply=True),
    Html(apply=True),
    Json({"added_users": [{"id": None}]}, apply=True),
]


@pytest.mark.parametrize("fault", LOST_BUT_DONE, ids=repr)
async def test_a_lost_answer_is_asked_for_again_and_read_back(sandbox: Sandbox, fault: Any) -> None:
    """The repetition leaves out whom the first try has assigned, so those are looked up."""
    first, second = list(range(1, 101)), list(range(101, 151))
    members(sandbox).extend(range(301, 311))  # they were assigned before and are not among those looked up
    sandbox.faults.add(LetPass(1, fault), method="POST", times=2)
    async with client_of(sandbox) as voiso:
        added = await voiso.campaigns.add_users(3, first + second)
    assert first + second == ids_of(added)
    assert [ADD, ADD, ADD, LIST, LIST] == wire(sandbox)
    assert [first, second, second] == sent_ids(sandbox)
    assert 160 == len(members(sandbox)) == len(set(members(sandbox)))


@pytest.mark.parametrize("fault", [CloseAfterHeaders(), Status(503), Html()], ids=repr)
async def test_a_request_that_was_lost_before_it_worked_is_repeated(sandbox: Sandbox, fault: Any) -> None:
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        assert [1, 2] == ids_of(await voiso.campaigns.add_users(3, [1, 2]))
    assert [ADD, ADD] == wire(sandbox)


async def test_a_repetition_is_as_patient_as_a_read(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(503), times=4)
    async with client_of(sandbox) as voiso:
        assert [1, 2] == ids_of(await voiso.campaigns.add_users(3, [1, 2]))
    assert [ADD] * 5 == wire(sandbox)


async def test_that_everybody_is_assigned_already_may_be_a_refusal(sandbox: Sandbox) -> None:
    """Contract 8.2 does not say what adding the assigned gives; after a lost answer the list has the last word."""
    sandbox.faults.add(ApplyThenClose(), method="POST")
    sandbox.faults.add(Status(409), method="POST")
    async with client_of(sandbox) as voiso:
        assert [1, 2] == ids_of(await voiso.campaigns.add_users(3, [1, 2]))
    assert [ADD, ADD, LIST] == wire(sandbox)


async def test_a_refusal_after_a_lost_answer_without_effect_stays_in_doubt(sandbox: Sandbox) -> None:
    sandbox.faults.add(CloseAfterHeaders(), method="POST")
    sandbox.faults.add(Status(409), method="POST")
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConnectionLostError) as caught:
            await voiso.campaigns.add_users(3, [1, 2])
    assert "in_doubt" == caught.value.proof
    assert AddedUsers(added=(), in_doubt=(1, 2)) == caught.value.added_users


async def test_after_two_lost_answers_the_request_is_in_doubt_and_the_rest_not_added(sandbox: Sandbox) -> None:
    sandbox.faults.add(LetPass(1, ApplyThenClose()), method="POST", times=math.inf)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConnectionLostError) as caught:
            await voiso.campaigns.add_users(3, range(1, 251))
    report = added_users_in(caught.value)
    assert list(range(1, 101)) == ids_of(report.added)
    assert (tuple(range(101, 201)), tuple(range(201, 251))) == (report.in_doubt, report.not_added)
    assert "in_doubt" == caught.value.proof


async def test_a_key_that_is_revoked_after_a_lost_answer_leaves_doubt(sandbox: Sandbox) -> None:
    """The repetition was certainly refused, but the first try was not: nothing may claim that nobody was added."""
    sandbox.faults.add(ApplyThenClose(), method="POST")
    sandbox.faults.add(Status(401), method="POST")
    sandbox.faults.add(Status(401), method="GET")
    async with client_of(sandbox) as voiso:
        with pytest.raises(TransportError) as caught:
            await voiso.campaigns.add_users(3, [1])
    assert ("in_doubt", (1,), ()) == (
        caught.value.proof,
        added_users_in(caught.value).in_doubt,
        added_users_in(caught.value).not_added,
    )


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_repetition_that_never_left_does_not_take_the_doubt_away(sandbox: Sandbox, method: str) -> None:
    """Its own error proves that it was not sent, which is true of the second try alone."""
    keys = [sandbox.key]
    sandbox.faults.add(CloseAfterHeaders())
    async with VoisoClient(keys.pop, base_url=sandbox.url) as voiso:
        it = voiso.campaigns
        with pytest.raises(ConnectionLostError) as caught:
            await (it.add_users(3, [1]) if method == "POST" else it.remove_user(3, 1))
    assert "in_doubt" == caught.value.proof
    assert 1 == len(sandbox.history)


async def test_ids_of_another_style_cannot_be_looked_up_but_the_second_answer_counts(sandbox: Sandbox) -> None:
    """Contract 12.2: lists may show UUIDs where adding takes integers."""
    sandbox.rules = evolve(sandbox.rules, user_id_style="uuid")
    sandbox.faults.add(ApplyThenClose(), method="POST")
    async with client_of(sandbox) as voiso:
        assert () == await voiso.campaigns.add_users(3, [1, 2])
    assert ([1, 2], [ADD, ADD, LIST]) == (members(sandbox), wire(sandbox))


@pytest.mark.parametrize("answer", [{}, [], {"added_users": {}}, {"added_users": [{}]}, {"added_users": None}])
async def test_an_answer_without_the_list_is_unreadable(sandbox: Sandbox, answer: Any) -> None:
    sandbox.faults.add(Json(answer), times=math.inf)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ResponseError) as caught:
            await voiso.campaigns.add_users(3, [1])
    assert (1,) == added_users_in(caught.value).in_doubt


# Removed


@pytest.mark.parametrize("user_id", [2, "2"])
async def test_a_removed_user_is_given(sandbox: Sandbox, user_id: int | str) -> None:
    members(sandbox).extend([1, 2, 3])
    async with client_of(sandbox) as voiso:
        removed = await voiso.campaigns.remove_user(3, user_id)
    assert removed is not None
    assert (2, "User 2", [1, 3]) == (removed.id, removed.name, members(sandbox))
    assert [f"DELETE {USERS}/2"] == wire(sandbox)


async def test_a_user_who_was_not_assigned_is_not_found(sandbox: Sandbox) -> None:
    async with client_of(sandbox) as voiso:
        with pytest.raises(NotFoundError) as caught:
            await voiso.campaigns.remove_user(3, 2)
    assert ("refused", 1) == (caught.value.proof, len(sandbox.history))


@pytest.mark.parametrize("fault", [ApplyThenClose(), Status(500, apply=True), Html(apply=True)], ids=repr)
async def test_a_404_after_a_lost_answer_means_that_the_user_is_gone(sandbox: Sandbox, fault: Any) -> None:
    members(sandbox).append(2)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        assert await voiso.campaigns.remove_user(3, 2) is None
    assert ([], [f"DELETE {USERS}/2"] * 2) == (members(sandbox), wire(sandbox))


@pytest.mark.parametrize(
    ("fault", "times"),
    [(CloseAfterHeaders(), 1), (CloseAfterHeaders(), 3), (Status(503), 4), (Html(), 1)],
    ids=repr,
)
async def test_a_removal_that_was_lost_before_it_worked_is_repeated(
    sandbox: Sandbox, fault: Any, times: int
) -> None:
    members(sandbox).append(2)
    sandbox.faults.add(fault, times=times)
    async with client_of(sandbox) as voiso:
        removed = await voiso.campaigns.remove_user(3, 2)
    assert removed is not None
    assert (2, times + 1) == (removed.id, len(sandbox.history))


@pytest.mark.parametrize(
    "second", [Status(401), Status(403), Status(409), Status(503), CloseAfterHeaders()], ids=repr
)
async def test_what_the_repetition_says_does_not_take_the_doubt_away(sandbox: Sandbox, second: Any) -> None:
    members(sandbox).append(2)
    sandbox.faults.add(Status(500))
    sandbox.faults.add(second, times=math.inf)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ServerError) as caught:
            await voiso.campaigns.remove_user(3, 2)
    assert (500, "in_doubt") == (caught.value.status, caught.value.proof)
    assert caught.value.__context__ is None


async def test_a_removal_that_conflicts_is_sent_once(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(409))
    async with client_of(sandbox, retry=ONCE) as voiso:
        with pytest.raises(ConflictError):
            await voiso.campaigns.remove_user(3, 2)
    assert 1 == len(sandbox.history)


@pytest.mark.row(190)
@pytest.mark.parametrize(
    "user_id", ["1/2", "..", "../../3", "%31", "1?a", "1#a", "é", "", " ", 0, -1, True, 1.5, None]
)
async def test_a_hostile_user_id_never_changes_the_route(sandbox: Sandbox, user_id: Any) -> None:
    """Acceptance row 190."""
    async with client_of(sandbox) as voiso:
        with pytest.raises(ConfigurationError, match="user_id must be"):
            await voiso.campaigns.remove_user(3, user_id)
    assert [] == sandbox.history


@pytest.mark.row(55)
@pytest.mark.parametrize("code", [200, 201, 202, 203, 206, 207])
async def test_any_2xx_with_the_list_is_a_success(sandbox: Sandbox, code: int) -> None:
    sandbox.faults.add(Json({"added_users": [{"id": 101}]}, status=code, apply=True))
    async with client_of(sandbox) as voiso:
        assert [101] == ids_of(await voiso.campaigns.add_users(3, [101]))
    assert [ADD] == wire(sandbox)


WORDLESS = [
    Status(200, body=b"", apply=True),
    Status(201, body=b"", apply=True),
    Status(202, body=b"", apply=True),
    Status(204, apply=True),
    Json({"status": "accepted"}, status=202, apply=True),
]


@pytest.mark.row(55, 60)
@pytest.mark.parametrize("fault", WORDLESS, ids=repr)
async def test_a_success_that_names_nobody_is_looked_up_and_not_sent_again(sandbox: Sandbox, fault: Any) -> None:
    members(sandbox).append(301)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        assert [101, 102] == ids_of(await voiso.campaigns.add_users(3, [101, 102]))
    assert [ADD, LIST] == wire(sandbox)


async def test_a_success_that_names_nobody_stays_one_if_nobody_can_be_looked_up(sandbox: Sandbox) -> None:
    sandbox.faults.add(Status(204, apply=True), method="POST")
    sandbox.faults.add(Status(403), method="GET")
    async with client_of(sandbox) as voiso:
        assert [101, 102] == ids_of(await voiso.campaigns.add_users(3, [101, 102]))
    assert [ADD, LIST] == wire(sandbox)


@pytest.mark.row(55, 60)
@pytest.mark.parametrize("fault", WORDLESS, ids=repr)
async def test_a_removal_without_words_is_a_success(sandbox: Sandbox, fault: Any) -> None:
    members(sandbox).append(101)
    sandbox.faults.add(fault)
    async with client_of(sandbox) as voiso:
        assert await voiso.campaigns.remove_user(3, 101) is None
    assert [f"DELETE {USERS}/101"] == wire(sandbox)
    assert members(sandbox) == []


async def test_an_error_message_in_a_202_is_no_success(sandbox: Sandbox) -> None:
    sandbox.faults.add(Json({"error": "Not now"}, status=202), times=2)
    async with client_of(sandbox) as voiso:
        with pytest.raises(ResponseError, match="error message"):
            await voiso.campaigns.remove_user(3, 101)
