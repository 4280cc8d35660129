"""Async Python SDK for the Voiso contact-centre API v4, with bulk lead ingestion at its heart.

What is where, from the bottom up; a module imports only what is below it::

    errors events phone wire retry convert        values and pure functions
    transport auth session                        one HTTP exchange; retries, limits and the key around it
    pages paginator models resources              listings, records, and the methods of the API by area
    ingest                                        the engine: leads in batches, paced, each with an outcome
    outbox                                        leads kept in a database until their campaign has taken them
    client                                        VoisoClient puts the parts together
    talkdesk files cli testing                    another vendor; CSV, JSON Lines and Excel; the shell; fixtures
    sandbox                                       a local Voiso over real HTTP, which shares no code with the rest

The way of a lead (``ingest`` draws it in full)::

    source -> prepare -> submission -> accumulator -> gate -> lane -> verdict -> handler -> report

The words, each with one meaning:

    row           a lead inside the engine             outcome       how a row ended; each row has exactly one
    submission    the rows of one call or job          verdict       what one POST of a batch proved
    batch         rows that go in one POST             in doubt      sent, and no usable answer came
    attempt       one POST of a batch                  proof         what a failed request has certainly done
    lane          the sender of one campaign           cooldown      the wait after each POST of a campaign
    gate, slot    the right to send one POST           hold          a wait that the server or a doubt makes longer
    job           rows put into an outbox together     claim         rows that an outbox gives to one slot
    parked        UNKNOWN in an outbox; see requeue    release       to give claimed rows back to the outbox
    lease         how long a claim is safe from others lost worker   a process that died with rows claimed
    dispatcher    tells lanes what an outbox holds     drain         to send until nothing waits

Start reading at ``ingest/lane.py`` for sending, ``session.py`` for requests, ``outbox/protocol.py`` for jobs.

The rules of the code: a failed attempt is never called more certain than it is; a row is counted exactly once; no
text that a log could receive holds a key, a phone number or a name; a pure function decides, and one task acts.
"""

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
from voiso_async.ingest.prepare import FileRow
from voiso_async.ingest.report import IngestReport, LaneStatus
from voiso_async.ingest.rows import Operation
from voiso_async.models import (
    AmdVoicemailMessage,
    CallerIdSet,
    Campaign,
    CampaignStatus,
    CampaignStrategy,
    ChannelProfile,
    DialLevelOverride,
    Lead,
    LeadSource,
    LeadUpdate,
    Ref,
    SkillLevel,
    User,
    VoiceMessage,
    WebrtcRingtone,
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
    "AmdVoicemailMessage",
    "AuthenticationError",
    "BadRequestError",
    "CallerIdSet",
    "Campaign",
    "CampaignStatus",
    "CampaignStrategy",
    "ChannelProfile",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "DialLevelOverride",
    "Event",
    "FileRow",
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
    "Operation",
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
    "Ref",
    "RequestTimeoutError",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "SkillLevel",
    "SourceError",
    "TLSError",
    "Timeout",
    "TransportError",
    "UnexpectedError",
    "UnprocessableEntityError",
    "UsageError",
    "User",
    "VoiceMessage",
    "VoisoClient",
    "VoisoError",
    "WebrtcRingtone",
    "WrongLoopError",
    "__version__",
]
