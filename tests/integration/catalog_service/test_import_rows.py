"""Products from the rows of CSV files: what is imported, and which rows are refused."""

import csv
import re
from uuid import UUID

import pytest

from catalog_service.models import Category
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.csv_files import (
    Shop,
    counts,
    new_sku,
    problems,
    read,
    work_off,
    written,
)


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


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


async def test_a_name_that_holds_the_separator_is_written_with_a_backslash(shop: Shop) -> None:
    root, leaf = new_id(), new_id()
    electronics = f"Electronics {root.hex[-6:]}"
    await shop.catalog.save(
        Category(id=root, parent_id=None, name=electronics, slug=root.hex),
        Category(id=leaf, parent_id=root, name="Cables > 2 m", slug=leaf.hex),
    )

    report = await shop.carried_out(
        shop.row(category=rf"{electronics} > Cables \> 2 m"),
        shop.row(category=f"{electronics} > Cables > 2 m"),
    )

    assert problems(report) == [(3, "category", "unknown_category")]
    assert "\\" in report["errors"][0]["detail"]
    assert counts(report) == (1, 0, 0, 1)


async def test_a_file_as_a_spreadsheet_saves_it_is_understood(shop: Shop) -> None:
    """Excel in Europe: its separator line, empty columns, commas in numbers, UTF-16, CR LF."""
    body = written(shop.row(price="1.499,00", product_name="Größe; L")).decode()
    header, row = csv.reader(body.splitlines())
    lines = ["sep=;", ";".join([*header, "", ""]), ";".join([*(f'"{c}"' for c in row), "", ""])]
    report = await shop.carried_out_file("\r\n".join([*lines, ";" * 11, ""]).encode("utf-16"))

    assert (problems(report), counts(report)) == ([], (1, 0, 0, 0))
    (product,) = await shop.products()
    assert (product.name, product.min_price_minor) == ("Größe; L", 149_900)


@pytest.mark.parametrize(
    ("currency", "written_as", "minor"), [("JPY", "1499", 1499), ("KWD", "1.499", 1499)]
)
async def test_prices_have_the_decimals_of_the_shops_currency_in_and_out(
    open_catalog: OpenCatalog, currency: str, written_as: str, minor: int
) -> None:
    catalog = await open_catalog(currency=currency)
    shop = await Shop.open(catalog)
    report = await shop.carried_out(
        shop.row(price=written_as), shop.row(price="1499.12345"), shop.row(currency="INR")
    )

    assert problems(report) == [
        (3, "price", "decimal_parsing"),
        (4, "currency", "unsupported_currency"),
    ]
    assert currency in report["errors"][0]["detail"]
    (product,) = await shop.products()
    assert product.min_price_minor == minor
    sent = await shop.exported()
    assert [each["price"] for each in read(sent)] == [written_as]
    assert counts(await shop.carried_out_file(sent)) == (0, 0, 1, 0)


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


async def test_every_fault_of_a_row_is_named_with_its_column_in_plain_words(shop: Shop) -> None:
    """Faults of the product, of the variant, of the SKU and of the prices, all at once."""
    first = shop.row(
        category="no-such-category",
        status="ARCHIVED",
        product_name="",
        sku="!",
        variant_name="v" * 161,
        price="1e3",
        compare_at_price="1,000",
        quantity="-1",
        currency="USD",
        attributes="colour",
        active="perhaps",
        reorder_level="few",
    )
    second = first | {"product_name": "Other", "description": "Silk"}

    report = await shop.carried_out(first, second, shop.row())
    report = await shop.report(report["id"], limit=100)

    faults = {(line, column) for line, column, _ in problems(report)}
    common = {"sku", "variant_name", "price", "compare_at_price", "quantity", "currency"}
    common |= {"attributes", "active", "reorder_level"}
    assert faults == {
        *((2, column) for column in common | {"category", "status", "product_name"}),
        *((3, column) for column in common | {"product_name", "description"}),
    }
    for error in report["errors"]:
        assert not re.search(r"String|Input|\^|Field|should", error["detail"]), error
    assert counts(report) == (1, 0, 0, 2)


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
