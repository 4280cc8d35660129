"""What to do next, as each command says at its end: followed to the letter it leads on, and never in a circle."""

import asyncio
import json
import math
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from attrs import field, frozen
from cli_runner import (
    Ended,
    Shell,
    begin,
    end,
    eventually,
    phones,
    sandbox_shell,
    settings_for,
    shell,
    write_leads,
)
from outbox_cases import leads as some_leads

from voiso_async.cli.render.advice import Left, advice_on
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox import Job, SqliteOutbox
from voiso_async.outbox.jobs import JobState
from voiso_async.sandbox import Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures

SILENT: dict[str, Any] = {"leads_import": {"created": [], "rejected": [], "duplicates": []}}
LONGEST = 6
"""Steps after which an advice is called a circle."""


@frozen
class Walk:
    """A command, then whatever is advised, run as it is printed; `steps` are the subcommands."""

    shell: Shell
    folder: Path
    steps: list[str] = field(factory=list)

    def __call__(self, *command: object) -> dict[str, Any]:
        """Run a push, and follow what is advised until nothing is; give the last report."""
        ended = self.run(*command)
        report = before = reported(ended)
        while report["next"] is not None:
            assert len(self.steps) < LONGEST, self.steps
            words = shlex.split(report["next"])
            assert ["voiso", "leads"] == words[:2]
            self.steps.append(" ".join([words[2], *(word for word in words if word in {"--loaded", "--rejects"})]))
            if words[2] == "results":
                self.writes(words)
                return report
            ended = self.run(*words[1:])
            if words[2] == "withdraw":
                report = ended.lines[-1]
                assert (0, 0) == (ended.code, report["waiting"])
                break
            report = reported(ended)
            assert progress_of(report) != progress_of(before), f"{self.steps[-1]} led nowhere"
            before = report
        return report

    def run(self, *command: object) -> Ended:
        """Run a command with an outbox whose name a shell would split."""
        place = () if "--outbox" in command else ("--outbox", "my outbox's.db")
        return self.shell(*command, *place, "--json")

    def writes(self, words: list[str]) -> None:
        """Run a command that writes a file, which was not there."""
        path = self.folder / words[words.index("--out") + 1]
        assert not path.exists()
        assert 0 == self.shell(*words[1:]).code
        assert path.stat().st_size


def reported(ended: Ended) -> dict[str, Any]:
    report = ended.lines[-1]
    assert isinstance(report, dict)
    assert "report" == report["event"]
    assert ended.code == 0 or report["advice"] or report["counts"]["not_sent"]
    return report


def progress_of(report: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(report[name]) for name in ("job", "state", "counts", "waiting", "requeued", "loaded"))


@pytest.fixture
def walk(sandbox_shell: Shell, tmp_path: Path) -> Walk:
    sandbox_shell.env.chdir(tmp_path)
    write_leads(tmp_path / "leads.csv", phones(3))
    return Walk(sandbox_shell, tmp_path)


PUSH = ("leads", "push", "leads.csv", "--campaign", 3)


def refuse(sandbox: Sandbox, status: int, times: float = 1) -> None:
    sandbox.faults.add(Status(status, {"error": "refused"}), method="POST", times=times)


def test_nothing_is_advised_when_all_is_well(walk: Walk) -> None:
    assert ("done", None) == (walk(*PUSH)["state"], walk(*PUSH)["advice"])
    assert [] == walk.steps


@pytest.mark.parametrize("taken", [[], ["rejects.csv"], ["rejects.csv", "rejects-JOB.csv"]], ids=len)
def test_rows_to_correct_are_written_under_a_name_that_is_free(walk: Walk, taken: list[str]) -> None:
    write_leads(Path("leads.csv"), [*phones(2), "letters"])
    job = reported(walk.run(*PUSH))["job"]
    for name in taken:
        Path(name.replace("JOB", job)).write_text("taken", encoding="utf-8")
    report = walk(*PUSH)
    assert (["results --rejects"], "Write the row to a file, to be corrected") == (walk.steps, report["advice"])


def test_rows_of_json_lines_are_written_as_json_lines(walk: Walk) -> None:
    Path("leads.jsonl").write_text('{"phone_number": "letters"}\n', encoding="utf-8")
    walk("leads", "push", "leads.jsonl", "--campaign", 3)
    assert (["results --rejects"], True) == (walk.steps, Path("rejects.jsonl").exists())


@pytest.mark.parametrize("times", [1, 2])
def test_rejects_that_were_just_written_are_not_to_be_written_again(walk: Walk, times: int) -> None:
    write_leads(Path("leads.csv"), [*phones(2), "letters"])
    for number in range(times):
        report = walk(*PUSH, "--rejects", f"{number} my.csv")
        assert f"Correct the row in '{number} my.csv', then push that file" == report["advice"]
    assert [] == walk.steps
    write_leads(Path("0 my.csv"), phones(3)[2:])
    assert ("done", None) == (walk("leads", "push", "0 my.csv", "--campaign", 3)["state"], report["next"])


