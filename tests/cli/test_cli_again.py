"""Pushing the same file again: an outbox remembers what it was given, and where it was kept."""

import asyncio
import json
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_runner import (
    PATIENCE,
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
)
from cli_runner import write_leads as write

from voiso_async.cli.file_options import leads_of, source_of
from voiso_async.errors import SourceError
from voiso_async.files import open_leads
from voiso_async.ingest.prepare import FileRow
from voiso_async.outbox import SqliteOutbox
from voiso_async.sandbox import Sandbox, Status

NO_TEXT = os.fsdecode(b"bad\xff.csv")

__all__ = ["sandbox_shell", "shell"]  # fixtures


def test_the_outbox_is_one_private_file_for_each_address_and_account(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", phones(2))
    for account in ((), ("--account", "north"), ("--account", "south")):
        assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, *account).code
    sandbox_shell.env.setenv("VOISO_ACCOUNT", "east")
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3).code
    folder = tmp_path / "state" / "voiso"
    host = f"127.0.0.1-{voiso_sandbox.url.rpartition(':')[2]}"
    assert {f"{host}{end}.db" for end in ("", "-north", "-south", "-east")} == {
        p.name for p in folder.glob("*.db")
    }
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_an_outbox_may_be_named(sandbox_shell: Shell, tmp_path: Path) -> None:
    path = write(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", tmp_path / "mine.db")
    assert (0, True) == (ended.code, (tmp_path / "mine.db").exists())
    sandbox_shell.env.setenv("VOISO_OUTBOX", str(tmp_path / "mine.db"))
    assert "1 job\n" == sandbox_shell("leads", "status").err
    assert not (tmp_path / "state").exists()


@pytest.mark.row(133)
def test_an_outbox_that_cannot_be_made_is_usage_and_nothing_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", phones(2))
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", path / "below" / "a.db")
    assert (2, "") == (ended.code, ended.out)
    assert "a.db cannot be an outbox: not a directory; name a file with --outbox" in ended.message
    assert [] == voiso_sandbox.history


@pytest.mark.row(134, 135)
def test_an_outbox_that_is_none_or_another_account_s_is_an_error_and_nothing_is_sent(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path, foreign = write(tmp_path / "leads.csv", phones(2)), tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", foreign)
    assert (1, "", 0) == (ended.code, ended.out, posts(voiso_sandbox))
    mine = tmp_path / "mine.db"
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", mine, "--account", "a").code
    options = ("--outbox", mine, "--account", "b", "--again")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3, *options)
    assert (1, "", 1) == (ended.code, ended.out, posts(voiso_sandbox))
    assert ended.message


@pytest.mark.row(138)
def test_a_file_that_was_pushed_is_not_sent_again(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", [*phones(3), "letters"])
    first = sandbox_shell("leads", "push", path, "--campaign", 3)
    sandbox_shell.env.setenv("VOISO_BASE_URL", "http://127.0.0.1:1")
    sandbox_shell.env.setenv("VOISO_OUTBOX", str(next((tmp_path / "state" / "voiso").glob("*.db"))))
    again = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (3, 3, 1) == (first.code, again.code, posts(voiso_sandbox))
    assert "nothing was sent; --again pushes it again" in again.err
    assert "created  3" in again.out
    assert 1 == posts(voiso_sandbox)


def test_again_makes_a_new_job_whatever_the_keys(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "leads.csv", [f"k{place},{phone}" for place, phone in enumerate(phones(3))], "id,phone"
    )
    options = ("--campaign", 3, "--key-column", "id")
    assert 0 == sandbox_shell("leads", "push", path, *options).code
    ended = sandbox_shell("leads", "push", path, *options, "--again")
    assert 0 == ended.code
    assert "  duplicate  3  were in the campaign before\n" in ended.out
    assert 2 == posts(voiso_sandbox)


def test_a_lead_with_a_key_is_handed_over_once_and_only_a_key_that_was_named_counts(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    """A column called id is usual; a file that was mended must not be refused for it."""
    first = write(
        tmp_path / "first.csv", [f"k{place},{phone}" for place, phone in enumerate(phones(2))], "id,phone"
    )
    more = write(tmp_path / "more.csv", [f"k{place},{phone}" for place, phone in enumerate(phones(3))], "id,phone")
    options = ("--campaign", 3, "--key-column", "id")
    assert 0 == sandbox_shell("leads", "push", first, *options).code
    ended = sandbox_shell("leads", "push", more, *options)
    assert 0 == ended.code
    assert "  known    2  were handed over before, by their key\n" in ended.out
    mended = write(tmp_path / "mended.csv", ["k0,441632960500", "k0,441632960501"], "id,phone")
    assert 0 == sandbox_shell("leads", "push", mended, "--campaign", 3).code
    assert 5 == len(voiso_sandbox.campaigns[3].leads)


def test_another_campaign_or_another_reading_is_another_job(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.add_campaign(id=4)
    path = write(tmp_path / "leads.csv", [f"{phone},Ada" for phone in phones(2)], "phone,nick")
    for options in (("--campaign", 3), ("--campaign", 4), ("--campaign", 3, "--map", "name=nick")):
        assert 0 == sandbox_shell("leads", "push", path, *options).code
    assert 3 == posts(voiso_sandbox)


def test_an_unfinished_job_goes_on(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = write(tmp_path / "leads.csv", phones(4))
    voiso_sandbox.faults.add(Status(404), method="POST")
    stopped = sandbox_shell("leads", "push", path, "--campaign", 3, "--json")
    ended = sandbox_shell("leads", "push", path, "--campaign", 3)
    assert (4, 0) == (stopped.code, ended.code)
    job = report_of(stopped)["job"]
    assert f": job {job}, going on: 4 rows read, 4 waiting\n" in ended.err
    assert "created  4" in ended.out
    assert "1 job\n" == sandbox_shell("leads", "status").err


def test_names_of_files_may_be_bytes_that_are_no_text(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path, listed = write(tmp_path / NO_TEXT, phones(4)), write(tmp_path / f"list {NO_TEXT}", phones(1))
    outbox, results = tmp_path / f"{NO_TEXT}.db", tmp_path / f"results {NO_TEXT}"
    options = ("--campaign", 3, "--suppress", listed, "--outbox", outbox)
    voiso_sandbox.faults.add(Status(404), method="POST")
    stopped = sandbox_shell("leads", "push", path, *options, "--json")
    assert (4, "bad?.csv") == (stopped.code, report_of(stopped)["file"])
    assert rf" --outbox $'{tmp_path}/bad\xff.csv.db'" in report_of(stopped)["next"]
    ended = sandbox_shell("leads", "push", path, *options, "--results", results)
    assert (0, 3) == (ended.code, len(voiso_sandbox.campaigns[3].leads))
    assert 5 == len(results.read_text(encoding="utf-8-sig").splitlines())
    assert "was pushed before" in sandbox_shell("leads", "push", path, *options).err
    (job,) = sandbox_shell("leads", "status", *options[4:], "--json").lines
    assert "bad?.csv" == job["name"]
    assert 0 == sandbox_shell("leads", "plan", path, "--campaign", 3).code


@pytest.mark.parametrize("length", [238, 247])
def test_an_outbox_may_have_a_long_name(sandbox_shell: Shell, tmp_path: Path, length: int) -> None:
    path, outbox = write(tmp_path / "leads.csv", phones(2)), tmp_path / ("o" * (length - 3) + ".db")
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", outbox).code
    assert outbox.exists()


def unusable(folder: Path, kind: str) -> tuple[Path, str]:
    """Give a path where no outbox can be, and what is said of it."""
    path = folder / "there"
    if kind == "folder":
        path.mkdir()
        return path, "cannot be an outbox: it is a folder, or no ordinary file"
    if kind == "pipe":
        os.mkfifo(path)
        return path, "cannot be an outbox: it is a folder, or no ordinary file"
    if kind == "below a file":
        path.touch()
        return path / "a.db", "cannot be an outbox: not a directory"
    if kind == "long":
        return folder / ("o" * 248), "cannot be an outbox: file name too long"
    return folder / "a\0b", "cannot be an outbox: no usable name"


@pytest.mark.parametrize("kind", ["folder", "pipe", "below a file", "long", "NUL"])
def test_where_no_outbox_can_be_is_usage(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    leads = write(tmp_path / "leads.csv", phones(2))
    path, says = unusable(tmp_path, kind)
    for arguments in (["push", leads, "--campaign", 3], ["status"], ["resume", "--last"]):
        ended = sandbox_shell("leads", *arguments, "--outbox", path)
        assert (2, "") == (ended.code, ended.out)
        assert says in ended.message
    assert [] == voiso_sandbox.history
    assert ["leads.csv"] == sorted({file.name for file in tmp_path.iterdir()} - {"there"})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (".", "is a directory"),
        ("nowhere.csv", "nowhere.csv: it cannot be read: no such file or directory"),
        ("a\0b", "a?b: it cannot be read: no usable name"),
        ("n" * 256, "it cannot be read: file name too long"),
        ("leads.csv/below", "below: it cannot be read: not a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_usage(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, name: str, says: str
) -> None:
    leads = write(tmp_path / "leads.csv", phones(2))
    for command in ("plan", "push"):
        for arguments in ([tmp_path / name], [leads, "--suppress", tmp_path / name]):
            ended = sandbox_shell("leads", command, *arguments, "--campaign", 3)
            assert (2, "") == (ended.code, ended.out)
            assert says in ended.message
    assert [] == voiso_sandbox.history


def half_loaded(path: Path, outbox_path: Path, rows: int) -> str:
    """Make the job of a push that was killed when so many rows of its file had been read; give its id."""

    async def work() -> str:
        async with SqliteOutbox(outbox_path) as outbox, open_leads(path) as file:
            job = await outbox.begin(name=file.name, source=await source_of(file, str(path), 3, keyed=False))

            async def killed() -> AsyncIterator[FileRow]:
                left = rows
                async for lead in leads_of(file, keyed=False):
                    if not left:
                        raise KeyError
                    left -= 1
                    yield lead

            with pytest.raises(SourceError):
                await outbox.load(job.id, 3, killed())
            return job.id

    return asyncio.run(work())


@pytest.mark.parametrize("command", ["push", "resume", "resume --last"])
@pytest.mark.parametrize("name", ["leads.csv", NO_TEXT])
def test_a_file_that_was_read_in_part_is_read_on(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, name: str, command: str
) -> None:
    path, outbox = write(tmp_path / name, [*phones(5), "letters"]), tmp_path / "mine.db"
    job = half_loaded(path, outbox, 3)
    arguments: dict[str, list[object]] = {
        "push": ["push", path, "--campaign", 3],
        "resume": ["resume", job],
        "resume --last": ["resume", "--last"],
    }
    ended = sandbox_shell("leads", *arguments[command], "--outbox", outbox, "--json")
    report = report_of(ended)
    assert (3, job, "done", 6) == (ended.code, report["job"], report["state"], report["rows"])
    assert (3, 3) == (ended.lines[0]["rows"], ended.lines[0]["waiting"])
    assert phones(5) == list(voiso_sandbox.campaigns[3].leads)


@pytest.mark.row(137, 183)
@pytest.mark.parametrize("change", ["edited", "gone", "other options"])
def test_a_file_that_was_read_in_part_and_is_another_now_is_refused(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path, change: str
) -> None:
    path, outbox = write(tmp_path / "leads.csv", phones(5)), tmp_path / "mine.db"
    job = half_loaded(path, outbox, 3)
    if change == "gone":
        path.unlink()
    if change == "edited":
        write(path, phones(6))
    if change != "gone":
        options = ("--delimiter", ",") if change == "other options" else ()
        pushed = sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", outbox, *options)
        assert (1, 0) == (pushed.code, posts(voiso_sandbox))
        assert f", or how it is read, was changed while job {job} was still reading it" in pushed.message
        assert "--again pushes it as it is now" in pushed.message
    if change == "other options":
        return
    resumed = sandbox_shell("leads", "resume", job, "--outbox", outbox)
    assert (1, 0) == (resumed.code, posts(voiso_sandbox))
    assert resumed.message.endswith("; --loaded sends what was read")
    loaded = sandbox_shell("leads", "resume", job, "--loaded", "--outbox", outbox, "--json")
    assert (0, "done", 3) == (loaded.code, report_of(loaded)["state"], report_of(loaded)["rows"])
    assert phones(3) == list(voiso_sandbox.campaigns[3].leads)


@pytest.mark.row(136)
def test_a_file_that_somebody_else_is_reading_is_left_to_them(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path, outbox_path = write(tmp_path / "leads.csv", phones(3)), tmp_path / "mine.db"
    begun, go_on = threading.Event(), threading.Event()

    async def read() -> None:
        async with SqliteOutbox(outbox_path) as outbox, open_leads(path) as file:
            job = await outbox.begin(name=file.name, source=await source_of(file, str(path), 3, keyed=False))
            await outbox.load(job.id, 3, slowly(leads_of(file, keyed=False)))

    async def slowly(leads: AsyncIterator[FileRow]) -> AsyncIterator[FileRow]:
        async for lead in leads:
            begun.set()
            await asyncio.to_thread(go_on.wait)
            yield lead

    reader = threading.Thread(target=asyncio.run, args=(read(),))
    reader.start()
    try:
        assert begun.wait(PATIENCE)
        ended = sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", outbox_path, "--json")
    finally:
        go_on.set()
        reader.join()
    assert (1, 0) == (ended.code, posts(voiso_sandbox))
    report = report_of(ended)
    assert f"job {report['job']} is being loaded by process {os.getpid()} since " in ended.message
    assert f"voiso leads status {report['job']} --watch --outbox {outbox_path}" == report["next"]
    assert ("loading", False, [os.getpid()]) == (
        report["state"],
        report["loaded"],
        [worker["pid"] for worker in report["workers"]],
    )
    assert 0 == sandbox_shell("leads", "push", path, "--campaign", 3, "--outbox", outbox_path).code


def test_leads_of_a_slow_pipe_are_sent_as_they_come_and_their_job_is_not_read_again(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = settings_for(voiso_sandbox, tmp_path / "state")
    process = begin("leads", "push", "-", "--campaign", 3, "--json", env=settings, quick=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    job = json.loads(process.stdout.readline())["job"]
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    ended = sandbox_shell("leads", "resume", job)
    assert 1 == ended.code
    assert f"job {job} is being sent by process {process.pid} since " in ended.message
    process.stdin.write("441632960002\n")
    assert 0 == end(process).code
    assert ["441632960001", "441632960002"] == list(voiso_sandbox.campaigns[3].leads)


def test_leads_of_a_pipe_that_is_gone_are_sent_as_far_as_they_were_read(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = settings_for(voiso_sandbox, tmp_path / "state")
    process = begin("leads", "push", "-", "--campaign", 3, env=settings, quick=True)
    assert process.stdin is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    process.kill()
    end(process)
    ended = sandbox_shell("leads", "resume", "--last")
    assert (1, "") == (ended.code, ended.out)
    assert "its leads came through a pipe that is gone; --loaded sends what was read" in ended.message
    shown = report_of(
        sandbox_shell("leads", "status", sandbox_shell("leads", "status", "--json").lines[0]["job"], "--json")
    )
    assert ("killed", f"voiso leads resume {shown['job']} --loaded") == (shown["state"], shown["next"])
    assert 0 == sandbox_shell(*shown["next"].split()[1:]).code
