"""Products as a CSV file: safe to open, and the same again when it comes back."""

import tracemalloc
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import SellerStatus
from catalog_service.queries.exports import ExportFilter
from catalog_service.services import exports
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.csv_files import Shop, new_sku, read, work_off

AWKWARD = [
    "=1+1",
    "+91",
    "-1",
    "@SUM(A1)",
    "'=x",
    "''quoted",
    '="a","b"',
    "a,b;c=d",
    "लाल कुर्ता 🧵",
    "'90s",
    "\uff1d1",
    " =1",
]


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


async def stored(shop: Shop) -> list[Any]:
    """Return all that the file is about, as it stands in the database."""
    query = sa.text(
        "SELECT p.id, p.name, p.description, p.status, p.version, v.sku, v.name, v.price_minor,"
        " v.compare_at_price_minor, v.attributes, v.is_active, v.position, i.quantity,"
        " i.reorder_level FROM products p JOIN product_variants v ON v.product_id = p.id"
        " JOIN inventory i ON i.variant_id = v.id WHERE p.seller_id = :s ORDER BY v.sku"
    )
    return await shop.catalog.rows(query, s=shop.seller_id.bytes)


async def test_what_goes_out_and_comes_back_changes_nothing(shop: Shop) -> None:
    several = shop.row(compare_at_price="2000.00", reorder_level="3", attributes="a=1;b=x\\;y\\=z")
    rows = [
        several,
        several | {"sku": new_sku(), "active": "false", "compare_at_price": ""},
        shop.row(status="DRAFT", description='two\r\nlines\nand "quotes", commas'),
        *(shop.row(product_name=text, description=text) for text in AWKWARD),
        *(
            shop.row(
                variant_name=text, attributes="k=" + text.replace(";", "\\;").replace("=", "\\=")
            )
            for text in AWKWARD
        ),
    ]
    assert (await shop.carried_out(*rows))["failedRows"] == 0
    before = await stored(shop)

    report = await shop.carried_out_file(await shop.exported())

    assert (report["unchangedRows"], report["errors"]) == (len(rows), [])
    assert await stored(shop) == before
    texts = {row.name for row in await shop.products()}
    assert {"=1+1", "=x", "''quoted", "'90s", "\uff1d1"} <= texts


async def test_no_cell_begins_like_a_formula(shop: Shop) -> None:
    await shop.carried_out(*(shop.row(product_name=t, description="\t" + t) for t in AWKWARD))

    body = await shop.exported()

    dangerous = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")
    cells = [cell for row in read(body) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(dangerous)]


async def test_the_file_is_an_attachment_with_one_row_for_each_variant(shop: Shop) -> None:
    kurta = shop.row(quantity="7")
    await shop.carried_out(kurta, kurta | {"sku": new_sku(), "price": "0.05"})

    answer = await shop.catalog.client.get("/api/products/export", headers=shop.headers)

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="products-')
    assert answer.headers["cache-control"] == "private, no-store"
    first, second = read(answer.content)
    assert (first["sku"], first["price"], first["quantity"]) == (kurta["sku"], "1499.00", "7")
    assert (second["price"], second["handle"]) == ("0.05", first["handle"])
    assert (first["category"], first["active"], first["status"]) == (
        shop.category,
        "true",
        "ACTIVE",
    )


async def test_an_empty_store_gets_a_header(shop: Shop) -> None:
    assert (await shop.exported()).startswith(b"handle,product_name,")
    assert read(await shop.exported()) == []


async def test_a_status_narrows_the_file(shop: Shop) -> None:
    await shop.carried_out(shop.row(status="DRAFT"), shop.row())

    (draft,) = read(await shop.exported(status="DRAFT"))
    assert draft["status"] == "DRAFT"


