"""``voiso talkdesk`` at the shell, against the sandbox."""

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import evolve
from cli_runner import Shell, begin, end, eventually, shell
from talkdesk_stage import BULKS, posts

from voiso_async.sandbox import Delay, Sandbox, Status

__all__ = ["shell"]  # a fixture

SECRET = "canary-secret-9a41"


@pytest.fixture
def campaign(voiso_sandbox: Sandbox) -> str:
    """A campaign of two agents, of whom one is a user here, and a Voiso campaign with another user."""
    account = voiso_sandbox.talkdesk
    account.secrets["client"] = SECRET
    for number, name in enumerate(("ada", "ben"), start=1):
        voiso_sandbox.add_user(id=number, name=name.title(), email=f"{name}@example.net")
    voiso_sandbox.add_campaign(id=3, user_ids=[2])
    ids = [account.add_user(name=name.title(), email=f"{name}@example.net") for name in ("ada", "zoe")]
    return account.add_campaign(name="Spring", user_ids=ids).id


def settings(sandbox: Sandbox) -> Mapping[str, str]:
    return {
        "VOISO_BASE_URL": sandbox.url,
        "VOISO_API_KEY": sandbox.key,
        "TALKDESK_BASE_URL": sandbox.talkdesk_url,
        "TALKDESK_TOKEN_URL": f"{sandbox.talkdesk_url}/oauth/token",
        "TALKDESK_CLIENT_ID": "client",
        "TALKDESK_CLIENT_SECRET": SECRET,
    }


@pytest.fixture
def td(shell: Shell, voiso_sandbox: Sandbox, campaign: str) -> Shell:
    """The shell, pointed at both sides of the sandbox."""
    for name, value in settings(voiso_sandbox).items():
        shell.env.setenv(name, value)
    return shell


def people(path: Path, count: int, more: str = "") -> Path:
    rows = "".join(f"+1201555{number:04},Rui,Mota\n" for number in range(count))
    path.write_text(f"phone,first name,surname\n{rows}{more}")
    return path


def test_campaigns_are_listed_paused_and_resumed(td: Shell, campaign: str, voiso_sandbox: Sandbox) -> None:
    table = td("talkdesk", "campaigns", "--search", "spring")
    assert (0, "1 campaign") == (table.code, table.err.strip())
    assert campaign in table.out
    paused = td("talkdesk", "pause", campaign, "--json").lines
    assert ["PAUSED"] == [line["status"] for line in paused]
    assert 0 == td("talkdesk", "resume", campaign).code
    assert "RUNNING" == voiso_sandbox.talkdesk.campaigns[campaign].status
    assert [] == td("talkdesk", "campaigns", "--status", "ready", "--json").lines


def test_users_are_ids_or_names(td: Shell, campaign: str, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.talkdesk.campaigns[campaign].user_ids.append("u-gone")
    assert 3 == len(td("talkdesk", "users", campaign, "--json").lines)
    assert "1 of 3 users" in td("talkdesk", "users", campaign, "--limit", 1).err
    named = td("talkdesk", "users", campaign, "--names")
    assert "ada@example.net" in named.out
    assert "3 users, 1 of them not known any more" in named.err
    assert ["Ada", "Zoe", None] == [
        line.get("name") for line in td("talkdesk", "users", campaign, "--names", "--json").lines
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TALKDESK_CLIENT_ID", "set TALKDESK_CLIENT_ID"),
        ("TALKDESK_CLIENT_SECRET", "set TALKDESK_CLIENT_SECRET or TALKDESK_PRIVATE_KEY"),
        ("TALKDESK_TOKEN_URL", "set TALKDESK_ACCOUNT"),
    ],
)
def test_a_missing_setting_is_named(td: Shell, name: str, message: str) -> None:
    td.env.delenv(name)
    ended = td("talkdesk", "campaigns")
    assert 2 == ended.code
    assert message in ended.message


def test_a_secret_is_read_from_a_file_and_never_shown(td: Shell, tmp_path: Path, voiso_sandbox: Sandbox) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    td.env.delenv("TALKDESK_CLIENT_SECRET")
    assert 0 == td("talkdesk", "campaigns", "--talkdesk-secret-file", file).code
    td.env.setenv("TALKDESK_CLIENT_SECRET_FILE", str(file))
    assert 0 == td("talkdesk", "campaigns", "--talkdesk-client-id", "client").code
    assert 2 == td("talkdesk", "campaigns", "--talkdesk-secret-file", tmp_path / "none").code
    assert 2 == td("talkdesk", "campaigns", "--talkdesk-key-file", file, "--talkdesk-key-id", "k").code
    voiso_sandbox.talkdesk.secrets["client"] = "another"
    refused = td("talkdesk", "campaigns")
    assert 1 == refused.code
    assert "client authentication failed" in refused.message
    assert SECRET not in refused.err + refused.out


