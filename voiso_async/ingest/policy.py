"""LanePolicy: every limit and every wait of a lane, each with its reason."""

from typing import Any, Literal

from attrs import Attribute, field, frozen

from voiso_async.errors import ConfigurationError

MOST_ROWS = 1000
BUSY_GROWTH = 1.5
BUSY_SHORTEST = 0.1  # also where the cooldown is set to 0
FEWEST_BATCHES = 3
UNSENT_FIRST, UNSENT_LONGEST = 0.5, 8.0


def _bounded(low: float, high: float) -> Any:
    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigurationError(f"LanePolicy: {attribute.name} must be a number from {low:g} to {high:g}")

    return check


def _whole(low: int, high: int) -> Any:
    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ConfigurationError(f"LanePolicy: {attribute.name} must be a whole number from {low} to {high}")

    return check


def _on_doubt(_: Any, __: "Attribute[Any]", value: Any) -> None:
    if value not in ("resend", "report"):
        raise ConfigurationError('LanePolicy: on_doubt must be "resend" or "report"')


@frozen(kw_only=True)
class LanePolicy:
    """Every limit and wait of a lane; times are seconds.

    The cooldown of two seconds and the limit of 1000 leads are Voiso's (https://docs.voiso.com/v1/docs/running-an-api-campaign).

    With ``on_doubt="resend"`` a batch without a usable answer is sent again. The campaign's own duplicate check
    makes that harmless, with one exception: a lead that was created, dialled and removed in between would be
    called again. ``"report"`` never sends such a batch twice; its rows are UNKNOWN.

    >>> LanePolicy(on_doubt="report", post_timeout=300).max_rows
    1000
    """

    cooldown: float = field(default=2.0, validator=_bounded(0, 3600))
    """From the end of one POST to the start of the next."""
    post_timeout: float = field(default=120.0, validator=_bounded(0.001, 3600))
    """For one POST: giving up early leaves a thousand rows in doubt."""
    max_rows: int = field(default=MOST_ROWS, validator=_whole(1, MOST_ROWS))
    """Leads in one POST."""
    max_bytes: int = field(default=4 * 1024 * 1024, validator=_whole(1024, 64 * 1024 * 1024))
    """Bytes in one POST; a 413 lowers it for the lane."""
    on_doubt: Literal["resend", "report"] = field(default="resend", validator=_on_doubt)
    doubt_attempts: int = field(default=5, validator=_whole(1, 100))
    """POSTs of one batch without a usable answer before its rows are UNKNOWN."""
    doubt_backoff: float = field(default=2.0, validator=_bounded(0, 3600))
    """The wait after the first attempt without a usable answer; doubles: the server may still be at work."""
    doubt_backoff_longest: float = field(default=16.0, validator=_bounded(0, 3600))
    unsent_for: float = field(default=60.0, validator=_bounded(0, 86400))
    """How long a batch that cannot leave this machine is retried before the lane stops."""
    busy_for: float = field(default=120.0, validator=_bounded(0, 86400))
    """How long the lane waits out "still processing", from the first such answer, before it stops."""
    busy_longest: float = field(default=10.0, validator=_bounded(0, 3600))
    max_extra_posts: int = field(default=60, validator=_whole(0, 10_000))
    """POSTs spent on bisecting a batch that was refused as a whole."""
    stall: float = field(default=0.02, validator=_bounded(0, 60))
    """How long a lane waits for a slow source before it sends a batch that is not full."""

    @property
    def buffer_rows(self) -> int:
        """Rows read ahead of the lane, and outcomes kept ahead of the consumer: two batches."""
        return 2 * self.max_rows

    def doubt_wait(self, doubts: int, retry_after: float | None = None) -> float:
        """Seconds to wait after the ``doubts``-th attempt of a batch without a usable answer."""
        # Never shorter than the cooldown: the server may still be at work on the attempt that got no answer.
        wait = min(self.doubt_backoff * 2.0 ** (doubts - 1), self.doubt_backoff_longest)
        return max(wait, retry_after or 0.0, self.cooldown)

    def busy_wait(self, times: int, retry_after: float | None) -> float:
        """Seconds until the next try after the ``times``-th busy answer: the cooldown, growing gently."""
        shortest = max(self.cooldown, BUSY_SHORTEST)
        if retry_after is not None:
            return max(retry_after, shortest)
        growing = shortest * BUSY_GROWTH ** min(times - 1, 20)
        return max(shortest, min(growing, self.busy_longest))

    def unsent_wait(self, times: int, chance: float) -> float:
        """Seconds until a batch that could not leave is tried again; ``chance`` from 0 to 1 spreads clients."""
        longest = min(UNSENT_FIRST * 2.0 ** min(times - 1, 20), UNSENT_LONGEST)
        return longest * (0.5 + chance / 2)

    def ceiling_share(
        self, *, answered: int, attempts: int, server_seconds: float, elapsed: float
    ) -> float | None:
        """Compare with the physical limit: full batches, the server's mean time for each, the cooldown between.

        With fewer than three full batches it says nothing: the wait for the gate outweighs the pace.
        """
        if answered < FEWEST_BATCHES * self.max_rows or not attempts or elapsed <= 0:
            return None
        fewest = -(-answered // self.max_rows)
        ideal = fewest * server_seconds / attempts + (fewest - 1) * self.cooldown
        return min(1.0, ideal / elapsed)
