"""`voiso campaigns` and `voiso users`."""

import attrs
import pytest
from cli_runner import Shell, sandbox_shell, shell

from voiso_async.sandbox import ApplyThenClose, CloseAfterHeaders, Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures


def test_campaigns_as_a_table(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.add_campaign(id=12, name="Winter", status="paused", strategy="simple")
    ended = sandbox_shell("campaigns", "list")
    assert (0, "2 campaigns\n") == (ended.code, ended.err)
    header, summer, winter = ended.out.splitlines()
    assert header.startswith("ID  NAME    STATUS  STRATEGY       DIAL LEVEL  UPDATED")
    assert summer.startswith(" 3  Summer  active  predictive_ai           2  20")
    assert winter.startswith("12  Winter  paused  simple                  2  20")
    assert not any(line.endswith(" ") for line in ended.out.splitlines())


def test_nothing_found_is_no_table(sandbox_shell: Shell) -> None:
    ended = sandbox_shell("campaigns", "list", "--status", "stopped")
    assert (0, "", "0 campaigns\n") == (ended.code, ended.out, ended.err)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], [3, 4, 5]),
        (["--name", "Winter"], [4]),
        (["--status", "paused"], [4, 5]),
        (["--strategy", "simple"], [5]),
        (["--live"], [3, 4]),
        (["--no-live"], [5]),
        (["--limit", "2"], [3, 4]),
    ],
)
def test_campaigns_by_filter_as_lines_of_json(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, options: list[str], ids: list[int]
) -> None:
    voiso_sandbox.add_campaign(id=4, name="Winter", status="paused")
    voiso_sandbox.add_campaign(id=5, name="Spring", status="paused", strategy="simple", live=False)
    ended = sandbox_shell("campaigns", "list", "--json", *options)
    assert (0, "") == (ended.code, ended.err)
    assert ids == [campaign["id"] for campaign in ended.lines]


def test_a_limit_says_how_many_there_are(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.add_campaign(id=4)
    assert "1 of 2 campaigns\n" == sandbox_shell("campaigns", "list", "--limit", 1).err


def test_one_campaign(sandbox_shell: Shell) -> None:
    text, data = sandbox_shell("campaigns", "get", 3), sandbox_shell("campaigns", "get", 3, "--json")
    assert (0, 0) == (text.code, data.code)
    assert "max_dial_attempts         5" in text.out.splitlines()
    assert 5 == data.lines[0]["max_dial_attempts"]


def test_a_campaign_that_is_not_there(sandbox_shell: Shell) -> None:
    ended = sandbox_shell("campaigns", "get", 99)
    assert (1, "") == (ended.code, ended.out)
    assert "-> 404: Not found" in ended.message


def test_pause_start_and_stop(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.campaigns[3].leads["441632960001"] = {}
    for action, status in (("pause", "paused"), ("start", "active"), ("stop", "stopped")):
        ended = sandbox_shell("campaigns", action, 3, "--json")
        assert (0, status) == (ended.code, ended.lines[0]["status"])
    assert "stopped" in sandbox_shell("campaigns", "list").out
    refused = sandbox_shell("campaigns", "pause", 3)
    assert (1, "") == (refused.code, refused.out)
    assert "-> 409: " in refused.message


def test_a_state_call_whose_answer_is_lost_says_what_is_not_known(
    sandbox_shell: Shell, voiso_sandbox: Sandbox
) -> None:
    voiso_sandbox.faults.add(CloseAfterHeaders(), method="POST")
    ended = sandbox_shell("campaigns", "pause", 3)
    assert 1 == ended.code
    assert ended.message.endswith("; whether the server acted is not known")


@pytest.mark.realtime
def test_wait_goes_through_the_transition(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, slow_transitions=0.3)
    assert "pausing" == sandbox_shell("campaigns", "pause", 3, "--json").lines[0]["status"]
    voiso_sandbox.campaigns[3].status = "active"
    assert "paused" == sandbox_shell("campaigns", "pause", 3, "--wait", "--json").lines[0]["status"]


def test_wait_ends_at_its_timeout(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, slow_transitions=60.0)
    ended = sandbox_shell("campaigns", "stop", 3, "--wait", "--timeout", 0.2)
    assert (1, "") == (ended.code, ended.out)
    assert "after 0.2 s the campaign is stopping, not completed or stopped" in ended.message


def test_the_users_of_a_campaign(sandbox_shell: Shell) -> None:
    table = sandbox_shell("campaigns", "users", 3)
    assert (0, "2 users\n") == (table.code, table.err)
    assert ["ID", " 1", " 2"] == [line[:2] for line in table.out.splitlines()]
    assert [1, 2] == [user["id"] for user in sandbox_shell("campaigns", "users", 3, "--json").lines]


def test_users_are_added_and_removed(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    added = sandbox_shell("campaigns", "add-users", 3, 2, 3, "--json")
    assert (0, [3]) == (added.code, [user["id"] for user in added.lines])
    assert "1 of the users were not added: they work in the campaign already\n" == added.err
    removed = sandbox_shell("campaigns", "remove-user", 3, 1)
    assert 0 == removed.code
    assert "Ada Moss" in removed.out
    assert [2, 3] == voiso_sandbox.campaigns[3].user_ids
    assert 1 == sandbox_shell("campaigns", "remove-user", 3, 1).code


def test_users_that_were_added_before_an_error_are_told(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    for number in range(4, 151):
        voiso_sandbox.add_user(id=number)
    voiso_sandbox.faults.add(Status(200, {"added_users": [{"id": 5}]}), method="POST")
    voiso_sandbox.faults.add(Status(403, {"error": "Forbidden"}), method="POST")
    ended = sandbox_shell("campaigns", "add-users", 3, *range(4, 151))
    assert 1 == ended.code
    assert "1 user was added before the error\n" in ended.err
    assert "-> 403: " in ended.message


@pytest.mark.parametrize("user", ["../../users", "4/5", "a b", "%2e"])
def test_a_hostile_user_id_never_reaches_the_wire(sandbox_shell: Shell, voiso_sandbox: Sandbox, user: str) -> None:
    for command in ("add-users", "remove-user"):
        ended = sandbox_shell("campaigns", command, 3, user)
        assert (2, "") == (ended.code, ended.out)
        assert "an id has letters, digits, '-' and '_' only" in ended.message
    assert [] == voiso_sandbox.history


def test_a_removal_whose_answer_was_lost(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(ApplyThenClose(), method="DELETE")
    ended = sandbox_shell("campaigns", "remove-user", 3, 1)
    assert (0, "") == (ended.code, ended.out)
    assert "the user is out of the campaign" in ended.err


def test_all_users_by_filter(sandbox_shell: Shell) -> None:
    table = sandbox_shell("users", "list")
    assert (0, "3 users\n") == (table.code, table.err)
    assert "Chidi Obi" in table.out
    assert ["Ada Moss"] == [
        user["name"] for user in sandbox_shell("users", "list", "--name", "Ada Moss", "--json").lines
    ]
    assert 1 == len(sandbox_shell("users", "list", "--json", "--limit", 1).lines)
