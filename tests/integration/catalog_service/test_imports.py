"""Products from CSV files: what is imported, what is refused, and what a dying worker leaves."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import Category, SellerStatus
from catalog_service.services.imports.worker import Importer, prune
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession, to_column
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.csv_files import (
    COLUMNS,
    Shop,
    importer,
    new_sku,
    work_off,
    written,
)
from tests.waiting import eventually

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "products.csv"
NEVER = asyncio.Event()


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


def problems(report: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(e["line"], e["column"], e["code"]) for e in report["errors"]]


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    names = ("createdRows", "updatedRows", "unchangedRows", "failedRows")
    return tuple(report[name] for name in names)


async def test_a_file_becomes_products_with_stock_ledger_and_events(shop: Shop) -> None:
    kurta = shop.row(quantity="7", price="1499.5")
    large = shop.row(handle=kurta["handle"], product_name="", sku=new_sku(), price="99")
    report = await shop.carried_out(kurta, large, shop.row(status="DRAFT"))

    assert (report["status"], report["progress"], report["totalRows"]) == ("DONE", 100, 3)
    assert counts(report) == (3, 0, 0, 0)
    assert report["errors"] == []
    first, second = await shop.products()
    assert (first.variants, first.min_price_minor, first.status) == (2, 9900, "ACTIVE")
    assert (second.variants, second.status) == (1, "DRAFT")
    shelf = await shop.catalog.shelf(await shop.variant_id(kurta["sku"]))
    assert (shelf.quantity, shelf.adds_up) == (7, True)
    assert await shop.catalog.events(UUID(bytes=first.id)) == ["PRODUCT_CREATED"]


async def test_the_answer_names_the_job_before_anything_is_done(shop: Shop) -> None:
    answer = await shop.send(written(shop.row()))

    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/imports/{job['id']}"
    assert (job["status"], job["totalRows"], job["doneRows"]) == ("QUEUED", 1, 0)
    assert job["sellerId"] == str(shop.seller_id)
    assert await shop.products() == []


async def test_the_example_file_imports_cleanly(shop: Shop) -> None:
    for slug in ("kurtas", "bottles-storage"):
        await _category(shop.catalog, slug)

    report = await shop.carried_out_file(EXAMPLE.read_bytes())

    assert (counts(report), report["errors"]) == ((4, 0, 0, 0), [])
    assert [product.variants for product in await shop.products()] == [3, 1]


async def test_known_skus_are_changed_and_their_stock_is_left_alone(shop: Shop) -> None:
    kurta = shop.row(quantity="10")
    await shop.carried_out(kurta)

    changed = kurta | {"price": "999.00", "product_name": "Better kurta", "quantity": "500"}
    report = await shop.carried_out(changed)

    assert counts(report) == (0, 1, 0, 0)
    (product,) = await shop.products()
    assert (product.name, product.min_price_minor, product.version) == ("Better kurta", 99_900, 2)
    assert (await shop.catalog.shelf(await shop.variant_id(kurta["sku"]))).quantity == 10
    events = await shop.catalog.events(UUID(bytes=product.id))
    assert events == ["PRODUCT_CREATED", "PRODUCT_UPDATED"]


async def test_the_same_file_again_changes_nothing(shop: Shop) -> None:
    body = written(shop.row(), shop.row(compare_at_price="2000.00"))
    await shop.carried_out_file(body)
    before = await shop.products()

    report = await shop.carried_out_file(body)

    assert counts(report) == (0, 0, 2, 0)
    assert await shop.products() == before


async def test_a_new_row_adds_a_variant_to_the_product_of_its_neighbours(shop: Shop) -> None:
    kurta = shop.row()
    await shop.carried_out(kurta)

    report = await shop.carried_out(kurta, kurta | {"sku": new_sku(), "price": "5.00"})

    assert counts(report) == (1, 0, 1, 0)
    (product,) = await shop.products()
    assert (product.variants, product.min_price_minor, product.version) == (2, 500, 2)


async def test_a_column_that_is_absent_keeps_what_is_there(shop: Shop) -> None:
    kurta = shop.row(compare_at_price="2000.00", **{"attr.Colour": "Red"})
    await shop.carried_out(kurta)
    shorter = {n: kurta[n] for n in kurta if n not in {"compare_at_price", "attr.Colour"}}
    header = ",".join(shorter)
    line = ",".join(str(value) for value in shorter.values())

    report = await shop.carried_out_file(f"{header}\n{line}\n".encode())

    assert counts(report) == (0, 0, 1, 0)


async def test_a_category_may_be_named_by_its_path(shop: Shop) -> None:
    root, leaf = new_id(), new_id()
    await shop.catalog.save(
        Category(id=root, parent_id=None, name=f"Clothing {root.hex[-6:]}", slug=root.hex),
        Category(id=leaf, parent_id=root, name="Kurtas", slug=leaf.hex),
    )

    report = await shop.carried_out(shop.row(category=f"clothing {root.hex[-6:]} > KURTAS"))

    assert counts(report) == (1, 0, 0, 0)


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


# Broken rows


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"price": "-1"}, "price", "greater_than_equal"),
        ({"price": "0.001"}, "price", "decimal_parsing"),
        ({"price": "1e3"}, "price", "decimal_parsing"),
        ({"price": "NaN"}, "price", "decimal_parsing"),
        ({"price": "Infinity"}, "price", "decimal_parsing"),
        ({"price": "1,000"}, "price", "decimal_parsing"),
        ({"price": "₹100"}, "price", "decimal_parsing"),
        ({"price": "\u0661\u0660\u0660"}, "price", "decimal_parsing"),
        ({"price": "0x10"}, "price", "decimal_parsing"),
        ({"price": ""}, "price", "missing"),
        ({"price": "1" + "0" * 12}, "price", "less_than_equal"),
        ({"price": "9" * 40}, "price", "decimal_parsing"),
        ({"compare_at_price": "1.00"}, "compare_at_price", "below_price"),
        ({"currency": "USD"}, "currency", "unsupported_currency"),
        ({"currency": "rupees"}, "currency", "string_pattern_mismatch"),
        ({"quantity": "-1"}, "quantity", "greater_than_equal"),
        ({"quantity": "1.5"}, "quantity", "int_parsing"),
        ({"quantity": str(2**31)}, "quantity", "less_than"),
        ({"quantity": ""}, "quantity", "missing"),
        ({"reorder_level": "many"}, "reorder_level", "int_parsing"),
        ({"sku": ""}, "sku", "string_too_short"),
        ({"sku": "=cmd|' /C calc'!A0"}, "sku", "string_pattern_mismatch"),
        ({"sku": "S" * 65}, "sku", "string_too_long"),
        ({"variant_name": ""}, "variant_name", "string_too_short"),
        ({"product_name": ""}, "product_name", "string_too_short"),
        ({"product_name": "n" * 201}, "product_name", "string_too_long"),
        ({"product_name": "a\x00b"}, "product_name", "nul"),
        ({"description": "d" * 10_001}, "description", "string_too_long"),
        ({"category": "no-such-category"}, "category", "unknown_category"),
        ({"category": ""}, "category", "missing"),
        ({"status": "SOLD"}, "status", "literal_error"),
        ({"status": "ARCHIVED"}, "status", "literal_error"),
        ({"active": "perhaps"}, "active", "bool_parsing"),
        ({"active": "no"}, "active", "last_variant"),
        ({"attributes": "colour"}, "attributes", "attributes_parsing"),
        ({"attributes": "a=1;a=2"}, "attributes", "attributes_parsing"),
        ({"attributes": "=red"}, "attributes", "string_too_short"),
        ({"attr.colour": "r" * 256}, "attributes", "string_too_long"),
    ],
)
async def test_a_broken_row_is_named_and_the_good_ones_are_imported(
    shop: Shop, cells: dict[str, str], column: str, code: str
) -> None:
    report = await shop.carried_out(shop.row(), shop.row(**cells), shop.row())

    assert problems(report) == [(3, column, code)]
    assert (report["status"], counts(report)) == ("DONE", (2, 0, 0, 1))
    assert len(await shop.products()) == 2


async def test_all_that_is_wrong_with_a_row_is_told_and_nothing_is_echoed(shop: Shop) -> None:
    secret = "=HYPERLINK(0)"
    report = await shop.carried_out(shop.row(sku=secret, price=secret, quantity=secret))

    assert [column for _, column, _ in problems(report)] == ["price", "quantity", "sku"]
    assert "HYPERLINK" not in str(report)
    assert report["failedRows"] == 1


async def test_rows_that_cannot_be_read_cost_themselves_alone(shop: Shop) -> None:
    good = written(shop.row(), shop.row(), shop.row()).splitlines(keepends=True)
    broken = [
        b'"never closed,a,b\r\n',
        b'"text"after,' + b"," * 8 + b"\r\n",
        b"too,few\r\n",
        b"," * 30 + b"x\r\n",
        b",,,,,,,,,\r\n",
        b"\r\n",
    ]

    report = await shop.carried_out_file(b"".join([*good[:2], *broken, *good[2:]]))

    assert problems(report) == [
        (3, "", "csv_quotes"),
        (4, "", "csv_quotes"),
        (5, "", "csv_cells"),
        (6, "", "csv_cells"),
    ]
    assert counts(report) == (3, 0, 0, 4)


async def test_skus_of_others_and_repeated_ones_are_refused(shop: Shop) -> None:
    other = await Shop.open(shop.catalog)
    theirs, mine, further = other.row(), shop.row(), shop.row()
    await other.carried_out(theirs)
    await shop.carried_out(mine, further)

    report = await shop.carried_out(
        shop.row(sku=theirs["sku"].lower()),
        shop.row(sku="TWICE-" + mine["sku"]),
        shop.row(sku="twice-" + mine["sku"]),
        mine,
        further | {"handle": mine["handle"]},
    )

    assert problems(report) == [
        (2, "sku", "sku_taken"),
        (4, "sku", "duplicate_sku"),
        (6, "sku", "sku_of_other_product"),
    ]
    assert counts(report) == (1, 0, 1, 3)
    (untouched,) = await other.products()
    assert untouched.version == 1


async def test_a_product_whose_first_row_is_wrong_is_refused_whole(shop: Shop) -> None:
    first = shop.row(category="no-such-category")

    report = await shop.carried_out(first, first | {"sku": new_sku()})

    assert problems(report) == [
        (2, "category", "unknown_category"),
        (3, "product_name", "product_refused"),
    ]
    assert await shop.products() == []


async def test_rows_that_contradict_their_product_are_refused(shop: Shop) -> None:
    first, between = shop.row(), shop.row()
    other_words = first | {"sku": new_sku(), "description": "Silk"}
    apart = first | {"sku": new_sku()}

    report = await shop.carried_out(first, other_words, between, apart)

    assert problems(report) == [(3, "description", "differs"), (5, "", "repeated_handle")]
    assert counts(report) == (2, 0, 0, 2)


async def test_a_product_takes_a_hundred_variants_and_no_more(shop: Shop) -> None:
    first = shop.row()
    rows = [first, *(first | {"sku": new_sku()} for _ in range(101))]

    report = await shop.carried_out(*rows)

    assert problems(report) == [(n, "sku", "too_many_variants") for n in (102, 103)]
    assert counts(report) == (100, 0, 0, 2)


async def test_row_errors_come_in_pages(shop: Shop) -> None:
    report = await shop.carried_out(*(shop.row(price="x", quantity="y") for _ in range(3)))
    import_id, seen, cursor = report["id"], [], None
    for _ in range(10):
        page = await shop.report(import_id, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += problems(page)
        cursor = page["nextCursor"]
        if cursor is None:
            break

    expected = [(n, c) for n in (2, 3, 4) for c in ("price", "quantity")]
    assert [(line, column) for line, column, _ in seen] == expected


# Files that are refused whole


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "csv_empty"),
        (b"\xef\xbb\xbf", 422, "csv_empty"),
        (",".join(COLUMNS).encode(), 422, "csv_empty"),
        (b"\n\n,,,\n", 422, "csv_empty"),
        (b"sku,price\nA,1\n", 422, "csv_header"),
        (";".join(COLUMNS).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "sku"]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "role"]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "attr."]).encode() + b"\n", 422, "csv_header"),
        (",".join([*COLUMNS, "attr.a\x00"]).encode() + b"\n", 422, "csv_header"),
        (b'"unclosed\n', 422, "csv_header"),
        (b"\x00" * 100, 422, "csv_header"),
        (b"PK\x03\x04\xff\xfe\x00", 400, "invalid_utf8"),
        (",".join(COLUMNS).encode() + b"\n" + b"\xff\xff" * 10, 400, "invalid_utf8"),
        (",".join(COLUMNS).encode("utf-16"), 400, "invalid_utf8"),
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


async def test_a_store_suspended_meanwhile_ends_the_job(shop: Shop) -> None:
    answer = await shop.send(written(shop.row(), shop.row()))
    await _suspend(shop)
    await work_off(shop.catalog)

    report = await shop.report(answer.json()["id"])
    assert (report["status"], report["failure"]) == ("FAILED", "seller_not_active")
    assert (report["doneRows"], await shop.products()) == (0, [])


async def test_a_job_is_shown_to_its_owner_and_to_administrators(
    catalog: Catalog, shop: Shop
) -> None:
    job = (await shop.send(written(shop.row()))).json()
    other = await Shop.open(catalog)
    path = f"/api/imports/{job['id']}"

    async def status(headers: dict[str, str], at: str = path) -> int:
        return (await catalog.client.get(at, headers=headers)).status_code

    assert await status(shop.headers) == 200
    assert await status(catalog.bearer(Role.ADMIN)) == 200
    assert await status(other.headers) == 404
    assert await status(catalog.bearer(Role.CUSTOMER)) == 403
    assert await status({}) == 401
    assert await status(shop.headers, "/api/imports/1") == 404
    assert await status(shop.headers, f"/api/imports/{new_id()}") == 404
    assert await status(shop.headers, f"{path}?cursor=x") == 422
    assert await status(shop.headers, f"{path}?limit=101") == 422
    assert await status(shop.headers, f"{path}?offset=1") == 422


async def test_a_user_has_five_files_waiting_at_most(shop: Shop) -> None:
    statuses = [(await shop.send(written(shop.row()))).status_code for _ in range(6)]

    assert statuses == [202] * 5 + [409]
    await work_off(shop.catalog)
    assert (await shop.send(written(shop.row()))).status_code == 202


async def test_the_same_key_is_the_same_job(shop: Shop) -> None:
    body, key = written(shop.row()), {"idempotency-key": new_sku()}

    first, second = await asyncio.gather(shop.send(body, **key), shop.send(body, **key))
    await work_off(shop.catalog)
    third = await shop.send(body, **key)
    other = await shop.send(written(shop.row()), **key)

    assert {first.json()["id"], second.json()["id"]} == {third.json()["id"]}
    assert (third.status_code, third.json()["status"]) == (202, "DONE")
    assert third.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await shop.products()) == 1


# Workers that die, and workers in each other's way


class _Gone(BaseException):
    """What a kill -9 is to the code: nothing after it runs."""


async def test_a_job_whose_worker_died_goes_on_where_it_stood(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [shop.row(price="bad" if n % 10 == 0 else "5.00") for n in range(60)]
    job = (await shop.send(written(*rows))).json()

    for point in ("catalog.import_before_commit", "catalog.import_after_commit"):
        _die_at(monkeypatch, point, after=2)
        worker = importer(shop.catalog, chunk_rows=7, lease_s=0.000001)
        taken = await worker.take()
        assert taken is not None
        with pytest.raises(_Gone):
            await worker.work(taken, NEVER)
        monkeypatch.undo()
        assert (await shop.report(job["id"]))["status"] == "RUNNING"

    await work_off(shop.catalog, chunk_rows=11)
    report = await shop.report(job["id"], limit=100)
    assert (report["doneRows"], counts(report)) == (60, (54, 0, 0, 6))
    assert [line for line, _, _ in problems(report)] == [2, 12, 22, 32, 42, 52]
    products = await shop.products()
    assert [product.variants for product in products] == [1] * 54
    for product in products:
        assert await shop.catalog.events(UUID(bytes=product.id)) == ["PRODUCT_CREATED"]
    for row in (rows[1], rows[59]):
        assert (await shop.catalog.shelf(await shop.variant_id(row["sku"]))).adds_up


async def test_a_worker_that_lost_its_lease_does_nothing_more(shop: Shop) -> None:
    job = (await shop.send(written(*(shop.row() for _ in range(20))))).json()
    slow = importer(shop.catalog, lease_s=0.000001, chunk_rows=5)
    taken = await slow.take()
    assert taken is not None
    await work_off(shop.catalog, chunk_rows=5)

    await slow.work(taken, NEVER)

    assert counts(await shop.report(job["id"])) == (20, 0, 0, 0)
    assert len(await shop.products()) == 20


async def test_many_workers_share_the_jobs_and_do_no_row_twice(shop: Shop) -> None:
    shops = [shop, *[await Shop.open(shop.catalog) for _ in range(3)]]
    jobs = [(await s.send(written(*(s.row() for _ in range(30))))).json() for s in shops]
    stop = asyncio.Event()
    workers = [importer(shop.catalog, chunk_rows=3, poll_s=0.01) for _ in range(4)]

    async def all_done() -> bool:
        reports = [await s.report(job["id"]) for s, job in zip(shops, jobs, strict=True)]
        return all(report["status"] == "DONE" for report in reports)

    async def until_all_are_done() -> None:
        await eventually(all_done, timeout_s=60, what="the imports")
        stop.set()

    await asyncio.gather(until_all_are_done(), *(worker.run(stop) for worker in workers))
    for each in shops:
        assert len(await each.products()) == 30


async def test_a_worker_told_to_stop_leaves_its_job_to_others_at_once(shop: Shop) -> None:
    job = (await shop.send(written(*(shop.row() for _ in range(10))))).json()
    stop = asyncio.Event()
    stop.set()
    worker = importer(shop.catalog, chunk_rows=2, lease_s=3600)
    taken = await worker.take()
    assert taken is not None

    await worker.work(taken, stop)

    assert (await shop.report(job["id"]))["doneRows"] == 2
    await work_off(shop.catalog)
    assert (await shop.report(job["id"]))["status"] == "DONE"


async def test_two_files_with_the_same_new_skus_make_each_variant_once(
    shop: Shop, catalog: Catalog
) -> None:
    rows = [shop.row() for _ in range(20)]
    other = await Shop.open(catalog)
    first = (await shop.send(written(*rows))).json()
    second = (await other.send(written(*rows))).json()
    workers = [importer(catalog, chunk_rows=4), importer(catalog, chunk_rows=4)]
    taken = [await worker.take() for worker in workers]

    await asyncio.gather(
        *(w.work(job, NEVER) for w, job in zip(workers, taken, strict=True) if job is not None)
    )

    reports = [await shop.report(first["id"]), await other.report(second["id"])]
    assert [report["status"] for report in reports] == ["DONE", "DONE"]
    assert sum(report["createdRows"] for report in reports) == 20
    codes = Counter(e["code"] for report in reports for e in report["errors"])
    assert codes == {"sku_taken": 20}


async def test_a_chunk_costs_the_same_statements_however_many_rows_it_has(shop: Shop) -> None:
    few = await _statements(shop, 10)
    many = await _statements(shop, 40)

    assert many == few


async def test_changing_what_is_known_costs_the_same_statements_however_many_rows(
    shop: Shop,
) -> None:
    few, many = [shop.row() for _ in range(10)], [shop.row() for _ in range(40)]
    await shop.carried_out(*few, *many)

    costs = [
        await _statements_of(shop, *(row | {"price": "9.00", "product_name": "B"} for row in rows))
        for rows in (few, many)
    ]

    assert costs[0] == costs[1]
    products = await shop.products()
    assert {(p.name, p.version, p.min_price_minor) for p in products} == {("B", 2, 900)}


async def test_a_file_is_forgotten_once_it_is_done(shop: Shop) -> None:
    job = await shop.carried_out(shop.row())

    query = sa.text("SELECT LENGTH(source) FROM product_imports WHERE id = :id")
    assert (await shop.catalog.rows(query, id=UUID(job["id"]).bytes))[0][0] == 0


async def test_old_jobs_are_deleted_with_their_errors(shop: Shop) -> None:
    old = await shop.carried_out(shop.row(price="x"))
    young = await shop.carried_out(shop.row(price="x"))
    ended = sa.text("UPDATE product_imports SET finished_at = :at WHERE id = :id")
    values = {"at": to_column(now() - timedelta(days=31)), "id": UUID(old["id"]).bytes}

    async def age(session: WriteSession) -> None:
        await session.execute(ended, values)

    await shop.catalog.database.transact(age)

    await prune(shop.catalog.database)

    answer = await shop.catalog.client.get(f"/api/imports/{old['id']}", headers=shop.headers)
    assert answer.status_code == 404
    assert len((await shop.report(young["id"]))["errors"]) == 1


def _die_at(monkeypatch: pytest.MonkeyPatch, point: str, *, after: int) -> None:
    seen = Counter[str]()

    def reached(name: str) -> None:
        seen[name] += 1
        if name == point and seen[name] > after:
            raise _Gone

    monkeypatch.setattr("catalog_service.services.imports.worker.crash_point", reached)


async def _statements(shop: Shop, rows: int) -> int:
    """Count the statements of one chunk of new products."""
    return await _statements_of(shop, *(shop.row() for _ in range(rows)))


async def _statements_of(shop: Shop, *rows: dict[str, Any]) -> int:
    await shop.send(written(*rows))
    count = 0

    def seen(*_: Any) -> None:
        nonlocal count
        count += 1

    worker: Importer = importer(shop.catalog, chunk_rows=100)
    engine = shop.catalog.database.writer.sync_engine
    sa.event.listen(engine, "before_cursor_execute", seen)
    try:
        job = await worker.take()
        assert job is not None
        await worker.work(job, NEVER)
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)
    return count


async def _jobs_of(shop: Shop) -> int:
    query = sa.text("SELECT COUNT(*) FROM product_imports WHERE seller_id = :id")
    return int((await shop.catalog.rows(query, id=shop.seller_id.bytes))[0][0])


async def _suspend(shop: Shop) -> None:
    async def work(session: WriteSession) -> None:
        update = sa.text("UPDATE sellers SET status = 'SUSPENDED', updated_at = :at WHERE id = :id")
        at = to_column(now())
        await session.execute(update, {"id": shop.seller_id.bytes, "at": at})

    await shop.catalog.database.transact(work)


async def _category(catalog: Catalog, slug: str) -> None:
    found = await catalog.rows(sa.text("SELECT id FROM categories WHERE slug = :s"), s=slug)
    if not found:
        await catalog.save(Category(id=new_id(), parent_id=None, name=slug, slug=slug))
