"""Callers of the running shop."""

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from shop.stack.native import NativeStack
from tests.shopper import DEV_PASSWORD, Shopper


@pytest.fixture
async def http(stack: NativeStack) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the gateway."""
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    base_url = stack.layout.url("gateway")
    async with httpx2.AsyncClient(base_url=base_url, limits=limits, timeout=60) as client:
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
