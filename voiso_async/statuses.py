"""What the status of an answer means: its error class, its proof, and what to tell its reader."""

from voiso_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotAcceptableError,
    NotFoundError,
    PermissionDeniedError,
    Proof,
    RateLimitError,
    RedirectError,
    ServerError,
    UnprocessableEntityError,
)

CLEAR_REFUSALS = frozenset({401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 429, 431, 451, *range(300, 400)})
"""Statuses that prove inaction even without the vendor's envelope: nobody processes and then answers so."""
OPEN_STATUSES = frozenset({408, *range(500, 600)})
"""Statuses after which the request may have been carried out."""
ADVICE = {
    401: "the key is missing, wrong or deleted; check VOISO_API_KEY or the api_key argument",
    403: "the key needs the scope {scope}",
    404: "it does not exist, this key cannot see it, or the base URL is wrong",
    405: "the server does not take this verb here",
    408: "the server gave up waiting; whether it acted is not known",
    413: "the request was too large",
    429: "slow down and try again later",
}
MEANINGS = {
    400: "the input is malformed or invalid",
    406: "the format asked for is not supported",
    409: "it contradicts the present state",
    422: "the input was refused",
}
KNOWN_FIELDS = frozenset(
    {
        *("phone_number", "name", "source", "system", "url", "priority", "active", "context_headers"),
        *("user_ids", "limit", "offset"),
        *("phone_numbers", "phone_type", "first_name", "last_name", "timezone", "external_provider"),
        *("external_id", "external_url", "extra_data", "records", "unique_identifier_type"),
    }
)
"""Names of fields in the contracts: of what the server says, only these may stand in a log."""

_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    406: NotAcceptableError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_class(status: int) -> type[APIError]:
    """Name the class for a status; any 4xx without a class of its own is ``APIError`` itself."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return RedirectError
    return ServerError if status >= 500 else APIError


def proof_of(status: int, *, enveloped: bool) -> Proof:
    """What is certain after such an answer; ``enveloped`` if it has the vendor's own error body."""
    if status in CLEAR_REFUSALS or (enveloped and 400 <= status < 500 and status not in OPEN_STATUSES):
        return "refused"
    return "in_doubt"
