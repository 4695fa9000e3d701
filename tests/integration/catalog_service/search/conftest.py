"""The catalog's search on both of its backends."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shop.stack.native import NativeStack
from tests.integration.catalog_service.conftest import catalog_settings, opened
from tests.integration.catalog_service.search.searching import (
    SearchShop,
    StandIn,
    client_of,
    stand_in,
)

BACKENDS = ("mysql", "elasticsearch")
# Answers may be five minutes old in the shop; a test looks again after a second.
CACHE_S = 1


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture(scope="session")
async def mysql_shop(parts: NativeStack, catalog_url: str) -> AsyncIterator[SearchShop]:
    settings = catalog_settings(parts, database_url=catalog_url, search_cache_ttl_s=CACHE_S)
    async with opened(settings) as catalog:
        yield SearchShop(catalog)


@pytest.fixture(scope="session")
async def elastic_shop(
    parts: NativeStack, catalog_url: str, elasticsearch: StandIn
) -> AsyncIterator[SearchShop]:
    settings = catalog_settings(
        parts,
        database_url=catalog_url,
        search_cache_ttl_s=CACHE_S,
        search_backend="elasticsearch",
        elasticsearch_url=(elasticsearch.url,),
    )
    async with opened(settings) as catalog:
        shop = SearchShop(catalog, client_of(elasticsearch.url))
        await shop.make_index()
        yield shop


@pytest.fixture(params=BACKENDS)
def shop(request: pytest.FixtureRequest) -> SearchShop:
    """Yield the catalog with its search on one backend, then on the other."""
    name = "mysql_shop" if request.param == "mysql" else "elastic_shop"
    found: SearchShop = request.getfixturevalue(name)
    return found
