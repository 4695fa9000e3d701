"""Calls to other services: deadline, one retry layer, circuit breaker, service token, trace.

The breaker is our own: of the libraries tried, two let every half-open call through at once and one
fails on coroutines (ADR on the circuit breaker).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

import orjson
import structlog
from prometheus_client import Counter
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PyreqwestError

from common_lib.errors import Unavailable
from common_lib.telemetry import child_span, current_request_id

log = structlog.get_logger(__name__)

CALLS = Counter("http_client_calls_total", "Calls to other services", ["target", "outcome"])
# Retries may add at most this share to the calls of a client (a budget against retry storms).
RETRY_BUDGET: Final = 0.1
_RETRY_BURST: Final = 10.0

# Shorter than a service that is about to stop keeps connections at rest (`shutdown_idle_s`).
_REST: Final = timedelta(seconds=1)

# How hyper names a failure to connect. pyreqwest's ConnectError alone does not say it: one is also
# raised when the other side hangs up in the middle of a request that it may have carried out.
_CONNECT_FAILED: Final = "client error (Connect)"

# The moment (time.monotonic) by which the work in hand must be answered; None where none was given.
deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class TokenIssuer(Protocol):
    def issue(self, audience: str) -> str: ...


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpen(Unavailable):
    code = "circuit_open"
    title = "A part that is needed has failed repeatedly and is left alone for a moment"


class CallTimedOut(Unavailable):
    """The other side may or may not have done the work."""

    code = "upstream_timeout"
    title = "A part that is needed did not answer in time"


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `threshold` failures in a row; lets exactly one probe through after `rest_s`."""

    name: str
    threshold: int = 5
    rest_s: float = 2.0
    _failures: int = 0
    _opened_at: float = 0.0
    _probing_since: float | None = None

    @property
    def state(self) -> BreakerState:
        if self._failures < self.threshold:
            return BreakerState.CLOSED
        if time.monotonic() - self._opened_at < self.rest_s:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def admit(self) -> None:
        """Raise CircuitOpen unless a call may go out now."""
        state = self.state
        if state is BreakerState.CLOSED:
            return
        now = time.monotonic()
        # A probe whose caller vanished must not keep the circuit open for ever.
        is_probing = self._probing_since is not None and now - self._probing_since < self.rest_s
        if state is BreakerState.OPEN or is_probing:
            raise CircuitOpen(f"{self.name} is left alone", retry_after_s=self.rest_s)
        self._probing_since = now

    def succeeded(self) -> None:
        self._failures = 0
        self._probing_since = None

    def failed(self) -> None:
        self._failures += 1
        self._probing_since = None
        if self._failures >= self.threshold:
            self._opened_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return orjson.loads(self.body)


class _Call(NamedTuple):
    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str] | None


def _never_left(error: BaseException | None) -> bool:
    """Tell whether the request stayed in this process, so that even a POST may be repeated."""
    if not isinstance(error, (ConnectError, ConnectTimeoutError)):
        return False
    causes = (error.details or {}).get("causes") or ()
    return any(cause["message"] == _CONNECT_FAILED for cause in causes)


