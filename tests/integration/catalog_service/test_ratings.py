"""A product's rating after verdicts, edits and sales at once."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa

from catalog_service.models import Product
from catalog_service.models.reservations import ReserveCommand
from common_lib.auth import Role
from common_lib.events.orders import OrderConfirmed
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.order_events import deliver, told
from tests.integration.catalog_service.reviewers import (
    buyer_of,
    decide,
    listed,
    new_product,
    rating,
    written,
)


@pytest.mark.parametrize(
    ("ratings", "average"),
    [
        ([5, 4], "4.50"),
        ([5, 5, 4], "4.67"),
        ([5, 4, 4], "4.33"),
        ([5] * 7 + [4], "4.88"),  # 4.875, half up
        ([1], "1.00"),
    ],
)
async def test_the_rating_is_the_mean_of_the_approved(
    catalog: Catalog, ratings: list[int], average: str
) -> None:
    product = await new_product(catalog)
    for stars in ratings:
        await decide(catalog, await written(catalog, product, stars))
    assert (await rating(catalog, product))[:2] == (Decimal(average), len(ratings))


async def test_the_product_page_shows_the_new_rating_in_every_process_and_the_event_is_written(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    product = await new_product(catalog)
    review = await written(catalog, product, 4)
    before = await catalog.client.get(f"/api/products/{product}")
    assert before.json()["reviewCount"] == 0

    await decide(catalog, review)

    after = await catalog.client.get(f"/api/products/{product}")
    assert (after.json()["avgRating"], after.json()["reviewCount"]) == (4.0, 1)
    assert after.headers["etag"] != before.headers["etag"]
    assert await catalog.events(product) == ["PRODUCT_UPDATED"]
    await decide(catalog, review)
    assert await catalog.events(product) == ["PRODUCT_UPDATED"]
    other = await open_catalog()
    shown = await other.client.get(f"/api/products/{product}")
    assert shown.json()["reviewCount"] == 1


async def test_an_approved_review_makes_no_sellers_edit_stale(catalog: Catalog) -> None:
    seller_id, owner = await catalog.seller()
    product = await new_product(catalog, seller_id=seller_id)
    page = await catalog.client.get(f"/api/products/{product}")
    await decide(catalog, await written(catalog, product, 4))
    body = {name: page.json()[name] for name in ("description", "categoryId", "version")}

    answer = await catalog.client.put(
        f"/api/products/{product}",
        json=body | {"name": "New name"},
        headers=catalog.bearer(Role.SELLER, owner) | {"If-Match": page.headers["etag"]},
    )

    assert answer.status_code == 200, answer.text
    assert await rating(catalog, product) == (Decimal("4.00"), 1, 2)
    assert answer.json()["reviewCount"] == 1


async def test_moderators_at_once_leave_the_exact_average(
    catalog: Catalog, open_catalog: OpenCatalog
) -> None:
    """Twenty verdicts in two processes, while sales count and the seller edits the product."""
    product = await new_product(catalog)
    stars = [n % 5 + 1 for n in range(20)]
    reviews = [await written(catalog, product, each) for each in stars]
    processes = [catalog, await open_catalog()]
    commands = await sales(catalog, product, 5)
    ready = asyncio.Barrier(len(reviews) + len(commands))

    async def approve(n: int, review: str) -> None:
        await ready.wait()
        answer = await decide(processes[n % 2], review, "REJECTED" if n % 3 == 0 else "APPROVED")
        assert answer.status_code == 200, answer.text

    async def sell(command: ReserveCommand) -> None:
        await ready.wait()
        await deliver(catalog, told(OrderConfirmed, command, new_id()))

    await asyncio.gather(
        *(approve(n, review) for n, review in enumerate(reviews)),
        *(sell(command) for command in commands),
    )

    shown = [each for n, each in enumerate(stars) if n % 3]
    average = (Decimal(sum(shown)) / len(shown)).quantize(Decimal("0.01"))
    assert await rating(catalog, product) == (average, len(shown), 1)
    async with catalog.database.read_own_writes() as session:
        found = await session.get(Product, product)
    assert found is not None
    assert found.total_sold == 5


async def sales(catalog: Catalog, product: UUID, number: int) -> list[ReserveCommand]:
    """Reserve one unit for each of so many orders."""
    query = sa.text("SELECT id FROM product_variants WHERE product_id = :id")
    variant = UUID(bytes=(await catalog.rows(query, id=product.bytes))[0][0])
    return [await catalog.reserve((variant, 1)) for _ in range(number)]


async def test_an_edit_and_its_verdict_at_once_leave_a_true_rating(catalog: Catalog) -> None:
    for _ in range(5):
        product = await new_product(catalog)
        buyer = await buyer_of(catalog, product)
        review = (await buyer.write(product, 5)).json()["id"]
        body = {"rating": 1, "body": "It broke."}
        await asyncio.gather(
            buyer.send("PUT", f"/api/reviews/{review}", body), decide(catalog, review)
        )
        page = await listed(catalog, product)
        assert page["rating"]["count"] == len(page["items"])
        assert [item["rating"] for item in page["items"]] in ([], [1])
