"""The jobs that carry files out: who sees them, and what a dying worker leaves."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.services.imports.worker import Importer, prune
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession, to_column
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.csv_files import (
    Shop,
    counts,
    importer,
    new_sku,
    problems,
    work_off,
    written,
)
from tests.waiting import eventually

NEVER = asyncio.Event()


@pytest.fixture
async def shop(catalog: Catalog) -> Shop:
    await work_off(catalog)
    return await Shop.open(catalog)


async def test_the_answer_names_the_job_before_anything_is_done(shop: Shop) -> None:
    answer = await shop.send(written(shop.row()))

    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/imports/{job['id']}"
    assert (job["status"], job["totalRows"], job["doneRows"]) == ("QUEUED", 1, 0)
    assert job["sellerId"] == str(shop.seller_id)
    assert await shop.products() == []


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


async def _suspend(shop: Shop) -> None:
    async def work(session: WriteSession) -> None:
        update = sa.text("UPDATE sellers SET status = 'SUSPENDED', updated_at = :at WHERE id = :id")
        at = to_column(now())
        await session.execute(update, {"id": shop.seller_id.bytes, "at": at})

    await shop.catalog.database.transact(work)
