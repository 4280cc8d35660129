"""Every failure a caller can meet, in one tree.

::

    VoisoError
      ConfigurationError         wrong arguments or environment; nothing was sent (also ValueError)
      UsageError                 the client was used in a way that cannot work; nothing was sent
        ClientClosedError        after close
        WrongLoopError           from another event loop than the one it belongs to
        ForkedError              in a child process made by fork
      TransportError             no usable answer; ``proof`` is not_sent or in_doubt
        ConnectError             no connection was obtained
        RequestTimeoutError      the time for one attempt ran out
        ConnectionLostError      the connection ended before a complete answer
        TLSError                 certificate or handshake; never tried again by itself
      UnexpectedError            neither network nor server: a hook, a proxy setting, a bug; see ``__cause__``
      APIError                   a complete answer that says no
        BadRequestError 400      AuthenticationError 401    PermissionDeniedError 403
        NotFoundError 404        NotAcceptableError 406     ConflictError 409
        UnprocessableEntityError 422    RateLimitError 429  ServerError 5xx    RedirectError 3xx
      ResponseError              an answer that cannot be read: path and expected type, never the value
      PaginationError            a listing that repeats, drifts in strict mode, or links elsewhere
      DeadlineExceededError      the caller's own deadline
      IngestError                rows that are not in the campaign
      SourceError                the caller's own source of leads raised; see ``__cause__``
      InputFileError             a file that cannot be read, with row and column
      OutboxError                an outbox that is damaged, foreign, full, in use or newer

``proof`` says what a failed request has certainly done: ``not_sent`` (the body was never begun), ``refused`` (a
complete answer that says no), ``in_doubt`` (everything else). With the ``report`` of a call it is about the call's
leads: ``in_doubt`` if one is UNKNOWN or UNREPORTED, or waits in an outbox after a lost answer; else all that the
report does not show in the campaign is provably not applied (``refused`` or ``not_sent``).
"""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from voiso_async.ingest.report import IngestReport
    from voiso_async.models import Campaign
    from voiso_async.resources.campaign_users import AddedUsers

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "ForkedError",
    "IngestError",
    "InputFileError",
    "NotAcceptableError",
    "NotFoundError",
    "OutboxError",
    "PaginationError",
    "PermissionDeniedError",
    "Proof",
    "RateLimitError",
    "RedirectError",
    "RequestTimeoutError",
    "ResponseError",
    "ServerError",
    "SourceError",
    "TLSError",
    "TransportError",
    "UnexpectedError",
    "UnprocessableEntityError",
    "UsageError",
    "VoisoError",
    "WrongLoopError",
]

Proof = Literal["not_sent", "refused", "in_doubt"]
Fields = Mapping[str, tuple[str, ...]]


class VoisoError(Exception):
    """The root of every error of this package.

    ``report`` is there when the error comes from a call that sends leads, ``added_users`` when it comes from
    ``campaigns.add_users()``; else they are ``None``.
    """

    proof: Proof | None = None
    report: "IngestReport | None" = None
    added_users: "AddedUsers | None" = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args, self.__dict__)

    def with_report(self, report: "IngestReport | None") -> Self:
        """Give a copy of this error that carries ``report``: each waiting call gets its own."""
        twin = self._twin()
        twin.report = report
        return twin

    def advised(self, advice: str) -> Self:
        """Give a copy of this error that also says what its reader can do."""
        twin = self._twin()
        twin.message = f"{self.message}; {advice}"
        return twin

    def _twin(self) -> Self:
        twin = copy(self)
        twin.__cause__ = self.__cause__
        return twin


def _revive(cls: type[VoisoError], args: tuple[Any, ...], state: dict[str, Any]) -> VoisoError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(VoisoError, ValueError):
    """An argument or an environment variable cannot work; nothing was sent."""

    proof: Proof | None = "not_sent"


class UsageError(VoisoError):
    """The client was used in a way that cannot work; nothing was sent."""

    proof: Proof | None = "not_sent"


class ClientClosedError(UsageError):
    """The client is closed; make a new one."""


class WrongLoopError(UsageError):
    """The client, or its session, belongs to another event loop."""


class ForkedError(UsageError):
    """The client was made before this process was forked; make one in the child."""


class _RequestError(VoisoError):
    """An error about one request: ``request`` is its verb and route template, without any value.

    ``campaign`` and ``user`` are the ids that it was about, if any and if they may stand in a log; ``request_id``
    is what the server called it.
    """

    def __init__(self, message: str, *, request: str = "", request_id: str | None = None) -> None:
        super().__init__(message)
        self.request: str = str(request)
        self.campaign: int | str | None = getattr(request, "campaign", None)
        self.user: int | str | None = getattr(request, "user", None)
        self.request_id = request_id
        self._shown: str = getattr(request, "shown", self.request)
        self._private: bool = getattr(request, "private", False)

    def __str__(self) -> str:
        return f"{self._shown}: {self.message}" if self.request else self.message


