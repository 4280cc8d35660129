"""One list of numbers that must not be called, as far as it has been read, and what is to be told of it."""

from collections.abc import Iterator

from attrs import Factory, define

from voiso_async.errors import InputFileError
from voiso_async.files.names import listed, shown
from voiso_async.files.phones import BadCell

__all__ = ["LENIENT", "ListPart", "counted"]

MOST_SHOWN = 5
LENIENT = "--suppress-lenient (lenient in code)"


@define
class ListPart:
    """One list, or one sheet of a workbook, as far as it has been read.

    ``missed`` counts the rows that are not understood, ``first`` says which are the first of them and why.
    """

    name: str
    sheet: str | None = None
    hidden: tuple[str, ...] = ()
    """Sheets of the workbook that do not show and are not read."""
    columns: tuple[str, ...] = ()
    rows: int = 0
    found: int = 0
    missed: int = 0
    first: list[str] = Factory(list)
    at: int | None = None
    advice: str = ""
    fault: str = ""
    """Why a whole sheet is passed over."""

    def miss(self, row: int, why: BadCell) -> None:
        """Note a row that is not understood."""
        self.missed += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append(f"{row} ({why.reason.replace('_', ' ')})")
        if self.at is None:
            self.at, self.advice = row, why.detail

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name if self.sheet is None else f"{self.name}, sheet {shown(self.sheet)!r}"

    @property
    def places(self) -> str:
        """Which rows are not understood."""
        more = ", …" if self.missed > len(self.first) else ""
        return f"{'row' if self.missed == 1 else 'rows'} {', '.join(self.first)}{more}"

    @property
    def remarks(self) -> Iterator[str]:
        """What could surprise: that there is more than one column or sheet, and what was not read."""
        if self.hidden:
            yield f"{self.name}: hidden sheets are not read: {listed(self.hidden)}"
        if self.fault:
            yield f"{self.title}: passed over, and who stands there may be called: {self.fault}"
            return
        if len(self.columns) > 1 or self.sheet is not None:
            columns = f", of {listed(self.columns)}" if self.columns else ""
            yield f"{self.title}: {counted(self.found, 'number')} not to be called{columns}"
        if self.missed:
            yield (
                f"{self.title}: {self._share} passed over as not understood, and who stands there may be called: "
                f"{self.places}"
            )

    @property
    def _share(self) -> str:
        return f"{self.missed} of its {counted(self.rows, 'row')} {'is' if self.missed == 1 else 'are'}"

    def refusal(self) -> InputFileError:
        """Say that it cannot be used, because not all of it is understood."""
        return InputFileError(
            f"{self._share} not understood, so somebody who must not be called would be: {self.places}: "
            f"{self.advice}; correct the list, or pass such rows over by {LENIENT}. Nothing was sent",
            row=self.at,
            reason="list_not_understood",
        )


def counted(count: int, noun: str) -> str:
    """Say how many there are of something."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
