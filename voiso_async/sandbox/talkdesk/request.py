"""One request as the Talkdesk endpoints see it: its body and query, HAL pages, and error envelopes."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from attrs import define, evolve

from voiso_async.sandbox.handler import Request
from voiso_async.sandbox.replies import HttpError, Reply
from voiso_async.sandbox.talkdesk.account import Talkdesk

HAL_TYPE = "application/hal+json"
INTEGER = re.compile(r"[0-9]{1,18}")
CODES: Mapping[str, Mapping[int, str]] = {  # by the first part of the path
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


def hal_reply(status: int, payload: Any) -> Reply:
    """Make a reply with the content type of HAL."""
    return evolve(Reply.json(status, payload), content_type=HAL_TYPE)


def api_error(
    family: str, status: int, *, code: str | None = None, description: str = "", fields: Mapping[str, str] = {}
) -> HttpError:
    """Make an error: the envelope is common to all APIs, the codes are not."""
    body: dict[str, Any] = {"code": code or CODES[family].get(status, "0530000"), "message": MESSAGES[status]}
    if description:
        body["description"] = description
    if fields:
        body["fields"] = [{"name": name, "description": text} for name, text in fields.items()]
    return HttpError(hal_reply(status, body))


@define(kw_only=True, eq=False)
class TalkdeskRequest(Request):
    """Adds the account, which API the path belongs to, and what its endpoints have in common."""

    account: Talkdesk
    family: str
    root: str
    path: str
    headers: Mapping[str, str]

    def error(self, status: int, **details: Any) -> HttpError:
        """Make an error of this API, see ``api_error``."""
        return api_error(self.family, status, **details)

    def number(self, name: str, default: int, most: int) -> int:
        """Read a number from 1 to ``most`` from the query; anything else is a 400."""
        text = self.param(name, None)
        if text is None:
            return default
        if not INTEGER.fullmatch(text) or not 1 <= int(text) <= most:
            raise self.error(400, description=f"{name} is out of range", fields={name: f"must be 1 to {most}"})
        return int(text)

    def json(self) -> Any:
        """Decode the body; what is not JSON is a 400."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise self.error(400, description="not JSON") from None

    def link(self, path: str) -> dict[str, str]:
        """Make a link to a path of this account."""
        return {"href": f"{self.root}{path}"}


LARGEST_NUMBER = 4611686018427388000  # larger ones get a 400
DOCS = "http://api-docs.talkdesk.org"


def page(
    request: TalkdeskRequest, key: str, items: list[Any], *, largest: int | None = None, usual: int = 50
) -> Reply:
    """Reply with one page of ``items``, in the form that ``TalkdeskRules`` chooses; past the end it is empty."""
    rules = request.account.rules
    number = request.number("page", 1, LARGEST_NUMBER)
    size = request.number("per_page", usual, rules.max_page if largest is None else largest)
    start = (number - 1) * size
    shown = items[max(0, start - rules.overlap if number > 1 else start) : start + size]
    pages = max(1, -(-len(items) // size))
    body: dict[str, Any] = {
        "total": len(items) if rules.other_total is None else rules.other_total,
        "count": len(shown),
        "page": number if rules.other_page is None else rules.other_page,
        "per_page": size,
        "total_page" if rules.misspelt else "total_pages": pages,
        "_links": _links(request, number, size, pages),
    }
    if rules.other_total == -1:
        del body["total"]
    if rules.embedded == "always" or (rules.embedded == "filled" and shown):
        body["_embedded"] = {"campaings" if rules.misspelt and key == "campaigns" else key: shown}
    return hal_reply(200, body)


def _links(request: TalkdeskRequest, number: int, size: int, pages: int) -> dict[str, Any]:
    numbers = {"self": number, "first": 1, "last": pages} | ({"prev": number - 1} if number > 1 else {})
    links = {name: request.link(_page_path(request, to, size)) for name, to in numbers.items()}
    return links | _next(request, number, size, pages)


def _page_path(request: TalkdeskRequest, number: int, size: int) -> str:
    """The path of a page of this list, with all other parameters of the query."""
    query = {name: values[0] for name, values in request.query.items()} | {"page": number, "per_page": size}
    return f"{request.path}?{urlencode(query)}"


def _next(request: TalkdeskRequest, number: int, size: int, pages: int) -> dict[str, Any]:
    form = request.account.rules.next_link
    following = _page_path(request, number + 1, size)
    root = urlsplit(request.root)
    href: Any = {
        "self": f"{request.root}{_page_path(request, number, size)}",
        "null": None,
        "blank": " ",
        "cycle": f"{request.root}{_page_path(request, number % pages + 1, size)}",
    }.get(form)
    if form in {"self", "null", "blank", "cycle"}:
        return {"next": {"href": href} if form != "null" else None}
    if number >= pages or form == "none":
        return {}
    href = {
        "relative": f"{root.path}{following}",
        "bare": "?" + following.partition("?")[2],
        "docs": f"{DOCS}{following}",
        "docs_elsewhere": f"{DOCS}/record-lists?page={number + 1}",
        "foreign": f"{request.account.rules.foreign}{following}",
        "wrong_scheme": f"https://{root.netloc}{root.path}{following}",
        "wrong_port": f"http://{root.hostname}:1{root.path}/other{following}",
    }.get(form, f"{request.root}{following}")
    return {"next": {"href": href, "templated": True} if form == "templated" else {"href": href}}
