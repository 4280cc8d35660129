"""Several faults of one command line, told together: none hides another."""

from collections.abc import Callable, Sequence
from typing import Any

from voiso_async.errors import ConfigurationError, InputFileError, VoisoError

__all__ = ["FaultsError", "check_all"]


class FaultsError(ConfigurationError):
    """What was typed or set cannot work, for each of these reasons."""

    def __init__(self, faults: Sequence[VoisoError]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults: tuple[VoisoError, ...] = tuple(faults)


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """Make every check, and give what they made or raise all that they found."""
    made: list[Any] = []
    found: list[VoisoError] = []
    for check in checks:
        try:
            made.append(check())
        except FaultsError as faults:
            found.extend(faults.faults)
        except (ConfigurationError, InputFileError) as fault:
            found.append(fault)
    if len(found) == 1:
        raise found[0]
    if found:
        raise FaultsError(found)
    return made
