"""The response of ``request()``, as it came."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.decipher import decode_json
from voiso_async.wire import Response


class RawResponse(RedactedRepr, Struct, frozen=True, kw_only=True):
    """The response of ``request()``: ``status``, ``headers`` with lower-case names, and the ``body`` as bytes.

    >>> response = await voiso.request("GET", "/reports/agents")      # doctest: +SKIP
    >>> response.json()["data"]                                       # doctest: +SKIP
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: str

    _redacted: ClassVar[AbstractSet[str]] = {"headers", "body"}

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are none are replaced."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Decode the body.

        Raises:
            ResponseError: it is not JSON, or it is an error message in spite of its status.
        """
        return decode_json(Response(status=self.status, headers=self.headers, body=self.body), self.request)
