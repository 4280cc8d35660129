"""Response -> decoded body, or the right error. Pure: nothing here waits, and nothing here shows a secret.

Text of the server is data from outside: before it becomes part of a message it loses control characters, line
ends and direction marks, numbers long enough to be a phone's are masked, and it is cut.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from voiso_async._structs import Struct, field
from voiso_async.convert import decode
from voiso_async.errors import APIError, Fields, ResponseError
from voiso_async.retry import retry_after
from voiso_async.statuses import ADVICE, KNOWN_FIELDS, MEANINGS, error_class, proof_of
from voiso_async.wire import Request, Response, origin_of, request_id_of

LONGEST_TEXT = 200
LONGEST_NAME = 80
LONGEST_RAW = 4000
DEEPEST = 6
MOST_TEXTS = 2000  # twice the leads of one request: each may be named once or twice
SHOWN_FIELDS = 10

ACCEPTED = 202
WORD = re.compile(r"[a-z_]+")
NUMBERED = re.compile(r"0[0-9]{6}")  # no phone number begins so
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
CREDENTIAL = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]{8,}", re.IGNORECASE)
NUMBER = re.compile(r"\d(?:[\W_]{0,3}\d){6,}")


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What a vendor's error body says: one line for people, the messages by field, and what a program can use.

    ``code`` is the vendor's own, as text; ``retry_after`` the seconds it asks for where no header says so.
    """

    message: str = ""
    fields: Fields = field(default_factory=dict)
    code: str = ""
    retry_after: float | None = None


ErrorParser = Callable[[bytes], ErrorBody | None]


def clean_text(text: str, limit: int = LONGEST_TEXT) -> str:
    """Make text of the server fit for one line of a log: printable, without long numbers, at most ``limit``."""
    text = ESCAPE_SEQUENCE.sub(" ", text[:LONGEST_RAW])
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    text = NUMBER.sub("[number]", CREDENTIAL.sub(r"\1 ***", text))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def parse_voiso_error(body: bytes) -> ErrorBody | None:
    """Read the envelopes ``{"error": …}`` and ``{"errors": …}`` leniently; ``None`` if it is neither.

    An envelope that says nothing counts only if the body has nothing else to say either: see ``complaint_in``.
    """
    try:
        return error_body_in(decode(body))
    except ResponseError:
        return None


def error_body_in(value: Any) -> ErrorBody | None:
    """Find the envelope in a decoded body.

    Many servers always write the key: an envelope without any text (``null``, ``false``, ``{"base": []}``) says
    nothing, and beside anything else it is none.
    """
    if not isinstance(value, dict):
        return None
    parts = [value[key] for key in ("error", "errors") if key in value]
    if not parts or (len(value) > len(parts) and not any(map(_speaks, parts))):
        return None
    fields: dict[str, tuple[str, ...]] = {}
    for name, text in islice((found for part in parts for found in _texts(part)), MOST_TEXTS):
        fields[name] = (*fields.get(name, ()), text)
    plain = fields.pop("", ())
    shown = (f"{name} {text}" for name, texts in fields.items() for text in texts)
    return ErrorBody(message=clean_text("; ".join(plain or islice(shown, SHOWN_FIELDS))), fields=fields)


def _speaks(part: Any, depth: int = 0) -> bool:
    """Whether there is any text in an envelope's value, or something too deep to look at."""
    if isinstance(part, dict | list):
        inner = part.values() if isinstance(part, dict) else part
        return depth >= DEEPEST or any(_speaks(value, depth + 1) for value in inner)
    return bool(part) and clean_text(str(part)) != ""


