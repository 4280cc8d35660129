"""`voiso worker`: what services put into an outbox is sent, until somebody stops it."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import attrs
import pytest
from cli_runner import Shell, begin, end, eventually, phones, posts, sandbox_shell, settings_for, shell

from voiso_async.outbox import SqliteOutbox
from voiso_async.sandbox import Sandbox, Status

__all__ = ["sandbox_shell", "shell"]  # fixtures


def put(path: Path, campaign: int, leads: list[str]) -> None:
    async def work() -> None:
        async with SqliteOutbox(path) as outbox:
            await outbox.put(campaign, leads)

    asyncio.run(work())


def start(sandbox: Sandbox, path: Path, *options: str) -> "subprocess.Popen[str]":
    settings = settings_for(sandbox, path.parent)
    worker = begin("worker", "--outbox", path, *options, env=settings, quick=True)
    assert worker.stderr is not None
    assert f"working on {path.name}, until SIGTERM or Ctrl-C\n" == worker.stderr.readline()
    return worker


def test_an_outbox_that_is_none_is_an_error(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    path.write_bytes(b"no outbox" * 1000)
    ended = sandbox_shell("worker", "--outbox", path)
    assert (1, "") == (ended.code, ended.out)
    assert ended.message
    assert [] == voiso_sandbox.history


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_sends_what_others_put_until_it_is_stopped(
    voiso_sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    for campaign in (3, 4):
        voiso_sandbox.add_campaign(id=campaign)
    path = tmp_path / "outbox.db"
    put(path, 3, list(phones(5)))
    worker = start(voiso_sandbox, path, "--json")
    eventually(lambda: len(voiso_sandbox.campaigns[3].leads) == 5)
    put(path, 4, list(phones(3)))
    eventually(lambda: len(voiso_sandbox.campaigns[4].leads) == 3)
    worker.send_signal(number)
    ended = end(worker)
    assert 0 == ended.code
    answers = [line for line in ended.lines if line["event"] == "answer"]
    assert [(3, 5, "settled"), (4, 3, "settled")] == [(a["campaign"], a["rows"], a["verdict"]) for a in answers]
    assert {"event": "standing", "waiting": 0, "doubted": 0, "parked": 0} == ended.lines[-1]


def test_two_workers_keep_the_pace_together(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    path = tmp_path / "outbox.db"
    put(path, 3, list(phones(2000)))
    workers = [start(voiso_sandbox, path) for _ in range(2)]
    eventually(lambda: len(voiso_sandbox.campaigns[3].leads) == 2000)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [0, 0] == [end(worker).code for worker in workers]
    assert (0, 2) == (voiso_sandbox.too_early, posts(voiso_sandbox))


def test_a_campaign_that_is_given_up_is_told_and_others_go_on(voiso_sandbox: Sandbox, tmp_path: Path) -> None:
    voiso_sandbox.add_campaign(id=3)
    voiso_sandbox.faults.add(Status(404), method="POST", path="/campaigns/9/leads", times=100)
    path = tmp_path / "outbox.db"
    put(path, 9, list(phones(2)))
    put(path, 3, list(phones(2)))
    worker = start(voiso_sandbox, path)
    assert worker.stderr is not None
    lines: list[str] = []
    while not any("campaign 9 is given up, and tried again in 5 minutes: " in line for line in lines):
        lines.append(worker.stderr.readline())
        assert lines[-1]
    eventually(lambda: len(voiso_sandbox.campaigns[3].leads) == 2)
    worker.send_signal(signal.SIGTERM)
    ended = end(worker)
    assert 0 == ended.code
    assert ended.err.endswith("2 leads wait, 0 in doubt, 0 parked\n")
    assert not any(phone in "".join(lines) + ended.err for phone in phones(2))


def test_a_second_signal_leaves_at_once_and_the_batch_is_in_doubt(
    sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    voiso_sandbox.rules = attrs.evolve(voiso_sandbox.rules, server_time=20.0)
    path = tmp_path / "outbox.db"
    put(path, 3, list(phones(2)))
    worker = start(voiso_sandbox, path)
    eventually(lambda: posts(voiso_sandbox))
    assert worker.stderr is not None
    worker.send_signal(signal.SIGTERM)
    while "once more to leave at once" not in worker.stderr.readline():
        assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert 0 == end(worker).code
    (lane,) = [json.loads(line) for line in sandbox_shell("lanes", "--json", "--outbox", path).out.splitlines()]
    assert (2, 2, False) == (lane["waiting"], lane["in_doubt"], lane["sending"])
