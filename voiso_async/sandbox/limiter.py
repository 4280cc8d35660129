"""Rule 24: the general limiter."""

from collections import deque

from attrs import Factory, define

from voiso_async.sandbox.rules import Limit

__all__ = ["Limiter"]


@define
class Limiter:
    """Counts the admitted requests of the last seconds; refused ones do not count."""

    admitted: deque[float] = Factory(deque)

    def admits(self, now: float, limit: Limit) -> bool:
        """Admit one more request, or say no."""
        while self.admitted and now - self.admitted[0] >= limit.seconds:
            self.admitted.popleft()
        if len(self.admitted) >= limit.requests:
            return False
        self.admitted.append(now)
        return True
