"""Pages, and the pure steps from one page to the next."""

import re
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar
from urllib.parse import parse_qsl, urljoin, urlsplit

from voiso_async._structs import RedactedRepr, Struct, replace
from voiso_async.convert import page_decoder, structure, structure_field
from voiso_async.decipher import decode_json
from voiso_async.errors import ConfigurationError, PaginationError
from voiso_async.wire import Params, Request, Response, origin_of

LARGEST_PAGE = 100
LONGEST_LINK = 2083
LINK = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without the backslash, which some readers of URLs take for a slash."""


class HasId(Protocol):
    """A record that can be told from others; ids are compared as text."""

    @property
    def id(self) -> Any:
        """The id, whatever its type."""
        ...


T = TypeVar("T")
R = TypeVar("R", bound=HasId)


class Page(RedactedRepr, Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a listing: a sequence of its items.

    ``total`` counts all matches, if the server said so; ``offset`` is where the page began; ``drifted`` tells that
    the listing had changed by the time this page came.
    """

    items: tuple[T, ...]
    total: int | None = None
    offset: int | None = None
    drifted: bool = False
    next_link: str | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"next_link"}

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]


class Step(Protocol):
    """A place in a listing: what to ask for there, and where to go once its page is known."""

    @property
    def request(self) -> Request:
        """What to ask for."""
        ...

    @property
    def offset(self) -> int | None:
        """How many items come before, where that is known."""
        ...

    def sample(self) -> Self:
        """Give the cheapest step whose page has the first item."""
        ...

    def after(self, page: Page[Any]) -> Self | None:
        """Give the next step, or ``None`` at the end; the page is as the server gave it, repeats included."""
        ...

    def ahead(self, page: Page[Any], most: int | None) -> Generator[Self, None, None]:
        """Foresee the steps to the end, or to ``most`` items, as far as this first page allows."""
        ...

    def fits(self, page: Page[Any], total: int | None) -> bool:
        """Whether a foreseen page came out as foreseen."""
        ...

    def is_short(self, page: Page[Any]) -> bool:
        """Whether the server gave fewer items than it was asked for."""
        ...


