"""What Talkdesk says when it says no (Talkdesk contract 3.1)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from voiso_async.convert import decode
from voiso_async.decipher import ErrorBody, clean_text
from voiso_async.errors import ResponseError
from voiso_async.statuses import ADVICE

__all__ = ["TALKDESK_ADVICE", "parse_talkdesk_error"]

MOST_FIELDS = 200
LONGEST_NAME = 80
CODE = re.compile(r"[A-Za-z0-9_.-]{1,8}")  # contract 3.1: text, with leading zeros
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
WAIT_FIELD = "retry-after"  # contract 8

TALKDESK_ADVICE: Mapping[int, str] = ADVICE | {
    401: "the account does not take the token, not even a fresh one; check the client and its region",
    403: "the client needs the scope {scope}, or the account is not enrolled for this API",
    404: "it does not exist, the account cannot see it, or the region is wrong",
}


def parse_talkdesk_error(body: bytes) -> ErrorBody | None:
    """Read the vendor's error body, or give ``None`` for anything else."""
    try:
        answer = decode(body)
    except ResponseError:
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("message"), str) or "code" not in answer:
        return None
    texts = [text for name in ("message", "description") if isinstance(text := answer.get(name), str) and text]
    fields: dict[str, tuple[str, ...]] = {}
    wait = None
    for name, text in _fields(answer.get("fields")):
        fields[name] = (*fields.get(name, ()), clean_text(text))
        if name.lower() == WAIT_FIELD and SECONDS.fullmatch(text.strip()):
            wait = float(text)
    code = answer["code"] if isinstance(answer["code"], str) and CODE.fullmatch(answer["code"]) else ""
    said = clean_text(": ".join(texts))
    return ErrorBody(message=f"{said} (code {code})" if code else said, fields=fields, code=code, retry_after=wait)


def _fields(fields: Any) -> Iterator[tuple[str, str]]:
    for item in fields[:MOST_FIELDS] if isinstance(fields, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield clean_text(item["name"], LONGEST_NAME), str(item.get("description") or "")
