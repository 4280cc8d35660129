"""`voiso doctor`: what is looked at, and what it says to mend."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runner import CANARY_KEY, Ended, Shell, phones, posts, sandbox_shell, shell, write_leads

from voiso_async.cli.commands import doctor
from voiso_async.sandbox import Html, Sandbox

__all__ = ["sandbox_shell", "shell"]  # fixtures


def states(ended: Ended) -> dict[str, str]:
    """What was found of each check."""
    return {line["check"]: line["state"] for line in ended.lines}


def found(ended: Ended, check: str) -> dict[str, Any]:
    """One check."""
    (line,) = [line for line in ended.lines if line["check"] == check]
    return dict(line)


def test_without_settings_it_says_which_are_missing(shell: Shell) -> None:
    ended = shell("doctor", "--json")
    assert (1, "") == (ended.code, ended.err)
    assert "fail" == found(ended, "address")["state"]
    assert "there is no address: set VOISO_CLUSTER" in found(ended, "address")["found"]
    assert "there is no address" in found(ended, "outbox")["found"]
    shell.env.setenv("VOISO_CLUSTER", "cc-ams03")
    ended = shell("doctor", "--json")
    assert "there is no API key: set VOISO_API_KEY" in found(ended, "key")["found"]
    assert "warn" == found(ended, "API")["state"]


def test_a_key_that_is_none_is_not_shown(shell: Shell) -> None:
    shell.env.setenv("VOISO_CLUSTER", "cc-ams03")
    shell.env.setenv("VOISO_API_KEY", f"Bearer {CANARY_KEY}")
    ended = shell("doctor", "--json")
    assert (1, "fail") == (ended.code, found(ended, "key")["state"])
    assert "without its 'Bearer ' prefix" in found(ended, "key")["found"]


def test_a_wrong_key_fails(sandbox_shell: Shell) -> None:
    sandbox_shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    ended = sandbox_shell("doctor", "--json", "--campaign", 3)
    keys = [line for line in ended.lines if line["check"] == "key"]
    assert (1, ["ok", "fail"]) == (ended.code, [line["state"] for line in keys])
    assert "401" in keys[1]["found"]
    assert "make a new key" in keys[1]["advice"]


def test_an_address_where_nobody_answers_fails(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    ended = shell("doctor", "--json", "--base-url", f"http://127.0.0.1:{port}")
    assert (1, "fail") == (ended.code, found(ended, "connection")["state"])
    assert "check the address" in found(ended, "connection")["advice"]


def test_an_answer_that_is_no_api_fails(sandbox_shell: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(Html(), times=100)
    ended = sandbox_shell("doctor", "--json")
    assert 1 == ended.code
    assert "fail" in states(ended).values()


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        ({"campaigns.read", "campaigns.manage"}, ["scope users.read"]),
        ({"campaigns.manage"}, ["scope campaigns.read", "scope users.read"]),
    ],
    ids=len,
)
def test_a_missing_scope_is_told_and_no_failure(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, scopes: set[str], missing: list[str]
) -> None:
    voiso_sandbox.keys[voiso_sandbox.key] = scopes
    ended = sandbox_shell("doctor", "--json")
    assert 0 == ended.code
    assert missing == [line["check"] for line in ended.lines if "the key lacks it" in line["found"]]


def test_all_is_well(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    before = sandbox_shell("doctor", "--campaign", 3, "--json")
    assert (
        sandbox_shell("leads", "push", write_leads(tmp_path / "leads.csv", phones(2)), "--campaign", 3).code == 0
    )
    after = sandbox_shell("doctor", "--campaign", 3)
    assert (0, 0, "") == (before.code, after.code, after.err)
    assert {"scope campaigns.manage"} == {check for check, state in states(before).items() if state != "ok"}
    assert "is made by the first push" in found(before, "outbox")["found"]
    assert "ok   campaign 3: live, active\n" in after.out
    assert "ok   campaign 3 users: 2 are assigned\n" in after.out
    assert ".db: 1 job, 0 with leads that wait\n" in after.out
    assert 1 == posts(voiso_sandbox)
    assert voiso_sandbox.key not in before.out + after.out


def test_a_campaign_that_does_not_dial_is_a_warning_and_none_a_failure(
    sandbox_shell: Shell, voiso_sandbox: Sandbox
) -> None:
    voiso_sandbox.add_campaign(id=4, status="paused", live=False)
    idle = sandbox_shell("doctor", "--campaign", 4, "--json")
    assert ("warn", "not live, paused") == (found(idle, "campaign 4")["state"], found(idle, "campaign 4")["found"])
    assert "voiso campaigns start 4" in found(idle, "campaign 4")["advice"]
    assert "warn" == found(idle, "campaign 4 users")["state"]
    none = sandbox_shell("doctor", "--campaign", 99, "--json")
    assert (0, 1, "fail") == (idle.code, none.code, found(none, "campaign 99")["state"])


@pytest.mark.parametrize(("skew", "state"), [(0, "ok"), (-3600, "warn"), (3600, "warn")])
def test_a_clock_that_is_wrong_is_a_warning(sandbox_shell: Shell, skew: float, state: str) -> None:
    sandbox_shell.env.setattr(doctor, "now", lambda: time.time() + skew)
    assert state == found(sandbox_shell("doctor", "--json"), "clock")["state"]


def test_an_outbox_that_is_none_or_has_no_room_fails(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    path.write_bytes(b"no outbox" * 1000)
    ended = sandbox_shell("doctor", "--json", "--outbox", path)
    assert (1, "fail") == (ended.code, found(ended, "outbox")["state"])
    sandbox_shell.env.setattr(doctor, "LEAST_SPACE", 2**60)
    sandbox_shell.env.setattr(doctor, "LITTLE_SPACE", 2**61)
    assert "fail" == found(sandbox_shell("doctor", "--json"), "disk")["state"]


def test_an_extra_that_is_missing_is_a_warning(sandbox_shell: Shell) -> None:
    sandbox_shell.env.setattr(doctor, "EXTRAS", {"phone": ("no_such_module", "a pity")})
    extra = found(sandbox_shell("doctor", "--json"), "extra phone")
    assert ("warn", "pip install 'voiso-async[phone]'") == (extra["state"], extra["advice"])