def _texts(part: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Walk an envelope's value: each text with the dotted path to it, "" for the body as a whole."""
    if depth > DEEPEST or not part:
        return
    match part:
        case dict():
            items = (
                ("" if (path, key) == ("", "message") else f"{path}.{key}", value) for key, value in part.items()
            )
        case list():
            items = ((f"{path}.{at}" if isinstance(v, dict | list) else path, v) for at, v in enumerate(part))
        case _:
            if text := clean_text(str(part)):
                yield clean_text(path.removeprefix("."), LONGEST_NAME), text
            return
    for name, value in items:
        yield from _texts(value, name, depth + 1)


def api_error(
    request: Request | str,
    response: Response,
    explain: ErrorParser = parse_voiso_error,
    advice: Mapping[int, str] = ADVICE,
) -> APIError:
    """Name the error of a complete answer that says no, with what is certain and what to do about it.

    ``advice`` has a sentence for each status, ``{scope}`` standing for what the request needs.
    """
    error = explain(response.body)
    seconds = retry_after(response.headers)
    if seconds is None and error is not None:
        seconds = error.retry_after
    advised = _advice(request, response, seconds, advice)
    return error_class(response.status)(
        _message(error, advised),
        meaning=_meaning(response.status, error, advised),
        status=response.status,
        request=_name(request),
        request_id=request_id_of(response.headers),
        fields=error.fields if error else {},
        code=error.code if error else "",
        headers={name: value for name, value in response.headers.items() if name not in SECRET_HEADERS},
        body=_readable(response.body),
        retry_after=seconds,
        proof=proof_of(response.status, enveloped=error is not None),
    )


def _readable(body: bytes) -> Any:
    try:
        return decode(body)
    except ResponseError:
        return body.decode("utf-8", "replace")


def _message(error: ErrorBody | None, advice: str) -> str:
    said = error.message if error else ""
    return "; ".join(filter(None, [said, advice])) or "the request was refused, without a reason that can be read"


def _meaning(status: int, error: ErrorBody | None, advice: str) -> str:
    """Say what the answer means without a word of the server's, which may echo a lead: known fields only."""
    words = {part for name in (error.fields if error else ()) for part in WORD.findall(name)}
    fields = ", ".join(sorted(words & KNOWN_FIELDS))
    meaning = advice or MEANINGS.get(status, "the request was refused")
    if error and NUMBERED.fullmatch(error.code):
        meaning = f"{meaning} (code {error.code})"
    return f"{meaning}; fields: {fields}" if fields else meaning


def _name(request: Request | str) -> str:
    return request.name if isinstance(request, Request) else request


def _advice(request: Request | str, response: Response, seconds: float | None, advice: Mapping[int, str]) -> str:
    """What the status itself means, and what its reader can do."""
    status = response.status
    scope = request.scope if isinstance(request, Request) else ""
    if status == 429 and seconds:
        return f"the server asks for {seconds:g} s of quiet"
    if 300 <= status < 400:
        target = _target(response.headers.get("location", ""))
        return f"redirect to {target} not followed, nothing was sent there; check the base URL"
    otherwise = "the server failed; whether it acted is not known" if status >= 500 else ""
    return advice.get(status, otherwise).format(scope=scope or "for this call")


def _target(location: str) -> str:
    """The origin of a redirect and no more of it: paths and queries can carry anything."""
    try:
        parts = urlsplit(location)
        origin = origin_of(location)
    except ValueError:
        return "an unreadable address"
    if parts.scheme not in ("", "http", "https"):
        return "an address that is not HTTP"
    if not parts.hostname:
        return "another path of this host" if location else "nowhere"
    return clean_text(origin if parts.scheme else parts.hostname)


def decode_json(response: Response, request: Request | str) -> Any:
    """Decode the JSON of a 2xx; anything that is not the promised body is a ``ResponseError``.

    A wrong content type is no fault if the JSON is valid.
    """
    if not 200 <= response.status < 300:
        raise _unusable(f"status {response.status} where a body was due", request, response, "status")
    value, reason = None, ""
    try:
        value = decode(response.body)
    except ResponseError as error:
        reason = error.reason
    if reason == "empty":
        raise _unusable("the answer is empty", request, response, reason)
    if reason:
        sort = response.headers.get("content-type", "json")
        raise _unusable("the answer is not JSON", request, response, reason if "json" in sort else "content_type")
    if error_body_in(value) is not None:
        raise _unusable(
            f"status {response.status} with an error message as body", request, response, "error_envelope"
        )
    return value


def only_accepted(response: Response, request: Request | str, *keys: str) -> bool:
    """Whether a 2xx says no more than that the call worked: it has no body, or is a 202 without what was promised.

    An error message in the body is no such answer, but a ``ResponseError``.
    """
    if not response.body.strip():
        return True
    if response.status != ACCEPTED:
        return False
    body = decode_json(response, request)
    return isinstance(body, dict) and not any(key in body for key in keys)


def _unusable(message: str, request: Request | str, response: Response, reason: str) -> ResponseError:
    return ResponseError(
        message,
        request=_name(request),
        expected="JSON",
        reason=reason,
        request_id=request_id_of(response.headers),
    )
