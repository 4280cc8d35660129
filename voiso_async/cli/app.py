"""The tree of commands, and the one place where errors become exit codes."""

import asyncio
import inspect
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from cyclopts import App, CycloptsError

from voiso_async import __version__
from voiso_async.cli.commands.campaigns import campaigns
from voiso_async.cli.commands.demo import demo
from voiso_async.cli.commands.doctor import doctor
from voiso_async.cli.commands.leads import leads
from voiso_async.cli.commands.sandbox import sandbox
from voiso_async.cli.commands.talkdesk import talkdesk
from voiso_async.cli.commands.users import users
from voiso_async.cli.commands.worker import lanes, worker
from voiso_async.cli.common import Exit, FaultsError
from voiso_async.cli.render.tables import IN_PLACE, complain, discard, show_json
from voiso_async.cli.render.words import cause_of, translated, usage_fault
from voiso_async.cli.signals import SIGNALLED, Signals
from voiso_async.errors import ConfigurationError, InputFileError, TransportError, VoisoError

THREAD_PATIENCE = 0.5

app: App = App(
    name="voiso",
    help="The Voiso contact-centre API at the shell: campaigns, users, and leads in bulk.",
    help_epilogue="The key is read from VOISO_API_KEY, the address from VOISO_CLUSTER or VOISO_BASE_URL. "
    "No account at hand? Try: voiso demo",
    help_format="markdown",
    version=__version__,
)
app.command(campaigns)
app.command(users)
app.command(leads)
app.command(worker)
app.command(lanes)
app.command(doctor)
app.command(talkdesk)
app.command(demo)
app.command(sandbox)


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    _open_all_streams()
    if os.name == "posix" and not os.environ.get("TERM"):  # nobody knows what the terminal can do
        os.environ["TERM"] = "dumb"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=IN_PLACE)
    code = run(sys.argv[1:])
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(THREAD_PATIENCE)
            if thread.is_alive():  # it waits for standard input, and nothing can wake it
                sys.stdout.flush()
                os._exit(code)
    sys.exit(code)


def _open_all_streams() -> None:
    """Put nothing in the place of streams that the caller has closed: else the next file takes their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 - for good


def run(tokens: Sequence[str]) -> int:
    """Run one command; the result is its exit code."""
    try:
        return _checked(tokens)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        discard(sys.stdout)
        return Exit.ERROR
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT


def _checked(tokens: Sequence[str]) -> int:
    json = "--json" in tokens
    try:
        return _parsed_and_run(tokens, json=json)
    except CycloptsError as error:
        chain = " ".join(("voiso", *(error.command_chain or ())))
        return _told(Exit.USAGE, f"{usage_fault(error)} Try: {chain} --help", json=json)
    except FaultsError as error:
        return _told(Exit.USAGE, *map(translated, error.faults), json=json)
    except VoisoError as error:
        cause = cause_of(error)
        code = Exit.USAGE if isinstance(cause, ConfigurationError | InputFileError) else Exit.ERROR
        return _told(code, f"{translated(error)}{_certain(error)}", json=json)


def _told(code: int, *faults: str, json: bool) -> int:
    """Say what went wrong, for programs too."""
    for fault in faults:
        if json:
            show_json({"event": "error", "error": fault, "exit": int(code)})
        complain(fault)
    return code


def _parsed_and_run(tokens: Sequence[str], *, json: bool) -> int:
    command, bound, injected = app.parse_args(list(tokens), exit_on_error=False, print_error=False)
    if inspect.iscoroutinefunction(command):
        try:
            return asyncio.run(_supervised(command, bound, injected, json=json))
        except ExceptionGroup as group:
            fault = _innermost(group)
        raise fault
    command(*bound.args, **bound.kwargs)
    return Exit.OK


def _innermost(error: Exception) -> Exception:
    """Take out of its groups the one error of tasks that ran side by side."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _certain(error: VoisoError) -> str:
    """Say what a request without an answer has done, where the error's own text does not."""
    if not isinstance(error, TransportError) or error.report is not None:
        return ""  # a report says it row by row
    if error.proof == "not_sent":
        return "; nothing was sent"
    return "" if error.request.startswith("GET ") else "; whether the server acted is not known"


async def _supervised(
    command: Callable[..., Any], bound: inspect.BoundArguments, injected: Iterable[str], *, json: bool
) -> int:
    code = None
    with Signals() as signals, signals.stoppable():
        code = await command(*bound.args, **bound.kwargs, **dict.fromkeys(injected, signals))
    if signals.number is None:
        return code or Exit.OK
    stopped = SIGNALLED + signals.number
    if code is None:
        _told(stopped, " ".join(filter(None, ["stopped before it was done.", signals.advice])), json=json)
    return stopped
