"""How a lane stands, and how well it does."""

from collections.abc import Callable
from typing import Literal

from voiso_async.ingest.policy import LanePolicy
from voiso_async.values import Struct

__all__ = ["LaneMeter", "LaneState", "LaneStatus"]

LaneState = Literal["idle", "waiting", "sending", "busy", "doubt", "unsent", "stopped"]


class LaneStatus(Struct, frozen=True, kw_only=True):
    """One lane as it stands; times are seconds.

    ``state`` is idle, waiting (for the gate or for rows), sending, busy (the server is still at work), doubt (an
    answer was lost), unsent (nothing can leave this machine) or stopped; ``reason`` says why. ``oldest_age`` is
    that of the oldest row that waits; ``ceiling_share`` compares the lane's last run with what is possible, from
    three full batches on.
    """

    campaign: int
    state: LaneState
    reason: str | None
    rows_waiting: int
    oldest_age: float
    opens_in: float
    rows_in_doubt: int
    ceiling_share: float | None


class LaneMeter:
    """The figures of one run of a lane, from its first turn to its last answer."""

    def __init__(self, policy: LanePolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._answered = self._attempts = 0
        self._server_seconds = 0.0
        self._began = self._landed = clock()

    def note(self, answered: int, seconds: float) -> None:
        """Count one attempt that ended now."""
        self._landed = self._clock()
        self._attempts += 1
        self._answered += answered
        self._server_seconds += seconds

    @property
    def ceiling_share(self) -> float | None:
        """What part of the physical limit was reached; ``None`` while too little was sent to tell."""
        return self._policy.ceiling_share(
            answered=self._answered,
            attempts=self._attempts,
            server_seconds=self._server_seconds,
            elapsed=self._landed - self._began,
        )
