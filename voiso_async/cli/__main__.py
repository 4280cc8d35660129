"""``python -m voiso_async.cli`` is ``voiso``."""

from voiso_async.cli import main

main()
