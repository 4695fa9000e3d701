"""The way of a request through the gateway: raw ASGI, inside the FastAPI app."""

import asyncio
import time
from typing import Final

import structlog
from opentelemetry.trace import SpanKind
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from common_lib.admission import Limiter, Overloaded, kind_of
from common_lib.auth import SAFE_METHODS
from common_lib.errors import DomainError, NotFound
from common_lib.http_client import CallTimedOut
from common_lib.problems import BodyTooLarge, UnsupportedMediaType
from common_lib.telemetry import bound_trace, current_trace, flow_step
from gateway import auth, bodies
from gateway.accounts import METHODS, account
from gateway.answers import Crashed, MethodNotAllowed, OnlyRead, RateLimited
from gateway.connection import ClientGone, ClientLink, Connection
from gateway.edge import EXTENSION
from gateway.headers import (
    RequestHead,
    client_of,
    new_request_id,
    new_traceparent,
    read_head,
)
from gateway.parts import Gateway
from gateway.pool import Call
from gateway.reply import Reply
from gateway.routes import PAGES, Route

log = structlog.get_logger(__name__)

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_WITH_JSON: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SAMPLED: Final = b"-01"
# A body of this size is read before it is refused: to refuse it unread costs the connection.
_SMALL_BODY_BYTES: Final = 16 * 1024
_UNAVAILABLE: Final = 503

SHED = Counter("gateway_shed_total", "Requests refused because too many were in flight")


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_client",
        "_gateway",
        "_head",
        "_loop",
        "_method",
        "_receive",
        "_reply",
        "_request_id",
        "_route",
        "_scope",
        "_started",
        "_traceparent",
    )

    def __init__(
        self, gateway: Gateway, route: Route | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._gateway = gateway
        self._route = route
        self._scope = scope
        self._receive = receive
        self._method: str = scope["method"]
        self._started = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._head = RequestHead()
        self._request_id = b""
        self._traceparent = b""
        self._client: ClientLink = scope.get("extensions", {}).get(EXTENSION) or ClientLink()
        self._reply = Reply(gateway, self._method, self._client, receive, send)

    async def run(self) -> None:
        reply = self._reply
        try:
            self._read_head()
            if self._traceparent.endswith(_SAMPLED):
                await self._run_traced()
            else:
                await self._run()
        except DomainError as error:
            self._name_itself(self._request_id or new_request_id())
            await reply.refuse(error)
        except ClientGone:
            reply.status = 499
        except Exception:
            log.exception("http.unhandled")
            await reply.refuse(Crashed())
        finally:
            self._client.detach()
            # In the loop's next turn: uvloop sends what is written at the end of this one.
            self._loop.call_soon(self._account, time.perf_counter() - self._started)

    def _account(self, elapsed_s: float) -> None:
        is_sampled = self._traceparent.endswith(_SAMPLED)
        status, name = self._reply.status, self._request_id
        account(self._method, self._route, status, elapsed_s, name, is_sampled=is_sampled)

    def _read_head(self) -> None:
        self._head = self._reply.head = head = read_head(self._scope["headers"])
        self._name_itself(head.request_id or new_request_id())
        self._traceparent = head.traceparent or new_traceparent(
            self._gateway.settings.trace_sample_ratio
        )

    def _name_itself(self, request_id: bytes) -> None:
        self._request_id = self._reply.request_id = request_id

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
        if self._is_preflight():
            await self._reply.allow_origin()
            return
        route = self._check_shape()
        limiter = self._gateway.admission_to(
            route.upstream, kind_of(self._method, self._scope["path"])
        )
        if limiter.is_full():
            await self._refuse_overload(limiter)
        await self._admit(route)
        if is_order:
            flow_step(2, self._elapsed_ms())
        if self._head.has_body and self._is_file(route):
            await self._pass_file(route)
            return
        body = await self._read_body() if self._head.has_body else b""
        connection = await self._forward(route, body, limiter)
        if is_order:
            flow_step(3, self._elapsed_ms())
        await self._reply.relay(connection, route.prefix)

    # Checks

    def _is_preflight(self) -> bool:
        head = self._head
        is_asking = head.origin is not None and head.preflight_method is not None
        return is_asking and self._method == "OPTIONS"

    def _check_shape(self) -> Route:
        """Refuse what can be refused by looking at the head."""
        route, head = self._route, self._head
        if self._method not in METHODS:
            raise MethodNotAllowed
        if route is None:
            raise NotFound
        if route is PAGES:
            raise OnlyRead
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
        authorization, principal = self._head.authorization, None
        is_way_in = self._method == "POST" and self._scope["path"] in auth.WAYS_IN
        if route.is_webhook:
            subject = gateway.callers.at(self._client_address(), auth.WEBHOOK)
        elif authorization is None or is_way_in:
            subject = gateway.callers.at(self._client_address())
        else:
            principal, subject = await gateway.callers.identify(auth.bearer_token(authorization))
            self._reply.is_personal = True
        guard = None
        if self._method == "POST":
            guard = gateway.callers.guard(self._scope["path"], self._client_address())
        self._reply.verdict = verdict = await gateway.limiter.check(subject, guard)
        if principal is not None:
            is_write = self._method not in SAFE_METHODS
            auth.ensure_not_revoked(principal, verdict, is_write=is_write)
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
        body = await bodies.read_whole(
            self._receive, settings.max_body_bytes, settings.body_timeout_s
        )
        self._reply.is_body_read = True
        return body

    async def _refuse_overload(self, limiter: Limiter) -> None:
        """Refuse at the door, before anything is asked of anybody."""
        SHED.inc()
        length = self._head.content_length
        if self._head.has_body and length is not None and length <= _SMALL_BODY_BYTES:
            await self._read_body()
        raise limiter.refusal()

    async def _forward(self, route: Route, body: bytes, limiter: Limiter) -> Connection:
        """Pass the request on, if there is a place for it, and wait for the answer's head."""
        try:
            entered_at = limiter.enter()
        except Overloaded:
            SHED.inc()
            raise
        try:
            call = self._call(body)
            connection = await self._gateway.upstreams[route.upstream].exchange(call, self._client)
        except CallTimedOut:
            # A client in a hurry says nothing about the service.
            is_patient = self._timeout_s() == self._gateway.settings.upstream_timeout_s
            limiter.leave(entered_at, was_refused=is_patient)
            raise
        except BaseException:
            limiter.abandon()
            raise
        limiter.leave(entered_at, was_refused=connection.status == _UNAVAILABLE)
        return connection

    def _call(self, body: bytes) -> Call:
        timeout_s = self._timeout_s()
        length = b""
        if body or self._method in _WITH_JSON:
            length = b"content-length: %d\r\n" % len(body)
        return Call(
            self._first_line(),
            self._head_for_upstream(timeout_s, length) + body,
            self._loop.time() + timeout_s,
            # A condition that held the first time does not hold the second.
            is_idempotent=self._method in _IDEMPOTENT and not self._head.is_conditional,
            is_head_request=self._method == "HEAD",
            is_patient=timeout_s == self._gateway.settings.upstream_timeout_s,
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
            await self._reply.relay(connection, route.prefix)
        else:
            await self._reply.relay_early(connection)

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

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000
