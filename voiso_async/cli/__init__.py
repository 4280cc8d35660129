"""The ``voiso`` command; ``pip install 'voiso-async[cli]'`` brings what it needs."""

import sys
from importlib import import_module
from typing import NoReturn

__all__ = ["main"]

EXTRA = {"cyclopts", "rich"}


def main() -> NoReturn:
    """Run the command line, or say what is missing."""
    try:
        app = import_module("voiso_async.cli.app")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        sys.exit("the voiso command needs: pip install 'voiso-async[cli]'")
    sys.exit(app.main())
