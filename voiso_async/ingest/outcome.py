"""The final word on each row, and the report whose books balance."""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import ClassVar

from voiso_async.values import Discreet, Struct


class Outcome(StrEnum):
    """How one row ended; each row ends in exactly one."""

    CREATED = "created"
    """An answer to a POST that carried it lists it as created."""
    DUPLICATE = "duplicate"
    """It was in the campaign before: no attempt of this client whose answer was lost carried this phone, nor one
    that was refused as a whole, nor any such that an outbox knows of, for a row of that outbox."""
    CONFIRMED = "confirmed"
    """It is in the campaign: listed as duplicate after an attempt whose answer was lost, or that was refused as a
    whole. By whom it came nobody can tell."""
    UPDATED = "updated"
    """An update was accepted for it."""
    REPEATED = "repeated"
    """A valid row with the same phone came earlier in the same call; shares that row's fate (``first``)."""
    REJECTED = "rejected"
    """The server refused it."""
    INVALID = "invalid"
    """Refused here and never sent; see ``field``, ``reason`` and ``detail``."""
    SUPPRESSED = "suppressed"
    """On a list of numbers that must not be called, or marked so in its file; never sent, nothing to correct."""
    UNREPORTED = "unreported"
    """Sent and answered, but in none of the answer's lists, or in contradicting ones."""
    UNKNOWN = "unknown"
    """Sent, and no usable answer came."""
    NOT_SENT = "not_sent"
    """Provably not applied: still waiting when the run ended."""

    __hash__ = str.__hash__
    """That of its text, which it is equal to."""

    @property
    def ok(self) -> bool:
        """Whether such a row needs no further thought."""
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
"""Outcomes of rows that need no further thought: they are in the campaign, or are kept out of it as was asked."""


class LeadOutcome(Discreet, Struct, frozen=True, kw_only=True, gc=False):
    """The final word on one row.

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

    _hidden: ClassVar[AbstractSet[str]] = {"phone", "key", "detail", "cells"}


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
"""Outcomes of rows that the server has answered."""
