"""Moderators over HTTP: what waits for them, and what their verdicts say."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.reviewers import (
    PUBLIC,
    decide,
    new_product,
    rating,
    somebody,
    written,
)
from tests.problems import assert_problem


async def test_the_queue_shows_what_waits_oldest_first(catalog: Catalog) -> None:
    product = await new_product(catalog)
    reviews = [await written(catalog, product) for _ in range(3)]
    admin = somebody(catalog, Role.ADMIN)

    seen: list[dict[str, Any]] = []
    path = "/api/reviews?limit=2"
    while path:
        answer = await admin.send("GET", path)
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        link = answer.headers.get("link")
        path = link[1 : link.index(">")] if link else ""

    assert [each["id"] for each in seen if each["productId"] == str(product)] == reviews
    assert {each["status"] for each in seen} == {"PENDING"}
    assert [each["id"] for each in seen] == sorted(each["id"] for each in seen)
    only = PUBLIC | {"status", "moderationNote", "updatedAt", "userId"}
    assert set(seen[0]) == only | {"moderatedBy", "moderatedAt"}


@pytest.mark.parametrize("status", ["APPROVED", "REJECTED"])
async def test_what_was_decided_is_listed_by_its_status(catalog: Catalog, status: str) -> None:
    review = await written(catalog, await new_product(catalog))
    await decide(catalog, review, status)
    answer = await somebody(catalog, Role.ADMIN).send(
        "GET", f"/api/reviews?status={status}&limit=100"
    )
    assert {each["status"] for each in answer.json()["items"]} == {status}


@pytest.mark.parametrize(
    "query", ["?status=x", "?status=", "?status=pending", "?page=2", "?limit=0"]
)
async def test_an_odd_queue_is_refused(catalog: Catalog, query: str) -> None:
    assert_problem(await somebody(catalog, Role.ADMIN).send("GET", f"/api/reviews{query}"), 422)


@pytest.mark.parametrize("role", [Role.GUEST, Role.CUSTOMER, Role.SELLER])
async def test_only_administrators_moderate(catalog: Catalog, role: Role) -> None:
    review = await written(catalog, await new_product(catalog))
    caller, path = somebody(catalog, role), f"/api/reviews/{review}/status"
    assert_problem(await caller.send("GET", "/api/reviews"), 403, "role_not_allowed")
    refused = await caller.send("PATCH", path, {"status": "APPROVED"})
    assert_problem(refused, 403, "role_not_allowed")


async def test_a_verdict_is_signed_dated_and_may_be_revised(catalog: Catalog) -> None:
    product = await new_product(catalog)
    review, admin = await written(catalog, product, 3), somebody(catalog, Role.ADMIN)
    path = f"/api/reviews/{review}/status"
    began_at = datetime.now(UTC)

    approved = await admin.send("PATCH", path, {"status": "APPROVED", "note": "fine"})

    assert approved.status_code == 200
    verdict = approved.json()
    assert (verdict["status"], verdict["moderationNote"]) == ("APPROVED", "fine")
    assert verdict["moderatedBy"] == str(admin.user_id)
    assert datetime.fromisoformat(verdict["moderatedAt"]) >= began_at
    again = await decide(catalog, review)
    assert (again.status_code, again.json()) == (200, verdict)
    rejected = await decide(catalog, review, "REJECTED")
    assert rejected.json()["status"] == "REJECTED"
    assert await rating(catalog, product) == (Decimal(0), 0, 1)
    assert (await decide(catalog, review)).status_code == 200
    assert (await rating(catalog, product))[:2] == (Decimal(3), 1)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "PENDING"},
        {"status": "approved"},
        {"status": None},
        {},
        {"status": "APPROVED", "note": "x" * 501},
        {"status": "APPROVED", "note": "a\x00"},
        {"status": "APPROVED", "rating": 5},
    ],
)
async def test_a_bad_verdict_is_refused(catalog: Catalog, body: dict[str, Any]) -> None:
    review = await written(catalog, await new_product(catalog))
    path = f"/api/reviews/{review}/status"
    assert_problem(await somebody(catalog, Role.ADMIN).send("PATCH", path, body), 422)


@pytest.mark.parametrize("review", ["018f0000-0000-7000-8000-000000000000", "x", "1"])
async def test_a_verdict_on_nothing_is_not_found(catalog: Catalog, review: str) -> None:
    assert_problem(await decide(catalog, review), 404, "not_found")
