"""What an outbox keeps: `voiso leads status, results, retry, requeue, withdraw, purge`, and `voiso lanes`."""

import asyncio
import csv
import json
import platform
import signal
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from cli_runner import (
    Shell,
    begin,
    end,
    eventually,
    phones,
    posts,
    report_of,
    sandbox_shell,
    settings_for,
    shell,
    write_leads,
)

from voiso_async.cli.render.progress import JsonLines, PlainLines, Snapshot
from voiso_async.cli.render.report import JobSummary, Problems, show_report
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.report import IngestReport
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import Job, JobState, SqliteOutbox
from voiso_async.sandbox import Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures

NEVER = 3600.0
"""A server that takes so long has not answered before the end of a test."""


def pushed(shell: Shell, path: Path, *options: object) -> str:
    """The id of the job of a push."""
    job: str = report_of(shell("leads", "push", path, "--campaign", 3, "--json", *options))["job"]
    return job


def put(path: Path, campaign: int, leads: list[str]) -> Job:
    """Put leads into an outbox, as another process would."""

    async def work() -> Job:
        async with SqliteOutbox(path) as outbox:
            return await outbox.put(campaign, leads, name="service")

    return asyncio.run(work())


@pytest.mark.parametrize("command", [("leads", "status"), ("lanes",)])
def test_without_an_outbox_there_is_nothing_to_show_and_none_is_made(
    sandbox_shell: Shell, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = sandbox_shell(*command)
    assert (0, "") == (ended.code, ended.out)
    assert "there is no outbox at " in ended.err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("status", "7f3a"),
        ("results", "7f3a"),
        ("resume", "7f3a"),
        ("resume", "--last"),
        ("retry", "7f3a"),
        ("requeue", "7f3a"),
        ("withdraw", "7f3a"),
        ("purge", "7f3a"),
    ],
    ids=" ".join,
)
def test_a_job_that_there_is_not_is_an_error(
    sandbox_shell: Shell, tmp_path: Path, command: tuple[str, ...]
) -> None:
    before = sandbox_shell("leads", *command)
    pushed(sandbox_shell, write_leads(tmp_path / "leads.csv", phones(1)))
    after = sandbox_shell("leads", *command)
    assert (1, 1, "", "") == (before.code, after.code, before.out, after.out)
    assert "there is no outbox at " in before.message
    assert "no such job" in after.message or "every job is done" in after.message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "--watch"], "--watch needs the id of a job"),
        (["resume"], "say which job: its id, or --last"),
        (["resume", "7f3a", "--last"], "say which job: its id, or --last"),
        (["results", "7f3a", "--outcome", "lost"], "there is no outcome 'lost'; there are created, duplicate"),
        (["results", "7f3a", "--rejects", "--format", "csv"], "leave out --format"),
        (["retry", "7f3a", "--outcome", ""], "there is no outcome ''"),
        (["purge"], "say which: a job's id, or --older-than 30d"),
        (["purge", "7f3a", "--older-than", "30d"], "not both"),
    ],
    ids=str,
)
def test_what_is_asked_for_wrong_is_usage(sandbox_shell: Shell, arguments: list[str], says: str) -> None:
    ended = sandbox_shell("leads", *arguments)
    assert (2, "") == (ended.code, ended.out)
    assert says in ended.message


def test_results_go_to_a_new_private_file_and_rejects_are_pushed_again(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset({phones(2)[1]}))
    rows = [f"=1+1,{phone},a" for phone in phones(2)] + ["ben,letters,b"]
    path = write_leads(tmp_path / "leads.csv", rows, "name,phone,shoe size")
    files = {name: tmp_path / f"{name}.csv" for name in ("results", "rejects", "later")}
    job = pushed(sandbox_shell, path, "--results", files["results"], "--rejects", files["rejects"])
    assert 2 == sandbox_shell("leads", "results", job, "--out", files["results"]).code
    later = sandbox_shell("leads", "results", job, "--out", files["later"], "--outcome", "rejected,invalid")
    assert (0, "", "2 rows written\n") == (later.code, later.out, later.err)
    with files["results"].open(encoding="utf-8-sig", newline="") as file:
        assert ["created", "rejected", "invalid"] == [row["outcome"] for row in csv.DictReader(file)]
    with files["rejects"].open(encoding="utf-8-sig", newline="") as file:
        header, first, _ = csv.reader(file)
    assert ["name", "phone", "shoe size", "voiso_outcome", "voiso_reason", "voiso_row"] == header
    assert ("'=1+1", "rejected", "3") == (first[0], first[3], first[5])
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files.values()}
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset())
    again = sandbox_shell("leads", "push", files["rejects"], "--campaign", 3)
    assert 3 == again.code
    assert "columns without a meaning here: shoe size\n" in again.err
    assert ["=1+1", "=1+1"] == [lead["name"] for lead in voiso_sandbox.campaigns[3].leads.values()]