async def test_sellers_get_their_own_and_administrators_whose_they_ask_for(
    catalog: Catalog, shop: Shop
) -> None:
    other = await Shop.open(catalog)
    mine, theirs = shop.row(), other.row()
    await shop.carried_out(mine)
    await other.carried_out(theirs)
    of_shop = (await catalog.variant(3)).hex

    async def skus(headers: dict[str, str], **query: Any) -> set[str]:
        answer = await catalog.client.get("/api/products/export", params=query, headers=headers)
        assert answer.status_code == 200
        return {row["sku"] for row in read(answer.content)}

    admin = catalog.bearer(Role.ADMIN)
    assert await skus(shop.headers) == {mine["sku"]}
    assert await skus(shop.headers, sellerId=shop.seller_id) == {mine["sku"]}
    assert await skus(admin, sellerId=other.seller_id) == {theirs["sku"]}
    assert {mine["sku"], theirs["sku"], of_shop} <= await skus(admin)
    own = await skus(admin, sellerId="shop")
    assert of_shop in own
    assert not own & {mine["sku"], theirs["sku"]}


async def test_others_get_nothing(catalog: Catalog, shop: Shop) -> None:
    other, _ = await catalog.seller(SellerStatus.SUSPENDED)

    async def status(headers: dict[str, str], query: str = "") -> int:
        path = f"/api/products/export{query}"
        return (await catalog.client.get(path, headers=headers)).status_code

    assert await status({}) == 401
    assert await status(catalog.bearer(Role.CUSTOMER)) == 403
    assert await status(catalog.bearer(Role.SELLER)) == 404
    assert await status(shop.headers, f"?sellerId={other}") == 404
    assert await status(shop.headers, "?sellerId=shop") == 404
    assert await status(shop.headers, "?sellerId=x") == 422
    assert await status(shop.headers, "?status=SOLD") == 422
    assert await status(shop.headers, "?limit=1") == 422


async def test_batches_join_without_gaps_at_a_fixed_cost_each(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.carried_out(*(shop.row() for _ in range(25)))
    whole = await shop.exported()
    monkeypatch.setattr(exports, "BATCH", 5)
    statements: list[str] = []
    engine = shop.catalog.database.writer.sync_engine

    def seen(*details: Any) -> None:
        statements.append(details[2])

    sa.event.listen(engine, "before_cursor_execute", seen)
    try:
        wanted = ExportFilter(seller_id=shop.seller_id)
        pieces = [piece async for piece in exports.file(shop.catalog.database, wanted)]
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)

    assert b"".join(pieces) == whole
    assert len(pieces) == 6
    assert len(statements) == 5 * 3 + 1


async def test_a_large_store_costs_the_memory_of_one_batch(shop: Shop) -> None:
    await _fill(shop, 4_000)
    wanted = ExportFilter(seller_id=shop.seller_id)
    tracemalloc.start()
    try:
        peaks = []
        async for _ in exports.file(shop.catalog.database, wanted):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()

    assert len(peaks) == 9
    assert max(peaks[2:]) < 1.5 * peaks[1]


async def _fill(shop: Shop, count: int) -> None:
    category = UUID(shop.category).bytes
    ids = [new_id().bytes for _ in range(count)]
    products = sa.text(
        "INSERT INTO products (id, seller_id, category_id, name, slug, description, status,"
        " min_price_minor, created_at, updated_at) VALUES (:id, :seller, :category, 'Kurta', :slug,"
        " 'Cotton', 'ACTIVE', 100, '2026-01-01', '2026-01-01')"
    )
    variants = sa.text(
        "INSERT INTO product_variants (id, product_id, sku, name, price_minor, attributes,"
        " created_at, updated_at) VALUES (:id, :id, :sku, 'M', 100, '{}', '2026-01-01',"
        " '2026-01-01')"
    )

    async def work(session: Any) -> None:
        seller = shop.seller_id.bytes
        rows = [
            {"id": i, "seller": seller, "category": category, "slug": i.hex(), "sku": i.hex()}
            for i in ids
        ]
        await session.execute(products, rows)
        await session.execute(variants, rows)

    await shop.catalog.database.transact(work)
