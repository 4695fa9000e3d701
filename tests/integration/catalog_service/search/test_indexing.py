"""The indexes follow the catalog: by events, through outages, and made anew."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from rich.console import Console

from catalog_service.consumers import queued_events
from catalog_service.models import SearchTarget
from catalog_service.queries.search_index import Document, Source
from catalog_service.services import indexing
from catalog_service.services.indexing import ElasticIndexer, MySqlIndexer, mark_behind
from catalog_service.services.search.documents import document_of
from catalog_service.services.search_rebuilds import Rebuilder
from common_lib.auth import Role
from common_lib.consumer import Delivery
from common_lib.errors import Unavailable
from common_lib.events import Envelope, Event
from common_lib.events.catalog import BackInStock, OutOfStockReached, ProductUpdated
from shop.reindex import rebuild
from shop.stack.native import NativeStack
from tests.integration.catalog_service.conftest import Catalog, catalog_settings, opened
from tests.integration.catalog_service.search.searching import (
    SearchShop,
    StandIn,
    client_of,
    stand_in,
    word,
)
from tests.serving import listening
from tests.waiting import eventually


def updated(product_id: UUID) -> Envelope:
    event = ProductUpdated(product_id=product_id, name="x", status="ACTIVE", product_version=2)
    return Envelope.wrap(event, source="catalog-service")


def stock_event(kind: type[Event], product_id: UUID, variant_id: UUID) -> Envelope:
    facts = {"product_id": product_id, "variant_id": variant_id, "sku": "S", "name": "x"}
    event = kind.model_validate(facts | {"available": 0, "reorder_level": 0})
    return Envelope.wrap(event, source="catalog-service")


async def deliver(shop: SearchShop, *envelopes: Envelope) -> None:
    process = queued_events(shop.catalog.database, shop.catalog.deps.announcements)
    for envelope in envelopes:
        await process([Delivery(envelope)])
    await shop.catch_up()


async def change(catalog: Catalog, statement: str, **values: Any) -> None:
    await catalog.database.transact(lambda session: session.execute(sa.text(statement), values))


async def test_a_new_name_is_found_and_the_old_one_is_not(shop: SearchShop) -> None:
    before, after = word(), word()
    product_id = await shop.put(f"Kettle {before}")
    await change(
        shop.catalog,
        "UPDATE products SET name = :name WHERE id = :id",
        name=f"Kettle {after}",
        id=product_id.bytes,
    )
    await deliver(shop, updated(product_id))
    assert await shop.names(after) == [f"Kettle {after}"]
    assert await shop.names(before) == []
    assert await shop.suggest(before) == []


async def test_an_archived_product_leaves_the_index(shop: SearchShop) -> None:
    mark = word()
    product_id = await shop.put(f"Kettle {mark}")
    await shop.archive(product_id)
    await deliver(shop, updated(product_id))
    page = await shop.search(mark)
    assert (page["total"], page["facets"]["categories"]) == (0, [])


async def test_out_of_stock_and_back_is_seen_by_the_filter(shop: SearchShop) -> None:
    mark = word()
    variant = await shop.catalog.variant(3, name=f"Kettle {mark}")
    product_id = await shop.catalog.product_of(variant)
    await shop.index(product_id)
    assert (await shop.search(mark, inStock=True))["total"] == 1
    sold_out = "UPDATE inventory SET reserved = quantity WHERE variant_id = :id"
    await change(shop.catalog, sold_out, id=variant.bytes)
    await deliver(shop, stock_event(OutOfStockReached, product_id, variant))
    assert (await shop.search(mark, inStock=True, limit=2))["total"] == 0
    back = "UPDATE inventory SET reserved = 0 WHERE variant_id = :id"
    await change(shop.catalog, back, id=variant.bytes)
    await deliver(shop, stock_event(BackInStock, product_id, variant))
    assert (await shop.search(mark, inStock=True, limit=3))["total"] == 1


async def test_the_same_event_twice_marks_once(shop: SearchShop) -> None:
    product_id = await shop.put(f"Kettle {word()}")
    envelope = updated(product_id)
    process = queued_events(shop.catalog.database, shop.catalog.deps.announcements)
    await process([Delivery(envelope)])
    await process([Delivery(envelope)])
    query = sa.text("SELECT mark FROM search_updates WHERE product_id = :id AND target = 'mysql'")
    assert [row[0] for row in await shop.catalog.rows(query, id=product_id.bytes)] == [1]
    await shop.catch_up()
    assert await shop.catalog.rows(query, id=product_id.bytes) == []


async def test_the_dictionary_counts_documents(catalog: Catalog) -> None:
    shop, mark = SearchShop(catalog), word()
    first = await shop.put(f"Kettle {mark}")
    await shop.put("Teapot", description=f"With {mark} and {mark}")
    query = sa.text("SELECT name_count, text_count FROM search_words WHERE word = :word")
    assert [tuple(row) for row in await catalog.rows(query, word=mark)] == [(1, 1)]
    await shop.index(first)
    assert [tuple(row) for row in await catalog.rows(query, word=mark)] == [(1, 1)]
    await shop.archive(first)
    await shop.index(first)
    assert [tuple(row) for row in await catalog.rows(query, word=mark)] == [(0, 1)]


async def test_two_indexers_at_once_count_every_word_once(catalog: Catalog) -> None:
    shop, mark = SearchShop(catalog), word()
    ids = [await shop.unindexed(f"{mark} {n}") for n in range(12)]
    await asyncio.gather(*(shop.index(*ids) for _ in range(4)))
    await shop.catch_up()
    query = sa.text("SELECT name_count FROM search_words WHERE word = :word")
    assert [row[0] for row in await catalog.rows(query, word=mark)] == [12]
    copies = sa.text("SELECT COUNT(*) FROM search_documents WHERE INSTR(names, :mark)")
    assert (await catalog.rows(copies, mark=mark))[0][0] == 12
    assert (await shop.search(mark))["total"] == 12


@pytest.mark.parametrize("target", list(SearchTarget))
async def test_a_rebuild_finds_what_was_never_marked(
    elastic_shop: SearchShop, target: SearchTarget
) -> None:
    mark = word()
    shop = (
        elastic_shop if target is SearchTarget.ELASTICSEARCH else SearchShop(elastic_shop.catalog)
    )
    await shop.unindexed(f"Kettle {mark}")
    await shop.rebuild(target)
    query = sa.text("SELECT status, total, done FROM search_rebuilds ORDER BY id DESC LIMIT 1")
    (row,) = await shop.catalog.rows(query)
    assert row.status == "DONE"
    assert row.done >= 1
    if target is SearchTarget.ELASTICSEARCH:
        assert await shop.names(mark) == [f"Kettle {mark}"]
    else:
        found = sa.text("SELECT COUNT(*) FROM search_documents WHERE names LIKE :name")
        assert (await shop.catalog.rows(found, name=f"%{mark}%"))[0][0] == 1


async def test_a_rebuild_is_carried_on_by_another_worker(elastic_shop: SearchShop) -> None:
    database, mark = elastic_shop.catalog.database, word()
    await elastic_shop.unindexed(f"Kettle {mark}")
    await elastic_shop.ask_for_rebuild(SearchTarget.ELASTICSEARCH)
    first = Rebuilder(database, elastic_shop.elastic)
    assert await first.step()
    assert await first.step()
    second = Rebuilder(database, elastic_shop.elastic)
    while await second.step():
        pass
    assert await elastic_shop.names(mark) == [f"Kettle {mark}"]


async def test_what_changes_during_a_rebuild_is_in_the_new_index(
    elastic_shop: SearchShop,
) -> None:
    before, after = word(), word()
    product_id = await elastic_shop.put(f"Kettle {before}")
    await elastic_shop.ask_for_rebuild(SearchTarget.ELASTICSEARCH)
    rebuilder = Rebuilder(elastic_shop.catalog.database, elastic_shop.elastic)
    await rebuilder.step()
    await rebuilder.step()
    statement = "UPDATE products SET name = :name WHERE id = :id"
    await change(elastic_shop.catalog, statement, name=f"Kettle {after}", id=product_id.bytes)
    await elastic_shop.index(product_id)
    while await rebuilder.step():
        pass
    assert await elastic_shop.names(after) == [f"Kettle {after}"]
    assert await elastic_shop.names(before) == []


@pytest.fixture
async def fragile(
    parts: NativeStack, catalog_url: str
) -> AsyncIterator[tuple[SearchShop, StandIn]]:
    """Yield a shop on an Elasticsearch of its own, which the test may stop."""
    with stand_in() as server:
        settings = catalog_settings(
            parts,
            database_url=catalog_url,
            search_cache_ttl_s=1,
            search_backend="elasticsearch",
            elasticsearch_url=(server.url,),
        )
        async with opened(settings) as catalog:
            shop = SearchShop(catalog, client_of(server.url))
            await shop.make_index()
            yield shop, server


async def test_mysql_answers_while_elasticsearch_is_down_and_it_catches_up_after(
    fragile: tuple[SearchShop, StandIn],
) -> None:
    shop, server = fragile
    database, mark = shop.catalog.database, word()
    await shop.put(f"Before {mark}")
    server.stop()
    assert await shop.names(mark) == [f"Before {mark}"]
    assert await shop.suggest(mark) != []
    during = await shop.unindexed(f"During {mark}")
    process = queued_events(database, shop.catalog.deps.announcements)
    await process([Delivery(updated(during))])
    assert await MySqlIndexer(database, hands_on=True).drain() >= 1
    assert shop.elastic is not None
    with pytest.raises(Unavailable):
        await ElasticIndexer(database, shop.elastic).drain()
    both = {f"Before {mark}", f"During {mark}"}
    assert set(await shop.names(mark, limit=5)) == both
    server.start()

    async def is_found_again() -> bool:
        # The stand-in forgets everything when it stops: the missing index is made anew.
        try:
            await shop.catch_up()
            await shop.finish_rebuilds()
        except Unavailable:
            return False
        assert shop.elastic is not None
        found = await shop.elastic.search({"query": {"prefix": {"title": {"value": mark}}}})
        return {hit["_source"]["label"] for hit in found["hits"]["hits"]} == both

    await shop.make_due_now()
    await eventually(is_found_again, timeout_s=30)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"hits": 1}',
        b"garbage",
        b"",
    ],
)
async def test_mysql_answers_where_elasticsearch_talks_nonsense(
    parts: NativeStack, catalog_url: str, answer: bytes
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async with listening(talk) as port:
        settings = catalog_settings(
            parts,
            database_url=catalog_url,
            search_backend="elasticsearch",
            elasticsearch_url=(f"http://127.0.0.1:{port}",),
        )
        async with opened(settings) as catalog:
            mark, shop = word(), SearchShop(catalog)
            await shop.put(f"Kettle {mark}")
            assert await shop.names(mark) == [f"Kettle {mark}"]
            assert await shop.suggest(mark) != []


async def test_the_operators_command_watches_a_rebuild_to_its_end(catalog: Catalog) -> None:
    shop, mark, stop = SearchShop(catalog), word(), asyncio.Event()
    await shop.unindexed(f"Kettle {mark}")
    worker = asyncio.create_task(Rebuilder(catalog.database).run(stop))
    state = await rebuild(catalog.settings.database_url, "mysql", Console(quiet=True))
    stop.set()
    await worker
    assert state.status == "DONE"
    assert state.done == state.total >= 1
    assert await shop.names(mark) == [f"Kettle {mark}"]


async def test_units_sold_reach_the_order_of_results_in_time(shop: SearchShop) -> None:
    mark = word()
    quiet = await shop.put(f"Quiet {mark}")
    await shop.put(f"Other {mark}")
    statement = "UPDATE products SET total_sold = 77 WHERE id = :id"
    await change(shop.catalog, statement, id=quiet.bytes)
    await mark_behind(shop.catalog.database)
    await shop.catch_up()
    assert (await shop.names(mark))[0] == f"Quiet {mark}"


async def test_a_renamed_category_is_a_word_of_its_products(shop: SearchShop) -> None:
    before, after = word(), word()
    root = await shop.category(f"Root {before}")
    leaf = await shop.category(f"Leaf {word()}", root)
    await shop.put(f"Kettle {before}x", category_id=leaf)
    path = f"/api/categories/{root}"
    answer = await shop.catalog.client.put(
        path, json={"name": f"Root {after}"}, headers=shop.catalog.bearer(Role.ADMIN)
    )
    assert answer.status_code == 200, answer.text
    await shop.catch_up()
    assert await shop.names(after) == [f"Kettle {before}x"]


async def test_a_product_that_cannot_be_indexed_holds_up_no_other(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, mark = SearchShop(catalog), word()
    broken = await shop.unindexed(f"Broken {mark}")
    sound = await shop.unindexed(f"Sound {mark}")

    def document(source: Source) -> Document:
        if source.product.id == broken:
            raise ValueError("no copy can be made of it")
        return document_of(source)

    monkeypatch.setattr(indexing, "document_of", document)
    await shop.index(broken, sound)
    assert await shop.names(mark) == [f"Sound {mark}"]
    monkeypatch.undo()
    await shop.index(broken)
    assert len(await shop.names(mark, limit=3)) == 2


async def test_a_change_that_no_event_told_of_is_found_by_the_audit(shop: SearchShop) -> None:
    before, after = word(), word()
    unknown = await shop.unindexed(f"Unknown {before}")
    renamed = await shop.put(f"Kettle {before}")
    withdrawn = await shop.put(f"Teapot {before}")
    await shop.archive(withdrawn)
    rename = "UPDATE products SET name = :name, version = version + 1 WHERE id = :id"
    await change(shop.catalog, rename, name=f"Kettle {after}", id=renamed.bytes)
    while await documents_behind(shop):
        await mark_behind(shop.catalog.database)
        await shop.catch_up()
    assert await shop.names(before) == [f"Unknown {before}"]
    assert await shop.names(after) == [f"Kettle {after}"]
    left = "SELECT COUNT(*) FROM search_documents WHERE product_id IN (:one, :two)"
    rows = await shop.catalog.rows(sa.text(left), one=withdrawn.bytes, two=unknown.bytes)
    assert rows[0][0] == 1


async def documents_behind(shop: SearchShop) -> int:
    statement = (
        "SELECT COUNT(*) FROM products p LEFT JOIN search_documents d ON d.product_id = p.id"
        " WHERE (p.status = 'ACTIVE') <> (d.product_id IS NOT NULL) OR d.version <> p.version"
    )
    return int((await shop.catalog.rows(sa.text(statement)))[0][0])
