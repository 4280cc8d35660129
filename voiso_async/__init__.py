"""Async Python SDK for the Voiso contact-centre API v4, with bulk lead ingestion at its heart."""

from voiso_async.client import VoisoClient
from voiso_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    ForkedError,
    IngestError,
    InputFileError,
    NotAcceptableError,
    NotFoundError,
    OutboxError,
    PaginationError,
    PermissionDeniedError,
    Proof,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SourceError,
    TLSError,
    TransportError,
    UnexpectedError,
    UnprocessableEntityError,
    UsageError,
    VoisoError,
    WrongLoopError,
)
from voiso_async.events import Event
from voiso_async.ingest.ingestion import Ingestion
from voiso_async.ingest.outcome import LeadOutcome, Outcome
from voiso_async.ingest.policy import LanePolicy
from voiso_async.ingest.report import IngestReport, LaneStatus
from voiso_async.models import (
    Campaign,
    CampaignStatus,
    CampaignStrategy,
    Lead,
    LeadSource,
    LeadUpdate,
    User,
)
from voiso_async.pages import Page
from voiso_async.paginator import Listing, Paginator
from voiso_async.resources import AddedUsers
from voiso_async.resources.raw import RawResponse
from voiso_async.retry import RetryPolicy
from voiso_async.transport import Timeout
from voiso_async.version import VERSION

__version__: str = VERSION

__all__ = [
    "APIError",
    "AddedUsers",
    "AuthenticationError",
    "BadRequestError",
    "Campaign",
    "CampaignStatus",
    "CampaignStrategy",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "Event",
    "ForkedError",
    "IngestError",
    "IngestReport",
    "Ingestion",
    "InputFileError",
    "LanePolicy",
    "LaneStatus",
    "Lead",
    "LeadOutcome",
    "LeadSource",
    "LeadUpdate",
    "Listing",
    "NotAcceptableError",
    "NotFoundError",
    "OutboxError",
    "Outcome",
    "Page",
    "PaginationError",
    "Paginator",
    "PermissionDeniedError",
    "Proof",
    "RateLimitError",
    "RawResponse",
    "RedirectError",
    "RequestTimeoutError",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "SourceError",
    "TLSError",
    "Timeout",
    "TransportError",
    "UnexpectedError",
    "UnprocessableEntityError",
    "UsageError",
    "User",
    "VoisoClient",
    "VoisoError",
    "WrongLoopError",
    "__version__",
]