def test_what_the_server_refuses_for_its_data_is_not_sent_again(walk: Walk, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, do_not_call=frozenset(phones(2)))
    assert 2 == walk(*PUSH)["counts"]["rejected"]
    assert ["results --rejects"] == walk.steps


def test_an_answer_that_was_lost_is_asked_for_twice_and_then_it_cannot_be_known(
    walk: Walk, voiso_sandbox: Sandbox
) -> None:
    voiso_sandbox.faults.add(Status(500), method="POST", times=math.inf)
    report = walk(*PUSH)
    assert ["requeue", "requeue", "results"] == walk.steps
    assert "Whether the campaign has 3 leads cannot be known from here; to list them" == report["advice"]
    assert 4 == len(Path("unknown.csv").read_text(encoding="utf-8").splitlines())


def test_an_answer_that_was_lost_is_found_by_asking(walk: Walk, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(Status(500), method="POST", times=5)
    assert (3, ["requeue"]) == (walk(*PUSH)["counts"]["created"], walk.steps)


def test_rows_that_no_answer_names_are_tried_once_more(walk: Walk, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.faults.add(Status(200, SILENT), method="POST", times=math.inf)
    first = reported(walk.run(*PUSH))
    report = walk("leads", "status", first["job"])
    assert (["retry", "results"], 3) == (walk.steps, report["counts"]["unreported"])
    walk.steps.clear()
    walk("leads", "status", first["job"])
    assert ["results"] == walk.steps, "it was retried before"


def test_an_update_without_a_word_is_not_sent_again(walk: Walk, voiso_sandbox: Sandbox) -> None:
    assert 3 == walk(*PUSH)["counts"]["created"]
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, update_reply="empty")
    write_leads(Path("changes.csv"), [f"{phone},5" for phone in phones(3)], "phone,priority")
    assert 3 == walk("leads", "update", "changes.csv", "--campaign", 3)["counts"]["unreported"]
    assert ["results"] == walk.steps


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "Once the API key is right, go on"),
        (403, "Once the API key may write to the campaign, go on"),
        (415, "Once that is put right, go on"),
    ],
)
def test_a_refusal_that_can_be_put_right_goes_on_then(
    walk: Walk, voiso_sandbox: Sandbox, status: int, advice: str
) -> None:
    refuse(voiso_sandbox, status)
    first = reported(walk.run(*PUSH))
    later = reported(walk.run("leads", "status", first["job"]))
    assert (advice, advice) == (first["advice"], later["advice"])
    assert 3 == walk("leads", "status", first["job"])["counts"]["created"]
    assert ["resume"] == walk.steps


@pytest.mark.parametrize("status", [404, 410])
def test_what_waits_for_a_campaign_that_is_not_there_is_given_up(
    walk: Walk, voiso_sandbox: Sandbox, status: int
) -> None:
    refuse(voiso_sandbox, status, times=math.inf)
    advice = "The campaign is not there. Push the file with the id of another, and give up what waits here"
    job = reported(walk.run(*PUSH))["job"]
    assert advice == reported(walk.run("leads", "status", job))["advice"]
    walk("leads", "resume", job)
    assert ["withdraw"] == walk.steps
    given_up = reported(walk.run("leads", "status", job))
    assert ("done", 3, None) == (given_up["state"], given_up["counts"]["not_sent"], given_up["next"])


def test_one_of_two_campaigns_that_is_not_there_keeps_the_other_from_nothing(
    walk: Walk, voiso_sandbox: Sandbox
) -> None:
    write_leads(Path("leads.csv"), [f"{phones(2)[0]},3", f"{phones(2)[1]},99"], "phone,list")
    report = walk("leads", "push", "leads.csv", "--campaign-column", "list")
    assert (["withdraw"], 1, 1) == (walk.steps, report["counts"]["created"], report["counts"]["not_sent"])


def test_an_update_whose_call_the_server_does_not_know_is_given_up(walk: Walk, voiso_sandbox: Sandbox) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, update_verbs=frozenset({"PUT"}), wrong_verb=405)
    write_leads(Path("changes.csv"), [f"{phone},5" for phone in phones(3)], "phone,priority")
    walk("leads", "update", "changes.csv", "--campaign", 3)
    assert ["withdraw"] == walk.steps