class HttpClient:
    """A pool of connections to one service, which may have several addresses.

    `request` raises Unavailable (CircuitOpen, CallTimedOut among them) when no answer came, with
    `is_outcome_unknown` where the request may have arrived; an answer of any status is returned.
    What did not leave is tried at each address; idempotent calls are repeated once, elsewhere if
    possible.
    """

    def __init__(
        self,
        name: str,
        base_urls: Sequence[str],
        *,
        timeout_s: float = 3.0,
        tokens: TokenIssuer | None = None,
        max_connections: int = 128,
    ) -> None:
        self._name = name
        self._base_urls = tuple(base_urls)
        self._timeout_s = timeout_s
        self._tokens = tokens
        self._breakers = {url: CircuitBreaker(url) for url in self._base_urls}
        self._turn = 0
        self._retry_credit = _RETRY_BURST
        self._max_connections = max_connections
        self._client: Client | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        is_idempotent: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """Call `path`; `json` is sent as it is when bytes, else encoded."""
        body = json if isinstance(json, bytes) or json is None else orjson.dumps(json, default=str)
        call = _Call(method, path, body, headers)
        ends_at = self._end(timeout_s or self._timeout_s)
        self._retry_credit = min(_RETRY_BURST, self._retry_credit + RETRY_BUDGET)
        tried: list[str] = []
        is_repeated = has_left = False
        while True:
            try:
                address = self._next_address(tried)
                left_s = self._left(ends_at)
            except Unavailable as error:
                error.is_outcome_unknown = has_left
                raise
            try:
                return await self._once(address, call, left_s)
            except CallTimedOut as error:
                error.is_outcome_unknown = True
                raise
            except Unavailable as error:
                tried.append(address)
                never_left = _never_left(error.__cause__)
                error.is_outcome_unknown = has_left = has_left or not never_left
                # To ask the next address for what the last one never saw is no repetition.
                if never_left and len(tried) < len(self._base_urls):
                    continue
                may_repeat = is_idempotent or never_left
                if is_repeated or not may_repeat or not self._spend_retry():
                    raise
                is_repeated = True

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _end(self, timeout_s: float) -> float:
        """Return the moment by which a call must be over, its repetition included."""
        end, limit = time.monotonic() + timeout_s, deadline.get()
        return end if limit is None else min(end, limit)

    def _left(self, ends_at: float) -> float:
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            raise CallTimedOut(f"no time is left to call {self._name}")
        return left_s

    def _spend_retry(self) -> bool:
        if self._retry_credit < 1:
            return False
        self._retry_credit -= 1
        return True

    async def _once(self, base_url: str, call: _Call, timeout_s: float) -> Answer:
        breaker = self._breakers[base_url]
        with child_span(f"{call.method} {self._name}") as context:
            sent = self._headers(call.headers, context.traceparent if context else None, timeout_s)
            request = self._pool().request(call.method, base_url + call.path).headers(sent)
            if call.body is not None:
                request = request.body_bytes(call.body)
            try:
                async with asyncio.timeout(timeout_s):
                    response = await request.build().send()
                    answer = Answer(
                        response.status, bytes(await response.bytes()), dict(response.headers)
                    )
            except BaseException as error:
                self._account(breaker, error)
                raise
        breaker.succeeded()
        CALLS.labels(self._name, "answered").inc()
        return answer

    def _account(self, breaker: CircuitBreaker, error: BaseException) -> None:
        """Count a failure and raise it in our own words; a cancelled call counts for nothing."""
        if isinstance(error, PyreqwestError):
            breaker.failed()
            CALLS.labels(self._name, "failed").inc()
            raise Unavailable(f"{self._name} does not answer", retry_after_s=1) from error
        if isinstance(error, TimeoutError):
            breaker.failed()
            CALLS.labels(self._name, "timeout").inc()
            raise CallTimedOut(f"{self._name} did not answer in time") from error

    def _next_address(self, tried: Sequence[str]) -> str:
        """Return the next address in turn whose breaker lets a call through, tried ones last."""
        first = self._turn % max(1, len(self._base_urls))
        self._turn += 1
        turned = (*self._base_urls[first:], *self._base_urls[:first])
        last: CircuitOpen | None = None
        for base_url in sorted(turned, key=tried.count):
            try:
                self._breakers[base_url].admit()
            except CircuitOpen as error:
                last = error
            else:
                return base_url
        CALLS.labels(self._name, "circuit_open").inc()
        raise last or CircuitOpen(f"{self._name} has no address")

    def _headers(
        self, headers: Mapping[str, str] | None, traceparent: str | None, timeout_s: float
    ) -> dict[str, str]:
        sent = {"content-type": "application/json", **(headers or {})}
        sent["x-request-timeout-ms"] = str(int(timeout_s * 1000))
        if (request_id := current_request_id()) is not None:
            sent["x-request-id"] = request_id
        if traceparent is not None:
            sent["traceparent"] = traceparent
        if self._tokens is not None:
            sent["authorization"] = f"Bearer {self._tokens.issue(self._name)}"
        return sent

    def _pool(self) -> Client:
        if self._client is None:
            self._client = (
                ClientBuilder()
                .http1_only()
                .no_proxy()
                .connect_timeout(timedelta(seconds=1))
                .pool_idle_timeout(_REST)
                .max_connections(self._max_connections)
                .follow_redirects(False)
                .build()
            )
        return self._client