def test_results_go_to_standard_output(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    job = pushed(sandbox_shell, write_leads(tmp_path / "leads.csv", [*phones(2), "letters"]))
    settings = settings_for(voiso_sandbox, tmp_path / "state")
    ended = end(begin("leads", "results", job, "--format", "jsonl", env=settings))
    assert (0, "3 rows written\n") == (ended.code, ended.err)
    assert [phones(2)[0], phones(2)[1], None] == [row.get("phone") for row in ended.lines]
    ended = end(begin("leads", "results", job, "--rejects", env=settings))
    assert '"letters","invalid","letters","4"' in ended.out


def test_retry_makes_a_new_job_of_rows(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset(phones(2)))
    job = pushed(sandbox_shell, write_leads(tmp_path / "leads.csv", [*phones(5), "letters"]))
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset())
    ended = sandbox_shell("leads", "retry", job, "--json")
    report = report_of(ended)
    assert (0, 2, 2) == (ended.code, report["rows"], report["counts"]["created"])
    assert job != report["job"]
    nothing = sandbox_shell("leads", "retry", job, "--outcome", "unreported")
    assert (1, "") == (nothing.code, nothing.out)
    assert "no row" in nothing.message


def test_rows_that_are_parked_are_settled_on_request(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(500), method="POST", times=5)
    path = write_leads(tmp_path / "leads.csv", phones(3))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--json")
    report = report_of(ended)
    assert (3, 3) == (ended.code, report["counts"]["unknown"])
    assert f"voiso leads requeue {report['job']}" == report["next"]
    assert "3" in sandbox_shell("lanes").out.split()
    settled = sandbox_shell("leads", "requeue", report["job"], "--json")
    assert (0, 3) == (settled.code, report_of(settled)["counts"]["created"])


