"""Answers, and the refusals that carry one."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from attrs import Factory, frozen

__all__ = ["Answer", "Refused", "body_for", "busy_answer", "refuse", "refuse_fields", "retry_after_header"]

JSON_TYPE = "application/json"

SIMPLE = {  # contract 3
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Payload too large",
    429: "Too many requests",
}
BUSY_FIELDS = {"campaign": ["the previous request is still being processed"]}


@frozen(kw_only=True)
class Answer:
    """A status, the bytes of a body, headers; ``content_type`` is that of the body."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = Factory(dict)

    @classmethod
    def json(cls, status: int, payload: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        """Make an answer whose body is ``payload`` as JSON."""
        return cls(status=status, body=msgspec.json.encode(payload), headers=headers or {})


class Refused(Exception):  # noqa: N818 - it is an answer on its way, not a failure of the sandbox
    """Ends the processing of a request with ``answer``."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def body_for(status: int) -> Any:
    """Give the body that the contract shows for ``status``: ``error``, or ``errors`` with a field."""
    if status in (406, 409, 422):  # contract 3: these come with field errors
        return {"errors": {"base": [HTTPStatus(status).phrase.lower()]}}
    return {"error": SIMPLE.get(status, "Error")}


def refuse(status: int, headers: Mapping[str, str] | None = None) -> Refused:
    """Refuse with the contract's own body for ``status``."""
    return Refused(Answer.json(status, body_for(status), headers))


def refuse_fields(status: int, fields: Mapping[str, list[str]]) -> Refused:
    """Refuse with field errors."""
    return Refused(Answer.json(status, {"errors": fields}))


def retry_after_header(value: float | str | None) -> dict[str, str]:
    """Write ``Retry-After``, or nothing for ``None``."""
    if value is None:
        return {}
    return {"Retry-After": value if isinstance(value, str) else f"{value:g}"}


def busy_answer(status: int, retry_after: float | str | None = None) -> Answer:
    """Say that the campaign is still busy with the lead call before (contract 12.4)."""
    body = body_for(status) if status == 429 else {"errors": BUSY_FIELDS}
    return Answer.json(status, body, retry_after_header(retry_after))
