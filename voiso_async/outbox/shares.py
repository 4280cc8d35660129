"""Fair shares: small demands are met whole, large ones share what is left."""

from collections.abc import Sequence


def max_min(demands: Sequence[Sequence[int]], room: int) -> list[tuple[int, list[int]]]:
    """Share ``room`` among demands, given as (job, rows); give (rows, jobs that may have so many).

    No job gets more than another that would take more; what cannot be divided goes to the first jobs.

    >>> max_min([(1, 2_000_000), (2, 1)], 1000)
    [(999, [1, 2])]
    """
    level, left = 0, room
    counts = sorted(rows for _, rows in demands)
    for small, rows in enumerate(counts):
        needed = (rows - level) * (len(counts) - small)
        if needed > left:
            break
        level, left = rows, left - needed
    large = [job for job, rows in demands if rows > level]
    each, extra = divmod(left, len(large)) if large else (0, 0)
    level += each
    favoured = large[:extra]
    others = [job for job, _ in demands if job not in set(favoured)]
    parts = [(level + 1, favoured), (level, others)]
    return [(share, jobs) for share, jobs in parts if share and jobs]
