"""Rule 12: one lead call at a time for each campaign, and a pause after it."""

import math

from attrs import define

__all__ = ["Gate", "Turn"]


@define
class Gate:
    """Remembers which lead calls of one campaign are in flight and when the last one ended.

    Every lead call that reached its campaign counts, whatever it was answered and also when a fault swallowed
    the answer; only a call that was refused as busy neither holds the campaign nor extends the wait.
    """

    flying: int = 0
    ended: float = -math.inf

    def enter(self, began: float, cooldown: float) -> "Turn":
        """Note a lead call that began at ``began``; its turn says whether it came too early."""
        turn = Turn(gate=self, early=self.flying > 0 or began - self.ended < cooldown)
        if not turn.early:
            self.flying += 1
        return turn


@define(kw_only=True)
class Turn:
    """One lead call on its way; ``busy`` is set when it is refused as busy."""

    gate: Gate
    early: bool
    busy: bool = False

    def leave(self, ended: float) -> None:
        """Note that the call ended at ``ended``."""
        if not self.early:
            self.gate.flying -= 1
        if not self.busy:
            self.gate.ended = ended