def check_whole_number(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is not an integer of that range, before anything is sent."""
    if type(value) is int and least <= value and (most is None or value <= most):
        return
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"
    raise ConfigurationError(f"{name} must be a whole number {bounds}; nothing was sent")


class OffsetPages(Struct, frozen=True):
    """Steps by ``limit`` and ``offset``.

    The stride is the first page's length, since a server may give less than it was asked for. A full page never
    ends the listing; a short one does unless the total says that there is more. Without a total a short first page
    may be the largest that the server gives, so it counts as full.
    """

    listing: Request
    page_size: int = LARGEST_PAGE
    offset: int = 0
    stride: int | None = None

    def __post_init__(self) -> None:
        check_whole_number("page_size", self.page_size, 1, LARGEST_PAGE)
        check_whole_number("offset", self.offset, 0)

    @property
    def request(self) -> Request:
        """The listing's request with ``limit`` and ``offset``."""
        place = (("limit", str(self.page_size)), ("offset", str(self.offset)))
        return replace(self.listing, params=(*self.listing.params, *place))

    def sample(self) -> "OffsetPages":
        """Ask for one item."""
        return replace(self, page_size=1)

    def after(self, page: Page[Any]) -> "OffsetPages | None":
        """Go on by the number of items received."""
        end = self.offset + len(page)
        first = 0 if page.total is None else self.page_size
        full = len(page) >= (self.stride or first)
        promised = page.total is not None and page.total > end
        if not page or not (full or promised):
            return None
        return replace(self, offset=end, stride=self.stride or len(page))

    def ahead(self, page: Page[Any], most: int | None) -> Generator["OffsetPages", None, None]:
        """Foresee a step per stride up to the total, and the empty page after a last one that is full."""
        stride = len(page)
        end = page.total + 1 if stride and page.total is not None else 0
        if most is not None:
            end = min(end, self.offset + most)
        offsets = range(self.offset + stride, end, stride or 1)
        return (replace(self, offset=offset, stride=stride) for offset in offsets)

    def fits(self, page: Page[Any], total: int | None) -> bool:
        """Whether the page is full, or the last one, and shows the same total."""
        return page.total == total and (len(page) == self.stride or self.offset + len(page) == total)

    def is_short(self, page: Page[Any]) -> bool:
        """Whether the page is smaller than the page size."""
        return len(page) < self.page_size


class LinkPages(RedactedRepr, Struct, frozen=True):
    """Steps by the ``next`` link of each page.

    A link must keep the origin and the path of the listing, since the credentials go where it leads; one that does
    not, and one that leads back, is a ``PaginationError`` and nothing is requested.
    """

    request: Request
    base_url: str
    visited: frozenset[Params] = frozenset()
    received: int = 0

    _redacted: ClassVar[AbstractSet[str]] = {"visited"}

    @property
    def offset(self) -> None:
        """Unknown: links have no offset."""

    def sample(self) -> "LinkPages":
        """The listing's own first page."""
        return self

    def after(self, page: Page[Any]) -> "LinkPages | None":
        """Follow the link; the end is where there is none, or where nothing more is promised."""
        received = self.received + len(page)
        if page.next_link is None or (not page and received >= (page.total or 0)):
            return None
        following = self._resolve(page.next_link)
        visited = self.visited | {_canonical(self.request)}
        if _canonical(following) not in visited:
            return replace(self, request=following, visited=visited, received=received)
        if page.total is not None and received >= page.total:
            return None
        raise self._error("the next link leads back to a page that was read", "loop")

    def ahead(self, page: Page[Any], most: int | None) -> Generator["LinkPages", None, None]:  # noqa: ARG002 - Step
        """Nothing can be foreseen: only a page knows the link to the next."""
        yield from ()

    def fits(self, page: Page[Any], total: int | None) -> bool:  # noqa: ARG002 - Step
        """Nothing was foreseen."""
        return False

    def is_short(self, page: Page[Any]) -> bool:  # noqa: ARG002 - Step
        """Unknown: no size was asked for."""
        return False

    def _resolve(self, link: str) -> Request:
        here = self.base_url + self.request.target
        try:
            target = urlsplit(urljoin(here, link))
            ours = origin_of(target.geturl()) == origin_of(here) and target.path == urlsplit(here).path
            params = tuple(parse_qsl(target.query, keep_blank_values=True, errors="strict"))
        except ValueError:
            ours, target, params = False, urlsplit(""), ()
        if len(link) > LONGEST_LINK or not LINK.fullmatch(link) or "@" in target.netloc or not ours:
            raise self._error("the next link leads away from this listing; it was not followed", "foreign_link")
        return replace(self.request, params=params)

    def _error(self, message: str, reason: str) -> PaginationError:
        return PaginationError(message, request=self.request.name, reason=reason)


def _canonical(request: Request) -> Params:
    return tuple(sorted(request.params))


class _Metadata(Struct):
    total: int | None = None


def page_of(cls: type[R], key: str) -> Callable[[Response, Request], Page[R]]:
    """Make a reader of pages that hold records of ``cls`` under ``key``, and ``metadata.total``."""
    fast = page_decoder(cls, key)

    def read(response: Response, request: Request) -> Page[R]:
        found = fast(response.body) if 200 <= response.status < 300 else None
        if found is None:
            rest = decode_json(response, request)
            kind: type[tuple[R, ...]] = tuple[cls, ...]  # type: ignore[valid-type]
            items = structure_field(rest, key, kind, request=request.name)
        else:
            items, rest = found
        return Page(items=items, total=_total(rest.get("metadata"), request.name))

    return read


def _total(metadata: Any, request: str) -> int | None:
    total = metadata.get("total") if isinstance(metadata, dict) else None
    if type(total) is not int:  # absent, or wrong in a way that is to be named
        read = structure(metadata, _Metadata | None, request=request, path="$.metadata")
        total = None if read is None else read.total
    return None if total is None or total < 0 else total
