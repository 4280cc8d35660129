"""Clients of the sandbox, every public call, the requests on the wire, and all that an error can show."""

import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import FrameType
from typing import Any

from voiso_async import LanePolicy, RetryPolicy, VoisoClient
from voiso_async.sandbox import Sandbox

PHONE = "441632960123"
SHORT = 0.05
QUICK = RetryPolicy(base_delay=0.001, max_delay=0.01)
ONCE = RetryPolicy(max_attempts=1)
LANE = LanePolicy(cooldown=SHORT, doubt_backoff=SHORT)

Call = Callable[[VoisoClient], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "campaigns.list": lambda voiso: _awaited(voiso.campaigns.list()),
    "campaigns.list, iterated": lambda voiso: voiso.campaigns.list().first(),
    "campaigns.list, collected": lambda voiso: voiso.campaigns.list().collect(concurrency=4),
    "campaigns.get": lambda voiso: voiso.campaigns.get(3),
    "campaigns.start": lambda voiso: voiso.campaigns.start(3),
    "campaigns.pause": lambda voiso: voiso.campaigns.pause(3),
    "campaigns.stop": lambda voiso: voiso.campaigns.stop(3),
    "campaigns.wait_for": lambda voiso: voiso.campaigns.wait_for(3, "active"),
    "campaigns.users": lambda voiso: _awaited(voiso.campaigns.users(3)),
    "campaigns.add_users": lambda voiso: voiso.campaigns.add_users(3, [1]),
    "campaigns.remove_user": lambda voiso: voiso.campaigns.remove_user(3, 1),
    "users.list": lambda voiso: _awaited(voiso.users.list()),
    "leads.add": lambda voiso: _awaited(voiso.leads.add(3, [PHONE])),
    "leads.add, iterated": lambda voiso: _iterated(voiso.leads.add(3, [PHONE])),
    "leads.update": lambda voiso: _awaited(voiso.leads.update(3, [{"phone_number": PHONE, "active": False}])),
    "request": lambda voiso: voiso.request("GET", "/campaigns"),
    "with_options": lambda voiso: voiso.with_options(timeout=1).campaigns.get(3),
}
"""Every public way to send something; the first word of each name is the method."""


async def _awaited(lazy: Awaitable[Any]) -> Any:
    return await lazy


async def _iterated(outcomes: AsyncIterator[Any]) -> list[Any]:
    return [outcome async for outcome in outcomes]


def client_of(sandbox: Sandbox, **options: Any) -> VoisoClient:
    """A client with short waits."""
    usual: dict[str, Any] = {"base_url": sandbox.url, "lane": LANE, "retry": QUICK}
    return VoisoClient(sandbox.key, **usual | options)


def wire(sandbox: Sandbox) -> list[str]:
    """Verb and path of every request, in order."""
    return [f"{exchange.method} {exchange.path}" for exchange in sandbox.history]


def everything_shown(error: BaseException, skip: str) -> str:
    """What a log or a debugger could show of an error, except for the local variables in the file ``skip``."""
    return "\n".join([*_shown(error, skip)])


def _shown(error: BaseException, skip: str) -> Iterator[str]:
    yield "".join(traceback.format_exception(error))
    yield f"{error!s} {error!r} {error.__dict__!r}"
    yield repr(pickle.dumps(error))
    for part in _chain(error):
        for frame, _ in traceback.walk_tb(part.__traceback__):
            if frame.f_code.co_filename != skip:
                yield from _locals(frame)


def _chain(error: BaseException) -> Iterator[BaseException]:
    yield error
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from _chain(other)


def _locals(frame: FrameType) -> Iterator[str]:
    for name, value in frame.f_locals.items():
        yield f"{name}={value!r}"
