"""Reviews over HTTP: who may write and change them, and what readers see."""

import asyncio
from decimal import Decimal
from typing import Any, Final

import pytest
import sqlalchemy as sa

from catalog_service.models import ProductStatus, Purchase, SellerStatus
from common_lib.auth import Role
from common_lib.events.orders import OrderCancelled, OrderConfirmed
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.order_events import deliver, told
from tests.integration.catalog_service.reviewers import (
    PUBLIC,
    buyer_of,
    decide,
    listed,
    new_product,
    rating,
    somebody,
    written,
)
from tests.problems import assert_problem

NO_RATINGS: Final[list[Any]] = [0, 6, -1, 2**31, 2**70, 4.5, 5.0, "5", True, None, [], {}]


# --- Writing --------------------------------------------------------------------------------


async def test_a_buyers_review_waits_for_a_moderator(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)

    answer = await buyer.write(product, 4, title=" Fine ", body="It boils.\nOnce.")

    assert answer.status_code == 201
    review = answer.json()
    assert (review["status"], review["isVerifiedPurchase"]) == ("PENDING", True)
    assert (review["rating"], review["title"], review["body"]) == (4, "Fine", "It boils.\nOnce.")
    assert set(review) == PUBLIC | {"status", "moderationNote", "updatedAt"}
    assert (await listed(catalog, product))["items"] == []
    assert await rating(catalog, product) == (Decimal(0), 0, 1)


async def test_only_who_bought_it_reviews_it(catalog: Catalog) -> None:
    product, other = await new_product(catalog), await new_product(catalog)
    buyer = await buyer_of(catalog, other)
    assert_problem(await buyer.write(product), 403, "purchase_required")


async def test_a_confirmed_order_opens_the_review_and_its_cancelling_takes_the_mark(
    catalog: Catalog,
) -> None:
    variant = await catalog.variant(5)
    product, buyer = await catalog.product_of(variant), somebody(catalog)
    command = await catalog.reserve((variant, 1))
    assert_problem(await buyer.write(product), 403, "purchase_required")

    await deliver(catalog, told(OrderConfirmed, command, buyer.user_id))
    review = (await buyer.write(product)).json()
    assert review["isVerifiedPurchase"] is True

    await deliver(catalog, told(OrderCancelled, command, buyer.user_id))
    await decide(catalog, review["id"])
    shown = (await listed(catalog, product))["items"]
    assert [each["isVerifiedPurchase"] for each in shown] == [False]
    edited = await buyer.send("PUT", f"/api/reviews/{review['id']}", {"rating": 1, "body": "No."})
    assert edited.json()["isVerifiedPurchase"] is False


