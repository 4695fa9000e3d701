"""What the gateway adds to every answer, and its own refusals."""

import zlib
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

import orjson

from common_lib.errors import DomainError, Rejected
from common_lib.problems import PROBLEM_JSON, problem_of
from gateway.headers import Header, RequestHead
from gateway.limits import WINDOW_S, Verdict

MIN_COMPRESSED_BYTES: Final = 1024
_GZIP_WINDOW: Final = 31
_GZIP_LEVEL: Final = 4
_NOT_MODIFIED: Final = 304
_COMPRESSIBLE: Final = (b"application/json", b"application/problem+json", b"text/", b"image/svg")

SECURITY_HEADERS: Final[Sequence[Header]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_STRICT_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_EXPOSED: Final = (
    b"ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "
    b"X-Request-Id"
)
_ALLOWED: Final = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, "
    b"traceparent"
)


class MethodNotAllowed(Rejected):
    code = "method_not_allowed"
    title = "This path does not answer to that method"
    allow = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class OnlyRead(MethodNotAllowed):
    """A page is read and nothing else."""

    allow = b"GET, HEAD"


class Crashed(DomainError):
    """An error of our own that nobody caught."""

    code = "internal_error"
    title = "Something went wrong on our side"


class RateLimited(Rejected):
    code = "rate_limited"
    title = "Too many requests in a short time"
    is_retryable = True


def limit_headers(verdict: Verdict) -> list[Header]:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10)."""
    policies = [f'"{count.policy}";q={count.limit};w={WINDOW_S}' for count in verdict.counts]
    counts = [
        f'"{count.policy}";r={count.remaining};t={max(1, ceil(count.free_in_s))}'
        for count in verdict.counts
    ]
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(counts).encode()),
    ]


def problem_body(error: DomainError, request_id: bytes, base_url: str) -> tuple[int, bytes]:
    """Return status and body of a refusal."""
    document: dict[str, Any] = problem_of(error, base_url=base_url)
    document["requestId"] = request_id.decode("latin-1")
    return document["status"], orjson.dumps(document, default=str)


def problem_headers(error: DomainError, status: int, length: int) -> list[Header]:
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % length),
        (b"cache-control", b"no-store"),
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, -int(-error.retry_after_s // 1))))
    if status == 401:  # noqa: PLR2004
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow))
    return headers


class Cors:
    """Cross-origin rules: an allow-list of origins, no credentials but the Authorization header."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, origin: bytes | None) -> list[Header]:
        if not self._origins:
            return []
        headers = [(b"vary", b"Origin")]
        if origin in self._origins and origin is not None:
            headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        return headers

    def preflight(self, origin: bytes | None) -> list[Header]:
        headers = self.headers(origin)
        if len(headers) > 1:
            headers += [
                (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
                (b"access-control-allow-headers", _ALLOWED),
                (b"access-control-max-age", b"600"),
            ]
        return headers


class Compressor:
    """gzip for one answer, in one piece or as it streams."""

    def __init__(self) -> None:
        self._gzip = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def whole(self, body: bytes) -> bytes:
        return self._gzip.compress(body) + self._gzip.flush()

    def piece(self, body: bytes) -> bytes:
        return self._gzip.compress(body) + self._gzip.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._gzip.flush()


def may_compress(head: RequestHead, prefix: str, status: int, named: Mapping[bytes, bytes]) -> bool:
    """Say whether this answer, its length apart, may be sent as gzip.

    Not what carries tokens: compression beside a secret leaks it by length (BREACH).
    """
    return (
        b"gzip" in head.accept_encoding
        and status not in (204, 206, _NOT_MODIFIED)
        and prefix != "/api/auth"
        and b"content-encoding" not in named
        and named.get(b"content-type", b"").startswith(_COMPRESSIBLE)
        and b"no-transform" not in named.get(b"cache-control", b"")
    )


def hardened(headers: list[Header], named: Mapping[bytes, bytes], *, is_personal: bool) -> None:
    """Add the security headers, and for what a token opened no-store unless the service said."""
    headers.extend(SECURITY_HEADERS)
    if b"content-security-policy" not in named:
        headers.append(_STRICT_POLICY)
    if is_personal and b"cache-control" not in named:
        headers.append((b"cache-control", b"no-store"))
