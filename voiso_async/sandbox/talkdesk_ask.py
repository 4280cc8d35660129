"""One request to the Talkdesk account, as its handlers see it, and the envelopes of its refusals."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import Factory, define, evolve, field

from voiso_async.sandbox.answers import Answer, Refused
from voiso_async.sandbox.talkdesk import Talkdesk

__all__ = ["HAL_TYPE", "Ask", "denied", "hal"]

HAL_TYPE = "application/hal+json"
INTEGER = re.compile(r"[0-9]{1,18}")
CODES: Mapping[str, Mapping[int, str]] = {  # contract 3.1
    "campaigns": {400: "0530001", 401: "0530004", 403: "0530003", 404: "0530002", 422: "0530008"},
    "record-lists": {400: "0530900", 401: "0530901", 403: "0530902", 404: "0530910"},
    "users": {400: "0040001", 401: "0040002", 403: "0040003", 404: "0040000"},
}
MESSAGES = {
    400: "Errors were found in the submitted data",
    401: "The token is missing, invalid or expired",
    403: "The token lacks the scope",
    404: "The resource was not found",
    405: "The method is not allowed",
    422: "The resource is not available for this operation",
}


def hal(status: int, payload: Any) -> Answer:
    """Answer HAL."""
    return evolve(Answer.json(status, payload), content_type=HAL_TYPE)


def denied(
    family: str, status: int, *, code: str | None = None, description: str = "", fields: Mapping[str, str] = {}
) -> Refused:
    """Refuse with the envelope and the code of the addressed API."""
    body: dict[str, Any] = {"code": code or CODES[family].get(status, "0530000"), "message": MESSAGES[status]}
    if description:
        body["description"] = description
    if fields:
        body["fields"] = [{"name": name, "description": text} for name, text in fields.items()]
    return Refused(hal(status, body))


@define(kw_only=True, eq=False)
class Ask:
    """What a handler needs; ``first`` bounds how many records are applied, ``applied`` says which were."""

    talkdesk: Talkdesk
    family: str
    root: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    ids: Mapping[str, str] = Factory(dict)
    body: bytes = field(default=b"", repr=False)
    first: int | None = None
    applied: list[str] = field(factory=list, repr=False)

    def deny(self, status: int, **details: Any) -> Refused:
        """Refuse in the words of the addressed API."""
        return denied(self.family, status, **details)

    def asked(self, name: str) -> str | None:
        """Give the first value of a query parameter."""
        return self.query.get(name, [None])[0]

    def number(self, name: str, default: int, most: int) -> int:
        """Read a whole number of the query from 1 to ``most``, or refuse it with 400."""
        text = self.asked(name)
        if text is None:
            return default
        if not INTEGER.fullmatch(text) or not 1 <= int(text) <= most:
            raise self.deny(400, description=f"{name} is out of range", fields={name: f"must be 1 to {most}"})
        return int(text)

    def json(self) -> Any:
        """Decode the body, or refuse it with 400."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise self.deny(400, description="not JSON") from None

    def link(self, path: str) -> dict[str, str]:
        """Make a link to a path of this account."""
        return {"href": f"{self.root}{path}"}
