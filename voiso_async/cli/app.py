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
from voiso_async.cli.campaigns import campaigns
from voiso_async.cli.common import Exit
from voiso_async.cli.demo import demo
from voiso_async.cli.doctor import doctor
from voiso_async.cli.leads import leads
from voiso_async.cli.sandbox import sandbox
from voiso_async.cli.show import complain
from voiso_async.cli.signals import SIGNALLED, Signals
from voiso_async.cli.talkdesk import talkdesk
from voiso_async.cli.users import users
from voiso_async.cli.worker import lanes, worker
from voiso_async.errors import ConfigurationError, InputFileError, TransportError, VoisoError

__all__ = ["app", "main", "run"]

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(THREAD_PATIENCE)
            if thread.is_alive():  # it waits for standard input, and nothing can wake it
                sys.stdout.flush()
                os._exit(code)
    sys.exit(code)


def run(tokens: Sequence[str]) -> int:
    """Run one command; the result is its exit code."""
    try:
        return _parsed_and_run(tokens)
    except CycloptsError as error:
        complain(f"{' '.join(str(error).split())} Try: voiso --help")
        return Exit.USAGE
    except VoisoError as error:
        complain(f"{error}{_certain(error)}")
        return Exit.USAGE if isinstance(error, ConfigurationError | InputFileError) else Exit.ERROR
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT


def _parsed_and_run(tokens: Sequence[str]) -> int:
    command, bound, injected = app.parse_args(list(tokens), exit_on_error=False, print_error=False)
    if inspect.iscoroutinefunction(command):
        return asyncio.run(_supervised(command, bound, injected))
    command(*bound.args, **bound.kwargs)
    return Exit.OK


def _certain(error: VoisoError) -> str:
    """Say what a request without an answer has done, where the error's own text does not."""
    if not isinstance(error, TransportError) or error.report is not None:
        return ""  # a report says it row by row
    if error.proof == "not_sent":
        return "; nothing was sent"
    return "" if error.request.startswith("GET ") else "; whether the server acted is not known"


async def _supervised(command: Callable[..., Any], bound: inspect.BoundArguments, injected: Iterable[str]) -> int:
    code = None
    with Signals() as signals, signals.stoppable():
        code = await command(*bound.args, **bound.kwargs, **dict.fromkeys(injected, signals))
    if signals.number is None:
        return code or Exit.OK
    if code is None:
        complain(" ".join(filter(None, ["stopped before it was done.", signals.advice])))
    return SIGNALLED + signals.number
