"""`voiso leads plan`, `--dry-run`, `--max-rejected`, `--wait-live`: what is found out before it is too late."""

import re
import socket
from pathlib import Path
from typing import Any

import attrs
import openpyxl  # type: ignore[import-untyped]
import pytest
from cli_runner import CANARY_KEY, Shell, phones, posts, report_of, sandbox_shell, shell
from cli_runner import write_leads as write

from voiso_async.cli import campaign_state as state
from voiso_async.cli.failure_limit import FailureLimit, bad_share
from voiso_async.cli.render.progress import seconds_for
from voiso_async.cli.units import seconds_of, share_of
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox import SqliteOutbox
from voiso_async.outbox.jobs import Job
from voiso_async.sandbox import Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1e3", "m", "10 m", "1m2h", "٣", "inf", "nan", "99999d", "1.2.3s"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90, 10m or 2h30m"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", 0.5), ("45s", 45), ("10m", 600), ("2h30m", 9000), ("30d", 2_592_000), ("1M30", 90)],
)
def test_a_time_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds == seconds_of(text)


@pytest.mark.parametrize("text", ["", "25", "0.25", "-1%", "101%", "%", "٣%", "1e1%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 25%"):
        share_of(text)


def test_a_percentage() -> None:
    assert (0.25, 0.005, 1.0) == (share_of("25%"), share_of("0.5 %"), share_of("100%"))


@pytest.mark.parametrize(
    ("rows", "server_time", "seconds"),
    [
        (0, 0.6, 0),
        (1, 0.6, 0.6),
        (1000, 0.6, 0.6),
        (1001, 0.6, 3.2),
        (2_000_000, 0.5, 4998),
        (2_000_000, 5, 13998),
    ],
)
def test_the_floor_of_a_campaign(rows: int, server_time: float, seconds: float) -> None:
    """B calls of s seconds, and two seconds between them."""
    assert seconds == pytest.approx(seconds_for(rows, server_time))


def report(rows: int, **counts: int) -> IngestReport:
    full = {outcome: counts.get(outcome.value, 0) for outcome in Outcome}
    return IngestReport(rows=rows, counts=full, reasons={})


@pytest.mark.parametrize(
    ("report", "share"),
    [
        (report(0), 0.0),
        (report(100, invalid=25), 0.25),
        (report(100_000, invalid=1000, created=1000), 0.01),  # reading is far ahead of sending
        (report(100_000, rejected=500, created=500), 0.5),
        (report(1000, invalid=500, rejected=250, created=250), 0.75),
        (report(100, suppressed=90, created=10), 0.0),
        (report(100, repeated=50, rejected=10, created=10), 0.25),
        (report(100, suppressed=50, rejected=10, created=10), 0.25),
    ],
)
def test_the_share_of_rows_that_come_to_nothing(report: IngestReport, share: float) -> None:
    assert share == pytest.approx(bad_share(report))


@pytest.mark.parametrize(
    ("content", "says"),
    [("phone\n", "it has no rows"), ("", "it is empty"), ("a,b\n1,2\n", "no column holds the phone number")],
)
def test_a_plan_of_no_leads_is_usage(sandbox_shell: Shell, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(content, encoding="utf-8")
    for arguments in (["plan", path], ["push", path, "--dry-run"]):
        ended = sandbox_shell("leads", *arguments, "--campaign", 3)
        assert (2, "", True) == (ended.code, ended.out, says in ended.message)


def test_a_plan_says_what_a_push_would_do_and_sends_nothing(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    lines = [f"{phone},Ada,9" for phone in [*phones(1500), phones(1)[0], "letters", "", "960123"]]
    path = write(tmp_path / "leads.csv", lines, "tel,name,size")
    ended = sandbox_shell("leads", "plan", path, "--campaign", 3, "--server-time", "0.5")
    assert (3, "") == (ended.code, ended.err)
    first, columns, unused, campaign, *_ = ended.out.splitlines()
    assert "leads.csv: 1 504 rows, 1 500 sendable (3 invalid, 1 repeated in the file), 2 batches" == first
    assert "phone_number ← tel, name ← name (by the names in the first row)" in columns
    assert "  not used  size" == unused
    assert '  campaign 3 "Summer"  live, active  1 500 leads  3 s at 0.5 s a call' == campaign
    assert "phone number: letters in row 1503\n" in ended.out
    assert ended.out.endswith("\nNothing was sent.\n")
    assert not any(phone in ended.out for phone in phones(1500))
    assert {"GET"} == {exchange.method for exchange in voiso_sandbox.history}
    assert not (tmp_path / "state").exists()


def test_a_plan_as_json(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=4, status="paused", live=False)
    lines = [f"{phone},{3 if place < 1200 else 4}" for place, phone in enumerate(phones(2000))]
    path, dnc = write(tmp_path / "leads.csv", lines, "tel,list"), write(tmp_path / "dnc.csv", phones(3))
    ended = sandbox_shell("leads", "plan", path, "--campaign-column", "list", "--suppress", dnc, "--json")
    (plan,) = ended.lines
    assert (0, "", "plan") == (ended.code, ended.err, plan["event"])
    figures = ("rows", "sendable", "invalid", "suppressed", "repeated", "batches", "seconds")
    assert [2000, 1997, 0, 3, 0, 3, 3.2] == [plan[name] for name in figures]
    known = {"sendable": 800, "batches": 1, "seconds": 0.6, "found": True}
    assert {"id": 4, "status": "paused", "live": False} | known == plan["campaigns"][1]
    assert {"phone_number": "tel", "campaign": "list"} == plan["columns"]
    write(dnc, [*phones(3), "x"])
    options = ("--campaign-column", "list", "--suppress", dnc, "--suppress-lenient", "--json")
    (plan,) = sandbox_shell("leads", "plan", path, *options).lines
    assert (3, "dnc.csv: 1 of its 4 rows is passed over") == (plan["suppressed"], plan["remarks"][0][:39])


def workbook(path: Path, *, hidden: int = 0) -> Path:
    """Write two sheets of leads; the first has a cell without a name above it, and may have a hidden row."""
    made = openpyxl.Workbook()
    for name, rows in (("Nov", phones(3)), ("Dec", phones(2))):
        sheet = made.create_sheet(name)
        for cell in ("phone", *rows):
            sheet.append([cell])
    made.remove(made.worksheets[0])
    made["Nov"]["C2"] = "stray"
    if hidden:
        made["Nov"].row_dimensions[hidden].hidden = True
    made.save(path)
    return path


def test_plan_and_push_say_what_is_unusual_about_a_workbook(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = workbook(tmp_path / "leads.xlsx")
    remarks = [
        "only the sheet 'Nov' is read, not 'Dec': --sheet names another",
        "cells to the right of the column names are not read: 1 row has some (2)",
    ]
    ended = sandbox_shell("leads", "plan", path, "--campaign", 3)
    assert [f"  note     {remark}" for remark in remarks] == [
        line for line in ended.out.splitlines() if line.startswith("  note")
    ]
    (plan,) = sandbox_shell("leads", "plan", path, "--campaign", 3, "--json").lines
    assert ("Nov", remarks) == (plan["sheet"], plan["remarks"])
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 0 == ended.code
    assert all(1 == ended.err.count(f"leads.xlsx: {remark}\n") for remark in remarks)
    assert 3 == len(voiso_sandbox.campaigns[3].leads)


@pytest.mark.parametrize("command", ["push", "update"])
def test_hidden_rows_stop_every_command_before_anything_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, command: str
) -> None:
    path = workbook(tmp_path / "leads.xlsx", hidden=3)
    ended = sandbox_shell("leads", command, path, "--campaign", 3)
    assert 2 == ended.code
    assert "leads.xlsx: row 3 is hidden, as by a filter: say whether" in ended.message
    assert 0 == posts(voiso_sandbox)


@pytest.mark.parametrize(("option", "count"), [("skip", 2), ("send", 3)])
def test_hidden_rows_go_or_not_as_the_option_says(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, option: str, count: int
) -> None:
    path = workbook(tmp_path / "leads.xlsx", hidden=3)
    for command in ("plan", "push"):
        ended = sandbox_shell("leads", command, path, "--campaign", 3, "--hidden-rows", option)
        assert 0 == ended.code
        assert "1 row is hidden, as by a filter, and" in ended.out + ended.err
    assert count == len(voiso_sandbox.campaigns[3].leads)


def test_a_first_sheet_without_rows_names_the_others(sandbox_shell: Shell, tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.worksheets[0].append(["phone"])
    made.create_sheet("Dec").append(["phone"])
    made.save(tmp_path / "leads.xlsx")
    for command in ("plan", "push"):
        ended = sandbox_shell("leads", command, tmp_path / "leads.xlsx", "--campaign", 3)
        assert 2 == ended.code
        assert "it has no rows: nothing to send; only the sheet 'Sheet' is read, not 'Dec'" in ended.message


def test_a_plan_needs_no_key(shell: Shell, tmp_path: Path) -> None:
    ended = shell("leads", "plan", write(tmp_path / "leads.csv", phones(2)), "--campaign", 3)
    assert (0, "") == (ended.code, ended.err)
    assert "  campaign 3  not looked at, without a key  2 leads  1 s at 0.6 s a call\n" in ended.out


@pytest.mark.parametrize("command", [["plan"], ["push", "--dry-run"], ["push"]], ids=" ".join)
def test_a_campaign_that_does_not_exist_is_an_error_of_plan_and_push(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    path = write(tmp_path / "leads.csv", [*phones(2), "letters"])
    ended = sandbox_shell("leads", *command, path, "--campaign", 99)
    assert 1 == ended.code
    assert "voiso: campaign 99 does not exist, or this key cannot see it: voiso campaigns list" in ended.message
    assert ("3 rows, 2 sendable (1 invalid)" in ended.out) == (command != ["push"])
    as_json = sandbox_shell("leads", *command, path, "--campaign", 99, "--json")
    assert (1, ended.message[7:]) == (as_json.code, as_json.lines[-1]["error"])
    assert 0 == posts(voiso_sandbox)


def test_a_campaign_is_looked_at_though_no_row_can_be_sent_to_it(sandbox_shell: Shell, tmp_path: Path) -> None:
    ended = sandbox_shell("leads", "plan", write(tmp_path / "leads.csv", ["letters"]), "--campaign", 99)
    assert (1, True) == (ended.code, "campaign 99 does not exist" in ended.message)


@pytest.mark.parametrize("known", [3, 30], ids=["one by one", "by a listing"])
def test_the_campaigns_of_a_column_that_do_not_exist_are_named_with_their_rows(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, known: int
) -> None:
    for number in range(100, 100 + known):
        voiso_sandbox.add_campaign(id=number)
    campaigns = [*range(100, 100 + known), 4000, 4000, 5000]
    lines = [f"{phone},{campaign}" for phone, campaign in zip(phones(len(campaigns)), campaigns, strict=True)]
    path = write(tmp_path / "leads.csv", lines, "tel,list")
    ended = sandbox_shell("leads", "plan", path, "--campaign-column", "list")
    assert 1 == ended.code
    assert "2 campaigns do not exist, or this key cannot see them: 4000 (2 rows), 5000 (1 row);" in ended.message
    found = sandbox_shell("leads", "plan", path, "--campaign-column", "list", "--json").lines[-1]["campaigns"]
    assert [4000, 5000] == [campaign["id"] for campaign in found if campaign["found"] is False]


def test_a_plan_that_cannot_look_at_its_campaign_is_told_all_the_same(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", phones(2))
    sandbox_shell.env.setenv("VOISO_API_KEY", CANARY_KEY)
    refused = sandbox_shell("leads", "plan", path, "--campaign", 3)
    assert (1, True) == (refused.code, "2 rows, 2 sendable, 1 batch" in refused.out)
    assert "campaign 3 cannot be looked at: GET /campaigns/" in refused.message
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    alone = sandbox_shell("leads", "plan", path, "--campaign", 3, "--base-url", f"http://127.0.0.1:{port}")
    assert (1, True) == (alone.code, "2 rows, 2 sendable, 1 batch" in alone.out)
    assert "campaign 3 cannot be looked at: " in alone.message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--key-file", "nowhere"], "the key file cannot be read"),
        (["--cluster", "a/b"], "--cluster or VOISO_CLUSTER"),
    ],
    ids=["key", "address"],
)
def test_a_plan_needs_no_settings_but_takes_none_that_are_wrong(
    shell: Shell, tmp_path: Path, options: list[str], says: str
) -> None:
    shell.env.setenv("VOISO_API_KEY" if "--cluster" in options else "VOISO_CLUSTER", "a")
    ended = shell("leads", "plan", write(tmp_path / "leads.csv", phones(2)), "--campaign", 3, *options)
    assert (2, True) == (ended.code, says in ended.message)


CP1252 = "phone,name\n441632960123,José\n".encode("cp1252")
UTF16 = "phone\n441632960123\n".encode("utf-16-le")
DAMAGE = {
    "cells": (b"phone,name\n441632960123,Ada\n441632960124\n", "row 3: it has 1 cell, and the header 2"),
    "cp1252": (
        CP1252,
        "row 2: it holds bytes that are not UTF-8, and seem to be cp1252: read it with --encoding",
    ),
    "bytes": (b"phone,name\n441632960123,\xff\x81\n", "row 2: it holds bytes that are not UTF-8: save it as CSV"),
    "nul": (b"phone,name\n441632960123,\x00\n", "row 2: it holds a NUL byte: the file is damaged"),
    "utf-16": (UTF16, "row 1: it holds a NUL byte, and seems to be UTF-16: read it with --encoding utf-16-le"),
    "open quote": (b'phone,name\n441632960123,"Ada\n441632960124,Ben\n', "row 2: it begins a quote that is never"),
    "stray quote": (b'phone,name\n441632960123,"A"da\n', "row 2: a quote stands where none may be"),
    "json": (b'{"phone_number": "441632960123"}\n{"phone_number": \n', "row 2: the line is no JSON"),
}


@pytest.mark.parametrize(("content", "says"), DAMAGE.values(), ids=DAMAGE)
def test_damage_below_the_first_row_is_told_alike_by_plan_dry_run_and_push(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    told = set()
    for command in (["push"], ["push", "--dry-run"], ["plan"], ["update"]):
        ended = sandbox_shell("leads", *command, path, "--campaign", 3)
        assert (2, "") == (ended.code, ended.out)
        assert "4416329601" not in ended.err
        told.add(ended.message)
    assert 1 == len(told)
    assert told.pop().startswith(f"voiso: leads.csv: {says}")
    as_json = sandbox_shell("leads", "plan", path, "--campaign", 3, "--json")
    assert [{"event": "error", "error": as_json.message[7:], "exit": 2}] == as_json.lines
    assert 0 == posts(voiso_sandbox)


def test_what_was_advised_for_an_encoding_works(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    for encoding in ("cp1252", "utf-16-le", "utf-16-be"):
        path.write_bytes("phone,name\n441632960123,José\n".encode(encoding))
        advice = sandbox_shell("leads", "plan", path, "--campaign", 3).message
        options = re.findall(r"(--encoding) ([\w-]+)", advice)
        assert [("--encoding", encoding)] == options
        assert 0 == sandbox_shell("leads", "plan", path, "--campaign", 3, *options[0]).code


def test_a_file_that_changes_while_it_is_planned_is_told_as_such(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = write(tmp_path / "leads.csv", phones(2000))
    begin = SqliteOutbox.begin

    async def changed(self: SqliteOutbox, **options: Any) -> Job:
        write(path, phones(3))
        return await begin(self, **options)

    sandbox_shell.env.setattr(SqliteOutbox, "begin", changed)
    ended = sandbox_shell("leads", "plan", path, "--campaign", 3)
    assert (2, "") == (ended.code, ended.out)
    assert "leads.csv: row 2: the file was changed while it was read" in ended.message


def test_a_dry_run_names_each_row_that_cannot_be_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", [*phones(2), *["letters"] * 8])
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--dry-run")
    assert 3 == ended.code
    for row in range(4, 12):
        assert f"row {row}: phone number: letters - letters stand in the phone number\n" in ended.out
    as_json = sandbox_shell("leads", "push", path, "--campaign", 3, "--dry-run", "--json").lines
    assert [*range(4, 12)] == [line["row"] for line in as_json[:-1]]
    assert 8 == as_json[-1]["invalid"]
    assert 0 == posts(voiso_sandbox)


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (
            ["letters"] * 6 + ["441632960001"] * 2,
            "is this the right column? 'phone' was read as the phone",
        ),
        (["1632960123"] * 6 + ["441632960001"] * 2, "national numbers without a region: give --region"),
        (["4.41E+11"] * 6 + ["441632960001"] * 2, "a spreadsheet wrote the numbers as 4.41E+11"),
    ],
    ids=["column", "region", "spreadsheet"],
)
def test_too_many_invalid_rows_stop_a_push_before_anything_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, rows: list[str], cause: str
) -> None:
    path = write(tmp_path / "leads.csv", rows, "phone")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--max-rejected", "25%", "--json")
    assert 4 == ended.code
    assert (
        "75% of the rows are invalid or rejected, more than the 25% of --max-rejected (6 of 8 invalid"
        in ended.message
    )
    assert cause in ended.err
    report = report_of(ended)
    assert (6, 1, f"voiso leads withdraw {report['job']}") == (
        report["counts"]["invalid"],
        report["waiting"],
        report["next"],
    )
    assert f"(voiso leads resume {report['job']})" in report["advice"]
    assert 0 == posts(voiso_sandbox)
    assert 3 == sandbox_shell("leads", "resume", report["job"]).code
    assert 1 == len(voiso_sandbox.campaigns[3].leads)


def test_too_many_rejected_rows_stop_a_push_before_the_next_call(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.rules = attrs.evolve(
        voiso_sandbox.rules, do_not_call=frozenset(phones(2000)[:800]), server_time=0.3
    )
    rows = [*phones(2000), *(f"1{area}55501{place:02}" for area in range(202, 212) for place in range(100))]
    path = write(tmp_path / "leads.csv", rows)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--max-rejected", "20%", "--json")
    report = report_of(ended)
    assert 4 == ended.code
    assert "of --max-rejected (0 of 3 000 invalid, 800 of " in ended.message
    assert "the campaign refused them" in ended.err
    assert report["waiting"] > 0
    assert posts(voiso_sandbox) < 3


def test_a_share_within_the_limit_goes_through(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = write(tmp_path / "leads.csv", [*phones(8), "letters", "letters"])
    assert 3 == sandbox_shell("leads", "push", path, "--campaign", 3, "--max-rejected", "20%").code
    assert FailureLimit(0.2).share == 0.2


def test_a_campaign_that_does_not_come_alive_stops_a_push(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox_shell.env.setattr(state, "LOOK_SECONDS", 0.05)
    voiso_sandbox.campaigns[3].live = False
    path = write(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--wait-live", "0.2", "--json")
    assert 4 == ended.code
    assert 'campaign 3 "Summer" is still not live, active: nothing was sent' in ended.message
    assert [{"event": "report", "job": None, "error": ended.message[7:], "next": None}] == ended.lines
    assert 0 == posts(voiso_sandbox)


def test_a_push_waits_until_the_campaign_is_live(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox_shell.env.setattr(state, "LOOK_SECONDS", 0.01)
    campaign = voiso_sandbox.campaigns[3]
    campaign.status = "paused"
    looks = iter(range(6))

    def decorate(body: object) -> object:
        if next(looks, None) is None:
            campaign.status = "active"
        return body

    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, decorate=decorate)
    path = write(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--wait-live", "1m")
    assert (0, 1) == (ended.code, posts(voiso_sandbox))
    assert 1 == ended.err.count('campaign 3 "Summer" is live, paused: waiting until it is live and active\n')


def test_an_error_while_waiting_ends_the_wait(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(401), method="GET", times=100)
    path = write(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--wait-live", "1m")
    assert (1, 0) == (ended.code, posts(voiso_sandbox))
