"""What a key may do (contract 2)."""

from collections.abc import Mapping, Sequence

from voiso_async.sandbox.answers import refuse

__all__ = ["ALL_SCOPES", "CAMPAIGNS_MANAGE", "CAMPAIGNS_READ", "USERS_READ", "key_of", "scopes_of"]

CAMPAIGNS_READ = "campaigns.read"
CAMPAIGNS_MANAGE = "campaigns.manage"
USERS_READ = "users.read"
ALL_SCOPES = frozenset({CAMPAIGNS_READ, CAMPAIGNS_MANAGE, USERS_READ})

SCHEME = "Bearer "


def key_of(authorizations: Sequence[str]) -> str | None:
    """Read the key of a request that has exactly one ``Authorization`` header of the right scheme."""
    if len(authorizations) != 1 or not authorizations[0].startswith(SCHEME):
        return None
    return authorizations[0].removeprefix(SCHEME)


def scopes_of(key: str | None, keys: Mapping[str, set[str]]) -> set[str]:
    """Give the scopes of a known key; any other is refused with 401 (rule 1)."""
    if key is None or key not in keys:
        raise refuse(401)
    return keys[key]
