"""The ``voiso`` command; ``pip install 'voiso-async[cli]'`` brings what it needs."""

import sys
from typing import NoReturn

__all__ = ["main"]

EXTRA = {"cyclopts", "rich"}

try:
    from voiso_async.cli.app import main
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in EXTRA:
        raise

    def main() -> NoReturn:
        """Say what is missing."""
        sys.exit("the voiso command needs: pip install 'voiso-async[cli]'")
