"""The lane's one port: a door that gives turns, each the right to send one POST."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from voiso_async.ingest.row import Carried, Operation, Row, RowOwner, RowResult
from voiso_async.values import Struct

__all__ = ["Door", "Turn", "Wish"]


class Wish(Struct, frozen=True, kw_only=True):
    """What a lane would send in its next turn, as it stands when the turn comes.

    ``again`` are rows of earlier turns that go once more. Up to ``room`` durable rows of one ``operation`` (and
    one ``job``, if given), of at most ``max_bytes`` together, may ride along: they are lent to ``owner``.
    """

    operation: Operation
    again: Sequence[Row] = ()
    owner: RowOwner | None = None
    room: int = 0
    max_bytes: int = 0
    job: str | None = None


class Turn(Protocol):
    """The right to send one POST to one campaign.

    ``rows`` are durable rows that ride along. If ``repeats``, they are a batch whose answer was lost: they go
    alone and in this order. ``doubts`` are phones among them that a lost answer may have brought to the campaign,
    ``refused`` those that a batch carried which was refused as a whole.
    """

    @property
    def rows(self) -> "Sequence[Row]":
        """Durable rows lent for this turn."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether ``rows`` are an old batch."""
        ...

    @property
    def doubts(self) -> frozenset[str]:
        """Phones of ``rows`` that a lost answer once carried, in whatever job."""
        ...

    @property
    def refused(self) -> frozenset[str]:
        """Phones of ``rows`` that a batch refused as a whole once carried, in whatever job."""
        ...

    def in_time(self) -> bool:
        """Whether a POST begun now would end before anybody else may take the turn for abandoned."""
        ...

    def landed(self) -> None:
        """Note that the attempt is over: the cooldown counts from now."""
        ...

    async def close(
        self, results: Iterable[RowResult], hold: float | None, carried: Carried | None = None
    ) -> None:
        """End the turn and shut the gate for the cooldown, or ``hold`` if longer; ``None`` if nothing was sent.

        A durable turn writes down the results first, and of its other rows the doubts they have by now: those stay
        with the lane. A result of NOT_SENT puts a row back in line, one of UNKNOWN parks it.
        """
        ...


class Door(Protocol):
    """Where a lane asks for its turns."""

    async def open(self, campaign: int, wish: Callable[[], Wish]) -> Turn:
        """Wait until this lane may write; ``wish`` is asked as often as the gate might open."""
        ...

    def opens_in(self, campaign: int) -> float:
        """Seconds until the gate opens, as far as is known now."""
        ...
