"""What can go wrong, each a small value for ``sandbox.faults.add``.

``apply`` says what the server did before it went wrong: ``True`` everything, ``False`` nothing (the body is
read all the same), a number the first so many leads.
"""

from voiso_async.sandbox.faults.breaks import (
    ApplyThenClose,
    ApplyThenReset,
    CloseAfterHeaders,
    Drip,
    Garbage,
    RawBytes,
    Refuse,
    Stall,
    Truncate,
)
from voiso_async.sandbox.faults.floods import GzipBomb, Huge
from voiso_async.sandbox.faults.replies import (
    Busy,
    CloseIdle,
    Delay,
    Html,
    Json,
    Redirect,
    Status,
    WrongType,
)
from voiso_async.sandbox.faults.script import Fault, Faults

__all__ = [
    "ApplyThenClose",
    "ApplyThenReset",
    "Busy",
    "CloseAfterHeaders",
    "CloseIdle",
    "Delay",
    "Drip",
    "Fault",
    "Faults",
    "Garbage",
    "GzipBomb",
    "Html",
    "Huge",
    "Json",
    "RawBytes",
    "Redirect",
    "Refuse",
    "Stall",
    "Status",
    "Truncate",
    "WrongType",
]
