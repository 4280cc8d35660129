"""`voiso leads push` and `update`: what is sent, what is printed, and how it ends."""

from pathlib import Path

import attrs
import pytest
from cli_runner import (
    Shell,
    begin,
    end,
    phones,
    posts,
    report_of,
    sandbox_shell,
    settings_for,
    shell,
    write_leads,
)

from voiso_async.sandbox import ApplyThenClose, Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures

PHONE = "441632960123"


@pytest.mark.row(176, 177, 178)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "leads.csv: it is empty: there is nothing to send"),
        (b"phone\n", "leads.csv: it has no rows: nothing to send"),
        (b"email,name\nx@example.com,Ada\n", "no column holds the phone number; there are 'email', 'name': name"),
        (b"phone,Name,name\n1,2,3\n", "two columns are named 'name'"),
        (b"phone,mobile\n1,2\n", "the columns 'phone' and 'mobile' could each be the phone number"),
        (b'phone,name\n441632960123,"Ada\n441632960124,Ben\n', "row 2: it begins a quote that is never closed"),
        (b"phone,name\n441632960123,Ada\n441632960124\n", "row 3: it has 1 cell, and the header 2"),
        (b"phone,name\n441632960123,\xff\n", "row 2: it holds bytes that are not UTF-8"),
        (b"phone,name\n441632960123,\x00\n", "row 2: it holds a NUL byte"),
        (b"PK\x03\x04rest", "leads.csv: "),
    ],
)
def test_a_file_that_cannot_be_pushed_is_usage_and_nothing_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message
    assert "4416329601" not in ended.err
    assert 0 == posts(voiso_sandbox)
    assert "0 jobs\n" in sandbox_shell("leads", "status").err


@pytest.mark.parametrize(
    ("path", "says"),
    [(".", "is a directory"), ("nowhere.csv", "no such file or directory"), ("a\0b", "no usable name")],
)
def test_what_is_no_file_is_usage(sandbox_shell: Shell, voiso_sandbox: Sandbox, path: str, says: str) -> None:
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message
    assert [] == voiso_sandbox.history


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "say where the leads go: --campaign 3, or --campaign-column NAME"),
        (["--campaign", 3, "--campaign-column", "id"], "say where the leads go"),
        (["--campaign-column", "id", "--wait-live", "1m"], "--wait-live needs --campaign"),
        (["--campaign", 3, "--map", "Mobile"], "--map takes FIELD=COLUMN"),
        (["--campaign", 3, "--map", "name="], "--map takes FIELD=COLUMN"),
        (["--campaign", 3, "--map", "name=a", "--map", "name=b"], "--map names name twice"),
        (["--campaign", 3, "--map", "shoe_size=tel"], "shoe_size"),
        (["--campaign", 3, "--map", "name=Nickname"], "Nickname"),
        (["--campaign", 3, "--key-column", "CRM id"], "no one column is named 'CRM id'"),
        (["--campaign-column", "list"], "no one column is named 'list'"),
        (["--campaign", 3, "--region", "GB", "--international"], "give --region or --international, not both"),
        (["--campaign", 3, "--region", "Atlantis"], "the region must be a code of two letters"),
        (["--campaign", 3, "--delimiter", "||"], "must be one character"),
        (["--campaign", 3, "--encoding", "klingon"], "no text encoding"),
        (["--campaign", 3, "--format", "xlsx"], "leads.csv: "),
        (["--campaign", 3, "--suppress", "nowhere.txt"], "nowhere.txt: it cannot be read"),
        (["--campaign", 3, "--results", "leads.csv"], "leads.csv: there is such a file already"),
        (["--campaign", 3, "--rejects", "no/such/rejects.csv"], "rejects.csv: there is no folder"),
        (["--campaign", 3, "--account", "../x"], "an account's label"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_usage_and_nothing_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, options: list[object], says: str
) -> None:
    write_leads(tmp_path / "leads.csv", phones(2), "tel")
    sandbox_shell.env.chdir(tmp_path)
    ended = sandbox_shell("leads", "push", "leads.csv", *options)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message
    assert 0 == posts(voiso_sandbox)


@pytest.mark.parametrize(("campaign", "code"), [("../3", 2), ("0", 2), ("three", 2), ("99", 1)])
def test_a_campaign_that_cannot_be(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, campaign: str, code: int
) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", campaign)
    assert (code, "") == (ended.code, ended.out)
    assert ended.message
    assert 0 == posts(voiso_sandbox)


