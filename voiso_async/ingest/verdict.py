"""What one attempt proved: a total function of the answer, or of the error in its place.

The first line that fits decides; "envelope" is the vendor's own JSON error body (contract 3).

====================================================================== ==========
proof                                                                  verdict
====================================================================== ==========
body never begun (Fatal: a TLS failure, or an error on this side)       NotSent
no complete answer; 408; 5xx                                           InDoubt
2xx with an error message, unless its lists name a number              InDoubt
2xx with a list for an add; 2xx, empty or an object, for an update     Settled
any other 2xx                                                          InDoubt
429; 409 or 423 with envelope                                          Busy
413                                                                    TooLarge
400 or 422 with envelope                                               Refused
3xx and the statuses of ``FATAL``; any other answer with envelope      Fatal
anything else                                                          InDoubt
====================================================================== ==========
"""

from typing import Any

from voiso_async.convert import decode
from voiso_async.decipher import explain_voiso
from voiso_async.errors import (
    ConfigurationError,
    ResponseError,
    TLSError,
    UnexpectedError,
    UsageError,
    VoisoError,
)
from voiso_async.ingest.answer import Answer, read_answer
from voiso_async.ingest.row import Operation
from voiso_async.ingest.suspects import Refusal
from voiso_async.retry import retry_after
from voiso_async.values import Struct
from voiso_async.wire import Response

__all__ = ["Busy", "Fatal", "InDoubt", "NotSent", "Refused", "Settled", "TooLarge", "Verdict", "verdict"]

FATAL = frozenset({401, 403, 404, 405, 406, 410, 411, 414, 415, 431, 451})
BUSY = frozenset({409, 423})  # contract 12.4
REFUSED = frozenset({400, 422})


class NotSent(Struct, frozen=True):
    """Nothing left this machine: the same batch again after a while; the gate is untouched."""


class InDoubt(Struct, frozen=True):
    """The server may have acted: its rows are doubted, and the same bytes go again after it has settled."""

    retry_after: float | None = None


class Settled(Struct, frozen=True):
    """A usable answer: reconcile it."""

    answer: Answer


class Busy(Struct, frozen=True):
    """Not accepted because the server is still at work; costs no attempt."""

    retry_after: float | None = None


class TooLarge(Struct, frozen=True):
    """Not accepted because of its size in bytes."""


class Refused(Struct, frozen=True):
    """Not accepted as a whole: look for the rows that caused it."""

    refusal: Refusal


class Fatal(Struct, frozen=True):
    """Not accepted, and no repeat would help; ``everything`` stops the other operation too."""

    everything: bool = False


Verdict = NotSent | InDoubt | Settled | Busy | TooLarge | Refused | Fatal


def verdict(operation: Operation, answer: Response | VoisoError) -> Verdict:
    """Judge one attempt by its answer, or by the error that came in its place."""
    if isinstance(answer, Response):
        return _of_response(operation, answer)
    if answer.proof == "not_sent":
        hopeless = isinstance(answer, TLSError | ConfigurationError | UsageError | UnexpectedError)
        return Fatal(everything=True) if hopeless else NotSent()
    return InDoubt()


def _of_response(operation: Operation, response: Response) -> Verdict:
    status = response.status
    if status == 408 or 500 <= status < 600:
        return InDoubt(retry_after(response.headers))
    if 200 <= status < 300:
        answer = _answer(operation, response)
        return Settled(answer) if answer else InDoubt()
    return _of_refusal(status, response)


def _of_refusal(status: int, response: Response) -> Verdict:
    complaint = explain_voiso(response.body)
    if status == 429 or (status in BUSY and complaint):
        return Busy(retry_after(response.headers))
    if status == 413:
        return TooLarge()
    if status in REFUSED and complaint:
        return Refused(Refusal(status, complaint.message, complaint.fields))
    if complaint or status in FATAL or 300 <= status < 400:
        return Fatal(everything=status == 401)
    return InDoubt()


def _answer(operation: Operation, response: Response) -> Answer | None:
    if response.truncated:
        return None
    if operation is Operation.UPDATE and not response.body.strip():
        return Answer(words={}, silent=True)
    return read_answer(operation, _decoded(response.body))


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except ResponseError:
        return None