class TransportError(_RequestError):
    """No usable answer came; ``proof`` tells whether the server can have acted.

    ``reason`` is a short code such as ``refused``, ``dns``, ``timeout``, ``connection_lost``, ``truncated``.
    """

    def __init__(self, message: str, *, request: str = "", proof: Proof = "in_doubt", reason: str = "") -> None:
        super().__init__(message, request=request)
        self.proof: Proof | None = proof
        self.reason = reason


class ConnectError(TransportError):
    """No connection was obtained: name, address, refusal, proxy, or no free socket."""


class RequestTimeoutError(TransportError):
    """The time for one attempt ran out."""


class ConnectionLostError(TransportError):
    """The connection ended before a complete answer had come."""


class TLSError(TransportError):
    """The certificate or the handshake failed; trying again would not help."""


class UnexpectedError(_RequestError):
    """Something failed that is neither the network nor the server; ``__cause__`` is the original.

    A hook of the given session raised, its proxy or netrc collides with the request, or it is a bug.
    """

    def __init__(self, message: str, *, request: str = "", proof: Proof = "in_doubt") -> None:
        super().__init__(message, request=request)
        self.proof: Proof | None = proof


class APIError(_RequestError):
    """A complete answer that says no.

    ``message`` is the server's text, cleaned and cut; ``fields`` its field errors; ``body`` the parsed body,
    or the raw text if it was not JSON; ``retry_after`` the seconds the server asked for. ``code`` is the vendor's
    own where there is one (Talkdesk's have leading zeros, so it is text). ``meaning`` is what this package says of
    it: where the request carried leads, which the server's text may echo, ``str(error)`` has only that.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        request: str = "",
        fields: Fields | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        retry_after: float | None = None,
        proof: Proof = "refused",
        code: str = "",
        meaning: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request=request, request_id=request_id)
        self.status = status
        self.meaning: str = meaning or "the request was refused"
        self.fields: Fields = fields or {}
        self.headers: Mapping[str, str] = headers or {}
        self.body = body
        self.retry_after = retry_after
        self.proof: Proof | None = proof
        self.code = code

    def __str__(self) -> str:
        said = self.meaning if self._private else self.message
        return f"{self._shown or 'request'} -> {self.status}: {said}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def advised(self, advice: str) -> Self:
        """Give a copy of this error that also says what its reader can do."""
        twin = super().advised(advice)
        twin.meaning = f"{self.meaning}; {advice}"
        return twin


class BadRequestError(APIError):
    """400: malformed or invalid input."""


class AuthenticationError(APIError):
    """401: the key is missing or invalid."""


class PermissionDeniedError(APIError):
    """403: the key is valid and lacks the scope."""


class NotFoundError(APIError):
    """404: it does not exist, the key cannot see it, or the path is wrong."""


class NotAcceptableError(APIError):
    """406: the requested format is not supported."""


class ConflictError(APIError):
    """409: it contradicts the present state of the resource."""


class UnprocessableEntityError(APIError):
    """422: a field was refused; see ``fields``."""


class RateLimitError(APIError):
    """429: too many requests; ``retry_after`` is what the server asked for, in seconds."""


class ServerError(APIError):
    """5xx: the server failed; whether it acted is open unless ``proof`` says otherwise."""


class RedirectError(APIError):
    """3xx: redirects are never followed; nothing was sent to the target."""


class ResponseError(_RequestError):
    """An answer that cannot be read; ``path`` and ``expected`` say where and what, never the value."""

    def __init__(
        self,
        message: str,
        *,
        request: str = "",
        path: str = "$",
        expected: str = "",
        reason: str = "",
        proof: Proof = "in_doubt",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request=request, request_id=request_id)
        self.path = path
        self.expected = expected
        self.reason = reason
        self.proof: Proof | None = proof


class PaginationError(_RequestError):
    """A listing that cannot be trusted; ``offset`` is where to begin again, if there is such a place."""

    def __init__(self, message: str, *, request: str = "", offset: int | None = None, reason: str = "") -> None:
        super().__init__(message, request=request)
        self.offset = offset
        self.reason = reason


class DeadlineExceededError(VoisoError):
    """The caller's own deadline passed.

    ``report`` says what is certain of leads; ``campaign`` is the one that ``campaigns.wait_for()`` saw last.
    """

    campaign: "Campaign | None" = None


class IngestError(VoisoError):
    """Rows are not in the campaign, or in question; ``report`` has each of them."""


class SourceError(VoisoError):
    """The caller's source of leads raised; the original is ``__cause__`` and ``report`` is complete."""


class InputFileError(VoisoError, ValueError):
    """A file cannot be read; ``row`` counts from 1 with the header as row 1, ``column`` is its name."""

    def __init__(
        self, message: str, *, row: int | None = None, column: str | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.row = row
        self.column = column
        self.reason = reason


class OutboxError(VoisoError):
    """An outbox cannot be used: damaged, foreign, full, in use or newer; ``reason`` says which.

    ``outcomes`` are those of an answer that could not be written down; the outbox holds its rows as doubted.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.outcomes: tuple[Any, ...] = ()
