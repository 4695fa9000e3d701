import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest
from rich.console import Console

from common_lib.settings import Profile
from gateway.settings import GatewaySettings
from shop.stack import redis as redis_part
from shop.stack.layout import Layout
from shop.stack.ports import LOOPBACK
from shop.stack.progress import Progress
from tests.integration.gateway.harness import Door, Upstream, open_door
from tests.waiting import eventually


class RedisServer:
    """A Redis of the test's own, which may be stopped and frozen."""

    def __init__(self, command: tuple[str, ...], folder: Path, port: int) -> None:
        self._command = (
            *command,
            *("--port", str(port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"),
            *("--dir", str(folder)),
        )
        self.port = port
        self._process: Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        self._process = Popen(self._command, stdout=DEVNULL, stderr=DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    async def ready(self) -> None:
        await eventually(lambda: redis_part.answers(self.port), what="redis")


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: Callable[[], int]
) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("redis")
    command = redis_part.choose(Layout.for_tests(folder), Progress(Console()))
    server = RedisServer(command, folder, unused_tcp_port_factory())
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def _running() -> AsyncIterator[Upstream]:
    server = Upstream()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def _upstream() -> AsyncIterator[Upstream]:
    async with _running() as server:
        yield server


@pytest.fixture(scope="session")
async def _door(
    redis_server: RedisServer, _upstream: Upstream, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Door]:
    await redis_server.ready()
    async with open_door(_settings(redis_server, _upstream, unused_tcp_port_factory())) as door:
        yield door


@pytest.fixture
async def upstream(_upstream: Upstream) -> Upstream:
    """The service behind all routes, without memories."""
    _upstream.drop_connections()
    await eventually(lambda: not _upstream.writers, what="the old connections to end")
    _upstream.forget()
    return _upstream


@pytest.fixture
async def second() -> AsyncIterator[Upstream]:
    """Another address of a service, of the test's own."""
    async with _running() as server:
        yield server


@pytest.fixture
async def door(_door: Door, upstream: Upstream) -> Door:
    """A gateway in front of `upstream`, shared by the tests that need no settings of their own."""
    await eventually(lambda: not _door.connections(), what="the old connections to be noticed")
    assert upstream.requests == []
    _door.close_circuits()
    return _door


@pytest.fixture
async def settings(
    redis_server: RedisServer, upstream: Upstream, unused_tcp_port: int
) -> GatewaySettings:
    """Settings of a gateway in front of `upstream`, for those that are opened by the test."""
    await redis_server.ready()
    return _settings(redis_server, upstream, unused_tcp_port)


def _settings(redis: RedisServer, upstream: Upstream, metrics_port: int) -> GatewaySettings:
    return GatewaySettings(
        profile=Profile.TEST,
        metrics_port=metrics_port,
        redis_url=redis.url,
        jwks_url=f"{upstream.url}/.well-known/jwks.json",
        user_url=(upstream.url,),
        catalog_url=(upstream.url,),
        order_url=(upstream.url,),
        notification_url=(upstream.url,),
        rate_limit_per_minute=100_000,
        trace_sample_ratio=0,
    )
