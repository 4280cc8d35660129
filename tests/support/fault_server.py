"""A campaign behind bare sockets that follows a script of verbs, one line for each request.

``apply <all | none | n> then <ending>`` takes so many leads into the campaign, then ends the exchange. With
``wait <s>`` in front of it the campaign is busy for so long first. Verbs that stand alone: ``reset_on_accept``
``close_on_accept`` ``close_after_headers`` ``no_read`` ``early_413`` ``early_413_reset`` ``busy``
``redirect <code> <target>``

Endings: ``answer`` ``answer_sliced`` ``answer_twice`` ``answer_as_text`` ``answer_in_utf16``
``answer_without <n>`` ``answer_then_close`` ``close`` ``reset`` ``stall`` ``late <s>``
``status <code> [retry-after]`` ``envelope <code>`` ``silent`` ``empty`` ``html`` ``garbage``
``cut <n> <length | chunked | none>`` ``drip <head | body>`` ``gzip_bomb`` ``endless`` ``endless_status <code>``
``continues`` ``not_gzip`` ``many_headers`` ``long_header``
"""

import asyncio
import gzip
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import Factory, define
from raw_server import RawServer, Seen, Wire, http

from voiso_async.sandbox import Rules

BEYOND_THE_CAP = 9 * 1024 * 1024
BOMB = gzip.compress(bytes(BEYOND_THE_CAP))
SLOW = 0.02
AT_ACCEPT = {"reset_on_accept", "close_on_accept"}
ORDINARY = "apply all then answer"
LEADS = re.compile(r"/campaigns/([0-9]+)/leads")


@define(eq=False, kw_only=True)
class Asked:
    """One request as the server saw it, with the fields of the sandbox's history."""

    connection: int
    method: str = ""
    path: str = ""
    body: bytes = b""
    began: float = 0.0
    ended: float | None = None
    applied: tuple[str, ...] = ()
    authorization_count: int = 1
    key_elsewhere: bool = False


@define(eq=False)
class Campaign:
    """The numbers in a campaign, and whether the server is working on a call."""

    leads: dict[str, Any] = Factory(dict)
    busy: bool = False

    def take(self, wanted: list[dict[str, Any]], most: int | None) -> dict[str, list[str]]:
        """Apply the first leads; the answer lists them as the vendor documents."""
        lists: dict[str, list[str]] = {"created": [], "duplicates": [], "rejected": []}
        for lead in wanted[:most]:
            phone = lead["phone_number"]
            lists["duplicates" if phone in self.leads else "created"].append(phone)
            self.leads.setdefault(phone, lead)
        return lists


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


async def _sliced(wire: Wire, data: bytes) -> None:
    for at in range(0, len(data), 7):
        await wire.send(data[at : at + 7])
        await asyncio.sleep(0)


async def _dripped(wire: Wire, data: bytes) -> None:
    for at in range(len(data)):
        await wire.send(data[at : at + 1])
        await asyncio.sleep(SLOW)


async def _without_end(wire: Wire, head: bytes, piece: bytes, pause: float = 0) -> None:
    await wire.send(head)
    while not wire.writer.is_closing():
        await wire.send(piece)
        await asyncio.sleep(pause)


async def _cut(wire: Wire, body: bytes, kept: int, framing: str) -> None:
    part = body[:kept]
    if framing == "chunked":
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await wire.send(head + b"%x\r\n%s\r\n" % (len(part) + 9, part))
    else:
        await wire.send(http(200, part, length=-1 if framing == "none" else len(body)))
    wire.close()


