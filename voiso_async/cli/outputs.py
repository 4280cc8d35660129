"""Files that a command writes at its end: what is in their way is found before anything is sent."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from voiso_async.errors import ConfigurationError
from voiso_async.files.jsonl import JSON_HEADER

Form = Literal["csv", "jsonl"]

FORMS: Mapping[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
NEUTRAL = {"", ".txt"}
"""Endings that promise no form: they do where --format names one."""
NAMES: Mapping[Form, str] = {"csv": "CSV (.csv)", "jsonl": "JSON Lines (.jsonl or .ndjson)"}


def form_of(path: Path) -> Form | None:
    """Tell the form that a file's name promises; ``None`` if it is none that is written."""
    return FORMS.get(path.suffix.lower())


def form_of_rejects(header: Sequence[str]) -> Form:
    """Tell in which form refused rows are written: the one they came in, and CSV for a workbook."""
    return "jsonl" if tuple(header) == JSON_HEADER else "csv"


def check_form(path: Path, form: Form, *, asked: bool = False) -> None:
    """Refuse a name that promises another form.

    A form that was ``asked`` for also goes with a name that promises none.
    """
    if form_of(path) != form and not (asked and path.suffix.lower() in NEUTRAL):
        raise ConfigurationError(
            f"{path.name}: these rows are written as {NAMES[form]}: choose a name that ends so"
        )


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path] = (), *, asked: Form | None = None) -> None:
    """Refuse outputs that could not be written, or would be written over each other or over an input.

    ``inputs`` are files that may be made meanwhile, such as an outbox: what is there already is refused anyway.
    """
    for path in outputs:
        if asked is not None:
            check_form(path, asked, asked=True)
        elif form_of(path) is None:
            raise ConfigurationError(
                f"{path.name or path}: choose a name that ends in .csv, or in .jsonl or .ndjson for JSON Lines; "
                "no other form is written"
            )
        _check_place(path)
    taken = {_identity(path): path for path in inputs}
    for path in outputs:
        if (place := _identity(path)) in taken:
            raise ConfigurationError(
                f"{path.name}: two files of this command would be the same one; choose another path"
            )
        taken[place] = path


def _check_place(path: Path) -> None:
    """Refuse a name that is taken, and a place where no file can be made: one is made and removed."""
    try:
        if os.path.lexists(path):
            fault = "there is such a file already"
        elif not path.absolute().parent.is_dir():
            fault = "there is no folder to write it to"
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            path.unlink()
            return
    except OSError as error:
        fault = f"it cannot be written there: {os.strerror(error.errno or 0).lower()}"
    except ValueError:
        fault = "a file's name cannot hold a NUL"
    raise ConfigurationError(f"{path.name}: {fault}; choose another path")


def _identity(path: Path) -> tuple[object, ...]:
    """Tell a file that is not there yet by its folder and its name, which some file systems fold."""
    name = unicodedata.normalize("NFC", path.name).casefold()
    try:
        folder = path.absolute().parent.stat()
    except (OSError, ValueError):
        return (str(path.absolute().parent), name)
    return (folder.st_dev, folder.st_ino, name)
