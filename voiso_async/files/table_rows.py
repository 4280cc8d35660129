"""What a file has beside the cells of its leads: other sheets, hidden rows and columns, cells without a name."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import Factory, define

from voiso_async.files.columns.aliases import join_names

MOST_ROWS_SHOWN = 5


@define
class FileShape:
    """How a file is built, as far as it has been read; ``remarks`` say what a careful person wants to know of it.

    ``named`` counts the columns as far as the last one with a name. ``sheet`` is the one that is read,
    ``other_sheets`` are those that show and have rows, ``hidden_sheets`` those that do not show. ``hidden_rows``
    counts rows that a filter, or somebody, has hidden, ``unnamed_rows`` those with cells to the right of the
    header, which are not read; ``unnamed_at`` are the first of them.
    """

    named_columns: int = 0
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden_sheets: tuple[str, ...] = ()
    hidden_columns: tuple[str, ...] = ()
    hidden_rows: int = 0
    skips_hidden: bool = False
    unnamed_rows: int = 0
    first_unnamed: list[int] = Factory(list)

    @property
    def unread_sheets(self) -> str:
        """What else a workbook has, to go on with what was wrong with its one sheet; empty if that is all."""
        return f"; {self._sheets}" if self.other_sheets or self.hidden_sheets else ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """One sentence for each thing that could surprise."""
        found = []
        if self.other_sheets or self.hidden_sheets:
            found.append(self._sheets)
        if self.hidden_columns:
            found.append(f"hidden columns are read like others: {join_names(self.hidden_columns)}")
        if self.hidden_rows:
            go = "left out" if self.skips_hidden else "read like others"
            found.append(f"{_counted(self.hidden_rows)} hidden, as by a filter, and {go}")
        if self.unnamed_rows:
            places = ", ".join(map(str, self.first_unnamed)) + (
                ", …" if self.unnamed_rows > MOST_ROWS_SHOWN else ""
            )
            found.append(
                f"cells to the right of the column names are not read: {self.unnamed_rows} "
                f"{'row has' if self.unnamed_rows == 1 else 'rows have'} some ({places})"
            )
        return tuple(found)

    def note_unnamed(self, row: int) -> None:
        """Count a row that has cells where the header has no name."""
        self.unnamed_rows += 1
        if len(self.first_unnamed) < MOST_ROWS_SHOWN:
            self.first_unnamed.append(row)

    @property
    def _sheets(self) -> str:
        others = [join_names(self.other_sheets)] if self.other_sheets else []
        others += [f"hidden {join_names(self.hidden_sheets)}"] if self.hidden_sheets else []
        read, unread = join_names([self.sheet or ""]), " and ".join(others)
        return f"only the sheet {read} is read, not {unread}: name another by sheet="


def _counted(rows: int) -> str:
    return f"{rows} {'row is' if rows == 1 else 'rows are'}"


class TableRows(Iterator[tuple[int, Sequence[str]]], Protocol):
    """The rows of a table, below its ``header``; ``row`` is the number of the one read last."""

    row: int
    shape: FileShape

    @property
    def header(self) -> Sequence[str]:
        """The first row that is not blank."""
        ...

    @property
    def estimated_rows(self) -> int | None:
        """How many rows there are about, if the file says so."""
        ...

    def raw_rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the next rows with all their cells, also those to the right of the header."""
        ...

    def fit(self, cells: Sequence[str]) -> Sequence[str]:
        """Bring the row read last to the header's width, or say why that cannot be."""
        ...

    def detach(self) -> None:
        """Let the stream go, so that it can be read again."""
        ...
