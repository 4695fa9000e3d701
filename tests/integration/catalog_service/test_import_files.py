"""Product files handed in: which are refused whole, and who may send them."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from catalog_service.models import Category, SellerStatus
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.csv_files import COLUMNS, Shop, counts, work_off, written

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "products.csv"


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


async def test_the_example_file_imports_cleanly(shop: Shop) -> None:
    for slug in ("kurtas", "bottles-storage"):
        await _category(shop.catalog, slug)

    report = await shop.carried_out_file(EXAMPLE.read_bytes())

    assert (counts(report), report["errors"]) == ((4, 0, 0, 0), [])
    assert [product.variants for product in await shop.products()] == [3, 1]


# Files that are refused whole


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "csv_empty"),
        (b"\xef\xbb\xbf", 422, "csv_empty"),
        (",".join(COLUMNS).encode(), 422, "csv_empty"),
        (b"\n\n,,,\n", 422, "csv_empty"),
        (b"sku,price\nA,1\n", 422, "csv_header"),
        (";".join(COLUMNS).encode() + b"\n", 422, "csv_empty"),
        ("|".join(COLUMNS).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "sku"]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "role"]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "attr."]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "attr.a\x00"]).encode() + b"\n", 422, "csv_header"),
        (b'"unclosed\n', 422, "csv_header"),
        (b"\x00" * 100, 422, "csv_header"),
        (b"PK\x03\x04\xff\xfe\x00", 400, "invalid_utf8"),
        (",".join(COLUMNS).encode() + b"\n" + b"\xff\xff" * 10, 400, "invalid_utf8"),
        (",".join(COLUMNS).encode("utf-16"), 422, "csv_empty"),
        (",".join(COLUMNS).encode("utf-16-le"), 400, "invalid_utf8"),
        (",".join(COLUMNS).encode("utf-32"), 400, "invalid_utf8"),
    ],
)
async def test_a_file_that_is_none_is_refused_at_once(
    shop: Shop, body: bytes, status: int, code: str
) -> None:
    answer = await shop.send(body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await _jobs_of(shop) == 0


async def test_a_wrong_header_names_the_columns(shop: Shop) -> None:
    answer = await shop.send(b"sku,price,quantity,description,category,nonsense\nA,1,1,d,c,x\n")

    found = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
    assert found == {
        ("/header/5", "unknown_column"),
        ("/header/product_name", "missing_column"),
        ("/header/variant_name", "missing_column"),
    }
    assert "nonsense" not in answer.text


async def test_too_many_rows_and_too_many_bytes_are_refused(shop: Shop) -> None:
    header = ",".join(COLUMNS).encode()

    rows = await shop.send(header + b"\na,b,c,d,e,f,g,h,i,j" * 20_001)
    large = await shop.send(header + b"x" * (10 * 1024 * 1024))

    assert (rows.status_code, rows.json()["code"]) == (422, "csv_too_many_rows")
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "text/csv; charset=latin-1",
        "application/vnd.ms-excel",
    ],
)
async def test_what_is_no_csv_is_refused(shop: Shop, content_type: str) -> None:
    answer = await shop.send(written(shop.row()), **{"content-type": content_type})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


# Who may


async def test_an_administrator_imports_for_the_shop_and_for_a_store(shop: Shop) -> None:
    admin = shop.catalog.bearer(Role.ADMIN)
    for_shop, for_store = shop.row(), shop.row()
    own = await shop.send(written(for_shop), **admin)
    store = await shop.send(written(for_store), f"?sellerId={shop.seller_id}", **admin)
    await work_off(shop.catalog)

    assert (own.json()["sellerId"], store.json()["sellerId"]) == (None, str(shop.seller_id))
    assert [product.variants for product in await shop.products()] == [1]
    owner = sa.text(
        "SELECT p.seller_id FROM products p JOIN product_variants v ON v.product_id = p.id"
        " WHERE v.sku = :sku"
    )
    assert (await shop.catalog.rows(owner, sku=for_shop["sku"]))[0][0] is None


async def test_only_sellers_and_administrators_import(catalog: Catalog, shop: Shop) -> None:
    body = written(shop.row())
    without = await catalog.client.post(
        "/api/products/import", content=body, headers={"content-type": "text/csv"}
    )
    customer = await shop.send(body, **catalog.bearer(Role.CUSTOMER))
    storeless = await shop.send(body, **catalog.bearer(Role.SELLER))
    other_store = await shop.send(body, f"?sellerId={(await catalog.seller())[0]}")
    own_store = await shop.send(body, f"?sellerId={shop.seller_id}")
    unknown = await shop.send(body, f"?sellerId={new_id()}", **catalog.bearer(Role.ADMIN))

    found = [a.status_code for a in (without, customer, storeless, other_store, unknown)]
    assert found == [401, 403, 403, 404, 404]
    assert own_store.status_code == 202


@pytest.mark.parametrize("status", [SellerStatus.PENDING, SellerStatus.SUSPENDED])
async def test_a_store_that_is_not_active_imports_nothing(
    catalog: Catalog, shop: Shop, status: SellerStatus
) -> None:
    _, user_id = await catalog.seller(status)

    answer = await shop.send(written(shop.row()), **catalog.bearer(Role.SELLER, user_id))

    assert (answer.status_code, answer.json()["code"]) == (403, "seller_not_active")


async def _jobs_of(shop: Shop) -> int:
    query = sa.text("SELECT COUNT(*) FROM product_imports WHERE seller_id = :id")
    return int((await shop.catalog.rows(query, id=shop.seller_id.bytes))[0][0])


async def _category(catalog: Catalog, slug: str) -> None:
    found = await catalog.rows(sa.text("SELECT id FROM categories WHERE slug = :s"), s=slug)
    if not found:
        await catalog.save(Category(id=new_id(), parent_id=None, name=slug, slug=slug))
