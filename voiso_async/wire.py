"""Request and Response as frozen values, and the rules that keep a request on its route and its origin."""

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlencode, urlsplit

from attrs import Attribute

from voiso_async._structs import RedactedRepr, Struct
from voiso_async.errors import ConfigurationError

API_PATH = "/api/v4"
CLUSTER = re.compile(r"(?!xn--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # one DNS label
BASE_URL = re.compile(r"(?i:https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9_/-]*)?")
HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_LABEL, LONGEST_HOST = 63, 253
NUMERIC_HOST = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*")
ID_TEXT = re.compile(r"[A-Za-z0-9_-]{1,128}")
SHOWN_ID = re.compile(
    r"[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{24,32}", re.IGNORECASE
)
"""Ids of the usual kinds. What is longer, or plain text, could be a phone number or a name."""
HARMLESS_PARAMS = frozenset(
    {"limit", "offset", "page", "per_page", "status", "strategy", "method", "live", "order_by"}
)
LARGEST_ID = 2**63 - 1
LONGEST = 10**15
"""Of a time in seconds: who wants no limit may write any large number, but a timer has to take it."""
REQUEST_ID_HEADERS = (
    "x-request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-correlation-id",
    "x-trace-id",
    "cf-ray",
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")
HEX_ID = re.compile(r"(?=[0-9-]*[A-Fa-f])[0-9A-Fa-f-]{16,}(-[A-Z]{3})?")
LONG_NUMBER = re.compile(r"\d(?:[\W_]{0,3}\d){6,}")

Params = tuple[tuple[str, str], ...]


class RequestName(str):
    """How errors and events call a request: the verb and route template, and what else a log may know of it.

    ``shown`` has the ids filled in. A ``private`` request carried what an answer could echo into a log: a body, or
    filters such as an e-mail address.
    """

    __slots__ = ("campaign", "private", "shown", "user")

    shown: str
    campaign: int | str | None
    user: int | str | None
    private: bool

    @classmethod
    def of(cls, request: "Request") -> "RequestName":
        """Name a request."""
        name = cls(request)
        shown = {key: _shown_id(key, text) for key, text in request.ids}
        texts = {key: f"{{{key}}}" if known is None else known for key, known in shown.items()}
        name.shown = f"{request.method} {request.route.format_map(texts)}" if texts else str(request)
        name.campaign, name.user = shown.get("campaign_id"), shown.get("user_id")
        name.private = request.private
        return name


def _shown_id(key: str, text: str) -> int | str | None:
    if text.isdigit() and (key == "campaign_id" or SHOWN_ID.fullmatch(text)):
        return int(text)
    return text if SHOWN_ID.fullmatch(text) else None


class Request(RedactedRepr, Struct, frozen=True, kw_only=True):
    """One call of the API: a verb, a route template, and the path with its ids filled in.

    ``name`` is what errors, events and logs show; ``scope`` is what the key needs, for hints.
    ``headers`` stand in place of the usual ones of the same name, where a vendor wants another format. A request
    with a body or filters is ``private`` unless its maker knows better.
    """

    method: str
    route: str
    path: str
    params: Params = ()
    body: bytes | None = None
    scope: str = ""
    headers: Params = ()
    ids: Params = ()
    personal: bool | None = None

    _redacted: ClassVar[AbstractSet[str]] = {"params", "body", "headers", "path", "ids"}

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def name(self) -> RequestName:
        """What errors and events call this request."""
        return RequestName.of(self)

    @property
    def private(self) -> bool:
        """Whether an answer may echo something personal that this request carried."""
        if self.personal is not None:
            return self.personal
        return bool(self.body) or any(name not in HARMLESS_PARAMS for name, _ in self.params)

    @property
    def target(self) -> str:
        """The path and query, encoded."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    @classmethod
    def to(
        cls,
        method: str,
        route: str,
        ids: Mapping[str, int | str] | None = None,
        *,
        params: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        scope: str = "",
        headers: Params = (),
        personal: bool | None = None,
    ) -> "Request":
        """Fill ``ids`` into the route template; a hostile id raises ``ConfigurationError`` before any I/O."""
        texts = {name: id_text(value, name) for name, value in (ids or {}).items()}
        return cls(
            method=method,
            route=route,
            path=route.format_map(texts),
            params=tuple(params),
            body=body,
            scope=scope,
            headers=headers,
            ids=tuple(texts.items()),
            personal=personal,
        )


class Response(RedactedRepr, Struct, frozen=True, kw_only=True):
    """One complete answer; header names are lower case, ``seconds`` is how long the exchange took."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    truncated: bool = False
    seconds: float = 0.0

    _redacted: ClassVar[AbstractSet[str]] = {"headers", "body"}


def positive_id(value: Any, name: str = "campaign_id") -> int:
    """Read an integer id given as 3 or "3"; anything else is a ``ConfigurationError``."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if type(value) is int and 0 < value <= LARGEST_ID:
        return value
    raise ConfigurationError(f"{name} must be a positive integer, such as 3; nothing was sent")


def positive_number(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    """Validate an attrs field that is a number above 0, such as a time in seconds."""
    if not (_is_time(value) and value > 0):
        raise ConfigurationError(f"{attribute.name} must be a number above 0")


def positive_whole(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    """Validate an attrs field that is a whole number above 0."""
    if type(value) is not int or not 1 <= value <= LONGEST:
        raise ConfigurationError(f"{attribute.name} must be a whole number above 0")


def check_seconds(
    name: str, value: Any, *, least: float = 0.0, endless: bool = False, rest: str = "nothing was sent"
) -> None:
    """Refuse what is no time in seconds; ``rest`` says what became of the call."""
    if not ((_is_time(value) and value >= least) or (endless and value == math.inf)):
        raise ConfigurationError(f"{name} must be a number of seconds from {least:g}; {rest}")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST


def id_text(value: Any, name: str) -> str:
    """Read an id for use in a path: a positive integer, or letters, digits, dash and underscore."""
    if type(value) is int:
        return str(positive_id(value, name))
    if isinstance(value, str) and ID_TEXT.fullmatch(value):
        return value
    raise ConfigurationError(
        f"{name} must be a positive integer or a text of letters, digits, '-' and '_'; nothing was sent"
    )


def base_url_of(cluster: str | None, base_url: str | None) -> str:
    """Make the root of every call from a cluster id or a base URL.

    ``/api/v4`` is added to a cluster id and to a bare origin; HTTPS is required except on loopback addresses.
    """
    if base_url is None:
        if not isinstance(cluster, str) or not CLUSTER.fullmatch(cluster):
            raise ConfigurationError(
                "cluster must be the first label of your contact centre's host name, such as cc-ams03: "
                "lower-case letters, digits and '-'"
            )
        return f"https://{cluster}.voiso.com{API_PATH}"
    parts = checked_url(base_url)
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or API_PATH}"


def checked_url(url: str, name: str = "base_url", such_as: str = "https://cc-ams03.voiso.com") -> SplitResult:
    """Split an address that requests may go to: HTTPS, or HTTP on a loopback address, and nothing hidden in it."""
    parts = _split(url)
    if parts is None:
        raise ConfigurationError(f"{name} is not a URL, such as {such_as}")
    host = parts.hostname or ""
    if not BASE_URL.fullmatch(url) or parts.port == 0 or "//" in parts.path:
        raise ConfigurationError(
            f"{name} must be scheme, host and optional port and path, without user, query, fragment or dots "
            f"in the path, such as {such_as}"
        )
    if ":" not in host and not _is_host_name(host):
        raise ConfigurationError(
            f"{name} has a host name that cannot be: between its dots stand 1 to {LONGEST_LABEL} letters, digits "
            f"and inner '-', all of it has at most {LONGEST_HOST} characters, and no dot ends it"
        )
    if NUMERIC_HOST.fullmatch(host) and not _is_address(host):
        raise ConfigurationError(f"{name} names its host by a number that is not a plain IPv4 address")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(f"{name} must begin with https://; http:// is for loopback addresses only")
    return parts


def _split(url: Any) -> SplitResult | None:
    """Split without an error whose text could show a password that stood in the URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        return None
    return parts if isinstance(url, str) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_host_name(host: str) -> bool:
    return len(host) <= LONGEST_HOST and all(HOST_LABEL.fullmatch(label) for label in host.split("."))


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """What the server calls a request, for its support; nothing that could be a phone number."""
    found = next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), "")
    sound = REQUEST_ID.fullmatch(found) and (HEX_ID.fullmatch(found) or not LONG_NUMBER.search(found))
    return found if sound else None


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, with the port always written."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
