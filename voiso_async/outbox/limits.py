"""How much an outbox does in one transaction."""

from attrs import frozen


@frozen(kw_only=True)
class OutboxLimits:
    """How much one piece of work on an outbox may take, so that no other writer waits for long.

    The defaults fit a local disk; smaller ones make every step shorter and the whole slower.
    """

    put_rows: int = 10_000
    """Rows that ``put`` stores all or none; more are committed in parts of at most as many."""
    first_rows: int = 1000
    """Rows of the first part of a longer job: enough for a POST."""
    slice_rows: int = 1000
    """Rows that one transaction withdraws, expires, requeues, parks or purges."""
    window_rows: int = 2000
    """Rows that one transaction reads or copies."""
    shrink_pages: int = 500
    """Pages that one transaction gives back to the file system."""
    early: float = 0.05
    """Seconds before its gate opens in which a claim may do its work: about as long as it takes."""
