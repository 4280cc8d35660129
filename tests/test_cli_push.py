"""`voiso leads push`: what is sent, what is printed, and how it ends."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
from cli_runner import PATIENCE, Ended, Shell, begin, end, phones, sandbox_shell, settings_for, shell, write_leads

from voiso_async.sandbox import ApplyThenClose, Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures

PHONE = "441632960123"


def posts(sandbox: Sandbox) -> int:
    return sum(exchange.method == "POST" for exchange in sandbox.history)


def eventually(holds: Callable[[], object]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def report_of(ended: Ended) -> dict[str, Any]:
    """The last line of a push with --json: its books balance."""
    report: dict[str, Any] = ended.lines[-1]
    assert ("report", True) == (report["event"], report["balanced"])
    assert report["rows"] == sum(report["counts"].values())
    return report


def test_a_file_whose_leads_all_arrive(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    header = "Phone Number;First name;Last-Name;PRIORITY;is active;source;Link;CRM id;x-plan;shoe size"
    row = "+44 1632 960-123;Ada;Moss;5;No;billing;https://crm.example.net/c/9;C-9;gold;43"
    path = write_leads(tmp_path / "leads.csv", [row], header)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 0 == ended.code
    assert "columns without a meaning here: shoe size\n" == ended.err
    assert ended.out.startswith(
        'leads.csv → campaign 3 "Summer" (active)\n  created  1  are new in the campaign\n'
    )
    assert "  rows     1  the books balance\n" in ended.out
    lead = {
        "phone_number": PHONE,
        "name": "Ada Moss",
        "priority": 5,
        "active": False,
        "source": {"system": "billing", "url": "https://crm.example.net/c/9"},
        "context_headers": {"X-plan": "gold"},
    }
    assert lead == voiso_sandbox.campaigns[3].leads[PHONE]


def test_rows_that_are_not_in_the_campaign_are_exit_code_3(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset({"441632960007"}))
    voiso_sandbox.campaigns[3].leads["441632960001"] = {}
    rows = [*phones(3), "441632960000", "", "960123", "2025550123", "441632960007", "441632960009"]
    lines = [f"{row},{'0' if row.endswith('9') else '7'}" for row in rows]
    path = write_leads(tmp_path / "leads.csv", lines, "tel,priority")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (3, "") == (ended.code, ended.err)
    counts = ("created 2", "duplicate 1", "repeated 1", "rejected 1", "invalid 4", "rows 9")
    assert all(count in " ".join(ended.out.split()) for count in counts)
    assert "phone number: empty in row 6\n" in ended.out
    assert "phone number: too short in row 7\n" in ended.out
    assert "phone number: national without region in row 8\n" in ended.out
    assert "or give --international if they have it already\n" in ended.out
    assert "rejected in row 9\n" in ended.out
    assert "priority: out of range in row 10\n" in ended.out
    assert not any(phone in ended.out + ended.err for phone in rows if phone)


def test_with_json_the_last_line_is_the_report(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write_leads(
        tmp_path / "leads.csv", ["k1,441632960001", "k2,letters", ",960123", "k4,441632960001"], "id,phone"
    )
    ended = sandbox_shell("leads", "push", path, "--campaign", "3", "--json")
    assert (3, "") == (ended.code, ended.err)
    first, second, _ = ended.lines
    problem = {"event": "problem", "outcome": "invalid", "field": "phone_number"}
    assert problem | {"row": 3, "key": "k2", "reason": "letters"} == {
        k: v for k, v in first.items() if k != "detail"
    }
    assert (4, "row 4", "too_short") == (second["row"], second["key"], second["reason"])
    report = report_of(ended)
    assert (3, "leads.csv", None, 0) == (report["campaign"], report["file"], report["error"], report["unread"])
    assert (1, 1, 2) == tuple(report["counts"][outcome] for outcome in ("created", "repeated", "invalid"))
    assert ["441632960001"] == list(voiso_sandbox.campaigns[3].leads)


def test_numbers_may_be_said_to_be_international(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write_leads(tmp_path / "leads.csv", ["4416329601"])
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--international").code
    assert ["4416329601"] == list(voiso_sandbox.campaigns[3].leads)


def test_delimiter_and_encoding_may_be_named(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "leads.txt"
    path.write_bytes(f"phone|name\n{PHONE}|Zoë\n".encode("cp1252"))
    options = ("--campaign", 3, "--delimiter", "|", "--encoding", "cp1252")
    assert 0 == sandbox_shell("leads", "push", path, *options).code
    assert "Zoë" == voiso_sandbox.campaigns[3].leads[PHONE]["name"]
    for wrong in (("--delimiter", "||"), ("--encoding", "klingon"), ("--encoding", "rot13")):
        ended = sandbox_shell("leads", "push", path, "--campaign", 3, *wrong)
        assert (2, "") == (ended.code, ended.out)
        assert "must be one character" in ended.complaint or "no text encoding" in ended.complaint


def test_standard_input(voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.add_campaign(id=3)
    arguments = ("leads", "push", "-", "--campaign", "3", "--json")
    ended = end(begin(*arguments, env=settings_for(voiso_sandbox)), "phone\n" + "\n".join(phones(1000)))
    assert (0, "") == (ended.code, ended.err)
    report = report_of(ended)
    assert ("standard input", 1000) == (report["file"], report["counts"]["created"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "leads.csv: it is empty: there is nothing to send"),
        (b"phone\n", "leads.csv: it has no rows below its header: nothing to send"),
        (b"email,name\nx@example.com,Ada\n", "no column holds the phone number; there are 'email', 'name': name"),
        (b"phone,Name,name\n1,2,3\n", "two columns are named 'name'"),
        (b"phone,mobile\n1,2\n", "the columns 'phone' and 'mobile' could each be the phone number"),
        (b'phone,name\n441632960123,"Ada\n441632960124,Ben\n', "row 2: it begins a quote that is never closed"),
        (b"phone,name\n441632960123,Ada\n441632960124\n", "row 3: it has 1 cells, and the header 2"),
        (b"phone,name\n441632960123,\xff\n", "row 2: it holds bytes that are not UTF-8"),
        (b"phone,name\n441632960123,\x00\n", "row 2: it holds a NUL byte"),
        (b"PK\x03\x04rest", "it is an Excel workbook or a zip archive"),
        (b"441632960123,Ada\n", "the names of the columns are missing"),
    ],
)
def test_a_file_that_cannot_be_pushed_is_usage_and_nothing_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.complaint
    assert "4416329601" not in ended.err
    assert 0 == posts(voiso_sandbox)


@pytest.mark.parametrize(
    ("path", "says"),
    [(".", "is a directory"), ("nowhere.csv", "no such file or directory"), ("a\0b", "no usable name")],
)
def test_what_is_no_file_is_usage(sandbox_shell: Shell, voiso_sandbox: Sandbox, path: str, says: str) -> None:
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.complaint
    assert [] == voiso_sandbox.history


@pytest.mark.parametrize(("campaign", "code"), [("../3", 2), ("0", 2), ("three", 2), ("99", 1)])
def test_a_campaign_that_cannot_be(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, campaign: str, code: int
) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", campaign)
    assert (code, "") == (ended.code, ended.out)
    assert ended.complaint
    assert 0 == posts(voiso_sandbox)


def test_a_key_that_may_not_read_may_push(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.keys[voiso_sandbox.key] = {"campaigns.manage"}
    ended = sandbox_shell("leads", "push", write_leads(tmp_path / "leads.csv", phones(2)), "--campaign", 3)
    assert 0 == ended.code
    assert ended.out.startswith("leads.csv → campaign 3\n")


def test_a_refusal_of_everything_still_prints_the_books(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(403, {"error": "Forbidden"}), method="POST")
    path = write_leads(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 1 == ended.code
    assert "-> 403: Forbidden" in ended.complaint
    assert "  not sent  2  are not in the campaign: the push ended before\n" in ended.out
    assert "Push the same file again to finish" in ended.out


def test_a_fault_in_the_middle_of_a_pipe_ends_with_the_books(voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.add_campaign(id=3)
    given = "\n".join(["phone,name", *(f"{phone},a" for phone in phones(1001)), f'{PHONE},"open'])
    process = begin("leads", "push", "-", "--campaign", "3", "--json", env=settings_for(voiso_sandbox))
    ended = end(process, given)
    assert 1 == ended.code
    assert "standard input: row 1003: it begins a quote that is never closed; what was sent" in ended.complaint
    report = report_of(ended)
    assert 1001 == report["rows"]
    assert report["counts"]["created"] == len(voiso_sandbox.campaigns[3].leads)
    assert "SourceError" not in report["error"]


def test_the_timeout_is_an_error_with_the_books(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    path = write_leads(tmp_path / "leads.csv", phones(1500))
    arguments = ("leads", "push", path, "--campaign", 3, "--timeout", 1, "--json")
    ended = end(begin(*arguments, env=settings_for(voiso_sandbox)))
    assert 1 == ended.code
    assert "the 1 s of --timeout were over before every lead was sent" in ended.complaint
    counts = report_of(ended)["counts"]
    assert (1000, 500) == (counts["created"], counts["not_sent"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_between_two_posts_withdraws_the_rest(
    voiso_sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    voiso_sandbox.add_campaign(id=3)
    path = write_leads(tmp_path / "leads.csv", [*phones(2000), *phones(2000)[:1000]])
    process = begin("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox))
    eventually(lambda: len(voiso_sandbox.campaigns[3].leads) == 1000)
    time.sleep(0.3)
    process.send_signal(number)
    began = time.monotonic()
    ended = end(process)
    assert code == ended.code
    assert time.monotonic() - began < 1.5
    text = " ".join(ended.out.split())
    assert "created 1 000" in text
    assert "not sent 1 000" in text
    assert "the books balance" in text
    assert "not read" in text or "repeated 1 000" in text
    assert 1 == posts(voiso_sandbox)


def test_a_signal_waits_for_the_answer_to_the_post_in_flight(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=1.0)
    path = write_leads(tmp_path / "leads.csv", phones(1500))
    process = begin("leads", "push", path, "--campaign", 3, "--json", env=settings_for(voiso_sandbox))
    eventually(lambda: posts(voiso_sandbox))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert 130 == ended.code
    assert "waiting for the answer to the POST in flight (once more to leave at once)\n" == ended.err
    report = report_of(ended)
    assert (1000, 500) == (report["counts"]["created"], report["counts"]["not_sent"])
    assert "stopped by SIGINT" == report["error"]


def test_a_second_signal_leaves_at_once_and_says_what_is_not_known(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=20.0)
    path = write_leads(tmp_path / "leads.csv", phones(1500))
    process = begin("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox))
    eventually(lambda: posts(voiso_sandbox))
    time.sleep(0.2)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    began = time.monotonic()
    ended = end(process)
    assert time.monotonic() - began < 3
    assert 130 == ended.code
    assert "  unknown   1 000  were sent, and no answer came: they may be in the campaign\n" in ended.out
    assert "  not sent    500  are not in the campaign: the push ended before\n" in ended.out


def test_a_signal_ends_the_wait_for_standard_input(voiso_sandbox: Sandbox) -> None:
    """The thread that reads it cannot be woken, and does not keep the command from leaving."""
    voiso_sandbox.add_campaign(id=3)
    process = begin("leads", "push", "-", "--campaign", "3", env=settings_for(voiso_sandbox))
    assert process.stdin is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert 130 == process.wait(timeout=5)
    ended = end(process)
    assert "created 1" in " ".join(ended.out.split())


@pytest.mark.realtime
def test_a_lost_answer_is_told_and_settled(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.faults.add(ApplyThenClose(), method="POST")
    path = write_leads(tmp_path / "leads.csv", phones(20))
    ended = end(begin("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox)))
    assert 0 == ended.code
    assert "an answer was lost; the same leads go again in 2 s" in ended.err
    assert "  confirmed  20  are in the campaign; they went twice, as an answer was lost\n" in ended.out


@pytest.fixture
def terminal() -> Iterator["Terminal"]:
    terminal = Terminal(f"voiso-test-{uuid4().hex[:8]}")
    yield terminal
    terminal.tmux("kill-server")


@attrs.frozen
class Terminal:
    """A terminal of 80 by 30 that can be read."""

    name: str

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603

    def run(self, *arguments: object, env: dict[str, str]) -> None:
        settings = [f"{name}={value}" for name, value in env.items()]
        words = ["env", *settings, sys.executable, "-m", "voiso_async.cli", *map(str, arguments)]
        shown = f"{shlex.join(words)}; echo ended $?; sleep 60"
        self.tmux("new-session", "-d", "-x", "80", "-y", "30", shown)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-J")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux stands in for a terminal")
@pytest.mark.realtime
def test_three_batches_at_the_real_pace_move_a_bar(
    terminal: Terminal, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, cooldown=2.0)
    rows = [
        *phones(2000),
        *(f"1{area}55501{place:02}" for area in (201, 202, 203, 204, 205) for place in range(100)),
    ]
    path = write_leads(tmp_path / "leads.csv", rows)
    terminal.run("leads", "push", path, "--campaign", 3, env=settings_for(voiso_sandbox))
    eventually(lambda: "40% ━" in terminal.screen())
    bar, pace, outcomes = terminal.screen().splitlines()[:3]
    assert "1 000 of 2 500 · " in bar
    assert bar.rstrip().endswith(" s left")
    assert "/s · " in pace
    assert "next batch in " in pace
    assert "created 1 000 · pending 1 500" in outcomes
    eventually(lambda: "ended" in terminal.screen())
    screen = terminal.screen()
    assert "━" not in screen
    assert "  created  2 500  are new in the campaign\n" in screen
    assert "  3 POSTs in 4." in screen
    assert "ended 0\n" in screen
    assert 0 == voiso_sandbox.too_early
    assert 3 == posts(voiso_sandbox)
    assert json.dumps(sorted(rows)) == json.dumps(sorted(voiso_sandbox.campaigns[3].leads))
