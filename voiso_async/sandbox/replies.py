"""Replies, the exception that carries one, and what replies of a later version of the API may hold."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from attrs import Factory, frozen

JSON_TYPE = "application/json"

ERROR_TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Payload too large",
    429: "Too many requests",
}
WITH_FIELDS = frozenset({406, 409, 422})  # their bodies have ``errors`` by field, the others one ``error``
BUSY_FIELDS = {"campaign": ["the previous request is still being processed"]}

# What a reply of a later version may hold: new values of enums, null in optional fields, unknown fields.
NEW_VALUES = {"strategy": "orbital", "follow_up_mode": "by_moonlight"}
NULLABLE = frozenset(
    {
        "amd_enabled",
        "caller_id",
        "caller_id_sets",
        "dial_level",
        "dial_level_override",
        "email",
        "extension",
        "max_dial_time",
        "skills",
        "teams",
        "timezone",
        "updated_at",
    }
)
UNKNOWN: dict[str, Any] = {"unheard_of": {"deep": [1, None, "two"]}, "extra": "a field of this name, too"}


@frozen(kw_only=True)
class Reply:
    """Status, body and headers; ``content_type`` describes the body."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = Factory(dict)

    @classmethod
    def json(cls, status: int, payload: Any, headers: Mapping[str, str] | None = None) -> "Reply":
        """Make a reply whose body is ``payload`` as JSON."""
        return cls(status=status, body=msgspec.json.encode(payload), headers=headers or {})


class HttpError(Exception):
    """Ends the processing of a request; ``reply`` is sent to the client."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def body_for(status: int) -> Any:
    """Return the body that Voiso documents for ``status``: one ``error``, or ``errors`` by field."""
    if status in WITH_FIELDS:
        return {"errors": {"base": [HTTPStatus(status).phrase.lower()]}}
    return {"error": ERROR_TEXTS.get(status, "Error")}


def http_error(status: int, headers: Mapping[str, str] | None = None) -> HttpError:
    """Make an error with the body that Voiso documents for ``status``."""
    return HttpError(Reply.json(status, body_for(status), headers))


def field_errors(status: int, fields: Mapping[str, list[str]]) -> HttpError:
    """Make an error whose body lists texts by field."""
    return HttpError(Reply.json(status, {"errors": fields}))


def retry_after_header(value: float | str | None) -> dict[str, str]:
    """Format ``Retry-After`` from seconds or a text; ``None`` gives no header."""
    if value is None:
        return {}
    return {"Retry-After": value if isinstance(value, str) else f"{value:g}"}


def busy_reply(status: int, retry_after: float | str | None = None) -> Reply:
    """Reply that the campaign is still processing the previous lead request."""
    body = body_for(status) if status == 429 else {"errors": BUSY_FIELDS}
    return Reply.json(status, body, retry_after_header(retry_after))


def as_later_version(value: Any) -> Any:
    """Add unknown fields to every object, use new values of enums, and set nullable fields to null."""
    if isinstance(value, list):
        return [as_later_version(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {
        name: None if name in NULLABLE else NEW_VALUES.get(name) or as_later_version(member)
        for name, member in value.items()
    }
    return {**known, **UNKNOWN}
