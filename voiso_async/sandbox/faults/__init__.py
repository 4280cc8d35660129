"""Faults, each a small value for ``sandbox.faults.add``.

``apply`` is what the server does before it fails: ``True`` applies all leads, ``False`` none (it still reads the
body), a number the first n.
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
from voiso_async.sandbox.faults.oversize import GzipBomb, Huge
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
