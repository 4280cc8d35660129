"""One page of a listing in HAL, and the odd forms that are seen of it (Talkdesk contract 4, 6 and 11)."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from voiso_async.sandbox.answers import Answer
from voiso_async.sandbox.talkdesk_ask import Ask, hal

__all__ = ["page"]

LARGEST_NUMBER = 4611686018427388000  # contract 4.1
DOCS = "http://api-docs.talkdesk.org"


def page(ask: Ask, key: str, items: list[Any], *, largest: int | None = None, usual: int = 50) -> Answer:
    """Answer one page of ``items``; past the end it is empty and has no next."""
    rules = ask.talkdesk.rules
    number = ask.number("page", 1, LARGEST_NUMBER)
    size = ask.number("per_page", usual, rules.max_page if largest is None else largest)
    start = (number - 1) * size
    shown = items[max(0, start - rules.overlap if number > 1 else start) : start + size]
    pages = max(1, -(-len(items) // size))
    body: dict[str, Any] = {
        "total": len(items) if rules.other_total is None else rules.other_total,
        "count": len(shown),
        "page": number if rules.other_page is None else rules.other_page,
        "per_page": size,
        "total_page" if rules.misspelt else "total_pages": pages,
        "_links": _links(ask, number, size, pages),
    }
    if rules.other_total == -1:
        del body["total"]
    if rules.embedded == "always" or (rules.embedded == "filled" and shown):
        body["_embedded"] = {"campaings" if rules.misspelt and key == "campaigns" else key: shown}
    return hal(200, body)


def _links(ask: Ask, number: int, size: int, pages: int) -> dict[str, Any]:
    links = {"self": ask.link(_to(ask, number, size)), "first": ask.link(_to(ask, 1, size))}
    links["last"] = ask.link(_to(ask, pages, size))
    if number > 1:
        links["prev"] = ask.link(_to(ask, number - 1, size))
    return links | _next(ask, number, size, pages)


def _to(ask: Ask, number: int, size: int) -> str:
    """The listing's path with the page, its size, and whatever else was asked."""
    query = {name: values[0] for name, values in ask.query.items()} | {"page": number, "per_page": size}
    return f"{ask.path}?{urlencode(query)}"


def _next(ask: Ask, number: int, size: int, pages: int) -> dict[str, Any]:
    form = ask.talkdesk.rules.next_link
    following = _to(ask, number + 1, size)
    root = urlsplit(ask.root)
    href: Any = {
        "self": f"{ask.root}{_to(ask, number, size)}",
        "null": None,
        "blank": " ",
        "cycle": f"{ask.root}{_to(ask, number % pages + 1, size)}",
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
        "foreign": f"{ask.talkdesk.rules.foreign}{following}",
        "wrong_scheme": f"https://{root.netloc}{root.path}{following}",
        "wrong_port": f"http://{root.hostname}:1{root.path}/other{following}",
    }.get(form, f"{ask.root}{following}")
    return {"next": {"href": href, "templated": True} if form == "templated" else {"href": href}}
