"""The shell around every process: health, metrics, error answers, graceful stop."""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson
import structlog
import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common_lib import problems, telemetry
from common_lib.awaited import EXTENSION, caller
from common_lib.errors import Unavailable
from common_lib.http_client import deadline
from common_lib.runtime.admission import Admission
from common_lib.runtime.documents import DescribedApp
from common_lib.runtime.draining import DRAINING, Drain, DrainingProtocol, Server
from common_lib.runtime.head import HeadLikeGet
from common_lib.runtime.hot_reads import HotRead, HotReads
from common_lib.settings import ServiceSettings

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[object]]
Component = Callable[[asyncio.Event], Awaitable[None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

PROBE_TIMEOUT_S: Final = 2.0
# Longer than any of our clients keeps an idle connection, so that the client closes first.
KEEP_ALIVE_S: Final = 75
MAX_HEADER_BYTES: Final = 16 * 1024
_FAILED_TO_START: Final = 3  # as the uvicorn command says it

RESTARTS = Counter("component_restarts_total", "Background parts started again", ["component"])


@dataclass(frozen=True, slots=True)
class Check:
    """A dependency as /readyz reports it; an optional one may be away without harm."""

    probe: Probe
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process runs: named loops, each until the event it is given is set."""

    components: Mapping[str, Component]
    checks: Mapping[str, Check] = field(default_factory=dict)


class HotRoute(Route):
    """A Starlette route that tells telemetry its template, as FastAPI's own routes do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


def create_app(
    settings: ServiceSettings,
    name: str,
    *,
    routers: Sequence[APIRouter] = (),
    routes: Sequence[BaseRoute] = (),
    hot_reads: Sequence[HotRead] = (),
    lifespan: Lifespan | None = None,
    is_internal: bool = False,
) -> FastAPI:
    """Return an app with telemetry, problem documents, health and metrics.

    Whether it shows its metrics and its OpenAPI document is a setting; one that `is_internal`, as
    the health server of a worker is, shows its metrics in any case.

    `routes` are matched first: that is the place of a HotRoute; `hot_reads` are answered before
    all of it where the bytes are at hand. The lifespan sets
    `app.state.checks` (name → Check) and, where tokens are read, `app.state.authenticator`.
    """
    is_open = is_internal or settings.has_open_metrics
    metrics = [HotRoute("/metrics", _metrics)] if is_open else []
    app = DescribedApp(
        title=name,
        routers=routers,
        openapi_url="/openapi.json" if settings.has_openapi else None,
        docs_url=None,
        redoc_url=None,
        # A redirect would name this process's own address to whoever stands before the gateway.
        redirect_slashes=False,
        # Ours is lighter, and knows the trace that came over the bus.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
        routes=[*_operation_routes(), *metrics, *routes],
    )
    app.state.settings = settings
    app.state.checks = {}
    problems.install(app, base_url=settings.problem_base_url)
    app.add_middleware(Admission, problem_base_url=settings.problem_base_url)
    app.add_middleware(DeadlineMiddleware)
    app.add_middleware(HeadLikeGet)
    app.add_middleware(telemetry.TelemetryMiddleware)
    if hot_reads:
        app.add_middleware(HotReads, reads=hot_reads)
    return app


class DeadlineMiddleware:
    """Take over the caller's remaining time (X-Request-Timeout-Ms), and whether it is still there.

    Our own outgoing calls end with it; what is costly is not begun after it (`common_lib.awaited`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Not reset at the end: a request has a task of its own.
        caller.set(scope.get("extensions", {}).get(EXTENSION))
        left_s = _time_left_s(scope)
        if left_s is None:
            await self.app(scope, receive, send)
            return
        token = deadline.set(time.monotonic() + left_s)
        try:
            await self.app(scope, receive, send)
        finally:
            deadline.reset(token)


def _time_left_s(scope: Scope) -> float | None:
    for name, value in scope["headers"]:
        if name == b"x-request-timeout-ms" and value.isdigit() and len(value) < 8:  # noqa: PLR2004
            return int(value) / 1000
    return None


class NamedApp(Protocol):
    """An ASGI app with a name for the logs: a FastAPI app, or what is wrapped around one."""

    title: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def serve(app: NamedApp, settings: ServiceSettings, *, protocol: Any = DrainingProtocol) -> None:
    """Serve until SIGTERM; what was accepted until then is answered first.

    `protocol` makes a connection's protocol: DrainingProtocol or a subclass.
    """
    telemetry.configure(settings, app.title)
    _spare_the_collector()
    drain = Drain(settings.shutdown_announce_s, settings.shutdown_idle_s, settings.shutdown_grace_s)
    server = Server(_uvicorn_config(app, settings, protocol), drain)
    uvloop.run(_serve(server, settings))
    if not server.started:
        sys.exit(_FAILED_TO_START)


async def _serve(server: Server, settings: ServiceSettings) -> None:
    port = settings.own_metrics_port
    async with metrics_server(settings, port) if port else contextlib.nullcontext():
        await server.serve_until_signal()


def run_worker(
    settings: ServiceSettings,
    name: str,
    build: Callable[[], AbstractAsyncContextManager[Worker]],
) -> None:
    """Run a worker's components beside a health server until SIGTERM."""
    telemetry.configure(settings, name)
    _spare_the_collector()
    uvloop.run(_work(settings, name, build))


def _spare_the_collector() -> None:
    """Take what the imports made, 150,000 objects, out of every later collection.

    A full one stops the process for some 90 ms, in the middle of somebody's request.
    """
    gc.collect()
    gc.freeze()


async def _work(
    settings: ServiceSettings, name: str, build: Callable[[], AbstractAsyncContextManager[Worker]]
) -> None:
    stop = asyncio.Event()
    app = create_app(settings, name, is_internal=True)
    server = Server(_uvicorn_config(app, settings))
    async with build() as worker:
        app.state.checks = dict(worker.checks)
        tasks = [
            asyncio.create_task(_supervise(part, component, stop), name=part)
            for part, component in worker.components.items()
        ]
        await server.serve_until_signal()
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=settings.shutdown_grace_s)
        for task in late:
            log.warning("worker.cut_off", component=task.get_name())
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _supervise(name: str, component: Component, stop: asyncio.Event) -> None:
    """Keep a component running; one that fails is started again after a pause."""
    pause_s = 0.5
    while not stop.is_set():
        started = time.monotonic()
        try:
            await component(stop)
        except Unavailable as error:
            log.warning("component.waits", component=name, reason=error.detail)
        except Exception:
            log.exception("component.failed", component=name)
        if stop.is_set():
            return
        RESTARTS.labels(name).inc()
        pause_s = 0.5 if time.monotonic() - started > 60 else min(pause_s * 2, 10)  # noqa: PLR2004
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


def every(seconds: float, job: Callable[[], Awaitable[object]]) -> Component:
    """Return a component that runs `job` again and again with a pause of `seconds`."""

    async def loop(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await job()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    return loop


@asynccontextmanager
async def background(**components: Component) -> AsyncIterator[None]:
    """Run components beside a web app for as long as the block lasts."""
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(_supervise(name, component, stop), name=name)
        for name, component in components.items()
    ]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=2) if tasks else (None, ())
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def metrics_server(settings: ServiceSettings, port: int) -> AsyncIterator[None]:
    """Serve /metrics on a port of its own beside the app, for as long as the block lasts."""
    app = Starlette(routes=[Route("/metrics", _metrics)])
    config = _uvicorn_config(app, settings)
    config.port, config.lifespan = port, "off"
    server = Server(config)
    serving = asyncio.create_task(server.serve(), name="metrics")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _uvicorn_config(
    app: ASGIApp, settings: ServiceSettings, protocol: Any = DrainingProtocol
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )


