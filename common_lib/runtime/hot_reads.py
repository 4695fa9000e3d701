"""Reads of ready bytes, answered before the framework (ADR 0019).

A public read that a cache of this process holds needs no router, no dependencies and no response
object: those cost three times what sending the bytes does. What is packed here is also what the
usual endpoint answers with, so that both ways give the same answer.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from common_lib import telemetry

_CACHE_CONTROL: Final = b"no-cache"  # kept by anybody, used only after asking: that is the 304
_JSON: Final = b"application/json"
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class HotRead:
    """GET or HEAD of `prefix` and one more segment; `template` is the route's name in the metrics.

    `find` is given the app's state and that segment, and returns what `pack` made if this process
    has it at hand, else None: then the request takes the usual way. It must not raise. Where
    `is_for_strangers`, a request with a token takes the usual way, too: it may be shown more.
    """

    prefix: str
    template: str
    find: Callable[[Any, str], bytes | None]
    is_for_strangers: bool = False


def pack(tag: str, body: bytes) -> bytes:
    """Return the body with its ETag before it, as caches keep it."""
    return tag.encode() + b"\n" + body


def packed_response(request: Request, packed: bytes) -> Response:
    """Answer packed bytes the usual way; 304 where the client has them."""
    tag, _, body = packed.partition(b"\n")
    headers = {"etag": tag.decode(), "cache-control": _CACHE_CONTROL.decode()}
    if names_tag(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=_JSON.decode(), headers=headers)


def names_tag(if_none_match: str | None, tag: str) -> bool:
    """Tell whether If-None-Match names this tag (RFC 9110, 13.1.2: weak comparison)."""
    if if_none_match is None:
        return False
    tags = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in tags or tag in tags


class HotReads:
    """Pure ASGI, outside of all other layers: what is at hand is answered, the rest goes on.

    Ids, metrics and 304 are as on the usual way. A traced request takes that way, for its span and
    its log line. Requests in flight are not counted: these never wait.
    """

    def __init__(self, app: ASGIApp, reads: Sequence[HotRead]) -> None:
        self.app = app
        self._reads = {read.prefix: read for read in reads}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # One with a query takes the usual way, where it is refused.
        if scope["type"] == "http" and scope["method"] in _READS and not scope["query_string"]:
            prefix, _, name = scope["path"].rpartition("/")
            read = self._reads.get(prefix)
            if read is not None and await self._answer(read, name, scope, send):
                return
        await self.app(scope, receive, send)

    async def _answer(self, read: HotRead, name: str, scope: Scope, send: Send) -> bool:
        started = time.perf_counter()
        head = dict(scope["headers"])
        if telemetry.takes_trace(scope, head.get(b"traceparent")):
            return False
        if read.is_for_strangers and b"authorization" in head:
            return False
        packed = read.find(scope["app"].state, name)
        if packed is None:
            return False
        method = scope["method"]
        status = await _send(packed, head, send, is_head=method == "HEAD")
        telemetry.count(method, read.template, status, time.perf_counter() - started)
        return True


async def _send(packed: bytes, head: Mapping[bytes, bytes], send: Send, *, is_head: bool) -> int:
    """Send the answer and return its status."""
    tag, _, body = packed.partition(b"\n")
    headers = [
        (b"etag", tag),
        (b"cache-control", _CACHE_CONTROL),
        (b"x-request-id", telemetry.request_id_bytes(head.get(b"x-request-id"))),
    ]
    known = head.get(b"if-none-match")
    if known is not None and names_tag(known.decode("latin-1"), tag.decode()):
        status, body = 304, b""
    else:
        status = 200
        headers += ((b"content-length", b"%d" % len(body)), (b"content-type", _JSON))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
    return status