async def _late(wire: Wire, body: bytes, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await wire.send(http(200, body))


async def _status(wire: Wire, code: int, body: bytes, wait: str | None = None) -> None:
    await wire.send(http(code, body, {"Retry-After": wait} if wait else {}))


async def _then(wire: Wire, act: Awaitable[None], last: Callable[[], None]) -> None:
    await act
    last()


async def _at_once(act: Callable[[], None]) -> None:
    act()


async def _forever() -> None:
    await asyncio.Event().wait()


async def _drip(wire: Wire, body: bytes, part: str) -> None:
    head = http(200, b"", length=len(body))
    if part == "body":
        await wire.send(head)
    await _dripped(wire, body if part == "body" else head + body)


def _without(body: bytes, count: int) -> bytes:
    lists = json.loads(body)["leads_import"]
    hidden = set([number for numbers in lists.values() for number in numbers][:count])
    return as_json({"leads_import": {name: [n for n in ns if n not in hidden] for name, ns in lists.items()}})


SPACES = {"Content-Type": "application/json"}
ENDINGS: dict[str, Callable[..., Awaitable[None]]] = {
    "answer": lambda w, b: w.send(http(200, b, SPACES)),
    "answer_sliced": lambda w, b: _sliced(w, http(200, b, SPACES)),
    "answer_twice": lambda w, b: w.send(http(200, b, SPACES) * 2),
    "answer_as_text": lambda w, b: w.send(http(200, b, {"Content-Type": "text/plain"})),
    "answer_in_utf16": lambda w, b: w.send(http(200, b.decode().encode("utf-16"), SPACES)),
    "answer_without": lambda w, b, count: w.send(http(200, _without(b, int(count)), SPACES)),
    "answer_then_close": lambda w, b: _then(w, w.send(http(200, b, SPACES)), w.close),
    "close": lambda w, _: _at_once(w.close),
    "reset": lambda w, _: _at_once(w.reset),
    "stall": lambda _, __: _forever(),
    "late": lambda w, b, seconds: _late(w, b, float(seconds)),
    "status": lambda w, _, code, wait=None: _status(w, int(code), b"<html>no</html>", wait),
    "envelope": lambda w, _, code, wait=None: _status(w, int(code), b'{"errors": {"base": ["no"]}}', wait),
    "silent": lambda w, _: w.send(http(200, b"{}")),
    "empty": lambda w, _: w.send(http(200, b"")),
    "html": lambda w, _: w.send(http(200, b"<html>log in</html>", {"Content-Type": "text/html"})),
    "garbage": lambda w, _: _then(w, w.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n"), w.close),
    "cut": lambda w, b, kept, framing: _cut(w, b, int(kept), framing),
    "drip": _drip,
    "gzip_bomb": lambda w, _: w.send(http(200, BOMB, {"Content-Encoding": "gzip"})),
    "endless": lambda w, _: _without_end(w, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "endless_status": lambda w, _, code: _without_end(w, f"HTTP/1.1 {code} No\r\n\r\n".encode(), b"x" * 65536),
    "continues": lambda w, _: _without_end(w, b"", b"HTTP/1.1 100 Go\r\n\r\n", 0.005),
    "not_gzip": lambda w, b: w.send(http(200, b, {"Content-Encoding": "gzip"})),
    "many_headers": lambda w, b: w.send(http(200, b, {f"X-{at}": "a" for at in range(300)})),
    "long_header": lambda w, b: w.send(http(200, b, {"X-Long": "a" * 10_240})),
}
"""How an exchange ends: each takes the connection, the sound answer, and the words of its line."""


class FaultServer(RawServer):
    """``async with FaultServer("apply 3 then reset") as server``; after the script it answers correctly.

    It has what the checker of the three histories needs of a sandbox: history, campaigns, rules and a key.
    """

    def __init__(self, *script: str, cooldown: float = 0.01, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context=context)
        self.script: list[str] = list(script)
        self.history: list[Asked] = []
        self.campaigns: dict[int, Campaign] = {3: Campaign()}
        self.rules: Rules = Rules(cooldown=cooldown)
        self.key: str = "canary-key-9c41d7e602"
        self.too_early: int = 0

    async def _serve(self, wire: Wire) -> None:
        connection = self.connections
        if self.script and self.script[0] in AT_ACCEPT:
            wire.reset() if self.script.pop(0) == "reset_on_accept" else wire.close()
            return
        while not wire.writer.is_closing():
            head = (await wire.reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
            asked = self._asked(seen := Seen(head, b""), connection)
            try:
                await self._play((self.script.pop(0) if self.script else ORDINARY).split(), wire, asked, seen)
            finally:
                asked.ended = time.monotonic()

    def _asked(self, seen: Seen, connection: int) -> Asked:
        method, target, _ = seen.line.split(" ")
        asked = Asked(
            connection=connection,
            method=method,
            path=target.split("?")[0].removeprefix("/api/v4"),
            began=time.monotonic(),
            authorization_count=seen.head.lower().count("\r\nauthorization: "),
            key_elsewhere=seen.head.count(self.key) != 1,
        )
        self.requests.append(seen)
        self.history.append(asked)
        return asked

    async def _play(self, words: list[str], wire: Wire, asked: Asked, seen: Seen) -> None:
        verb = words[0]
        if verb == "close_after_headers":
            return wire.close()
        if verb == "no_read":
            await asyncio.Event().wait()
        if verb.startswith("early_413"):
            await wire.send(http(413, b'{"error": "too large"}'))
            return wire.reset() if verb == "early_413_reset" else await self._body(wire, asked, seen)
        await self._body(wire, asked, seen)
        campaign = self.campaigns[int(LEADS.fullmatch(asked.path)[1])]  # type: ignore[index]
        if verb == "redirect":
            return await wire.send(http(int(words[1]), b"", {"Location": words[2]} if words[2:] else {}))
        if verb == "busy" or campaign.busy:
            return await wire.send(http(409, b'{"errors": {"base": ["still processing"]}}'))
        if verb == "wait":
            campaign.busy = True
            await asyncio.sleep(float(words[1]))
            campaign.busy = False
            words = words[2:]
        return await self._applied(words, wire, asked, campaign)

    async def _applied(self, words: list[str], wire: Wire, asked: Asked, campaign: Campaign) -> None:
        _, amount, _, ending, *rest = words
        most = {"all": None, "none": 0}.get(amount, int(amount) if amount.isdigit() else None)
        lists = campaign.take(json.loads(asked.body), most)
        asked.applied = tuple(lists["created"])
        await ENDINGS[ending](wire, as_json({"leads_import": lists}), *rest)

    async def _body(self, wire: Wire, asked: Asked, seen: Seen) -> None:
        length = int(seen.header("content-length") or 0)
        asked.body = await wire.reader.readexactly(length)
        asked.key_elsewhere = asked.key_elsewhere or self.key.encode() in asked.body
