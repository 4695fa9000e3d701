"""The way of a request through the gateway: raw ASGI, inside the FastAPI app."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI
from opentelemetry.trace import SpanKind
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from common_lib.auth import SAFE_METHODS, Principal, TokenVerifier
from common_lib.errors import DomainError, NotFound, Unavailable
from common_lib.problems import BodyTooLarge, RequestTimedOut, UnsupportedMediaType
from common_lib.telemetry import (
    LATENCY,
    REQUESTS,
    bound_trace,
    current_trace,
    flow_step,
)
from gateway import answers, auth, bodies
from gateway.answers import Compressor, Cors, MethodNotAllowed, RateLimited
from gateway.edge import EXTENSION
from gateway.headers import (
    BadFraming,
    Header,
    RequestHead,
    client_of,
    new_request_id,
    new_traceparent,
    read_head,
)
from gateway.limits import Limiter, Verdict
from gateway.pool import ClientGone, ClientLink, Connection, Upstream
from gateway.routes import Route, match
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_WITH_JSON: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LINGER_S: Final = 5.0
_SAMPLED: Final = b"-01"
_SLOW_CLIENT_S: Final = 30.0
_SERVER_ERROR: Final = 500

SHED = Counter("gateway_shed_total", "Requests refused because too many were in flight")


class Overloaded(Unavailable):
    code = "overloaded"
    title = "Too many requests are in flight"


class Proxy:
    """The app as the server sees it: what is routed is answered here, before FastAPI's own layers.

    Those cost more than the hop. `is_local` says which raw paths FastAPI gets; no other exists.
    """

    def __init__(self, app: FastAPI, is_local: Callable[[bytes], bool]) -> None:
        self.title = app.title
        self.app = app
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw_path = scope["raw_path"]
        route = match(raw_path)
        if route is None and scope["method"] in METHODS and self._is_local(raw_path):
            await self.app(scope, receive, send)
            return
        gateway: Gateway = self.app.state.gateway
        await gateway.answer(route, scope, receive, send)


class Gateway:
    """The parts a proxied request needs, wired by main."""

    def __init__(
        self,
        settings: GatewaySettings,
        upstreams: Mapping[str, Upstream],
        verifier: TokenVerifier,
        limiter: Limiter,
    ) -> None:
        self.settings = settings
        self.upstreams = upstreams
        self.callers = auth.Callers(verifier, limiter)
        self.limiter = limiter
        self.cors = Cors(settings.cors_origins)
        self.in_flight = 0

    async def answer(self, route: Route | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every refusal is a problem document."""
        exchange = Exchange(self, route, scope, receive, send)
        self.in_flight += 1
        try:
            await exchange.run()
        finally:
            self.in_flight -= 1


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_client",
        "_gateway",
        "_head",
        "_loop",
        "_method",
        "_principal",
        "_receive",
        "_request_id",
        "_route",
        "_scope",
        "_send",
        "_started",
        "_status",
        "_traceparent",
        "_verdict",
    )

    def __init__(
        self, gateway: Gateway, route: Route | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._gateway = gateway
        self._route = route
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._started = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._status = 0
        self._head = RequestHead()
        self._request_id = b""
        self._traceparent = b""
        self._principal: Principal | None = None
        self._verdict: Verdict | None = None
        self._client: ClientLink = scope.get("extensions", {}).get(EXTENSION) or ClientLink()

    async def run(self) -> None:
        try:
            self._read_head()
            if self._traceparent.endswith(_SAMPLED):
                await self._run_traced()
            else:
                await self._run()
        except DomainError as error:
            self._name_itself()
            await self._refuse(error)
        except ClientGone:
            self._status = 499
        finally:
            self._client.detach()
            self._count()

    def _read_head(self) -> None:
        self._head = head = read_head(self._scope["headers"])
        self._request_id = head.request_id or new_request_id()
        self._traceparent = head.traceparent or new_traceparent(
            self._gateway.settings.trace_sample_ratio
        )

    def _name_itself(self) -> None:
        self._request_id = self._request_id or new_request_id()

    async def _run_traced(self) -> None:
        prefix = self._route.prefix if self._route else "none"
        name = f"{self._method} {prefix}"
        traceparent, request_id = self._traceparent.decode(), self._request_id.decode()
        with bound_trace(traceparent, request_id, name=name, kind=SpanKind.SERVER):
            context = current_trace()
            if context is not None:
                self._traceparent = context.traceparent.encode()
            await self._run(is_traced=True)

    async def _run(self, *, is_traced: bool = False) -> None:
        is_order = is_traced and self._method == "POST" and self._scope["path"] == "/api/orders"
        if is_order:
            flow_step(1, self._elapsed_ms())
        if await self._answer_preflight():
            return
        route = self._check_shape()
        await self._admit(route)
        if is_order:
            flow_step(2, self._elapsed_ms())
        if self._head.has_body and self._is_file(route):
            await self._pass_file(route)
            return
        body = await self._read_body() if self._head.has_body else b""
        connection = await self._forward(route, body)
        if is_order:
            flow_step(3, self._elapsed_ms())
        await self._relay(route, connection)

    # Checks

    async def _answer_preflight(self) -> bool:
        head = self._head
        if self._method != "OPTIONS" or head.origin is None or head.preflight_method is None:
            return False
        headers = [*self._gateway.cors.preflight(head.origin), (b"x-request-id", self._request_id)]
        await self._start(204, headers)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    def _check_shape(self) -> Route:
        """Refuse what can be refused by looking at the head."""
        route, head = self._route, self._head
        if self._method not in METHODS:
            raise MethodNotAllowed
        if route is None:
            raise NotFound
        if self._gateway.in_flight > self._gateway.settings.max_in_flight:
            SHED.inc()
            raise Overloaded(retry_after_s=1)
        auth.refuse_token_in_query(self._scope["query_string"])
        if head.has_body:
            self._check_body(route)
        return route

    def _check_body(self, route: Route) -> None:
        head, settings = self._head, self._gateway.settings
        is_file = self._is_file(route)
        max_bytes = settings.import_max_bytes if is_file else settings.max_body_bytes
        if head.content_length and head.content_length > max_bytes:
            raise BodyTooLarge
        if self._method not in _WITH_JSON or route.is_webhook:
            return
        if is_file:
            is_right = head.media_type == route.file_type
        else:
            is_right = head.media_type == b"application/json" or head.media_type.endswith(b"+json")
        if not is_right or head.has_content_encoding:
            raise UnsupportedMediaType("the body must be text/csv" if is_file else "")

    def _is_file(self, route: Route) -> bool:
        return route.file_type is not None and self._method == "POST"

    async def _admit(self, route: Route) -> None:
        """Check the token and count the request; revocation and limit are one round trip."""
        gateway = self._gateway
        authorization = self._head.authorization
        if route.is_webhook:
            subject = gateway.callers.at(self._client_address(), auth.WEBHOOK)
        elif authorization is None:
            subject = gateway.callers.at(self._client_address())
        else:
            caller = await gateway.callers.identify(auth.bearer_token(authorization))
            self._principal, subject = caller
        guard = None
        if self._method == "POST":
            guard = gateway.callers.guard(self._scope["path"], self._client_address())
        self._verdict = verdict = await gateway.limiter.check(subject, guard)
        if self._principal is not None:
            is_write = self._method not in SAFE_METHODS
            auth.ensure_not_revoked(self._principal, verdict, is_write=is_write)
        if not verdict.is_admitted:
            raise RateLimited(retry_after_s=verdict.retry_after_s)

    def _client_address(self) -> str:
        client = self._scope.get("client")
        peer = client[0] if client else "unknown"
        trusted = self._gateway.settings.trusted_proxies
        return client_of(self._head, peer, trusted) if trusted else peer

    # The hop

    async def _read_body(self) -> bytes:
        settings = self._gateway.settings
        return await bodies.read_whole(
            self._receive, settings.max_body_bytes, settings.body_timeout_s
        )

    async def _forward(self, route: Route, body: bytes) -> Connection:
        timeout_s = self._timeout_s()
        length = b""
        if body or self._method in _WITH_JSON:
            length = b"content-length: %d\r\n" % len(body)
        return await self._gateway.upstreams[route.upstream].exchange(
            self._first_line(),
            self._head_for_upstream(timeout_s, length) + body,
            deadline=self._loop.time() + timeout_s,
            is_idempotent=self._method in _IDEMPOTENT,
            is_head_request=self._method == "HEAD",
            client=self._client,
        )

    async def _pass_file(self, route: Route) -> None:
        """Send a file on while it comes, then its answer back; that may come before its end."""
        settings, length = self._gateway.settings, self._head.content_length
        framing = b"transfer-encoding: chunked\r\n"
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        timeout_s = self._timeout_s()
        connection, is_whole = await bodies.send_file(
            self._gateway.upstreams[route.upstream],
            (self._first_line(), self._head_for_upstream(timeout_s, framing)),
            self._receive,
            bodies.FileLimits(settings.import_max_bytes, settings.body_timeout_s, timeout_s),
            is_chunked=length is None,
            client=self._client,
        )
        if is_whole:
            await self._relay(route, connection)
        else:
            await self._relay_early(connection)

    def _first_line(self) -> bytes:
        target = self._scope["raw_path"]
        if self._scope["query_string"]:
            target = b"%s?%s" % (target, self._scope["query_string"])
        return b"%s %s HTTP/1.1\r\n" % (self._method.encode(), target)

    def _timeout_s(self) -> float:
        ours = self._gateway.settings.upstream_timeout_s
        asked_ms = self._head.timeout_ms
        return ours if asked_ms is None else max(0.001, min(ours, asked_ms / 1000))

    def _head_for_upstream(self, timeout_s: float, framing: bytes) -> bytes:
        head, scope = self._head, self._scope
        is_trusted = bool(self._gateway.settings.trusted_proxies) and head.forwarded_proto
        scheme = head.forwarded_proto if is_trusted else scope["scheme"].encode()
        lines = [
            *head.passed_on,
            framing,
            b"x-request-id: %s\r\ntraceparent: %s\r\nx-request-timeout-ms: %d\r\n"
            b"x-forwarded-for: %s\r\nx-forwarded-proto: %s\r\nx-forwarded-host: %s\r\n"
            % (
                self._request_id,
                self._traceparent,
                int(timeout_s * 1000),
                self._client_address().encode(),
                scheme,
                head.host or b"",
            ),
            b"\r\n",
        ]
        return b"".join(lines)

    # The answer

    async def _relay(self, route: Route, connection: Connection) -> None:
        """Pass the answer on as it comes; the client's pace is the upstream's pace."""
        try:
            status = connection.status
            first = await connection.chunk()
            named = dict(connection.headers)
            headers = self._own_headers()
            answers.hardened(headers, named, is_personal=self._principal is not None)
            packer = self._packer(route, connection, named, first)
            if not connection.has_more():
                await self._relay_whole(status, connection.headers, headers, first, packer)
            else:
                await self._relay_stream(connection, headers, first, packer)
        finally:
            connection.release()

    async def _relay_early(self, connection: Connection) -> None:
        """Pass on an answer that came before the request's end; the client is heard out."""
        try:
            body = b""
            while piece := await connection.chunk():
                body += piece
            headers = self._own_headers()
            named = dict(connection.headers)
            answers.hardened(headers, named, is_personal=self._principal is not None)
            headers.append((b"connection", b"close"))
            await self._start(connection.status, [*connection.headers, *headers])
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            connection.release()
        await self._linger()

    def _packer(
        self, route: Route, connection: Connection, named: Mapping[bytes, bytes], first: bytes
    ) -> Compressor | None:
        is_whole = not connection.has_more()
        if is_whole and len(first) < answers.MIN_COMPRESSED_BYTES:
            return None
        if self._method == "HEAD":
            return None
        if not answers.may_compress(self._head, route.prefix, connection.status, named):
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
        timeout_s = self._gateway.settings.upstream_timeout_s
        while body:
            await self._send_piece(body if packer is None else packer.piece(body))
            connection.deadline = self._loop.time() + timeout_s
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
        if self._client.is_gone:
            raise ClientGone

    def _own_headers(self) -> list[Header]:
        headers = [(b"x-request-id", self._request_id)]
        if self._verdict is not None:
            headers += answers.limit_headers(self._verdict)
        if self._gateway.settings.is_production:
            headers.append(answers.HSTS)
        headers += self._gateway.cors.headers(self._head.origin)
        return headers

    async def _start(self, status: int, headers: list[Header]) -> None:
        self._status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _refuse(self, error: DomainError) -> None:
        """Answer with a problem document, or break off where an answer has already begun."""
        if self._status:
            await self._break_off(error)
            return
        base_url = self._gateway.settings.problem_base_url
        status, body = answers.problem_body(error, self._request_id, base_url)
        headers = answers.problem_headers(error, status, len(body)) + self._own_headers()
        answers.hardened(headers, {b"cache-control": b""}, is_personal=False)
        is_unread = self._is_body_unread(error)
        if is_unread:
            headers.append((b"connection", b"close"))
        await self._start(status, headers)
        sent = b"" if self._method == "HEAD" else body
        await self._send({"type": "http.response.body", "body": sent, "more_body": is_unread})
        if is_unread:
            await self._linger()

    async def _break_off(self, error: DomainError) -> None:
        if self._client.on_abort is None:
            raise error
        self._client.on_abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _is_body_unread(self, error: DomainError) -> bool:
        if isinstance(error, (BodyTooLarge, RequestTimedOut, BadFraming, MethodNotAllowed)):
            return True
        return self._head.has_body

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

    # Accounts

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000

    def _count(self) -> None:
        elapsed_s = time.perf_counter() - self._started
        prefix = self._route.prefix if self._route else "none"
        requests, latency = _children(self._method, prefix, self._status)
        requests.inc()
        latency.observe(elapsed_s)
        if self._status >= _SERVER_ERROR or self._traceparent.endswith(_SAMPLED):
            log.info(
                "http.request",
                method=self._method if self._method in METHODS else "OTHER",
                route=prefix,
                status=self._status,
                duration_ms=round(elapsed_s * 1000, 3),
                request_id=self._request_id.decode("latin-1"),
            )


_metric_children: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def _children(method: str, prefix: str, status: int) -> tuple[Any, Any]:
    """Return ready metric children: looking labels up anew costs more than counting."""
    found = _metric_children.get((method, prefix, status))
    if found is None:
        label = method if method in METHODS else "OTHER"
        found = (REQUESTS.labels(label, prefix, str(status)), LATENCY.labels(label, prefix))
        _metric_children[method, prefix, status] = found
    return found


def _repacked(headers: Sequence[Header]) -> list[Header]:
    """Return the headers for the same answer as gzip.

    The ETag stays as it is, though RFC 9110 wants another for each coding: clients send it back in
    If-Match, and no ranges are served.
    """
    kept = [header for header in headers if header[0] != b"content-length"]
    return [*kept, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
