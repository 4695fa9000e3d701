"""What is written down of each request: metrics, and a line in the log where it matters."""

from typing import Final

import structlog

from common_lib.telemetry import metric_children
from gateway.routes import Route

log = structlog.get_logger(__name__)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR: Final = 500


def account(
    method: str,
    route: Route | None,
    status: int,
    elapsed_s: float,
    request_id: bytes,
    *,
    is_sampled: bool,
) -> None:
    """Count a request that took `elapsed_s`; log it if sampled or failed."""
    prefix = route.prefix if route else "none"
    requests, latency = metric_children(method, prefix, status)
    requests.inc()
    latency.observe(elapsed_s)
    if is_sampled or status >= _SERVER_ERROR:
        log.info(
            "http.request",
            method=method if method in METHODS else "OTHER",
            route=prefix,
            status=status,
            duration_ms=round(elapsed_s * 1000, 3),
            request_id=request_id.decode("latin-1"),
        )
