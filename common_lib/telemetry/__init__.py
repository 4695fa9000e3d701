"""Logs, metrics and traces, and the two ids that tie them together.

The W3C trace context (https://www.w3.org/TR/trace-context/) travels over HTTP as `traceparent` and
through SNS and SQS as a message attribute. Spans are made only for sampled requests, so that an
unsampled one pays for two context variables and no more.
"""

import contextlib
import importlib
import random
import re
import secrets
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
import uuid_utils
from opentelemetry import trace
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.types import EventDict, WrappedLogger

from common_lib.ids import new_id
from common_lib.settings import ServiceSettings
from common_lib.telemetry.logs import configure_logs

REQUEST_ID_LENGTH: Final = 128
# Later versions may add fields at the end (https://www.w3.org/TR/trace-context/#versioning-of-traceparent).
_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII
)
FLOW_STEPS: Final = {
    1: "order request received",
    2: "token and rate limit checked",
    3: "forwarded to the order service",
    4: "prices and stock asked of the catalog",
    5: "prices and stock confirmed",
    6: "reservation requested",
    7: "lock on the variant taken",
    8: "stock reserved",
    9: "order and payment committed",
    10: "ORDER_CREATED published to SNS",
    11: "delivered to the notification queue",
    12: "event consumed",
    13: "e-mail handed to SES",
    14: "notification logged",
}

log = structlog.get_logger(__name__)

REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being worked on")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A W3C trace context: 16-byte trace id and 8-byte span id in lower-case hex."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


# Chooses samples, nothing secret.
_draw: Final = random.Random().random

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


class _State:
    """What `configure` sets for the whole process."""

    service: str = "unknown"
    sample_ratio: float = 0.0
    tracer: trace.Tracer = trace.NoOpTracer()


def configure(settings: ServiceSettings, service: str) -> None:
    """Set up logs and traces for this process; call it once, first thing."""
    _State.service = service
    _State.sample_ratio = settings.trace_sample_ratio
    configure_logs(settings, _add_ids)
    _configure_traces(settings, service)


def current_request_id() -> str | None:
    return _request_id.get()


def current_trace() -> TraceContext | None:
    return _trace.get()


def new_trace() -> TraceContext:
    is_sampled = _draw() < _State.sample_ratio
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8), is_sampled)


def parse_traceparent(value: str) -> TraceContext | None:
    """Read a traceparent header; anything malformed is treated as absent, as the standard asks."""
    found = _TRACEPARENT.fullmatch(value)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if (
        version == "ff"
        or (version == "00" and more)
        or not (trace_id.strip("0") and span_id.strip("0"))
    ):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


@contextlib.contextmanager
def bound_trace(
    traceparent: str | None,
    request_id: str | None,
    *,
    name: str,
    kind: SpanKind = SpanKind.CONSUMER,
) -> Iterator[None]:
    """Continue a trace in work that no HTTP request started: a message, a relayed row."""
    parent = parse_traceparent(traceparent) if traceparent else None
    request_token = _request_id.set(request_id)
    span, context = _start_span(name, parent or new_trace(), kind)
    trace_token = _trace.set(context)
    try:
        yield
    finally:
        if span is not None:
            span.end()
        _trace.reset(trace_token)
        _request_id.reset(request_token)


def _start_span(
    name: str, parent: TraceContext, kind: SpanKind
) -> tuple[Span | None, TraceContext]:
    if not parent.is_sampled:
        return None, parent
    remote = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=TraceFlags(1)
    )
    context = set_span_in_context(NonRecordingSpan(remote))
    span = _State.tracer.start_span(name, context=context, kind=kind)
    own = span.get_span_context()
    if not own.is_valid:
        return None, parent
    return span, TraceContext(parent.trace_id, f"{own.span_id:016x}", is_sampled=True)


@contextlib.contextmanager
def child_span(name: str, kind: SpanKind = SpanKind.CLIENT) -> Iterator[TraceContext | None]:
    """Open a span below the current one if the trace is sampled; yields the context to pass on."""
    parent = _trace.get()
    if parent is None or not parent.is_sampled:
        yield parent
        return
    span, context = _start_span(name, parent, kind)
    try:
        yield context
    finally:
        if span is not None:
            span.end()


def flow_step(number: int, duration_ms: float, **fields: Any) -> None:
    """Log one of the order flow's fourteen steps, for sampled traces only."""
    context = _trace.get()
    if context is None or not context.is_sampled:
        return
    log.info(
        "flow.step",
        step=number,
        name=FLOW_STEPS[number],
        duration_ms=round(duration_ms, 3),
        **fields,
    )


