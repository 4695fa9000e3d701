"""What a search costs the database, however much it finds and however many ask."""

import asyncio

import sqlalchemy as sa

from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.counting import statements
from tests.integration.catalog_service.search.searching import SearchShop, word

MAX_STATEMENTS = 12


async def test_a_page_costs_the_same_statements_whatever_its_size(shop: SearchShop) -> None:
    mark = word()
    for n in range(3):
        await shop.put(f"{mark} {n}")
    sent_counts = []
    for limit in (1, 2, 3):
        with statements(shop.catalog) as sent:
            page = await shop.search(mark, limit=limit, sort="price")
        assert len(page["items"]) == limit
        sent_counts.append(len(sent))
    assert sent_counts[1] == sent_counts[2] <= MAX_STATEMENTS


async def test_a_search_is_remembered_for_a_while(catalog: Catalog) -> None:
    mark = word()
    shop = SearchShop(catalog)
    product_id = await shop.put(f"Kettle {mark}")
    await shop.search(mark)
    with statements(catalog) as sent:
        page = await shop.search(mark)
    assert page["items"][0]["id"] == str(product_id)
    assert sent == []


async def test_equal_searches_at_once_are_one(catalog: Catalog) -> None:
    mark = word()
    shop = SearchShop(catalog)
    await shop.put(f"Kettle {mark}")
    with statements(catalog) as sent:
        await shop.search(f"{mark} alone")
        alone = len(sent)
        pages = await asyncio.gather(*(shop.search(mark) for _ in range(20)))
    assert {page["total"] for page in pages} == {1}
    assert len(sent) - alone <= MAX_STATEMENTS


async def test_a_list_costs_the_same_statements_whatever_its_size(catalog: Catalog) -> None:
    for _ in range(3):
        await catalog.variant(1)
    sent_counts = []
    for limit in (1, 3):
        with statements(catalog) as sent:
            answer = await catalog.client.get(f"/api/products?limit={limit}&sort=price")
        assert len(answer.json()["items"]) == limit
        sent_counts.append(len(sent))
    assert sent_counts[0] == sent_counts[1] <= 6


async def test_words_are_looked_up_in_a_fulltext_index(catalog: Catalog) -> None:
    shop, mark = SearchShop(catalog), word()
    product_id = await shop.put(f"Kettle {mark}")
    with statements(catalog) as sent:
        page = await shop.search(mark)
    indexes = await catalog.rows(sa.text("SHOW INDEX FROM search_documents"))
    assert page["items"][0]["id"] == str(product_id)
    assert any("MATCH (words) AGAINST" in statement for statement in sent)
    assert any(row.Column_name == "words" and row.Index_type == "FULLTEXT" for row in indexes)