def test_a_push_that_its_limit_has_stopped_is_given_up_or_sent_all_the_same(walk: Walk) -> None:
    write_leads(Path("leads.csv"), [*phones(2), *["letters"] * 3000])
    report = reported(walk.run(*PUSH, "--max-rejected", "10%"))
    place = "--outbox 'my outbox'\"'\"'s.db'"
    resume = f"voiso leads resume {report['job']} {place}"
    assert f"Send the rest all the same ({resume}), or give it up" == report["advice"]
    assert f"voiso leads withdraw {report['job']} {place}" == report["next"]
    assert 2 == reported(walk.run(*shlex.split(resume)[1:]))["counts"]["created"]
    walk(*PUSH, "--again", "--max-rejected", "10%")
    assert ["withdraw"] == walk.steps


@pytest.mark.parametrize("lost", ["gone", "pipe"])
def test_a_job_whose_file_cannot_be_read_on_ends_with_what_was_read(
    walk: Walk, voiso_sandbox: Sandbox, tmp_path: Path, lost: str
) -> None:
    settings = settings_for(voiso_sandbox, tmp_path / "state") | {"VOISO_OUTBOX": "my outbox's.db"}
    process = begin("leads", "push", "-", "--campaign", 3, env=settings, quick=True, cwd=tmp_path)
    assert process.stdin is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    if lost == "gone":
        process.kill()
        end(process)
        [job] = [line["job"] for line in walk.run("leads", "status").lines]
        assert "killed" == reported(walk.run("leads", "status", job))["state"]
    else:
        broken = end(process, '441632960002,"open')
        assert (1, True) == (broken.code, "once this job has ended with what was read" in broken.out)
        [job] = [line["job"] for line in walk.run("leads", "status").lines]
    report = walk("leads", "status", job)
    there = report["counts"]["created"] + report["counts"]["confirmed"]
    assert (["resume --loaded"], "done", 1) == (walk.steps, report["state"], there)


def test_a_file_that_could_not_be_written_is_written_elsewhere(walk: Walk) -> None:
    write_leads(Path("leads.csv"), [*phones(2), "letters"])
    for option in ("--results", "--rejects"):
        with walk.shell.env.context() as patch:
            patch.setattr("voiso_async.files.atomic_file.AtomicFile._finish", _full)
            ended = walk.run(*PUSH, option, "x.csv")
        report = reported(ended)
        assert (1, "Write them to another file") == (ended.code, report["advice"])
        assert "x.csv: it cannot be written: no space left on device" in report["error"]
        walk.writes(shlex.split(report["next"]))


def _full(_: object) -> None:
    raise OSError(28, "No space left on device")


def advice_of(job: Job, left: Left) -> str:
    async def ask() -> str:
        async with SqliteOutbox("other.db") as outbox:
            return str(await advice_on(outbox, job, "", left))

    return asyncio.run(ask())


@pytest.fixture
def job(walk: Walk) -> Iterator[Callable[..., Job]]:
    async def made() -> Job:
        async with SqliteOutbox("other.db") as outbox:
            return await outbox.put(3, some_leads(2))

    whole = asyncio.run(made())

    def ended(outcome: Outcome | None = None, **fields: Any) -> Job:
        if outcome is not None:
            report = msgspec.structs.replace(whole.report, counts={**whole.report.counts, outcome: 2}, pending=0)
            fields = {"state": JobState.DONE, "waiting": 0, "report": report} | fields
        return msgspec.structs.replace(whole, **fields)

    return ended  # type: ignore[return-value]


def test_rows_whose_time_is_over_are_not_sent_again(job: Callable[..., Job]) -> None:
    cannot_be_known = "Whether the campaign has 2 leads cannot be known from here; to list them: voiso leads "
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert "Send the rows without an answer once more: voiso leads requeue " in advice_of(
        job(Outcome.UNKNOWN), Left()
    )
    for fields in ({"expires": past}, {"withdrawn": True}, {"requeued": 2}):
        assert cannot_be_known in advice_of(job(Outcome.UNKNOWN, **fields), Left())


def test_a_copy_that_was_cut_short_is_sent_as_far_as_it_came(job: Callable[..., Job]) -> None:
    cut = job(state=JobState.LOADING, retry_of="7f3a")
    assert f"Go on: voiso leads resume {cut.id} --loaded" == advice_of(cut, Left())


def test_what_hinders_the_outbox_is_to_be_put_right_first(job: Callable[..., Job]) -> None:
    assert f"Once that is put right, go on: voiso leads resume {job().id}" == advice_of(job(), Left(failed=True))


def test_updates_to_correct_are_updated_again(job: Callable[..., Job]) -> None:
    advice = advice_of(job(Outcome.REJECTED, operation=Operation.UPDATE), Left(rejects=Path("r.csv")))
    assert "Correct the rows in r.csv, then update that file." == advice
