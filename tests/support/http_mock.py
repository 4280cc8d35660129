"""Makes aioresponses work with aiohttp 3.14: its response lacks ``stream_writer``.

Only for happy paths: it replaces ``ClientSession._request``, so neither sockets nor timeouts nor middlewares run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock, patch

from aiohttp import ClientResponse
from aioresponses import aioresponses


class _Response(ClientResponse):
    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **options)


@contextmanager
def http_mock() -> Iterator[aioresponses]:
    """Answer requests without a socket; the fixture's value takes the answers."""
    with patch("aioresponses.core.ClientResponse", _Response), aioresponses() as http:
        yield http