def test_bringing_users_shows_a_plan_first(td: Shell, campaign: str, voiso_sandbox: Sandbox) -> None:
    plan = td("talkdesk", "bring-users", campaign, "--campaign", 3)
    assert 3 == plan.code
    words = ["will be added", "has no user with this address", "is no agent there, and stays"]
    assert words == [line.rpartition("  ")[2] for line in plan.out.splitlines()[1:]]
    assert "nothing was changed; --apply makes the 1 change" in plan.err
    assert [2] == voiso_sandbox.campaigns[3].user_ids


def test_bringing_users_applies_it_when_told(td: Shell, campaign: str, voiso_sandbox: Sandbox) -> None:
    done = td("talkdesk", "bring-users", campaign, "--campaign", 3, "--apply", "--remove", "--json")
    assert (3, [1]) == (done.code, voiso_sandbox.campaigns[3].user_ids)
    assert ["add", "no_match", "remove", "plan"] == [line["event"] for line in done.lines]
    assert (True, False, 1, 1) == tuple(done.lines[-1][name] for name in ("applied", "ok", "add", "remove"))
    voiso_sandbox.talkdesk.campaigns[campaign].user_ids.pop()
    voiso_sandbox.talkdesk.campaigns[campaign].user_ids.append("u-gone")
    assert "gone" in td("talkdesk", "bring-users", campaign, "--campaign", 3, "--json").out
    voiso_sandbox.talkdesk.campaigns[campaign].user_ids.pop()
    again = td("talkdesk", "bring-users", campaign, "--campaign", 3, "--apply")
    assert (0, "keep 1") == (again.code, again.err.strip())
    assert 2 == td("talkdesk", "bring-users", campaign).code