async def test_the_mark_stays_while_another_order_of_it_stands(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    product, buyer = await catalog.product_of(variant), somebody(catalog)
    first, second = [await catalog.reserve((variant, 1)) for _ in range(2)]
    for command in (first, second):
        await deliver(catalog, told(OrderConfirmed, command, buyer.user_id))
    review = (await buyer.write(product)).json()
    await deliver(catalog, told(OrderCancelled, first, buyer.user_id))
    await decide(catalog, review["id"])
    assert (await listed(catalog, product))["items"][0]["isVerifiedPurchase"] is True


async def test_a_second_review_is_a_conflict_whatever_became_of_the_first(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    review = (await buyer.write(product)).json()["id"]
    for status in ("APPROVED", "REJECTED"):
        await decide(catalog, review, status)
        assert_problem(await buyer.write(product), 409, "review_exists")


async def test_twenty_reviews_of_one_buyer_at_once_make_one(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    answers = await asyncio.gather(*(buyer.write(product) for _ in range(20)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(409)) == (1, 19), codes


async def test_who_deleted_a_review_may_write_another(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    review = (await buyer.write(product)).json()["id"]
    assert (await buyer.send("DELETE", f"/api/reviews/{review}")).status_code == 204
    assert (await buyer.write(product)).status_code == 201


@pytest.mark.parametrize("status", [ProductStatus.DRAFT, ProductStatus.ARCHIVED])
async def test_what_is_not_for_sale_has_no_reviews(catalog: Catalog, status: ProductStatus) -> None:
    product = await new_product(catalog, status=status)
    buyer = await buyer_of(catalog, product)
    assert_problem(await buyer.write(product), 404, "not_found")
    assert_problem(await buyer.send("GET", f"/api/products/{product}/reviews"), 404)


@pytest.mark.parametrize(
    "product", ["018f0000-0000-7000-8000-000000000000", "x", "1", "%00", "0" * 36]
)
async def test_an_unknown_or_malformed_product_is_not_found(catalog: Catalog, product: str) -> None:
    path = f"/api/products/{product}/reviews"
    buyer = somebody(catalog)
    assert_problem(await buyer.send("GET", path), 404)
    assert_problem(await buyer.send("POST", path, {"rating": 5, "body": "x"}), 404)


async def test_a_seller_does_not_review_the_own_product(catalog: Catalog) -> None:
    seller_id, owner = await catalog.seller()
    product = await new_product(catalog, seller_id=seller_id)
    await catalog.save(Purchase(user_id=owner, product_id=product, order_id=new_id(), quantity=1))
    for role in (Role.SELLER, Role.CUSTOMER, Role.ADMIN):
        assert_problem(await somebody(catalog, role, owner).write(product), 403, "own_product")


async def test_a_seller_who_bought_from_another_reviews_it(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    product = await new_product(catalog, seller_id=seller_id)
    _, other = await catalog.seller(SellerStatus.ACTIVE)
    await catalog.save(Purchase(user_id=other, product_id=product, order_id=new_id(), quantity=1))
    assert (await somebody(catalog, Role.SELLER, other).write(product)).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        *({"rating": bad} for bad in NO_RATINGS),
        {"body": ""},
        {"body": " \n\t "},
        {"body": "x" * 10_001},
        {"body": None},
        {"body": 5},
        {"body": "a\x00b"},
        {"title": "x" * 151},
        {"title": None},
        {"title": "a\x00b"},
        {"status": "APPROVED"},
        {"isVerifiedPurchase": True},
        {"userId": str(new_id())},
        {"productId": str(new_id())},
    ],
)
async def test_a_bad_review_is_refused(catalog: Catalog, change: dict[str, Any]) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    assert_problem(await buyer.write(product, **{"rating": 5} | change), 422)
    review = (await buyer.write(product)).json()["id"]
    body = {"rating": 5, "body": "x"} | change
    assert_problem(await buyer.send("PUT", f"/api/reviews/{review}", body), 422)
    assert_problem(await buyer.write(product), 409, "review_exists")


@pytest.mark.parametrize("missing", ["rating", "body"])
async def test_what_must_be_said_is_said(catalog: Catalog, missing: str) -> None:
    body = {"rating": 5, "body": "x"}
    del body[missing]
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    answer = await buyer.send("POST", f"/api/products/{product}/reviews", body)
    assert_problem(answer, 422, "validation_failed")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "'; DROP TABLE reviews; --",
        "{{7*7}} %s %(x)s :id \\",
        "👍🏽 बढ़िया 非常好",
        "x" * 10_000,
        "👍" * 10_000,
    ],
)
async def test_any_text_comes_back_as_it_was_sent(catalog: Catalog, text: str) -> None:
    product = await new_product(catalog)
    review = await written(catalog, product, title=text[:150], body=text)
    await decide(catalog, review)
    answer = await catalog.client.get(f"/api/products/{product}/reviews")
    assert answer.headers["content-type"] == "application/json"
    shown = answer.json()["items"][0]
    assert (shown["title"], shown["body"]) == (text[:150], text)


async def test_guests_write_no_reviews(catalog: Catalog) -> None:
    product = await new_product(catalog)
    guest = await buyer_of(catalog, product, Role.GUEST)
    assert_problem(await guest.write(product), 403, "role_not_allowed")


async def test_without_a_token_nothing_is_written(catalog: Catalog) -> None:
    product = await new_product(catalog)
    review = await written(catalog, product)
    body = {"rating": 5, "body": "x"}
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"/api/products/{product}/reviews", body),
        ("PUT", f"/api/reviews/{review}", body),
        ("DELETE", f"/api/reviews/{review}", None),
        ("GET", "/api/reviews", None),
        ("PATCH", f"/api/reviews/{review}/status", {"status": "APPROVED"}),
    ]
    for method, path, sent in calls:
        assert_problem(await catalog.client.request(method, path, json=sent), 401, "auth_required")


# --- Reading --------------------------------------------------------------------------------


async def test_approved_reviews_are_shown_newest_first_and_name_nobody(catalog: Catalog) -> None:
    product = await new_product(catalog)
    reviews = [await written(catalog, product, n + 1) for n in range(5)]
    for review in reviews[:3]:
        await decide(catalog, review)
    await decide(catalog, reviews[3], "REJECTED", note="spam")

    page = await listed(catalog, product)

    assert [item["id"] for item in page["items"]] == reviews[2::-1]
    assert all(set(item) == PUBLIC for item in page["items"])
    histogram = {"1": 1, "2": 1, "3": 1, "4": 0, "5": 0}
    assert page["rating"] == {"average": 2.0, "count": 3, "histogram": histogram}
    assert (page["mine"], page["nextCursor"]) == (None, None)


async def test_pages_meet_without_gap_or_repeat_while_reviews_arrive(catalog: Catalog) -> None:
    product = await new_product(catalog)
    reviews = [await written(catalog, product) for _ in range(5)]
    for review in reviews:
        await decide(catalog, review)

    answer = await catalog.client.get(f"/api/products/{product}/reviews?limit=2")
    await decide(catalog, await written(catalog, product))
    seen = [item["id"] for item in answer.json()["items"]]
    while "link" in answer.headers:
        link = answer.headers["link"]
        assert link.endswith('; rel="next"')
        answer = await catalog.client.get(link[1 : link.index(">")])
        seen += [item["id"] for item in answer.json()["items"]]

    assert seen == reviews[::-1]


