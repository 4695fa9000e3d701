"""What keeps one import from the others' way: uploads at once, and workers that die over a file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from catalog_service.services.imports.worker import MAX_ATTEMPTS
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.csv_files import Shop, importer, new_sku, work_off, written
from tests.waiting import eventually

NEVER = asyncio.Event()


class Gone(BaseException):
    """What a kill looks like from inside: nothing after it is done."""


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


def dying_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            raise Gone

    monkeypatch.setattr("catalog_service.services.imports.worker.crash_point", reached)


async def die_over(catalog: Catalog, *, times: int) -> None:
    """Have workers take the next job, one after the other, and die over it."""
    for _ in range(times):
        worker = importer(catalog, lease_s=0, chunk_rows=1)
        job = await worker.take()
        assert job is not None
        with pytest.raises(Gone):
            await worker.work(job, NEVER)


async def test_a_file_that_kills_every_worker_is_given_up_and_the_next_one_is_done(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = (await shop.send(written(shop.row(), shop.row()))).json()
    with monkeypatch.context() as patched:
        dying_at(patched, "catalog.import_before_commit")
        await die_over(shop.catalog, times=MAX_ATTEMPTS)
    harmless = (await shop.send(written(shop.row()))).json()

    await work_off(shop.catalog)

    report = await shop.report(deadly["id"])
    assert (report["status"], report["failure"]) == ("FAILED", "too_many_attempts")
    assert (report["doneRows"], report["finishedAt"] is not None) == (0, True)
    assert (await shop.report(harmless["id"]))["status"] == "DONE"


async def test_a_file_that_gets_on_is_never_given_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [shop.row() for _ in range(MAX_ATTEMPTS + 3)]
    job = (await shop.send(written(*rows))).json()
    with monkeypatch.context() as patched:
        dying_at(patched, "catalog.import_after_commit")
        await die_over(shop.catalog, times=len(rows) - 1)

    await work_off(shop.catalog)

    report = await shop.report(job["id"])
    assert (report["status"], report["createdRows"]) == ("DONE", len(rows))


async def test_the_workers_that_died_before_some_progress_count_no_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [shop.row() for _ in range(3)]
    job = (await shop.send(written(*rows))).json()
    for point, times in (
        ("catalog.import_before_commit", MAX_ATTEMPTS - 1),
        ("catalog.import_after_commit", 1),
        # The one that died after its commit may have died over what came next.
        ("catalog.import_before_commit", MAX_ATTEMPTS - 2),
    ):
        with monkeypatch.context() as patched:
            dying_at(patched, point)
            await die_over(shop.catalog, times=times)

    await work_off(shop.catalog)

    assert (await shop.report(job["id"]))["status"] == "DONE"


async def test_a_fifth_upload_at_once_is_asked_to_come_later(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    process = await open_catalog(import_uploads_at_once=4, import_max_waiting=100)
    shop, go = await Shop.open(process), asyncio.Event()
    arrived = 0

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal arrived
        arrived += 1
        body = written(shop.row())
        yield body[:10]
        await go.wait()
        yield body[10:]

    uploads = [asyncio.create_task(posted(shop, slowly())) for _ in range(4)]
    await eventually(lambda: arrived == 4)

    refused = await shop.send(written(shop.row()))
    others = await Shop.open(catalog)
    elsewhere = await others.send(written(others.row()))
    go.set()
    answers = await asyncio.gather(*uploads)

    assert (refused.status_code, refused.json()["code"]) == (503, "imports_busy")
    assert int(refused.headers["retry-after"]) > 0
    assert elsewhere.status_code == 202
    assert [answer.status_code for answer in answers] == [202] * 4
    assert (await shop.send(written(shop.row()))).status_code == 202
    await work_off(catalog)


async def test_a_refused_upload_gives_its_place_back(open_catalog: OpenCatalog) -> None:
    process = await open_catalog(import_uploads_at_once=1)
    shop = await Shop.open(process)
    for _ in range(3):
        assert (await shop.send(b"nothing")).status_code == 422
    assert (await shop.send(written(shop.row()))).status_code == 202
    await work_off(process)


async def test_values_of_every_kind_are_changed_as_they_were_written(shop: Shop) -> None:
    """All rows of a chunk share one statement: neighbours must not lend each other a type."""
    rows = [
        shop.row(
            compare_at_price=compare_at,
            status=status,
            product_name=name,
            **{"attr.Colour": colour, "active": "true"},
        )
        for compare_at, status, name, colour in (
            ("", "ACTIVE", "Plain", ""),
            ("2000.00", "DRAFT", "Later", "Red"),
            ("1999.99", "ARCHIVED", "Gone", 'a "quote" \\ %s \u0939'),
        )
    ]
    await shop.carried_out(*(row | {"status": "DRAFT", "product_name": "Old"} for row in rows))
    sibling = rows[0] | {"sku": new_sku(), "product_name": "", "description": ""}
    wanted = [rows[0] | {"price": "0.01"}, sibling, rows[1] | {"active": "no"}, rows[2]]

    report = await shop.carried_out(*wanted)

    assert (report["createdRows"], report["updatedRows"], report["errors"]) == (1, 3, [])
    again = await shop.carried_out(*wanted)
    assert again["unchangedRows"] == len(wanted)
    found = {p.name: (p.status, p.version, p.variants) for p in await shop.products()}
    assert found == {
        "Plain": ("ACTIVE", 2, 2),
        "Later": ("DRAFT", 2, 1),
        "Gone": ("ARCHIVED", 2, 1),
    }
    (product,) = [p for p in await shop.products() if p.name == "Gone"]
    assert await shop.catalog.events(UUID(bytes=product.id)) == [
        "PRODUCT_CREATED",
        "PRODUCT_UPDATED",
    ]


async def posted(shop: Shop, body: Any) -> httpx2.Response:
    headers = shop.headers | {"content-type": "text/csv"}
    return await shop.catalog.client.post("/api/products/import", content=body, headers=headers)
