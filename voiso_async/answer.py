"""The answer to a call of an endpoint that is not known here."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from voiso_async.decipher import decode_json
from voiso_async.values import Discreet, Struct
from voiso_async.wire import Response

__all__ = ["Answer"]


class Answer(Discreet, Struct, frozen=True, kw_only=True):
    """What ``request()`` gives: status, headers with lower-case names, and the body as bytes or decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: str

    _hidden: ClassVar[AbstractSet[str]] = {"headers", "body"}

    def json(self) -> Any:
        """Decode the body; ``ResponseError`` if it is not JSON, or is an error message in spite of its status."""
        return decode_json(Response(status=self.status, headers=self.headers, body=self.body), self.request)