class TelemetryMiddleware:
    """Pure ASGI: request id and trace context in and out, metrics, one access log line.

    A route label is the path's template, never the path itself: labels stay few.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, parent = _ids_from(scope)
        span, context = _start_span(scope["method"], parent, SpanKind.SERVER)
        # Not reset at the end: a request has a task of its own, and the handler of crashes, which
        # is outside of all middleware, still names the request.
        _request_id.set(request_id)
        _trace.set(context)
        try:
            await _Exchange(scope, send, request_id).run(self.app, receive)
        finally:
            if span is not None:
                span.update_name(f"{scope['method']} {route_template(scope)}")
                span.end()


class _Exchange:
    """One request and its answer, timed."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.scope = scope
        self._send = send
        self._header = (b"x-request-id", request_id.encode("latin-1"))
        self._started = time.perf_counter()
        self.status = 500

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        IN_FLIGHT.inc()
        try:
            await app(self.scope, receive, self.send)
        finally:
            IN_FLIGHT.dec()
            self._record()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), self._header]}
        await self._send(message)

    def _record(self) -> None:
        elapsed_s = time.perf_counter() - self._started
        method, route = self.scope["method"], route_template(self.scope)
        count(method, route, self.status, elapsed_s)
        if self.status >= 500 or is_sampled():  # noqa: PLR2004
            log.info(
                "http.request",
                method=method,
                route=route,
                status=self.status,
                duration_ms=round(elapsed_s * 1000, 3),
            )


def count(method: str, route: str, status: int, elapsed_s: float) -> None:
    """Count an answered request; `route` is a template, never a path."""
    requests, latency = metric_children(method, route, status)
    requests.inc()
    latency.observe(elapsed_s)


def takes_trace(scope: Scope, traceparent: bytes | None) -> bool:
    """Tell whether a request is traced; a trace that begins with it is written into its headers."""
    given = None if traceparent is None else parse_traceparent(traceparent.decode("latin-1"))
    if given is not None:
        return given.is_sampled
    if _draw() >= _State.sample_ratio:
        return False
    trace_context = TraceContext(secrets.token_hex(16), secrets.token_hex(8), is_sampled=True)
    scope["headers"].append((b"traceparent", trace_context.traceparent.encode()))
    return True


def is_sampled() -> bool:
    context = _trace.get()
    return context is not None and context.is_sampled


def route_template(scope: Scope) -> str:
    route = scope.get("route")
    return cast("str", getattr(route, "path", None) or "unmatched")


_known_methods: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_metric_children: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def metric_children(method: str, route: str, status: int) -> tuple[Any, Any]:
    """Return ready metric children: looking labels up anew costs more than counting."""
    found = _metric_children.get((method, route, status))
    if found is None:
        label = method if method in _known_methods else "OTHER"
        found = (REQUESTS.labels(label, route, str(status)), LATENCY.labels(label, route))
        _metric_children[method, route, status] = found
    return found


def _ids_from(scope: Scope) -> tuple[str, TraceContext]:
    request_id = parent = None
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = _clean_request_id(value)
        elif name == b"traceparent":
            parent = parse_traceparent(value.decode("latin-1"))
    return request_id or str(new_id()), parent or new_trace()


def request_id_bytes(given: bytes | None) -> bytes:
    """Return the caller's request id if it may be kept, else a new one."""
    kept = None if given is None else _clean_request_id(given)
    return (kept or str(uuid_utils.uuid7())).encode()


def _clean_request_id(value: bytes) -> str | None:
    """Accept a caller's id only if it is short and plain: it ends up in logs."""
    text = value.decode("latin-1")
    if not text or len(text) > REQUEST_ID_LENGTH:
        return None
    return text if text.replace("-", "").replace("_", "").isalnum() and text.isascii() else None


def _add_ids(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["service"] = _State.service
    if (request_id := _request_id.get()) is not None:
        event.setdefault("request_id", request_id)
    if (context := _trace.get()) is not None:
        event.setdefault("trace_id", context.trace_id)
    return event


def _configure_traces(settings: ServiceSettings, service: str) -> None:
    """Export spans where an address is set; the exporters are loaded only then (15 MB)."""
    endpoints = {
        ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"): (
            settings.otlp_endpoint
        ),
        ("opentelemetry.exporter.zipkin.json", "ZipkinExporter"): settings.zipkin_endpoint,
    }
    exporters = [
        getattr(importlib.import_module(module), name)(endpoint=endpoint, timeout=3)
        for (module, name), endpoint in endpoints.items()
        if endpoint
    ]
    if not exporters:
        return
    sdk = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    resources = importlib.import_module("opentelemetry.sdk.resources")
    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": service}))
    for exporter in exporters:
        provider.add_span_processor(export.BatchSpanProcessor(exporter))
    _State.tracer = provider.get_tracer("common_lib")
