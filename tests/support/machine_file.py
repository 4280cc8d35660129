"""The file of an outbox as somebody sees it who only looks: every row with its name, its state and its outcome."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from attrs import frozen

from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.rows import Operation
from voiso_async.outbox.sqlite.schema import CLAIMED, FINAL, OPERATIONS, OUTCOMES, PARKED

__all__ = ["Kept", "look"]


@frozen(kw_only=True)
class Kept:
    """A row in the file; ``name`` is what its lead was called, which no other lead is."""

    id: int
    name: str
    phone: str
    operation: Operation
    state: int
    outcome: Outcome | None
    doubts: int

    @property
    def claimed(self) -> bool:
        return self.state == CLAIMED

    @property
    def parked(self) -> bool:
        return self.state == PARKED

    @property
    def final(self) -> bool:
        return self.state == FINAL


def look(path: Path) -> list[Kept]:
    """Read what is written down, without a lock that anybody would meet."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT id, body, phone, op, state, outcome, doubts FROM rows ORDER BY id")
        return [
            Kept(
                id=row_id,
                name=json.loads(body)["name"],
                phone=str(phone),
                operation=OPERATIONS[op],
                state=state,
                outcome=None if outcome is None else OUTCOMES[outcome],
                doubts=doubts,
            )
            for row_id, body, phone, op, state, outcome, doubts in found
        ]
