"""What is looked at before leads are pushed, each with how to fix it."""

import platform
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from attrs import frozen
from cyclopts import Parameter
from rich.text import Text

from voiso_async import __version__
from voiso_async.cli.campaign_state import campaign_state_of
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, connected
from voiso_async.cli.outbox_option import STANDARD, OutboxOption, opened, shown
from voiso_async.cli.render.tables import agreed, counted, duration, printable, show, show_json
from voiso_async.cli.render.words import translated
from voiso_async.cli.units import CampaignId
from voiso_async.client import VoisoClient
from voiso_async.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    OutboxError,
    PermissionDeniedError,
    TransportError,
    VoisoError,
)
from voiso_async.resources.raw import RawResponse
from voiso_async.retry import RetryPolicy

ANSWER_SECONDS = 15.0
MOST_SKEW = 5.0
LITTLE_SPACE, LEAST_SPACE = 1024**3, 64 * 1024**2
EXTRAS = {"phone": ("phonenumbers", "national numbers cannot be read (--region)")}
"""What each extra brings that the shell may need, and what is missed without it."""

now: Callable[[], float] = time.time


@frozen(kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "warn", "fail"] = "ok"
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {"check": self.name, "state": self.state, "found": self.found, "advice": self.advice or None}


def environment_checks(connection: Connection) -> Iterator[Check]:
    """Look at versions, extras and settings; the key is read and not shown."""
    yield Check(name="version", found=f"voiso-async {__version__} on Python {platform.python_version()}")
    for extra, (module, missed) in EXTRAS.items():
        if find_spec(module) is None:
            yield Check(
                name=f"extra {extra}",
                state="warn",
                found=f"not installed: {missed}",
                advice=f"pip install 'voiso-async[{extra}]'",
            )
        else:
            yield Check(name=f"extra {extra}", found="installed")
    for name, look in (("key", connection.client), ("address", connection.address)):
        try:
            found = look()
        except ConfigurationError as error:
            if name == "key" and _is_of_address(connection):
                continue
            yield Check(name=name, state="fail", found=translated(error))
        else:
            yield Check(name=name, found="there, and well formed" if name == "key" else str(found))


async def api_checks(voiso: VoisoClient) -> AsyncIterator[Check]:
    """Look whether the API answers, takes the key, and agrees about the time."""
    once = voiso.with_options(timeout=ANSWER_SECONDS, retry=RetryPolicy(max_attempts=1))
    began = time.monotonic()
    try:
        answer = await once.request("GET", "/campaigns", params={"limit": "1"})
        answer.json()
    except PermissionDeniedError:
        yield Check(name="connection", found=f"answers in {time.monotonic() - began:.2f} s")
        yield _lacks("campaigns.read", "campaigns cannot be looked at before a push")
    except VoisoError as error:
        yield _unreachable(error)
        return
    else:
        yield Check(name="connection", found=f"answers in {time.monotonic() - began:.2f} s")
        yield _skew(answer)
        yield Check(name="scope campaigns.read", found="granted")
    yield await _users(once)
    yield Check(
        name="scope campaigns.manage",
        state="warn",
        found="cannot be checked without writing",
        advice="pushing needs it",
    )


async def campaign_checks(voiso: VoisoClient, campaign: int) -> AsyncIterator[Check]:
    """Look whether a campaign is live and active, and whether somebody works in it."""
    name = f"campaign {campaign}"
    try:
        state = await campaign_state_of(voiso, campaign)
        users = await voiso.campaigns.users(campaign, page_size=1)
    except NotFoundError:
        yield Check(name=name, state="fail", found="there is none", advice="voiso campaigns list shows all")
        return
    except VoisoError as error:
        yield Check(name=name, state="fail", found=translated(error))
        return
    if state.dials:
        yield Check(name=name, found=state.state or "its state is not shown")
    else:
        start = f"voiso campaigns start {campaign} starts it; " if state.status != "active" else ""
        advice = f"{start}voiso leads push --wait-live 10m waits for it"
        yield Check(name=name, state="warn", found=state.state, advice=advice)
    total = users.total if users.total is not None else len(users)
    if total:
        yield Check(name=f"{name} users", found=f"{counted(total)} {agreed(total, 'are')} assigned")
    else:
        advice = f"voiso campaigns add-users {campaign} ID"
        yield Check(name=f"{name} users", state="warn", found="nobody is assigned", advice=advice)


