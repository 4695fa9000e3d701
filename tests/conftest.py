"""The stack the tests run on: real parts on free ports, beside whatever else is up.

`parts` gives MySQL, Redis and LocalStack; `stack` adds all ten processes and the seeded catalogue.
Both live for the session, in a temporary folder, and leave nothing behind.
"""

import gc
import itertools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import hypothesis
import pytest
from redis.asyncio import Redis
from rich.console import Console

from common_lib.bus import Bus
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.settings import DatabaseSettings
from shop.stack.edge import Edge
from shop.stack.errors import StackError
from shop.stack.layout import PROCESS_NAMES, Layout
from shop.stack.memory import Kind, recall_ports, remember
from shop.stack.native import NativeStack
from shop.stack.progress import Progress
from tests import containers, mailbox, seeding
from tests.crew import Crew
from tests.databases import migrated, settings_on
from tests.nursery import Nursery, nursery
from tests.plain import NO_TLS
from tests.shopper import DEV_PASSWORD, Shopper

# Whether an example is right does not hang on how busy the machine is.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")

# What a test cannot wait for is shortened; what it must not trip over is widened.
TEST_ENVIRONMENT = {
    "SHOP_RATE_LIMIT_PER_MINUTE": "1000000",
    "SHOP_LOGIN_LIMIT_PER_15MIN": "1000000",
    "SHOP_REGISTER_LIMIT_PER_HOUR": "1000000",
    "SHOP_MAIL_LIMIT_PER_HOUR": "1000000",
    "SHOP_BCRYPT_ROUNDS": "4",
    "SHOP_CONSUMER_VISIBILITY_S": "5",
    "SHOP_RESERVATION_TTL_S": "90",
    "SHOP_SWEEP_INTERVAL_S": "1",
    "SHOP_IN_FLIGHT_TTL_MS": "1000",
    "SHOP_SHUTDOWN_IDLE_S": "1.2",
    # A machine that is busy makes nobody look as if Redis were away.
    "SHOP_REDIS_TIMEOUT_S": "1",
}

# Where parts live that stay up after the tests and are found by the next run.
KEPT_HOME_VARIABLE = "SHOP_TEST_HOME"

_scratch_numbers = itertools.count(1)


_crew = pytest.StashKey[Crew]()
_parts = pytest.StashKey[NativeStack]()


def pytest_sessionstart() -> None:
    """Nothing that is loaded to find the tests is garbage: looking for it takes as long as that."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the shop's processes, if there are any yet, only where tests look at the whole shop."""
    crew = item.session.stash.get(_crew, None)
    if crew is None or not isinstance(item, pytest.Function):
        return
    if "stack" in item.fixturenames:
        crew.work()
    elif "e2e" not in item.path.parts:
        crew.rest()


@pytest.fixture(scope="module", autouse=True)
def _empty_mailbox(request: pytest.FixtureRequest) -> None:
    """No module reads what the one before had sent."""
    parts = request.session.stash.get(_parts, None)
    if parts is not None and "unit" not in request.path.parts:
        mailbox.empty(parts)


@dataclass(frozen=True)
class Entrance:
    """A base URL, and whose certificate is taken there."""

    url: str
    trust: ssl.SSLContext = NO_TLS


@pytest.fixture(scope="session")
def launcher() -> Iterator[Nursery]:
    """What makes the shop's processes at little cost."""
    with nursery() as launcher:
        yield launcher