@pytest.mark.parametrize(
    "query",
    [
        *("?limit=0", "?limit=101", "?limit=1000000", "?limit=x", "?offset=5"),
        *("?status=PENDING", "?cursor=", "?cursor=x", f"?cursor={'A' * 257}"),
    ],
)
async def test_an_odd_page_is_refused(catalog: Catalog, query: str) -> None:
    product = await new_product(catalog)
    answer = await catalog.client.get(f"/api/products/{product}/reviews{query}")
    assert_problem(answer, 422)


async def test_a_cursor_of_another_list_is_refused(catalog: Catalog) -> None:
    product = await new_product(catalog)
    for _ in range(2):
        await decide(catalog, await written(catalog, product))
    cursor = (await listed(catalog, product, "?limit=1"))["nextCursor"]
    admin = somebody(catalog, Role.ADMIN)
    answer = await admin.send("GET", f"/api/reviews?cursor={cursor}")
    assert_problem(answer, 422, "invalid_cursor")


async def test_the_author_sees_the_own_review_before_it_is_approved(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    review = (await buyer.write(product)).json()["id"]
    await decide(catalog, review, "REJECTED", note="Not about the product")

    answer = await buyer.send("GET", f"/api/products/{product}/reviews")

    mine = answer.json()["mine"]
    assert (mine["id"], mine["status"]) == (review, "REJECTED")
    assert mine["moderationNote"] == "Not about the product"
    assert "no-store" in answer.headers["cache-control"]
    stranger = await somebody(catalog).send("GET", f"/api/products/{product}/reviews")
    assert stranger.json()["mine"] is None


async def test_a_bad_token_is_refused_where_none_is_needed(catalog: Catalog) -> None:
    product = await new_product(catalog)
    headers = {"Authorization": "Bearer x.y.z"}
    answer = await catalog.client.get(f"/api/products/{product}/reviews", headers=headers)
    assert_problem(answer, 401)


async def test_a_list_of_reviews_costs_the_same_number_of_statements(catalog: Catalog) -> None:
    product = await new_product(catalog)
    counts = []
    for _ in range(2):
        await decide(catalog, await written(catalog, product))
        statements: list[str] = []

        def note(*call: Any, into: list[str] = statements) -> None:
            into.append(str(call[2]))

        engine = catalog.database.writer.sync_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            await listed(catalog, product)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts == [3, 3]


# --- The author changes their mind ----------------------------------------------------------


async def test_an_edited_review_waits_again_and_no_longer_counts(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    review = (await buyer.write(product, 5)).json()["id"]
    await decide(catalog, await written(catalog, product, 2))
    await decide(catalog, review, note="ok")
    assert (await rating(catalog, product))[:2] == (Decimal("3.50"), 2)

    answer = await buyer.send("PUT", f"/api/reviews/{review}", {"rating": 1, "body": "It broke."})

    assert answer.status_code == 200
    edited = answer.json()
    assert (edited["status"], edited["rating"], edited["title"]) == ("PENDING", 1, "")
    assert edited["moderationNote"] == ""
    assert (await rating(catalog, product))[:2] == (Decimal("2.00"), 1)
    assert review not in [item["id"] for item in (await listed(catalog, product))["items"]]
    await decide(catalog, review)
    assert (await rating(catalog, product))[:2] == (Decimal("1.50"), 2)


async def test_a_deleted_review_no_longer_counts(catalog: Catalog) -> None:
    product = await new_product(catalog)
    buyer = await buyer_of(catalog, product)
    review = (await buyer.write(product, 5)).json()["id"]
    await decide(catalog, review)
    assert (await buyer.send("DELETE", f"/api/reviews/{review}")).status_code == 204
    assert await rating(catalog, product) == (Decimal(0), 0, 1)
    assert_problem(await buyer.send("DELETE", f"/api/reviews/{review}"), 404)


async def test_an_administrator_deletes_any_review_but_writes_in_nobodys_name(
    catalog: Catalog,
) -> None:
    product = await new_product(catalog)
    review = await written(catalog, product)
    admin, path = somebody(catalog, Role.ADMIN), f"/api/reviews/{review}"
    assert_problem(await admin.send("PUT", path, {"rating": 5, "body": "x"}), 404)
    assert (await admin.send("DELETE", path)).status_code == 204


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER])
async def test_anothers_review_is_not_found(catalog: Catalog, role: Role) -> None:
    seller_id, owner = await catalog.seller()
    product = await new_product(catalog, seller_id=seller_id)
    review = await written(catalog, product)
    other = somebody(catalog, role, owner if role is Role.SELLER else None)
    for path in (f"/api/reviews/{review}", f"/api/reviews/{new_id()}", "/api/reviews/x"):
        assert_problem(await other.send("PUT", path, {"rating": 5, "body": "x"}), 404, "not_found")
        assert_problem(await other.send("DELETE", path), 404, "not_found")