def test_a_job_is_withdrawn_and_purged(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.faults.add(Status(404), method="POST")
    job = pushed(sandbox_shell, write_leads(tmp_path / "leads.csv", phones(3)))
    kept = sandbox_shell("leads", "purge", job)
    assert (1, True) == (kept.code, "withdraw" in kept.message)
    assert f"3 rows of job {job} withdrawn; 0 rows still wait\n" == sandbox_shell("leads", "withdraw", job).err
    shown = sandbox_shell("leads", "status", job)
    assert (0, True) == (shown.code, "  withdrawn  3  were withdrawn and will not be sent\n" in shown.out)
    done = sandbox_shell("leads", "resume", job)
    assert (3, True) == (done.code, "is done: nothing was sent" in done.err)
    assert "0 jobs removed\n" == sandbox_shell("leads", "purge", "--older-than", "30d").err
    assert [1] == [line["purged"] for line in sandbox_shell("leads", "purge", job, "--json").lines]
    assert "0 jobs\n" == sandbox_shell("leads", "status").err
    outbox = next((tmp_path / "state" / "voiso").glob("*.db"))
    assert phones(1)[0].encode() not in outbox.read_bytes()


def test_purge_by_force_removes_what_waits(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    job = put(path, 3, list(phones(2)))
    assert "1 job removed\n" == sandbox_shell("leads", "purge", job.id, "--force", "--outbox", path).err
    assert 0 == posts(voiso_sandbox)


def test_jobs_are_listed_with_how_they_stand(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    waiting = put(path, 4, list(phones(1200)))
    done = pushed(sandbox_shell, write_leads(tmp_path / "leads.csv", phones(2)), "--outbox", path)
    listed = sandbox_shell("leads", "status", "--outbox", path)
    assert "2 jobs\n" == listed.err
    header, first, second = listed.out.splitlines()
    assert ["JOB", "NAME", "CAMPAIGNS", "STATE", "ROWS", "WAITING", "BEGUN", "OUTCOMES"] == header.split()
    assert [done, "leads.csv", "3", "done", "2", "0"] == first.split()[:6]
    assert [waiting.id, "service", "4", "waiting", "1", "200", "1", "200"] == second.split()[:8]
    as_json = sandbox_shell("leads", "status", "--json", "--outbox", path).lines
    assert [("done", 0, True), ("waiting", 1200, False)] == [
        (job["state"], job["waiting"], job["ok"]) for job in as_json
    ]
    lanes = sandbox_shell("lanes", "--json", "--outbox", path).lines
    assert [(3, 0), (4, 1200)] == [(lane["campaign"], lane["waiting"]) for lane in lanes]
    assert "4    1 200         0       0" in sandbox_shell("lanes", "--outbox", path).out


def test_a_job_that_another_process_sends_is_shown_and_left_to_it(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=NEVER)
    path = write_leads(tmp_path / "leads.csv", phones(2000))
    settings = settings_for(voiso_sandbox, tmp_path / "state")
    process = begin("leads", "push", path, "--campaign", 3, "--json", env=settings, quick=True)
    assert process.stdout is not None
    job = json.loads(process.stdout.readline())["job"]
    eventually(lambda: posts(voiso_sandbox))
    report = report_of(sandbox_shell("leads", "status", job, "--json"))
    [worker] = report["workers"]
    assert (process.pid, platform.node(), "sending", False) == (
        *(worker["pid"], worker["host"], worker["activity"], worker["everything"]),
    )
    assert ("sending", f"voiso leads status {job} --watch") == (report["state"], report["next"])
    [lane] = sandbox_shell("lanes", "--json").lines
    assert (True, [worker]) == (lane["sending"], lane["workers"])
    text = sandbox_shell("leads", "status", job).out
    assert f"job {job}, leads.csv: sending by process {process.pid} since " in text
    assert "resume" not in text
    listed = sandbox_shell("leads", "status").out.splitlines()[1].split()
    assert [job, "leads.csv", "3", "sending", str(process.pid)] == listed[:5]
    for command in (["resume", job], ["resume", "--last"], ["requeue", job], ["push", path, "--campaign", 3]):
        elsewhere = sandbox_shell("leads", *command, "--json")
        assert (1, 1) == (elsewhere.code, posts(voiso_sandbox))
        assert f"job {job} is being sent by process {process.pid} since " in elsewhere.message
        assert ("sending", report["next"]) == (report_of(elsewhere)["state"], report_of(elsewhere)["next"])
    assert 1 == sandbox_shell("leads", "purge", job, "--force").code
    process.kill()
    end(process)


def begun_and_watched(
    sandbox: Sandbox, settings: dict[str, str]
) -> "tuple[str, subprocess.Popen[str], subprocess.Popen[str]]":
    """A job whose leads come by a pipe, the process that sends it, and one that watches it."""
    process = begin("leads", "push", "-", "--campaign", 3, "--json", env=settings, quick=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    job = json.loads(process.stdout.readline())["job"]
    eventually(lambda: sandbox.campaigns[3].leads)
    watching = begin("leads", "status", job, "--watch", "--json", env=settings)
    assert watching.stdout is not None
    assert "progress" == json.loads(watching.stdout.readline())["event"]
    return job, process, watching


def test_who_watches_a_job_is_told_when_it_is_done(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = settings_for(voiso_sandbox, tmp_path / "state")
    _, process, watching = begun_and_watched(voiso_sandbox, settings)
    assert 0 == end(process, "441632960002\n").code
    watched = end(watching)
    assert (0, "done", 2) == (watched.code, report_of(watched)["state"], report_of(watched)["counts"]["created"])


@pytest.mark.parametrize(("number", "state"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "killed")])
def test_a_job_says_how_its_process_left_it_and_who_watches_it_is_told(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, number: signal.Signals, state: str
) -> None:
    job, process, watching = begun_and_watched(voiso_sandbox, settings_for(voiso_sandbox, tmp_path / "state"))
    process.send_signal(number)
    end(process)
    report = report_of(end(watching))
    assert (state, [], f"voiso leads resume {job} --loaded") == (
        report["state"],
        report["workers"],
        report["next"],
    )
    assert f"job {job}, standard input: {state}\n" in sandbox_shell("leads", "status", job).out
    assert state == report_of(sandbox_shell("leads", "status", job, "--watch", "--json"))["state"]
    assert "done" == report_of(sandbox_shell("leads", "resume", job, "--loaded", "--json"))["state"]


def test_a_worker_sends_what_a_push_has_left_and_the_last_job_is_one_that_nobody_has_in_hand(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.faults.add(Status(404), method="POST")
    path = write_leads(tmp_path / "leads.csv", phones(3))
    job = report_of(sandbox_shell("leads", "push", path, "--campaign", 3, "--json"))["job"]
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=1.0)
    worker = begin("worker", env=settings_for(voiso_sandbox, tmp_path / "state"), quick=True)
    eventually(lambda: posts(voiso_sandbox) > 1)
    shown = report_of(sandbox_shell("leads", "status", job, "--json"))
    assert ("sending", True) == (shown["state"], shown["workers"][0]["everything"])
    resumed = sandbox_shell("leads", "resume", job)
    assert (0, True) == (resumed.code, f"also being sent by process {worker.pid} since " in resumed.err)
    worker.send_signal(signal.SIGTERM)
    assert 0 == end(worker).code


def test_a_jobs_pace_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    counts = dict.fromkeys(Outcome, 0) | {Outcome.CREATED: 5000}
    report = IngestReport(rows=5000, counts=counts, attempts=5, elapsed=10.0, ceiling_share=0.9849, reasons={})
    job = Job(
        id="j",
        name="",
        state=JobState.DONE,
        operation=Operation.ADD,
        campaigns=(3,),
        created=datetime.now(UTC),
        report=report,
    )
    show_report(JobSummary(job=job, title="leads"), Problems())
    PlainLines().draw(Snapshot(report=report, total=5000, done=5000))
    said = capsys.readouterr()
    assert "  5 POSTs in 10.0 s · 500 leads/s · 98% of the fastest Voiso allows\n" in said.out
    assert " · 98% of the fastest Voiso allows · " in said.err
    JsonLines().draw(Snapshot(report=report, total=5000, done=5000))
    assert '"ceiling_share": 0.9849' in capsys.readouterr().out
