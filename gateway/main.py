"""The front door: settings → pools, keys, limiter → app."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from common_lib.auth import JwksCache, TokenVerifier, remote_keys
from common_lib.cache import create_redis
from common_lib.errors import Unavailable
from common_lib.runtime import Check, background, create_app, every, metrics_server, serve
from common_lib.settings import Profile
from common_lib.settings.start import told_plainly
from gateway import auth, pages
from gateway.edge import EdgeLimits, EdgeProtocol
from gateway.limits import RING_SCRIPT, Limiter
from gateway.live_settings import live_limits
from gateway.parts import Gateway
from gateway.pool import Upstream
from gateway.proxy import Proxy
from gateway.redis_pipe import RedisPipe
from gateway.routes import CATALOG, NOTIFICATION, ORDER, USER
from gateway.settings import GatewaySettings
from gateway.storefront import Storefront

NAME: Final = "gateway"
_SWEEP_S: Final = 0.25
_PROBE_PAUSE_S: Final = 0.5
_PROBE_S: Final = 1.5
_LOCAL: Final = re.compile(rb"/(?:livez|readyz|healthz|problems(?:/[a-z0-9_]{1,64})?)")
_OPENAPI: Final = b"/openapi.json"
_DOCS: Final = re.compile(rb"/docs(?:/[a-z-]{1,40}\.(?:js|css|png|html))?")


def build_app(settings: GatewaySettings) -> Proxy:
    has_docs = settings.profile is Profile.DEV
    has_openapi = settings.has_openapi

    def is_local(raw_path: bytes) -> bool:
        if _LOCAL.fullmatch(raw_path) is not None:
            return True
        if raw_path == _OPENAPI:
            return has_openapi
        return has_docs and _DOCS.fullmatch(raw_path) is not None

    app = create_app(settings, NAME, routes=pages.routes(), lifespan=_lifespan)
    storefront = Storefront(settings.image_origins, is_production=settings.is_production)
    return Proxy(app, is_local, storefront)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: GatewaySettings = app.state.settings
    async with remote_keys(settings.jwks_url) as keys, _wired(app, settings, keys):
        yield


@asynccontextmanager
async def _wired(app: FastAPI, settings: GatewaySettings, keys: JwksCache) -> AsyncIterator[None]:
    redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    verifier = TokenVerifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    upstreams = build_upstreams(settings)
    pipe = RedisPipe(settings.redis_url, RING_SCRIPT, timeout_s=settings.redis_timeout_s)
    limiter = Limiter(pipe, auth.policies(settings))
    app.state.gateway = Gateway(settings, upstreams, verifier, limiter)
    app.state.openapi = pages.OpenApi(upstreams)
    app.state.checks = {
        "redis": Check(redis.ping, is_required=False),
        **{
            f"{name}_service": Check(_probe(upstream), is_required=False)
            for name, upstream in upstreams.items()
        },
    }

    async def sweep() -> None:
        for upstream in upstreams.values():
            upstream.sweep()

    async def probe() -> None:
        await asyncio.gather(*(upstream.probe() for upstream in upstreams.values()))

    async with (
        metrics_server(settings, settings.metrics_port),
        background(sweeper=every(_SWEEP_S, sweep), prober=every(_PROBE_PAUSE_S, probe)),
        _followed_limits(settings, limiter),
    ):
        yield
    for upstream in upstreams.values():
        upstream.close()
    await pipe.close()
    await redis.aclose()


@asynccontextmanager
async def _followed_limits(settings: GatewaySettings, limiter: Limiter) -> AsyncIterator[None]:
    """Let the store's limits be in force while the block lasts, where there is a store."""
    if not settings.live_settings_path:
        yield
        return
    async with (
        live_limits(settings, limiter.set_limit) as limits,
        background(live_limits=every(settings.live_settings_poll_s, limits.refresh)),
    ):
        yield


def build_upstreams(settings: GatewaySettings) -> dict[str, Upstream]:
    addresses = {
        USER: settings.user_url,
        CATALOG: settings.catalog_url,
        ORDER: settings.order_url,
        NOTIFICATION: settings.notification_url,
    }
    return {
        name: Upstream(
            name,
            urls,
            connect_timeout_s=settings.connect_timeout_s,
            idle_s=settings.upstream_idle_s,
        )
        for name, urls in addresses.items()
    }


def _probe(upstream: Upstream) -> Callable[[], Awaitable[object]]:
    async def probe() -> None:
        status, _ = await upstream.fetch("/livez", timeout_s=_PROBE_S)
        if status != 200:  # noqa: PLR2004
            raise Unavailable

    return probe


def main() -> None:
    with told_plainly():
        settings = GatewaySettings()
        limits = EdgeLimits(
            max_header_bytes=settings.max_header_bytes,
            header_timeout_s=settings.header_timeout_s,
            problem_base_url=settings.problem_base_url,
        )
        serve(build_app(settings), settings, protocol=partial(EdgeProtocol, limits=limits))


if __name__ == "__main__":
    main()