def test_a_file_is_pushed_into_a_new_list_that_a_campaign_dials(
    td: Shell, campaign: str, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    file = people(tmp_path / "people.csv", 120)
    done = td("talkdesk", "push", file, "--list", "Leads", "--campaign", campaign)
    assert (0, "the campaign dials this list") == (done.code, done.err.strip())
    assert "created  120" in done.out
    assert "all rows accounted for" in done.out
    (made,) = voiso_sandbox.talkdesk.lists.values()
    assert ([made.id], 120) == (voiso_sandbox.talkdesk.campaigns[campaign].list_ids, len(made.records))
    again = td("talkdesk", "push", file, "--list-id", made.id, "--json")
    assert (0, 120, True) == (again.code, again.lines[-1]["counts"]["duplicate"], again.lines[-1]["ok"])


def test_rows_that_cannot_be_sent_are_named_by_their_place(
    td: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "phone,first name,surname,active,priority,source,id,X-Plan\n"
        "+12015550001,Rui,Mota,yes,7,crm,9,gold\n"
        "+12015550002,Eva,Reis,no,,,,\n"
        "+12015550003,Eva,,,,,,\n"
        "+12015550004,Jo,Ba,,11,,,\n"
    )
    ended = td("talkdesk", "push", file, "--list", "Leads")
    assert 3 == ended.code
    for words in ("active: not active in row 3", "last name: missing in row 4", "priority: out of range in row 5"):
        assert words in ended.out
    assert not any(secret in ended.out + ended.err for secret in ("1201555", "Rui", "Reis"))
    (record,) = next(iter(voiso_sandbox.talkdesk.lists.values())).records
    assert ("crm", "9", 7, {"X-Plan": "gold"}) == (
        record["external_provider"],
        record["external_id"],
        record["priority"],
        record["extra_data"],
    )
    problems = td("talkdesk", "push", file, "--list", "Leads", "--json").lines
    assert [3, 4, 5, None] == [line.get("row") for line in problems]


def test_a_push_that_cannot_begin_sends_nothing(td: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    file = people(tmp_path / "people.csv", 1)
    assert 2 == td("talkdesk", "push", file).code
    assert 2 == td("talkdesk", "push", file, "--list", "a", "--list-id", "b").code
    assert 2 == td("talkdesk", "push", tmp_path / "none.csv", "--list", "Leads").code
    unknown = td("talkdesk", "push", file, "--list", "Leads", "--campaign", "c-none")
    assert 1 == unknown.code
    assert {} == voiso_sandbox.talkdesk.lists
    assert 0 == posts(voiso_sandbox)


def test_a_push_that_breaks_off_says_how_far_it_came(
    td: Shell, campaign: str, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.talkdesk.rules = evolve(voiso_sandbox.talkdesk.rules, capacity=100)
    file = people(tmp_path / "people.csv", 150)
    ended = td("talkdesk", "push", file, "--list", "Leads", "--campaign", campaign)
    assert 1 == ended.code
    assert "the list is full" in ended.message
    assert "not sent   50" in ended.out
    assert [] == voiso_sandbox.talkdesk.campaigns[campaign].list_ids


def test_a_push_of_a_damaged_file_sends_nothing_and_says_where_it_is_damaged(
    td: Shell, campaign: str, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    broken = people(tmp_path / "broken.csv", 3, more='"+12015550009,Eva\n')
    ended = td("talkdesk", "push", broken, "--list", "More", "--campaign", campaign, "--json")
    assert 2 == ended.code
    assert "voiso: broken.csv: row 5: it begins a quote that is never closed" == ended.message
    assert [{"event": "error", "error": ended.message[7:], "exit": 2}] == ended.lines
    assert 0 == posts(voiso_sandbox)
    process = begin("talkdesk", "push", "-", "--list", "More", "--json", env=settings(voiso_sandbox))
    piped = end(process, broken.read_text())
    assert (1, True) == (piped.code, "standard input: row 5: it begins a quote" in piped.message)
    assert "what was sent before that is in the report" in piped.lines[-1]["error"]


def test_the_first_signal_lets_the_call_in_flight_end(
    voiso_sandbox: Sandbox, campaign: str, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Delay(1.0), path=BULKS)
    file = people(tmp_path / "people.csv", 2000)
    process = begin("talkdesk", "push", file, "--list", "Leads", "--json", env=settings(voiso_sandbox))
    eventually(lambda: posts(voiso_sandbox))
    process.send_signal(signal.SIGINT)
    ended = end(process)
    report = ended.lines[-1]
    assert (130, 0, 0) == (ended.code, report["counts"]["unknown"], report["counts"]["not_sent"])
    assert "finishing the call in flight" in ended.err
    (made,) = voiso_sandbox.talkdesk.lists.values()
    assert 100 <= report["counts"]["created"] == len(made.records) < 2000


def test_the_second_signal_does_not(voiso_sandbox: Sandbox, campaign: str, tmp_path: Path) -> None:
    voiso_sandbox.faults.add(Delay(20.0), path=BULKS)
    file = people(tmp_path / "people.csv", 2000)
    process = begin("talkdesk", "push", file, "--list", "Leads", "--json", env=settings(voiso_sandbox))
    eventually(lambda: posts(voiso_sandbox))
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "finishing" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    ended = end(process)
    report = ended.lines[-1]
    assert (143, 100, True) == (ended.code, report["counts"]["unknown"], report["balanced"])


def test_an_error_of_the_server_is_one_line(td: Shell, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(Status(403), path="/talkdesk/campaigns")
    ended = td("talkdesk", "campaigns")
    assert 1 == ended.code
    assert "scope campaigns:read" in ended.message


def test_who_must_not_be_called_comes_into_no_record_list(
    td: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    dnc = tmp_path / "dnc.txt"
    file = people(tmp_path / "people.csv", 3)
    dnc.write_text("+12015550001\n2015550002\n")
    ended = td("talkdesk", "push", file, "--list", "Leads", "--suppress", dnc)
    assert (2, {}) == (ended.code, voiso_sandbox.talkdesk.lists)
    assert "dnc.txt: 1 of its 2 rows is not understood" in ended.message
    dnc.write_text("+12015550001\n")
    ended = td("talkdesk", "push", file, "--list", "Leads", "--suppress", dnc)
    assert 0 == ended.code
    assert "  suppressed  1  must not be called and was not sent\n" in ended.out
    marked = "phone,first name,surname,reason\n+12015550004,Rui,Mota,suppressed\n+12015550005,Rui,Mota,\n"
    file.write_text(marked)
    ended = td("talkdesk", "push", file, "--list", "Leads", "--json")
    report = ended.lines[-1]
    assert (0, True, 1) == (ended.code, report["ok"], report["counts"]["suppressed"])
    (made,) = voiso_sandbox.talkdesk.lists.values()
    numbers = {record["phone_numbers"][0]["phone_number"] for record in made.records}
    assert {"+12015550000", "+12015550002", "+12015550005"} == numbers