def test_without_a_key_nothing_is_begun(sandbox_shell: Shell, tmp_path: Path) -> None:
    sandbox_shell.env.delenv("VOISO_API_KEY")
    path = write_leads(tmp_path / "leads.csv", phones(2))
    assert "there is no API key" in sandbox_shell("leads", "push", path, "--campaign", 3).message
    assert not (tmp_path / "state").exists()


def test_a_refusal_of_everything_prints_the_report_and_what_to_do(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(403, {"error": "Forbidden"}), method="POST")
    path = write_leads(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 1 == ended.code
    assert "POST /campaigns/3/leads -> 403: the key needs the scope campaigns.manage" in ended.message
    assert "  waiting  2  are still to be sent\n" in ended.out
    assert "Once the API key may write to the campaign, go on: voiso leads resume " in ended.out


def test_a_campaign_that_is_given_up_can_go_on(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(404, {"error": "Not found"}), method="POST")
    path = write_leads(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--json")
    report = report_of(ended)
    assert (4, 2, "stopped") == (ended.code, report["waiting"], report["state"])
    assert "-> 404" in report["error"]
    assert f"voiso leads withdraw {report['job']}" == report["next"]
    assert 0 == sandbox_shell("leads", "resume", report["job"]).code
    assert phones(2) == list(voiso_sandbox.campaigns[3].leads)


def test_a_file_whose_leads_all_arrive(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    header = "Phone Number;First name;Last-Name;PRIORITY;is active;source;Link;CRM id;x-plan;shoe size"
    row = "+44 1632 960-123;Ada;Moss;5;No;billing;https://crm.example.net/c/9;C-9;gold;43"
    path = write_leads(tmp_path / "leads.csv", [row], header)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 0 == ended.code
    unused, job = ended.err.splitlines()
    assert "columns without a meaning here: shoe size" == unused
    assert job.startswith('leads.csv → campaign 3 "Summer" (live, active): job ')
    assert ended.out.startswith(
        'leads.csv → campaign 3 "Summer" (live, active)\n  created  1  is new in the campaign\n'
    )
    assert "  rows     1  all rows accounted for\n" in ended.out
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
    assert 3 == ended.code
    counts = ("created 2", "duplicate 1", "repeated 1", "rejected 1", "invalid 4", "rows 9")
    assert all(count in " ".join(ended.out.split()) for count in counts)
    assert "phone number: empty in row 6\n" in ended.out
    assert "phone number: too short in row 7\n" in ended.out
    assert "phone number: national without region in row 8\n" in ended.out
    assert "or give --region such as GB, or --international if they have it already\n" in ended.out
    assert "rejected in row 9\n" in ended.out
    assert "priority: out of range in row 10\n" in ended.out
    assert "Write the rows to a file, to be corrected: voiso leads results " in ended.out
    assert not any(phone in ended.out + ended.err for phone in rows if phone)


def test_with_json_the_first_line_names_the_job_and_the_last_is_the_report(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = ["k1,441632960001", "k2,letters", ",960123", "k4,441632960001"]
    path = write_leads(tmp_path / "leads.csv", rows, "id,phone")
    ended = sandbox_shell("leads", "push", path, "--campaign", "3", "--key-column", "id", "--json")
    assert (3, "") == (ended.code, ended.err)
    job, first, second, _ = ended.lines
    problem = {"event": "problem", "outcome": "invalid", "field": "phone_number", "campaign": 3}
    assert problem | {"row": 3, "key": "k2", "reason": "letters"} == {
        k: v for k, v in first.items() if k != "detail"
    }
    assert (4, "too_short") == (second["row"], second["reason"])
    report = report_of(ended)
    assert ("job", job["job"]) == (job["event"], report["job"])
    assert (3, "leads.csv", None, "done") == tuple(report[name] for name in ("campaign", "file", "error", "state"))
    assert f"voiso leads results {report['job']} --rejects --out rejects.csv" == report["next"]
    assert (1, 1, 2) == tuple(report["counts"][outcome] for outcome in ("created", "repeated", "invalid"))
    assert ["441632960001"] == list(voiso_sandbox.campaigns[3].leads)


def test_columns_may_be_mapped(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = write_leads(tmp_path / "leads.csv", [f"Ada,Moss,{PHONE},7"], "First,Last,Mobile,Id")
    maps = ("phone_number=Mobile", "name={Last}, {First}", "source.url=https://crm.example.net/{Id}")
    options = [word for text in maps for word in ("--map", text)]
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, *options).code
    lead = voiso_sandbox.campaigns[3].leads[PHONE]
    assert ("Moss, Ada", {"url": "https://crm.example.net/7"}) == (lead["name"], lead["source"])


def test_numbers_may_be_said_to_be_international_or_of_a_region(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write_leads(tmp_path / "abroad.csv", ["4416329601"])
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--international").code
    path = write_leads(tmp_path / "home.csv", ["(201) 555-0123"])
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--region", "US").code
    assert ["4416329601", "12015550123"] == list(voiso_sandbox.campaigns[3].leads)


def test_delimiter_encoding_and_format_may_be_named(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "leads.txt"
    path.write_bytes(f"phone|name\n{PHONE}|Zoë\n".encode("cp1252"))
    options = ("--campaign", 3, "--delimiter", "|", "--encoding", "cp1252")
    assert 0 == sandbox_shell("leads", "push", path, *options).code
    assert "Zoë" == voiso_sandbox.campaigns[3].leads[PHONE]["name"]
    path = tmp_path / "leads.log"
    path.write_text('{"phone": "441632960124", "name": "Ada"}\n', encoding="utf-8")
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--format", "jsonl").code
    assert "Ada" == voiso_sandbox.campaigns[3].leads["441632960124"]["name"]


def test_suppressed_numbers_are_left_out_and_spoil_nothing(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(4))
    lists = [
        write_leads(tmp_path / f"dnc{place}.txt", [f"+{phone}"], "phone") for place, phone in enumerate(phones(2))
    ]
    options = [word for path in lists for word in ("--suppress", path)]
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, *options)
    assert 0 == ended.code
    assert "  suppressed  2  must not be called and were not sent\n" in ended.out
    assert "invalid" not in ended.out
    assert phones(4)[2:] == list(voiso_sandbox.campaigns[3].leads)


def test_a_column_may_name_each_row_s_campaign(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    for number in (4, 5):
        voiso_sandbox.add_campaign(id=number)
    lines = [f"{phone},{3 + place % 3}" for place, phone in enumerate(phones(30))]
    path = write_leads(tmp_path / "leads.csv", [*lines, f"{PHONE},none"], "phone,list")
    ended = sandbox_shell("leads", "push", path, "--campaign-column", "list", "--json")
    report = report_of(ended)
    assert (3, [3, 4, 5], 30) == (ended.code, report["campaigns"], report["counts"]["created"])
    assert {"bad_campaign": 1} == report["reasons"]
    for place in range(3):
        assert phones(30)[place::3] == list(voiso_sandbox.campaigns[3 + place].leads)


def test_leads_are_updated_by_the_same_path(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(2))
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3).code
    path = write_leads(tmp_path / "leads.csv", [f"{phone},no" for phone in phones(2)], "phone,active")
    ended = sandbox_shell("leads", "update", path, "--campaign", 3)
    assert 0 == ended.code
    assert "  updated  2  were changed\n" in ended.out
    assert [False, False] == [lead["active"] for lead in voiso_sandbox.campaigns[3].leads.values()]


def test_a_key_that_may_not_read_may_push(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.keys[voiso_sandbox.key] = {"campaigns.manage"}
    ended = sandbox_shell("leads", "push", write_leads(tmp_path / "leads.csv", phones(2)), "--campaign", 3)
    assert 0 == ended.code
    assert ended.out.startswith("leads.csv → campaign 3\n")


def test_a_lost_answer_is_told_and_settled(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.faults.add(ApplyThenClose(), method="POST")
    ended = sandbox_shell("leads", "push", write_leads(tmp_path / "leads.csv", phones(20)), "--campaign", 3)
    assert 0 == ended.code
    assert "an answer was lost; the same leads go again in 0 s" in ended.err
    assert (
        "  confirmed  20  are in the campaign; they went twice, after a lost answer or a refused call\n"
        in ended.out
    )


def test_files_of_results_wait_for_the_end(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.faults.add(Status(404), method="POST")
    path, results = write_leads(tmp_path / "leads.csv", phones(2)), tmp_path / "results.csv"
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--results", results)
    assert (4, True, False) == (ended.code, "no file was written, as rows wait" in ended.err, results.exists())
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--results", results).code
    assert 3 == len(results.read_text(encoding="utf-8").splitlines())


@pytest.mark.row(179)
def test_standard_input(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    arguments = ("leads", "push", "-", "--campaign", "3", "--json")
    ended = end(begin(*arguments, env=settings_for(voiso_sandbox, tmp_path)), "phone\n" + "\n".join(phones(1000)))
    assert (0, "") == (ended.code, ended.err)
    report = report_of(ended)
    assert ("standard input", 1000) == (report["file"], report["counts"]["created"])


def test_a_fault_in_the_middle_of_a_pipe_ends_with_the_report(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    given = "\n".join(["phone,name", *(f"{phone},a" for phone in phones(1001)), f'{PHONE},"open'])
    arguments = ("leads", "push", "-", "--campaign", "3", "--json")
    ended = end(begin(*arguments, env=settings_for(voiso_sandbox, tmp_path), quick=True), given)
    assert 1 == ended.code
    assert "standard input: row 1003: it begins a quote that is never closed; what was read" in ended.message
    report = report_of(ended)
    assert ("stopped", False, 0) == (report["state"], report["loaded"], report["waiting"])
    assert f"voiso leads resume {report['job']} --loaded" == report["next"]
    assert report["rows"] >= 1000
    assert report["counts"]["created"] == len(voiso_sandbox.campaigns[3].leads) == report["rows"]
    assert "SourceError" not in report["error"]


def test_a_person_who_must_not_be_called_does_not_come_back_by_the_rejects(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    listed, other, free = phones(3)
    rows = [
        f"+{listed},Ann,5",
        f"+{listed},Ann,none",
        f"+44 (0){listed[2:]},Ann,5",
        f"+{other},Ben,none",
        f"{free},,",
    ]
    path = write_leads(tmp_path / "leads.csv", rows, "phone,name,priority")
    dnc, rejects = write_leads(tmp_path / "dnc.txt", [f"+{listed}"]), tmp_path / "rejects.csv"
    results = tmp_path / "results.csv"
    options = ("--suppress", dnc, "--rejects", rejects, "--results", results, "--max-rejected", "30%", "--json")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, *options)
    counts = report_of(ended)["counts"]
    assert (3, 3, 1, 1) == (ended.code, counts["suppressed"], counts["invalid"], counts["created"])
    assert [5] == [line["row"] for line in ended.lines if line["event"] == "problem"]
    assert listed[2:] not in rejects.read_text(encoding="utf-8")
    assert other in rejects.read_text(encoding="utf-8")
    job = report_of(ended)["job"]
    again = sandbox_shell("leads", "results", job, "--rejects", "--out", tmp_path / "more.csv")
    assert (0, "1 row written\n") == (again.code, again.err)
    assert 2 == sandbox_shell("leads", "results", job, "--rejects", "--outcome", "suppressed").code
    assert 1 == sandbox_shell("leads", "retry", job, "--outcome", "suppressed,invalid").code
    for file in (rejects, results):  # pushed again, without the list
        sandbox_shell("leads", "push", file, "--campaign", 3)
    assert {free} == set(voiso_sandbox.campaigns[3].leads) - {other}


def test_what_an_older_rejects_file_says_of_a_row_still_holds(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    listed, other, free = phones(3)
    rows = [f"'+{listed},invalid,suppressed,2", f"'+{other},invalid,empty,3", f"'+{listed},,,", f"{free},,,"]
    path = write_leads(tmp_path / "rejects.csv", rows, "phone,voiso_outcome,voiso_reason,voiso_row")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert 0 == ended.code
    assert "  suppressed  2  must not be called and were not sent\n" in ended.out
    assert {other, free} == set(voiso_sandbox.campaigns[3].leads)
    job = ended.err.split("job ")[1].strip()
    assert "created 2 · suppressed 2" in sandbox_shell("leads", "status").out
    assert 2 == sandbox_shell("leads", "status", job, "--json").lines[-1]["counts"]["suppressed"]
    found = sandbox_shell("leads", "results", job, "--outcome", "suppressed", "--format", "jsonl").err
    assert "2 rows written\n" == found


def test_an_update_leaves_out_who_must_not_be_called(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    assert 0 == sandbox_shell("leads", "push", write_leads(tmp_path / "a.csv", phones(2)), "--campaign", 3).code
    path = write_leads(tmp_path / "b.csv", [f"{phone},no" for phone in phones(2)], "phone,active")
    dnc = write_leads(tmp_path / "dnc.txt", phones(1))
    ended = sandbox_shell("leads", "update", path, "--campaign", 3, "--suppress", dnc)
    assert 0 == ended.code
    assert "suppressed  1" in ended.out
    assert "updated     1" in ended.out


@pytest.mark.parametrize("command", [("push",), ("push", "--dry-run"), ("plan",), ("update",)])
def test_a_list_that_is_not_understood_in_full_stops_every_command(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = write_leads(tmp_path / "leads.csv", [f"{phone},Ada" for phone in phones(3)], "phone,name")
    dnc = write_leads(tmp_path / "dnc.csv", [f"+{phones(1)[0]}", f"+44 (0){phones(2)[1][2:]}"], "Phone")
    arguments = ("leads", command[0], path, "--campaign", 3, "--suppress", dnc, *command[1:])
    ended = sandbox_shell(*arguments)
    assert (2, "") == (ended.code, ended.out)
    assert "dnc.csv: 1 of its 2 rows is not understood" in ended.message
    assert "row 3 (trunk zero)" in ended.message
    assert "--suppress-lenient" in ended.message
    assert not any(phone[2:] in ended.err for phone in phones(3))
    assert 0 == posts(voiso_sandbox)
    ended = sandbox_shell(*arguments, "--suppress-lenient")
    assert "dnc.csv: 1 of its 2 rows is passed over as not understood" in ended.err
    assert ("suppressed" in ended.out, ended.code) == (True, 3 if command[0] == "update" else 0)
    assert phones(1)[0] not in voiso_sandbox.campaigns[3].leads


def test_the_columns_of_a_list_may_be_named(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = write_leads(tmp_path / "leads.csv", phones(3))
    rows = [f"{place},+{phone},n/a" for place, phone in enumerate(phones(2))]
    dnc = write_leads(tmp_path / "dnc.csv", rows, "id,Nicht anrufen,Phone")
    options = ("--campaign", 3, "--suppress-column", "nicht anrufen")
    assert 2 == sandbox_shell("leads", "push", path, *options).code
    assert 2 == sandbox_shell("leads", "push", path, "--campaign", 3, "--suppress", dnc).code
    assert 0 == sandbox_shell("leads", "push", path, *options, "--suppress", dnc).code
    assert phones(3)[2:] == list(voiso_sandbox.campaigns[3].leads)
    again = sandbox_shell("leads", "push", path, *options, "--suppress", dnc)
    assert "was pushed before" in again.err
    assert 1 == posts(voiso_sandbox)


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_a_file_that_was_pushed_with_a_list_is_not_pushed_without_it_by_mistake(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, again: tuple[str, ...]
) -> None:
    path, dnc = write_leads(tmp_path / "leads.csv", phones(3)), write_leads(tmp_path / "dnc.txt", phones(1))
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--suppress", dnc).code
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, *again)
    assert (2, "", 1) == (ended.code, ended.out, posts(voiso_sandbox))
    assert "and 1 row had one: give --suppress again, or --without-suppress if they may be called" in ended.err
    assert phones(3)[1:] == list(voiso_sandbox.campaigns[3].leads)
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, *again, "--without-suppress")
    assert (0, 3) == (ended.code, len(voiso_sandbox.campaigns[3].leads))


def test_what_is_said_of_rows_agrees_with_their_number(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = write_leads(tmp_path / "leads.csv", [*phones(1), *phones(1), "letters"])
    one = sandbox_shell("leads", "push", path, "--campaign", 3)
    for words in (
        "created   1  is new in",
        "repeated  1  has the phone",
        "invalid   1  cannot be sent; fix it and push it",
    ):
        assert f"  {words}" in one.out
    planned = sandbox_shell("leads", "plan", write_leads(tmp_path / "one.csv", phones(1)), "--campaign", 3)
    assert "one.csv: 1 row, 1 sendable, 1 batch\n" in planned.out
    assert "  1 lead  1 s at 0.6 s a call\n" in planned.out
    two = sandbox_shell(
        "leads", "push", write_leads(tmp_path / "two.csv", [*phones(3)[1:], "x", "y"]), "--campaign", 3
    )
    for words in ("created  2  are new in", "invalid  2  cannot be sent; fix them and push them"):
        assert f"  {words}" in two.out
