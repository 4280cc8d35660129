"""The outcome of each row."""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import ClassVar

from voiso_async._structs import Struct, Value


class Outcome(StrEnum):
    """How one row ended; each row ends in exactly one."""

    CREATED = "created"
    """An answer to a POST that carried it lists it as created."""
    DUPLICATE = "duplicate"
    """It was in the campaign before. No earlier attempt of this client can have put it there: none that got no
    usable answer or was refused as a whole carried this phone, nor any that the outbox of the row knows of."""
    CONFIRMED = "confirmed"
    """It is in the campaign: listed as duplicate after an attempt that got no usable answer or was refused as a
    whole. Whether that attempt or somebody else put it there cannot be known."""
    UPDATED = "updated"
    """An update was accepted for it."""
    REPEATED = "repeated"
    """A valid row with the same phone came earlier in the same call; its outcome is that of row ``first``."""
    REJECTED = "rejected"
    """The server refused it."""
    INVALID = "invalid"
    """Refused here and never sent; see ``field``, ``reason`` and ``detail``."""
    SUPPRESSED = "suppressed"
    """On a list of numbers that must not be called, or marked so in its file; never sent, nothing to correct."""
    UNREPORTED = "unreported"
    """Sent and answered, but in none of the lists of the reply, or in lists that contradict each other."""
    UNKNOWN = "unknown"
    """Sent, and no usable answer came."""
    NOT_SENT = "not_sent"
    """Never applied, which is proved: it still waited when the call ended."""

    __hash__ = str.__hash__  # each is equal to its text, so it has the same hash

    @property
    def ok(self) -> bool:
        """Whether such a row needs nothing more: it is in the campaign, or is kept out as asked."""
        return self in OK


OK = frozenset(
    {
        Outcome.CREATED,
        Outcome.DUPLICATE,
        Outcome.CONFIRMED,
        Outcome.UPDATED,
        Outcome.REPEATED,
        Outcome.SUPPRESSED,
    }
)
"""Outcomes of rows that need nothing more."""


class LeadOutcome(Value, Struct, frozen=True, kw_only=True, gc=False):
    """The outcome of one row.

    ``index`` counts the rows of the call from 0; ``phone`` is canonical (or ``None`` if the row had none) and
    ``key`` is the caller's own; both stay out of the repr. ``reason`` is a code, ``detail`` a sentence or the
    server's text, ``field`` the input field at fault, ``first`` the index that a REPEATED row points at.
    """

    # A Struct, since each lead of millions gets one: a frozen attrs class takes five times as long to make.

    index: int
    outcome: Outcome
    phone: str | None = None
    key: str | None = None
    reason: str | None = None
    field: str | None = None
    detail: str | None = None
    first: int | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"phone", "key", "detail", "cells"}


ANSWERED = frozenset(
    {
        Outcome.CREATED,
        Outcome.DUPLICATE,
        Outcome.CONFIRMED,
        Outcome.UPDATED,
        Outcome.REJECTED,
        Outcome.UNREPORTED,
    }
)
"""Outcomes that a reply of the server gave."""
