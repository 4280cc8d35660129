"""Every snippet and every command of the README is run, against a sandbox."""

import ast
import asyncio
import inspect
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from voiso_async import VoisoClient
from voiso_async.outbox import SqliteOutbox
from voiso_async.sandbox import Rules, Sandbox

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SNIPPETS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line
    for language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line.startswith("voiso ")
]


PRINTED = {
    'print("row", outcome.index, "was refused:", outcome.detail)': "",
    'print("to look at:", error.report.problems)': r"to look at: \(LeadOutcome\(index=1, .*'too_short'.*\),\)\n",
    'print(error, "-", error.report)': "",
    "print(job.id, job.state, job.report)": r"\w+ done created 100\n",
    'print("row", outcome.index, outcome.outcome, outcome.reason)': "",
    "print(campaign.id, campaign.name, campaign.status)": (
        "3 Summer renewals active\n9 Summer concerts active\n13 Garden party active\n"
    ),
    "print(change.kind, change.agent_id)": r"no_match [0-9a-f-]{36}\nno_address [0-9a-f-]{36}\n",
    "on_event=print,": r"RequestSent\(.*\)\nRequestDone\(.* status=200, .*\)\n",
    "print(voiso.lanes())": r"\[\]\n",
}
"""Patterns of what is printed where no comment says it. An empty one: the line is not reached."""


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Sandbox]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with Sandbox(rules=Rules(slow_transitions=0.01), sample=True) as sandbox:
        for name, value in environment(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        "VOISO_API_KEY": sandbox.key,
        "VOISO_BASE_URL": sandbox.url,
        "TALKDESK_BASE_URL": sandbox.talkdesk_url,
        "TALKDESK_TOKEN_URL": f"{sandbox.talkdesk_url}/oauth/token",
        "TALKDESK_CLIENT_ID": sandbox.talkdesk.client_id,
        "TALKDESK_CLIENT_SECRET": sandbox.talkdesk.client_secret,
    }


def compiled(snippet: str) -> CodeType:
    code: CodeType = compile(snippet, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


async def run(snippet: str) -> dict[str, Any]:
    """Run a snippet as it is, with ``await`` at its top level, and return its names."""
    names: dict[str, Any] = {"__name__": "readme"}
    waits = FunctionType(compiled(snippet), names)()
    if inspect.isawaitable(waits):
        await waits
    return names


def kind(snippet: str) -> str:
    if "FastAPI(" in snippet:
        return "fastapi"
    if "web.Application(" in snippet:
        return "aiohttp"
    return "test" if snippet.startswith("async def test_") else "plain"


PLAIN = [snippet for snippet in SNIPPETS if kind(snippet) == "plain"]


def only(wanted: str) -> str:
    snippet: str
    (snippet,) = [snippet for snippet in SNIPPETS if kind(snippet) == wanted]
    return snippet


def prints_in(snippet: str) -> list[tuple[str, str]]:
    """Every line of a snippet that uses ``print``, and the comment at its end."""
    names = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Name) and "print" == node.id]
    lines = [snippet.splitlines()[name.lineno - 1].strip() for name in sorted(names, key=lambda name: name.lineno)]
    return [(code.strip(), comment) for code, _, comment in (line.partition("  # ") for line in lines)]


def expected_of(snippet: str) -> str:
    """The pattern of all that a snippet prints: a comment is the line that is printed."""
    return "".join(PRINTED.get(text, re.escape(comment) + "\n") for text, comment in prints_in(snippet))


@pytest.mark.parametrize("snippet", PLAIN, ids=[f"snippet{i}" for i in range(len(PLAIN))])
async def test_snippets_run_and_print_what_they_say(
    snippet: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(snippet)
    printed = capsys.readouterr().out
    assert re.fullmatch(expected_of(snippet), printed), printed
    assert 0 == sandbox.too_early


def test_each_print_has_a_comment_or_a_pattern() -> None:
    prints = dict(print_ for snippet in SNIPPETS for print_ in prints_in(snippet))
    assert len(prints) > len(PRINTED)
    assert prints.keys() >= PRINTED.keys()
    assert [] == [text for text, comment in prints.items() if not comment and text not in PRINTED]


async def test_the_fixture_snippet_is_a_test(voiso_sandbox: Sandbox, voiso_client: VoisoClient) -> None:
    names = await run(only("test"))
    await names["test_signup"](voiso_sandbox, voiso_client)


async def sign_up(address: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/signup", json={"phone": "441632960777"}) as response,
    ):
        return response.status, await response.json()


async def test_the_fastapi_snippet_serves(sandbox: Sandbox) -> None:
    names = await run(only("fastapi"))
    server = uvicorn.Server(uvicorn.Config(names["app"], port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag and no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    assert (200, {"outcome": "created"}) == await sign_up(f"http://127.0.0.1:{port}")
    server.should_exit = True
    await serving


async def test_the_aiohttp_snippet_serves(sandbox: Sandbox) -> None:
    names = await run(only("aiohttp"))
    runner = web.AppRunner(names["app"])
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    assert (200, {"outcome": "created"}) == await sign_up(f"http://127.0.0.1:{port}")
    await runner.cleanup()


JOB = "7f3a"
"""The id of a job in the README."""

OUTPUTS = [
    "scope campaigns.read: granted",
    "columns +phone_number",
    r"created +1\b",
    "leads.csv +3 +done",
    '"phone":"441632960778","outcome":"created"',
    r"updated +1\b",
    "1 campaign",
    "0 jobs",
    r"created +1\b",
    "Spring renewals",
    "elif@example.net",
    r"created +1\b",
    "keep 3",
    "keep 3",
]
"""A pattern in what each command of the README prints, in their order."""


async def newest_job(folder: Path) -> str:
    (path,) = (folder / "state" / "voiso").glob("*.db")
    async with SqliteOutbox(path) as outbox:
        return (await outbox.jobs())[0].id


async def test_the_commands_run_one_after_the_other(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("phone,name\n+441632960778,R. Okafor\n")
    (tmp_path / "changes.csv").write_text("phone,active\n+441632960778,no\n")
    (tmp_path / "crm.csv").write_text("Nr;First;Last;Mobil;List\n7;R.;Okafor;+441632960779;3\n")
    for command, pattern in zip(COMMANDS, OUTPUTS, strict=True):
        words = shlex.split(command.replace(JOB, await newest_job(tmp_path)) if JOB in command else command)
        assert "voiso" == words[0]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "voiso_async.cli", *words[1:]),
            cwd=tmp_path,
            env=os.environ | environment(sandbox),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        assert 0 == process.returncode, f"{command}: {errors.decode()}"
        assert re.search(pattern, (output + errors).decode()), command
    assert 0 == sandbox.too_early


def test_the_first_snippet_stands_early_and_every_command_is_known() -> None:
    assert README.index("```python") < len("\n".join(README.splitlines()[:40]))
    assert [command for command in COMMANDS if "leads push" in command]
    setups = [
        line for language, text in BLOCKS if language == "sh" for line in text.splitlines() if "venv" in line
    ]
    assert 2 == len(setups)
