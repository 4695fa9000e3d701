"""A worker is killed over a file of products; the next one goes on, and no row is there twice."""

import csv
import io
from typing import Any
from uuid import uuid4

import pytest

from catalog_service.services.imports.worker import MAX_ATTEMPTS
from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.shopper import Shopper
from tests.waiting import eventually

ROWS = 120
COLUMNS = "product_name,description,category,sku,variant_name,price,quantity,status"


def file_of(prefix: str, category: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS.split(","))
    for n in range(ROWS):
        price = "broken" if n % 40 == 7 else "99.50"
        row = (f"{prefix} {n}", "Cotton", category, f"{prefix}-{n}", "M", price, 5, "ACTIVE")
        writer.writerow(row)
    return text.getvalue().encode()


async def first_category(shopper: Shopper) -> str:
    tree = (await shopper.request("GET", "/api/categories")).json()
    slug: str = tree["items"][0]["slug"]
    return slug


@pytest.mark.parametrize("point", ["catalog.import_before_commit", "catalog.import_after_commit"])
async def test_a_worker_killed_over_a_file_loses_nothing_and_repeats_nothing(
    whole: NativeStack, seller: Shopper, point: str
) -> None:
    prefix = f"KILL{uuid4().hex[:12]}"
    whole.kill("catalog-worker")
    whole.start_process("catalog-worker", {"SHOP_IMPORT_LEASE_S": "2", "SHOP_CRASH_AT": point})
    sent = await send(seller, file_of(prefix, await first_category(seller)))
    whole.wait_dead("catalog-worker")

    whole.start_process("catalog-worker", {})

    report = await ended(seller, sent)
    assert report["status"] == "DONE"
    assert (report["createdRows"], report["failedRows"]) == (ROWS - 3, 3)
    assert [error["line"] for error in report["errors"]] == [9, 49, 89]
    exported = await seller.request("GET", "/api/products/export")
    skus = [row["sku"] for row in csv.DictReader(io.StringIO(exported.text, newline=""))]
    assert sum(sku.startswith(prefix) for sku in skus) == ROWS - 3
    await assert_invariants(whole)


async def test_a_file_that_kills_every_worker_is_given_up_and_the_next_is_imported(
    whole: NativeStack, seller: Shopper
) -> None:
    deadly = {"SHOP_IMPORT_LEASE_S": "0.5", "SHOP_CRASH_AT": "catalog.import_before_commit"}
    category = await first_category(seller)
    prefix = f"DIE{uuid4().hex[:12]}"
    whole.kill("catalog-worker")  # one that is asked to stop would finish what it began
    sent = await send(seller, file_of(prefix, category))
    for _ in range(MAX_ATTEMPTS):
        whole.start_process("catalog-worker", deadly, wait=False)
        whole.wait_dead("catalog-worker")
    other = await send(seller, file_of(f"LIVE{uuid4().hex[:12]}", category))

    whole.start_process("catalog-worker", {})

    report = await ended(seller, sent)
    assert (report["status"], report["failure"]) == ("FAILED", "too_many_attempts")
    assert report["doneRows"] == 0
    assert (await ended(seller, other))["createdRows"] == ROWS - 3
    await assert_invariants(whole)


async def send(seller: Shopper, body: bytes) -> str:
    """Hand a file in and return where its report is."""
    answer = await seller.request(
        "POST", "/api/products/import", content=body, headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 202, answer.text
    location: str = answer.headers["location"]
    return location


async def ended(seller: Shopper, location: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        report: dict[str, Any] = (await seller.request("GET", location)).json()
        return report if report["status"] in {"DONE", "FAILED"} else None

    report: dict[str, Any] = await eventually(found, timeout_s=60, what="the import")
    return report
