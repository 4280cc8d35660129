"""Requests for the tests of the transport, and helpers for both ways in which they end: response or error."""

import pytest
from raw_server import RawServer

from voiso_async.errors import ResponseError, TransportError, VoisoError
from voiso_async.transport import Timeout, Transport
from voiso_async.wire import Request, Response

GET = Request(method="GET", route="/campaigns", path="/campaigns")
DELETE = Request(method="DELETE", route="/campaigns/{id}", path="/campaigns/3")
PAUSE = Request(method="POST", route="/campaigns/{id}/pause", path="/campaigns/3/pause")
LEADS = Request(
    method="POST", route="/campaigns/{id}/leads", path="/campaigns/3/leads", body=b'[{"phone_number":""}]'
)
EVERY = pytest.mark.parametrize("request_", [GET, DELETE, PAUSE, LEADS], ids=str)

QUICK = Timeout(total=0.4, connect=0.3, read=0.3)
PATIENT = Timeout(total=20.0, connect=10.0, read=10.0)


async def exchange(
    transport: Transport, server: RawServer, request: Request = GET, limits: Timeout = PATIENT
) -> Response:
    return await transport.send(request, server.url + request.path, {"Authorization": "Bearer key"}, limits)


async def failure(
    transport: Transport, url: str, request: Request = GET, limits: Timeout = PATIENT
) -> TransportError | ResponseError:
    with pytest.raises(VoisoError) as caught:
        await transport.send(request, url + request.path, {"Authorization": "Bearer key"}, limits)
    error = caught.value
    assert isinstance(error, TransportError | ResponseError)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(error).startswith(f"{request}: ")
    return error
