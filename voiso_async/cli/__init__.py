"""The ``voiso`` command; ``pip install 'voiso-async[cli]'`` brings what it needs.

``app`` has the tree of commands and turns errors into exit codes; ``commands`` are its leaves. Options that
several share: ``common``, ``file_options``, ``outbox_option``, ``outputs``, ``units``. A push is a ``file_push``,
and each command that sends is a ``run`` under ``signals``, with ``failure_limit`` and ``campaign_state``.
``render`` prints.
"""

import signal
import sys
from importlib import import_module
from typing import NoReturn

EXTRA = {"cyclopts", "rich"}


def main() -> NoReturn:
    """Run the command line, or say what is missing."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # while the modules are loaded, Ctrl-C has nothing to say
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        app = import_module("voiso_async.cli.app")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        sys.exit("the voiso command needs: pip install 'voiso-async[cli]'")
    signal.signal(signal.SIGINT, usual)
    sys.exit(app.main())