def _operation_routes() -> list[BaseRoute]:
    return [
        HotRoute("/livez", _alive),
        HotRoute("/readyz", _ready),
        HotRoute("/healthz", _ready),
    ]


async def _alive(request: Request) -> Response:
    del request
    return Response(b'{"status":"alive"}', media_type="application/json")


async def _ready(request: Request) -> Response:
    """Answer 200 when every required dependency answers, else 503; each with its milliseconds.

    A process that was told to stop is not ready, whatever answers.
    """
    if getattr(request.state, DRAINING, False):
        return Response(b'{"status":"draining"}', status_code=503, media_type="application/json")
    checks: Mapping[str, Check] = request.app.state.checks
    results = await asyncio.gather(*(_measure(check.probe) for check in checks.values()))
    report = {
        name: {"ok": ok, "ms": ms, "required": check.is_required}
        for (name, check), (ok, ms) in zip(checks.items(), results, strict=True)
    }
    is_ready = all(entry["ok"] or not entry["required"] for entry in report.values())
    body = {"status": "ready" if is_ready else "not_ready", "checks": report}
    return Response(
        orjson.dumps(body), status_code=200 if is_ready else 503, media_type="application/json"
    )


async def _measure(probe: Probe) -> tuple[bool, float]:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
        ok = True
    except Exception as error:  # noqa: BLE001 - whatever a probe raises means "not ready"
        log.warning("readiness.failed", error=type(error).__name__)
        ok = False
    return ok, round((time.perf_counter() - started) * 1000, 2)


async def _metrics(request: Request) -> Response:
    del request
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
