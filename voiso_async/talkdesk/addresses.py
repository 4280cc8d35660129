"""Where a Talkdesk account is."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from voiso_async.errors import ConfigurationError
from voiso_async.wire import CLUSTER, checked_url

REGIONS: Mapping[str, tuple[str, str]] = {
    "us": ("https://api.talkdeskapp.com", "talkdeskid.com"),
    "eu": ("https://api.talkdeskapp.eu", "talkdeskid.eu"),
    "ca": ("https://api.talkdeskappca.com", "talkdeskidca.com"),
}
"""Of each published region the API, and the domain that the account's own name stands before."""
API_URL, TOKEN_URL = "Talkdesk's base URL", "Talkdesk's token URL"
DEFAULT_REGION = "us"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path


@frozen
class Addresses:
    """The root of every call, and where tokens are had."""

    base_url: str
    token_url: str


def addresses_of(
    account: str | None, region: str | None, base_url: str | None, token_url: str | None
) -> Addresses:
    """Find both addresses; ``base_url`` and ``token_url`` stand in place of those of the region.

    ``ConfigurationError`` for what cannot work, and for an account or a region that no address would use.
    """
    api, domain = _region(region)
    if token_url is None and account is None:
        raise ConfigurationError("there is no account: set TALKDESK_ACCOUNT, or give account")
    if token_url is None:
        if not isinstance(account, str) or not CLUSTER.fullmatch(account):
            raise ConfigurationError(
                "the account must be the name before .talkdeskid.com: lower-case letters, digits and '-'"
            )
        token_url = f"https://{account}.{domain}{TOKEN_PATH}"
    return Addresses(
        _address(API_URL, api if base_url is None else base_url, api),
        _address(TOKEN_URL, token_url, f"https://account.{domain}{TOKEN_PATH}"),
    )


def _region(region: Any) -> tuple[str, str]:
    name = DEFAULT_REGION if region is None else region
    if not isinstance(name, str) or name.lower() not in REGIONS:
        raise ConfigurationError(f"the region must be one of {', '.join(REGIONS)}")
    return REGIONS[name.lower()]


def _address(name: str, url: str, such_as: str) -> str:
    parts = checked_url(url, name, such_as)
    path = parts.path.rstrip("/")
    if name == TOKEN_URL and not path:
        raise ConfigurationError(f"{name} must be the whole address, such as {such_as}")
    return f"{parts.scheme}://{parts.netloc}{path}"