async def outbox_checks(place: OutboxOption, connection: Connection) -> AsyncIterator[Check]:
    """Look whether the outbox can be read and written, and has room."""
    try:
        path = place.path(connection)
    except ConfigurationError as error:
        yield Check(name="outbox", state="fail", found=translated(error))
        return
    try:
        async with opened(place, connection) as outbox:
            jobs = await outbox.jobs(limit=1000)
        open_jobs = sum(job.waiting > 0 for job in jobs)
        found = f"{shown(path)}: {counted(len(jobs), 'job')}, {counted(open_jobs)} with leads that wait"
        yield Check(name="outbox", found=found)
    except OutboxError as error:
        if error.reason == "missing":
            yield Check(name="outbox", found=f"{shown(path)} is made by the first push")
        else:
            yield Check(name="outbox", state="fail", found=translated(error))
    yield await anyio.to_thread.run_sync(_space, path)


async def _users(voiso: VoisoClient) -> Check:
    try:
        await voiso.users.list(page_size=1)
    except PermissionDeniedError:
        return _lacks("users.read", "voiso users list needs it; pushing does not")
    except VoisoError as error:
        return Check(name="scope users.read", state="warn", found=translated(error))
    return Check(name="scope users.read", found="granted")


def _lacks(scope: str, advice: str) -> Check:
    return Check(name=f"scope {scope}", state="warn", found="the key lacks it", advice=advice)


def _unreachable(error: VoisoError) -> Check:
    if isinstance(error, AuthenticationError):
        advice = "make a new key in Voiso, and see that it is the one of this contact centre"
        return Check(name="key", state="fail", found=translated(error), advice=advice)
    advice = "check the address, the network and the proxy" if isinstance(error, TransportError) else ""
    return Check(name="connection", state="fail", found=translated(error), advice=advice)


def _skew(answer: RawResponse) -> Check:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        return Check(name="clock", found="the answer names no time to compare with")
    skew = abs(now() - theirs)
    if skew <= MOST_SKEW:
        return Check(name="clock", found="agrees with the server's")
    advice = "set this machine's clock; waits are measured without it, --expires-in is not"
    return Check(name="clock", state="warn", found=f"{duration(skew)} away from the server's", advice=advice)


def _space(path: Path) -> Check:
    folder = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return Check(name="disk", state="warn", found="its free space cannot be read")
    found = f"{counted(free // 1024**2)} MB free"
    if free >= LITTLE_SPACE:
        return Check(name="disk", found=found)
    advice = "two million leads take about 1 GB; voiso leads purge --older-than 30d makes room"
    return Check(name="disk", state="warn" if free >= LEAST_SPACE else "fail", found=found, advice=advice)


def _is_of_address(connection: Connection) -> bool:
    """Whether it is the address that is missing, which has a line of its own."""
    try:
        connection.address()
    except ConfigurationError:
        return True
    return False


STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


async def doctor(
    *,
    campaign: Annotated[CampaignId | None, Parameter(help="Also look at this campaign.")] = None,
    place: OutboxOption = STANDARD,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Check settings, key, connection, clock, campaign and outbox; say what to fix. Nothing is written to Voiso.

    The exit code is 0 if nothing failed, else 1.
    """
    failed = False
    async with aclosing(_checks(campaign, place, connection)) as checks:
        async for check in checks:
            failed = failed or check.state == "fail"
            if json:
                show_json(check.as_json())
            else:
                line = Text(f"{check.state:<5}", style=STYLES[check.state])
                line.append(printable(f"{check.name}: {check.found}"), style="default")
                show(line, *([Text(f"      {printable(check.advice)}", style="dim")] if check.advice else []))
    return Exit.ERROR if failed else Exit.OK


async def _checks(
    campaign: int | None, place: OutboxOption, connection: Connection
) -> AsyncGenerator[Check, None]:
    for check in environment_checks(connection):
        yield check
    try:
        connection.key()
        connection.address()
        async with connected(connection) as voiso:
            async for check in api_checks(voiso):
                yield check
            if campaign is not None:
                async for check in campaign_checks(voiso, campaign):
                    yield check
    except ConfigurationError:
        yield Check(name="API", state="warn", found="not looked at, as settings are missing")
    async for check in outbox_checks(place, connection):
        yield check