@pytest.fixture(scope="session")
def parts(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[NativeStack]:
    """MySQL, Redis and LocalStack, migrated: in containers where an engine answers, else native.

    With SHOP_TEST_HOME they are those that an earlier run left there, and they are left there.
    """
    kept_home = os.environ.get(KEPT_HOME_VARIABLE)
    layout = _kept(Path(kept_home)) if kept_home else _passing(tmp_path_factory.mktemp("stack"))
    stack = containers.stack_for(layout, Progress(Console()))
    if not kept_home:  # what a nursery starts ends with it
        stack.processes.launcher = request.getfixturevalue("launcher")
    try:
        stack.start_parts()
        stack.migrate()
    except StackError:
        stack.stop()  # the error points to logs that stay
        raise
    request.session.stash[_parts] = stack
    try:
        yield stack
    finally:
        if kept_home:
            for name in PROCESS_NAMES:
                stack.kill(name)
        else:
            stack.reset()


def _passing(home: Path) -> Layout:
    return Layout.for_tests(home, env=TEST_ENVIRONMENT)


def _kept(home: Path) -> Layout:
    layout = replace(_passing(home), die_with_parent=False)
    ports = recall_ports(home) or layout.ports
    remember(home, Kind.NATIVE, ports)
    return replace(layout, ports=ports)


@pytest.fixture(scope="session")
def stack(parts: NativeStack, request: pytest.FixtureRequest) -> NativeStack:
    """The whole shop, running and seeded."""
    parts.start_processes()
    seeding.fill(parts)
    request.session.stash[_crew] = Crew(parts)
    return parts


@pytest.fixture
async def redis(parts: NativeStack) -> AsyncIterator[Redis]:
    client = create_redis(parts.layout.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def bus(parts: NativeStack) -> AsyncIterator[Bus]:
    async with Bus(settings_for(parts, "order", parts.database_url("order"))) as bus:
        yield bus


ScratchDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture
async def scratch_database(parts: NativeStack) -> AsyncIterator[ScratchDatabase]:
    """Return a maker of migrated databases of a service, each empty and dropped after the test."""
    async with AsyncExitStack() as databases:

        async def make(service: str) -> str:
            name = f"scratch_{service}_{next(_scratch_numbers)}"
            return await databases.enter_async_context(migrated(parts, service, name))

        yield make


def settings_for(parts: NativeStack, service: str, database_url: str) -> DatabaseSettings:
    """Return the common settings of a service on these parts, with the database given."""
    return settings_on(
        parts, service, DatabaseSettings, database_url=database_url, database_read_urls=()
    )


@pytest.fixture
async def open_database(parts: NativeStack) -> AsyncIterator[Callable[[str], Database]]:
    """Return an opener of databases by URL; they are closed after the test."""
    opened: list[Database] = []

    def connect(url: str) -> Database:
        database = Database(settings_for(parts, "order", url))
        opened.append(database)
        return database

    yield connect
    for database in opened:
        await database.close()


@pytest.fixture(scope="session")
def edge(stack: NativeStack) -> Edge:
    """Nginx with TLS and the firewall, in front of the stack's gateway."""
    return stack.start_edge()


@pytest.fixture(scope="session")
def entrance(request: pytest.FixtureRequest, stack: NativeStack) -> Entrance:
    """Where the tests enter the shop: the gateway, with SHOP_TEST_ENTRANCE=edge the edge."""
    if os.environ.get("SHOP_TEST_ENTRANCE") == "edge":
        edge: Edge = request.getfixturevalue("edge")
        return Entrance(edge.url, edge.trust())
    return Entrance(stack.layout.url("gateway"))


@pytest.fixture
async def http(entrance: Entrance) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the entrance."""
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(
        base_url=entrance.url, verify=entrance.trust, limits=limits, timeout=60
    ) as client:
        yield client


@pytest.fixture
def somebody(http: httpx2.AsyncClient) -> Callable[[], Shopper]:
    """Return a maker of callers who are not known yet."""
    return lambda: Shopper(http)


@pytest.fixture
async def shopper(http: httpx2.AsyncClient) -> Shopper:
    """A registered customer who is logged in."""
    return await (await Shopper(http).register()).login()


@pytest.fixture
async def other(http: httpx2.AsyncClient) -> Shopper:
    """Another customer."""
    return await (await Shopper(http).register()).login()


@pytest.fixture
async def admin(http: httpx2.AsyncClient) -> Shopper:
    return await Shopper(http).login("admin@shop.example", DEV_PASSWORD)


@pytest.fixture
async def seller(http: httpx2.AsyncClient) -> Shopper:
    return await Shopper(http).login("seller@shop.example", DEV_PASSWORD)
