"""The exact index of the phones of one call: which row claimed a phone first."""

from collections import defaultdict

__all__ = ["SeenPhones"]

SHARDS = 251
"""A prime: a shard of a two-million-row call has some 8000 phones, so that no resize holds the loop for long.

With more of them two hundred calls would hold it for longer: the garbage collector looks at each."""


class SeenPhones:
    """Remember each phone's first row, exactly, in many small tables."""

    def __init__(self) -> None:
        self._shards: defaultdict[int, dict[int, int]] = defaultdict(dict)

    def first(self, phone: str, index: int) -> int:
        """Claim the phone for ``index`` unless an earlier row has it; give the row that owns it."""
        number = int(phone)
        return self._shards[number % SHARDS].setdefault(number, index)
