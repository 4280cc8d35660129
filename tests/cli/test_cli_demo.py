"""`voiso demo` and `voiso sandbox`: what a newcomer sees first."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_runner import Shell, begin, end, shell

from voiso_async.cli.commands.demo import AREA_CODES, write_sample
from voiso_async.files import open_leads
from voiso_async.ingest.prepare import InvalidLead
from voiso_async.phone import PhoneFault, canonical
from voiso_async.sandbox import Sandbox

__all__ = ["shell"]  # a fixture

FICTION = re.compile(r"441632960\d{3}|447700900\d{3}|1[2-9]\d\d55501\d\d")
URL = re.compile(r"http://127\.0\.0\.1:\d+")


@pytest.mark.parametrize("size", [100, 3000, 50_000])
async def test_the_sample_is_made_of_numbers_for_fiction(tmp_path: Path, size: int) -> None:
    sample = write_sample(tmp_path / "leads.csv", size)
    async with open_leads(tmp_path / "leads.csv") as file:
        leads = [row.lead async for row in file]
    found = [canonical(lead["phone_number"]) for lead in leads if not isinstance(lead, InvalidLead)]
    phones = [phone for phone in found if not isinstance(phone, PhoneFault)]
    assert ((), size, size) == (file.columns.unused, len(leads), sample.rows)
    assert all(FICTION.fullmatch(phone) for phone in phones)
    assert set(sample.known) <= set(phones)
    assert int(size * 0.02) == len(phones) - len(set(phones))
    assert int(size * 0.012) == size - len(phones)


def test_the_same_size_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        write_sample(tmp_path / name, 200)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert 789 == len(AREA_CODES)


def gone(url: str) -> bool:
    port = int(url.rpartition(":")[2])
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


@pytest.mark.realtime
def test_the_demo_from_beginning_to_end(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    ended = end(begin("demo", "--leads", 200, "--server-time", 0, "--keep-csv", path, env={}))
    assert 0 == ended.code
    text = " ".join(ended.out.split())
    for part in ("created 184", "duplicate 10", "repeated 4", "invalid 2", "rows 200 all rows accounted for"):
        assert part in text
    for line in (
        "export VOISO_BASE_URL=http://127.0.0.1:8765",
        "export VOISO_API_KEY=sandbox-key",
        "voiso campaigns list",
        "voiso leads push leads.csv --campaign 3",
    ):
        assert f"\n  {line}\n" in ended.out
    assert gone(URL.findall(ended.err)[0])
    assert path.read_text(encoding="utf-8").startswith("Customer ID,Phone number,")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped_leaves_nothing_behind(number: signal.Signals, code: int) -> None:
    process = begin("demo", env={}, stdin=subprocess.DEVNULL)
    assert process.stderr is not None
    url = URL.findall(process.stderr.readline())[0]
    time.sleep(0.2)
    process.send_signal(number)
    ended = end(process)
    assert code == ended.code
    assert "Now by hand" not in ended.out
    assert gone(url)


def test_the_demo_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine", encoding="utf-8")
    ended = shell("demo", "--keep-csv", path)
    assert (2, "") == (ended.code, ended.out)
    assert "--keep-csv: there is such a file already" in ended.message
    assert "mine" == path.read_text(encoding="utf-8")
    assert "--keep-csv: it cannot be written there" in shell("demo", "--keep-csv", tmp_path / "no" / "x").message


def test_a_demo_without_its_sandbox_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    ended = shell("demo")
    assert (1, "") == (ended.code, ended.out)
    assert "the sandbox did not start" in ended.message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_says_how_to_reach_it_and_ends_cleanly(shell: Shell, number: signal.Signals) -> None:
    process = begin("sandbox", "--port", 0, "--cooldown", 0, env={})
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(9)]
    url = URL.findall(said[0])[0]
    assert f"  export VOISO_BASE_URL={url}\n" in said
    assert "  export VOISO_API_KEY=sandbox-key\n" in said
    shell.env.setenv("VOISO_BASE_URL", url)
    shell.env.setenv("VOISO_API_KEY", "sandbox-key")
    assert "12 campaigns\n" == shell("campaigns", "list").err
    process.send_signal(number)
    ended = end(process)
    assert (0, "") == (ended.code, ended.err)


def test_the_sandbox_as_json() -> None:
    process = begin("sandbox", "--port", 0, "--json", env={})
    assert process.stdout is not None
    place = json.loads(process.stdout.readline())
    assert "sandbox-key" == place["key"]
    process.send_signal(signal.SIGINT)
    assert 0 == end(process).code


def test_a_port_in_use_is_one_line(shell: Shell, voiso_sandbox: Sandbox) -> None:
    ended = shell("sandbox", "--port", voiso_sandbox.url.rpartition(":")[2])
    assert (1, "") == (ended.code, ended.out)
    assert ended.message.endswith("choose another with --port")
