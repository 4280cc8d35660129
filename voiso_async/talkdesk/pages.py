"""Pages that name the next one by a link.

Documents and samples disagree about nearly everything but the link: page numbers may contradict it, hosts of links
may be those of the documents, totals may be wrong. So only the link is followed, and only within the listing.
"""

from collections.abc import Callable, Generator
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from attrs import field, frozen

from voiso_async._structs import replace
from voiso_async.convert import structure
from voiso_async.decipher import decode_json
from voiso_async.errors import PaginationError
from voiso_async.pages import LINK, LONGEST_LINK, HasId, LinkPages, Page, check_whole_number
from voiso_async.paginator import Paginator
from voiso_async.talkdesk.session import TalkdeskSession
from voiso_async.wire import Request, Response

MOST_PAGES = 1000  # more if the listing promises more
R = TypeVar("R", bound=HasId)


@frozen
class HalPages:
    """Steps by links, at most ``max(1000, twice what the total promises)``, so that every listing ends."""

    links: LinkPages
    read: int = field(default=1, kw_only=True)

    @property
    def request(self) -> Request:
        """What to ask for."""
        return self.links.request

    @property
    def offset(self) -> None:
        """Unknown: links have no offset."""

    def sample(self) -> "HalPages":
        """The listing's own first page."""
        return self

    def after(self, page: Page[Any]) -> "HalPages | None":
        """Follow the link; one that leads back ends a listing that does not promise more."""
        try:
            following = self.links.after(page)
        except PaginationError as error:
            if error.reason == "loop" and page.total is None:
                return None
            raise
        if following is None:
            return None
        if self.read >= max(MOST_PAGES, 2 * (page.total or 0) // max(1, len(page))):
            raise PaginationError(
                f"after {self.read} pages there is still no end", request=self.request.name, reason="endless"
            )
        return HalPages(following, read=self.read + 1)

    def ahead(self, page: Page[Any], most: int | None) -> Generator["HalPages", None, None]:  # noqa: ARG002 - Step
        """Nothing can be foreseen: only a page knows the link to the next."""
        yield from ()

    def fits(self, page: Page[Any], total: int | None) -> bool:  # noqa: ARG002 - Step
        """Nothing was foreseen."""
        return False

    def is_short(self, page: Page[Any]) -> bool:  # noqa: ARG002 - Step
        """Unknown: a page's size is the server's business."""
        return False


def listing(
    calls: TalkdeskSession, request: Request, cls: type[R], *keys: str, page_size: int, largest: int = 100
) -> Paginator[R]:
    """Make the paginator of a listing whose items stand under one of ``keys``."""
    check_whole_number("page_size", page_size, 1, largest)
    place = (("page", "1"), ("per_page", str(page_size)))
    first = replace(request, params=(*request.params, *place))
    step = HalPages(LinkPages(first, base_url=calls.base_url))
    return Paginator(calls.send, step, hal_page_of(cls, *keys))


def hal_page_of(cls: type[R], *keys: str) -> Callable[[Response, Request], Page[R]]:
    """Make a reader of pages that hold records of ``cls`` in ``_embedded``, under the first of ``keys`` found."""

    def read(response: Response, request: Request) -> Page[R]:
        body = decode_json(response, request)
        found = structure(body, dict[str, Any], request=request.name)
        path = f"$._embedded.{keys[0]}"
        items: list[R] = structure(_embedded(found, keys), list[cls], request=request.name, path=path)  # type: ignore[valid-type]
        link = hal_link(found, request)
        return Page(items=tuple(items), total=_count(found, "total"), next_link=link and _rerooted(link, request))

    return read


def hal_link(body: dict[str, Any], request: Request) -> str | None:
    """Read the address of the next page from ``_links``; a template, or a blank, is none."""
    links = body.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    if not isinstance(link, dict) or link.get("templated") is True:
        return None
    path = "$._links.next.href"
    href: str | None = structure(link.get("href"), str | None, request=request.name, path=path)
    return href.strip() or None if href else None


def _embedded(body: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Find the items; a page that says it has none may leave them out."""
    holder = body.get("_embedded")
    found = [holder[key] for key in keys if holder.get(key) is not None] if isinstance(holder, dict) else []
    if found:
        return found[0]
    return [] if 0 in (_count(body, "count"), _count(body, "total")) else None


def _count(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    return value if type(value) is int and value >= 0 else None


def _rerooted(link: str, request: Request) -> str:
    """Take a link with the listing's own path back to the configured address.

    The vendor's samples show another host. Nothing is ever sent there; any other link stays as it is, and is not
    followed.
    """
    if len(link) > LONGEST_LINK or not LINK.fullmatch(link):
        return link
    try:
        target = urlsplit(urljoin(f"https://listing{request.path}", link))
        _ = target.port
    except ValueError:
        return link
    ours = target.scheme in ("http", "https") and target.path == request.path and "@" not in target.netloc
    return f"?{target.query}" if ours else link
