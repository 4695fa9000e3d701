"""The answer to a request: a service's passed on as it comes, or a refusal of the gateway's own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.types import Receive, Send

from common_lib.auth import SAFE_METHODS
from common_lib.errors import DomainError
from common_lib.problems import BodyTooLarge, RequestTimedOut
from gateway import answers
from gateway.answers import Compressor, MethodNotAllowed
from gateway.connection import ClientGone, ClientLink, Connection, is_outcome_unknown
from gateway.headers import BadFraming, Header, RequestHead
from gateway.limits import Verdict
from gateway.parts import Gateway

_LINGER_S: Final = 5.0
_SLOW_CLIENT_S: Final = 30.0


class Reply:
    """One answer. What is known of its request is set as it becomes known."""

    __slots__ = (
        "_gateway",
        "_receive",
        "_send",
        "client",
        "head",
        "is_body_read",
        "is_personal",
        "method",
        "request_id",
        "status",
        "verdict",
    )

    def __init__(
        self, gateway: Gateway, method: str, client: ClientLink, receive: Receive, send: Send
    ) -> None:
        self._gateway = gateway
        self._receive = receive
        self._send = send
        self.method = method
        self.client = client
        self.head = RequestHead()
        self.request_id = b""
        self.verdict: Verdict | None = None
        # Whether a token opened what is answered.
        self.is_personal = False
        # Whether the request's body was read to its end.
        self.is_body_read = False
        # Zero until an answer has begun.
        self.status = 0

    async def allow_origin(self) -> None:
        """Answer a preflight."""
        headers = self._gateway.cors.preflight(self.head.origin)
        await self._start(204, [*headers, (b"x-request-id", self.request_id)])
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def relay(self, connection: Connection, prefix: str) -> None:
        """Pass an answer on as it comes; the client's pace is the upstream's pace."""
        try:
            status = connection.status
            first = await connection.first_piece()
            named = dict(connection.headers)
            headers = self._own_headers()
            answers.hardened(headers, named, is_personal=self.is_personal)
            packer = self._packer(connection, prefix, named, first)
            if not connection.has_more():
                await self._relay_whole(status, connection.headers, headers, first, packer)
            else:
                await self._relay_stream(connection, headers, first, packer)
        finally:
            connection.release()

    async def relay_early(self, connection: Connection) -> None:
        """Pass on an answer that came before the request's end; the client is heard out."""
        try:
            body = await connection.whole_body()
            headers = self._own_headers()
            named = dict(connection.headers)
            answers.hardened(headers, named, is_personal=self.is_personal)
            headers.append((b"connection", b"close"))
            await self._start(connection.status, [*connection.headers, *headers])
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            connection.release()
        await self._linger()

    def _packer(
        self, connection: Connection, prefix: str, named: Mapping[bytes, bytes], first: bytes
    ) -> Compressor | None:
        is_whole = not connection.has_more()
        if is_whole and len(first) < answers.MIN_COMPRESSED_BYTES:
            return None
        if self.method == "HEAD":
            return None
        if not answers.may_compress(self.head, prefix, connection.status, named):
            return None
        return Compressor()

    async def _relay_whole(
        self,
        status: int,
        theirs: Sequence[Header],
        ours: list[Header],
        body: bytes,
        packer: Compressor | None,
    ) -> None:
        if packer is not None:
            body = packer.whole(body)
            theirs = _repacked(theirs)
            ours.append((b"content-length", b"%d" % len(body)))
        await self._start(status, [*theirs, *ours])
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _relay_stream(
        self, connection: Connection, ours: list[Header], first: bytes, packer: Compressor | None
    ) -> None:
        theirs = connection.headers if packer is None else _repacked(connection.headers)
        await self._start(connection.status, [*theirs, *ours])
        body = first
        loop, timeout_s = asyncio.get_running_loop(), self._gateway.settings.upstream_timeout_s
        while body:
            await self._send_piece(body if packer is None else packer.piece(body))
            connection.deadline = loop.time() + timeout_s
            body = await connection.chunk()
            connection.deadline = float("inf")
        last = b"" if packer is None else packer.end()
        await self._send({"type": "http.response.body", "body": last, "more_body": False})

    async def _send_piece(self, body: bytes) -> None:
        try:
            async with asyncio.timeout(_SLOW_CLIENT_S):
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            raise ClientGone from None
        if self.client.is_gone:
            raise ClientGone

    def _own_headers(self) -> list[Header]:
        headers = [(b"x-request-id", self.request_id)]
        if self.verdict is not None:
            headers += answers.limit_headers(self.verdict)
        if self._gateway.settings.is_production:
            headers.append(answers.HSTS)
        headers += self._gateway.cors.headers(self.head.origin)
        return headers

    async def _start(self, status: int, headers: list[Header]) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def refuse(self, error: DomainError) -> None:
        """Answer with a problem document, or break off where an answer has already begun."""
        if self.status:
            await self._break_off(error)
            return
        self._tell_what_is_unknown(error)
        base_url = self._gateway.settings.problem_base_url
        status, body = answers.problem_body(error, self.request_id, base_url)
        headers = answers.problem_headers(error, status, len(body)) + self._own_headers()
        answers.hardened(headers, {b"cache-control": b""}, is_personal=False)
        is_unread = self._is_body_unread(error)
        if is_unread:
            headers.append((b"connection", b"close"))
        await self._start(status, headers)
        sent = b"" if self.method == "HEAD" else body
        await self._send({"type": "http.response.body", "body": sent, "more_body": is_unread})
        if is_unread:
            await self._linger()

    def _tell_what_is_unknown(self, error: DomainError) -> None:
        """Let a refusal not pass for "nothing happened" where a change may have been made."""
        if self.method not in SAFE_METHODS and is_outcome_unknown(error):
            error.details["outcome"] = "unknown"
            error.detail += "; whether it was done is not known"

    async def _break_off(self, error: DomainError) -> None:
        if self.client.on_abort is None:
            raise error
        self.client.on_abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _is_body_unread(self, error: DomainError) -> bool:
        if isinstance(error, (BodyTooLarge, RequestTimedOut, BadFraming, MethodNotAllowed)):
            return True
        return self.head.has_body and not self.is_body_read

    async def _linger(self) -> None:
        """Read what the client still sends: closing at once would reset the answer away."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message["more_body"]:
                        break
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _repacked(headers: Sequence[Header]) -> list[Header]:
    """Return the headers for the same answer as gzip.

    The ETag stays as it is, though RFC 9110 wants another for each coding: clients send it back in
    If-Match, and no ranges are served.
    """
    kept = [header for header in headers if header[0] != b"content-length"]
    return [*kept, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
