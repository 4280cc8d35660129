"""How a push ends early: signals, kill -9, a deadline; and how it goes on."""

import asyncio
import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import attrs
import pytest
from aiohttp import web
from cli_runner import (
    LONG,
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

from voiso_async.sandbox import Sandbox
from voiso_async.sandbox.handler import RequestHandler

__all__ = ["sandbox_shell", "shell"]  # fixtures

NEXT = re.compile(r"^Go on: voiso (leads resume [0-9a-f]+)$", re.MULTILINE)
WAITS = "waiting for the answer to the POST in flight (once more to leave at once)\n"


@pytest.fixture
def settings(sandbox_shell: Shell, voiso_sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """For commands as processes of their own, with the outbox of the shell of this test."""
    return settings_for(voiso_sandbox, tmp_path / "state")


def server_time(sandbox: Sandbox, seconds: float) -> None:
    sandbox.rules = attrs.evolve(sandbox.rules, server_time=seconds)


MANY = [*phones(2000), *(f"1{area}555{place:04}" for area in range(201, 240) for place in range(100, 200))]
"""So many that no command is through before it hears of a signal."""


class Held:
    """A call that is read at once, and treated when the test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    async def run(self, handler: RequestHandler) -> web.StreamResponse:
        await handler.read()
        while not self.go_on.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.01)
        return await handler.run()


def open_the_gate(folder: Path) -> None:
    """Let the time until the next POST be over."""
    [path] = (folder / "state" / "voiso").glob("*.db")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE gates SET due = 0, hold = 0")


def has_posts(sandbox: Sandbox, number: int) -> bool:
    return posts(sandbox) >= number


@pytest.mark.row(114)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_between_two_posts_leaves_the_rest_in_the_outbox(
    sandbox_shell: Shell, settings: dict[str, str], voiso_sandbox: Sandbox, number: signal.Signals, code: int
) -> None:
    """Who waited for the next POST would be killed: it is further away than the end of a test."""
    tmp_path = Path(settings["XDG_STATE_HOME"]).parent
    path = write(tmp_path / "leads.csv", phones(2000))
    process = begin("leads", "push", path, "--campaign", 3, env=settings, pace=LONG)
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    time.sleep(0.3)
    process.send_signal(number)
    ended = end(process)
    assert code == ended.code
    assert 1 == posts(voiso_sandbox)
    sent = len(voiso_sandbox.campaigns[3].leads)  # on a busy machine the first batch may leave before it is full
    text = " ".join(ended.out.split())
    assert f"created {sent:,}".replace(",", " ") in text
    assert f"waiting {2000 - sent:,}".replace(",", " ") in text
    found = NEXT.search(ended.out)
    assert found is not None
    open_the_gate(tmp_path)
    assert 0 == sandbox_shell(*found[1].split()).code
    assert phones(2000) == list(voiso_sandbox.campaigns[3].leads)


@pytest.mark.row(114)
def test_a_signal_waits_for_the_answer_to_the_post_in_flight(
    settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    held = Held()
    voiso_sandbox.faults.add(held, method="POST")
    path = write(tmp_path / "leads.csv", phones(1500))
    options = ("--campaign", 3, "--json", "--outbox", tmp_path / "o.db")
    process = begin("leads", "push", path, *options, env=settings, pace=LONG, grace=LONG)
    eventually(lambda: posts(voiso_sandbox))
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert (
        "waiting for the answer to the POST in flight (once more to leave at once)\n" == process.stderr.readline()
    )
    held.go_on.set()
    ended = end(process)
    assert (130, "") == (ended.code, ended.err)
    report = report_of(ended)
    sent = len(voiso_sandbox.campaigns[3].leads)
    assert (sent, 1500 - sent, 0) == (report["counts"]["created"], report["waiting"], report["in_doubt"])
    assert sent > 0
    assert f"voiso leads resume {report['job']} --outbox {tmp_path / 'o.db'}" == report["next"]


@pytest.mark.row(114)
def test_a_second_signal_leaves_at_once_and_nothing_is_lost(
    sandbox_shell: Shell, settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    """While the server still holds the POST, and the patience of the first signal is far from its end."""
    held = Held()
    voiso_sandbox.faults.add(held, method="POST")
    path = write(tmp_path / "leads.csv", phones(1500))
    process = begin("leads", "push", path, "--campaign", 3, "--json", env=settings, grace=LONG)
    eventually(lambda: posts(voiso_sandbox))
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert (
        "waiting for the answer to the POST in flight (once more to leave at once)\n" == process.stderr.readline()
    )
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert (130, 1) == (ended.code, posts(voiso_sandbox))
    report = report_of(ended)
    in_flight = voiso_sandbox.history[-1].body.count(b"phone_number")
    assert (1500, in_flight) == (report["waiting"], report["in_doubt"])
    held.go_on.set()
    eventually(lambda: all(exchange.ended is not None for exchange in voiso_sandbox.history))
    report = report_of(sandbox_shell("leads", "resume", report["job"], "--json"))
    assert 1500 == report["counts"]["created"] + report["counts"]["confirmed"]
    assert phones(1500) == sorted(voiso_sandbox.campaigns[3].leads)


def test_a_burst_of_signals_still_leaves_the_command_that_goes_on(
    settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    server_time(voiso_sandbox, 8.0)
    path = write(tmp_path / "leads.csv", phones(1500))
    process = begin("leads", "push", path, "--campaign", 3, env=settings)
    eventually(lambda: posts(voiso_sandbox))
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    ended = end(process)
    assert 130 == ended.code
    assert "voiso leads resume " in ended.out + ended.err


@pytest.mark.row(125, 126, 127, 128)
def test_kill_9_loses_nothing_and_sends_nothing_twice_for_sure(
    sandbox_shell: Shell, settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    server_time(voiso_sandbox, 0.2)
    path = write(tmp_path / "leads.csv", phones(2000))
    for kills in (1, 2):
        process = begin("leads", "push", path, "--campaign", 3, env=settings, quick=True)
        eventually(partial(has_posts, voiso_sandbox, kills))
        process.kill()
        assert end(process).code == -signal.SIGKILL
    ended = sandbox_shell("leads", "resume", "--last", "--json")
    report = report_of(ended)
    assert (0, 2000, "done") == (ended.code, report["rows"], report["state"])
    assert 2000 == report["counts"]["created"] + report["counts"]["confirmed"] + report["counts"]["duplicate"]
    assert phones(2000) == sorted(voiso_sandbox.campaigns[3].leads)


def test_the_timeout_stops_and_can_go_on(
    sandbox_shell: Shell, settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path
) -> None:
    path = write(tmp_path / "leads.csv", phones(1500))
    options = ("--campaign", 3, "--timeout", "1s", "--json")
    ended = end(begin("leads", "push", path, *options, env=settings, pace=LONG))
    assert 4 == ended.code
    assert "the 1 s of --timeout were over before every lead was sent" in ended.message
    report = report_of(ended)
    sent = len(voiso_sandbox.campaigns[3].leads)
    assert sent <= 1000
    assert (sent, report["rows"] - sent) == (report["counts"]["created"], report["waiting"])
    assert f"voiso leads resume {report['job']}" == report["next"]
    open_the_gate(tmp_path)
    assert 0 == sandbox_shell("leads", "resume", report["job"]).code
    assert phones(1500) == sorted(voiso_sandbox.campaigns[3].leads)


def test_a_signal_ends_the_wait_for_standard_input(settings: dict[str, str], voiso_sandbox: Sandbox) -> None:
    """The thread that reads it cannot be woken, and does not keep the command from leaving."""
    process = begin("leads", "push", "-", "--campaign", "3", env=settings)
    assert process.stdin is not None
    process.stdin.write("phone\n441632960001\n")
    process.stdin.flush()
    eventually(lambda: voiso_sandbox.campaigns[3].leads)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert 130 == ended.code
    assert "created 1" in " ".join(ended.out.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_sent(
    settings: dict[str, str], voiso_sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    voiso_sandbox.campaigns[3].status = "paused"
    path = write(tmp_path / "leads.csv", phones(5))
    process = begin("leads", "push", path, "--campaign", 3, "--wait-live", "1m", env=settings)
    eventually(lambda: voiso_sandbox.history)
    time.sleep(0.3)
    process.send_signal(number)
    ended = end(process)
    assert 128 + number == ended.code
    assert "stopped before it was done" in ended.message
    assert 0 == posts(voiso_sandbox)


LOADING = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "cyclopts":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from voiso_async.cli import main
main()
"""


def test_a_signal_while_the_command_is_loaded_ends_it_in_silence() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, timeout=120, check=False)  # noqa: S603
    assert (-signal.SIGINT, b"", b"") == (done.returncode, done.stdout, done.stderr)
