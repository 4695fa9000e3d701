"""One person in the catalog: what is handed out for an export, and what an erasure leaves."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from catalog_service.consumers import queued_events
from catalog_service.models import (
    Product,
    ProductStatus,
    Purchase,
    Review,
    Seller,
    SellerStatus,
)
from catalog_service.models.wishlists import WishlistItem
from catalog_service.queries import people as queries
from catalog_service.services.shelf_keeper import ShelfKeeper
from common_lib.auth import ServiceTokens, SigningKey
from common_lib.consumer import Delivery
from common_lib.database import WriteSession
from common_lib.events import Envelope
from common_lib.events.users import UserDeleted
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.counting import statements
from tests.integration.catalog_service.reviewers import (
    Buyer,
    decide,
    listed,
    new_product,
    rating,
    somebody,
)
from tests.waiting import eventually


def caller(catalog: Catalog, service: str = "user-service") -> dict[str, str]:
    key = SigningKey.from_file(catalog.settings.service_token_key_file)
    return {"Authorization": f"Bearer {ServiceTokens(key, service).issue('catalog-service')}"}


async def ask(
    catalog: Catalog, user_id: UUID, what: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    path = f"/internal/users/{user_id}/held/{what}"
    return await catalog.client.get(path, headers=headers or caller(catalog))


async def held(catalog: Catalog, user_id: UUID, what: str) -> list[dict[str, Any]]:
    """Follow the pages to the end."""
    items: list[dict[str, Any]] = []
    tail = ""
    while True:
        answer = await ask(catalog, user_id, f"{what}{tail}")
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if (after := answer.json()["nextAfter"]) is None:
            return items
        tail = f"?after={after}"


async def forget(catalog: Catalog, user_id: UUID, times: int = 1) -> None:
    event = Envelope.wrap(UserDeleted(user_id=user_id), source="user-service")
    process = queued_events(catalog.database, catalog.deps.announcements)
    for _ in range(times):
        await process([Delivery(event)])


async def reviewed(catalog: Catalog, buyer: Buyer, status: str | None) -> tuple[UUID, str]:
    """Let the buyer review a product of its own, and have that decided."""
    product = await new_product(catalog)
    bought = Purchase(user_id=buyer.user_id, product_id=product, order_id=new_id(), quantity=1)
    await catalog.save(bought)
    review = str((await buyer.write(product)).json()["id"])
    if status is not None:
        assert (await decide(catalog, review, status, note="well said")).status_code == 200
    return product, review


async def test_what_a_person_wrote_and_wished_for_is_handed_out(catalog: Catalog) -> None:
    buyer = somebody(catalog)
    _, published = await reviewed(catalog, buyer, "APPROVED")
    _, refused = await reviewed(catalog, buyer, "REJECTED")
    for product in (await new_product(catalog), await new_product(catalog)):
        await catalog.save(WishlistItem(user_id=buyer.user_id, product_id=product))

    reviews = await held(catalog, buyer.user_id, "reviews")

    assert {review["id"]: review["status"] for review in reviews} == {
        published: "APPROVED",
        refused: "REJECTED",
    }
    assert reviews[0]["body"] == "Boils water."
    assert len(await held(catalog, buyer.user_id, "wishlist")) == 2
    assert await held(catalog, buyer.user_id, "stores") == []


async def test_a_long_wishlist_comes_in_pages_and_whole(catalog: Catalog) -> None:
    user_id, category = new_id(), await catalog.category()
    ids = [new_id() for _ in range(230)]
    products = [
        Product(
            id=id_,
            category_id=category,
            name="Kurta",
            slug=id_.hex,
            description="",
            min_price_minor=1,
        )
        for id_ in ids
    ]
    await catalog.save(*products)
    await catalog.save(*(WishlistItem(user_id=user_id, product_id=id_) for id_ in ids))

    items = await held(catalog, user_id, "wishlist")

    assert [item["productId"] for item in items] == [str(id_) for id_ in ids]


async def test_a_store_is_handed_out(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()

    (store,) = await held(catalog, user_id, "stores")

    assert (store["id"], store["storeName"]) == (str(seller_id), "Store")


@pytest.mark.parametrize("what", ["reviews", "wishlist", "stores"])
async def test_nobody_but_the_user_service_may_ask(catalog: Catalog, what: str) -> None:
    user_id = new_id()
    others = [caller(catalog, "order-service"), catalog.service()]

    answers = [await ask(catalog, user_id, what, headers) for headers in others]
    nobody = await catalog.client.get(f"/internal/users/{user_id}/held/{what}")

    assert [answer.status_code for answer in answers] == [403, 403]
    assert nobody.status_code == 401


async def test_an_erased_persons_published_review_stays_as_nobodys(catalog: Catalog) -> None:
    buyer = somebody(catalog)
    product, review = await reviewed(catalog, buyer, "APPROVED")
    before = await rating(catalog, product)

    await forget(catalog, buyer.user_id, times=2)

    assert await rating(catalog, product) == before
    assert [item["id"] for item in (await listed(catalog, product))["items"]] == [review]
    query = sa.text("SELECT user_id, moderation_note FROM reviews WHERE id = :id")
    ((author, note),) = await catalog.rows(query, id=UUID(review).bytes)
    assert author != buyer.user_id.bytes
    assert note == ""
    assert await held(catalog, buyer.user_id, "reviews") == []


@pytest.mark.parametrize("status", [None, "REJECTED"])
async def test_what_was_never_published_goes_with_its_author(
    catalog: Catalog, status: str | None
) -> None:
    buyer = somebody(catalog)
    _, review = await reviewed(catalog, buyer, status)

    await forget(catalog, buyer.user_id)

    query = sa.select(Review.id).where(Review.id == UUID(review))
    assert await catalog.rows(query) == []


async def test_the_wishlist_goes_and_others_stay(catalog: Catalog) -> None:
    product, gone, other = await new_product(catalog), new_id(), new_id()
    await catalog.save(*(WishlistItem(user_id=who, product_id=product) for who in (gone, other)))

    await forget(catalog, gone)

    assert await held(catalog, gone, "wishlist") == []
    assert len(await held(catalog, other, "wishlist")) == 1


@pytest.mark.parametrize("status", list(SellerStatus))
async def test_a_store_closes_without_its_name_and_its_products_leave(
    catalog: Catalog, status: SellerStatus
) -> None:
    seller_id, user_id = await catalog.seller(status)
    product = await new_product(catalog, seller_id=seller_id)

    await forget(catalog, user_id, times=2)
    await ShelfKeeper(catalog.database, catalog.deps.announcements).keep()

    async with catalog.database.read_own_writes() as session:
        store = await session.get_one(Seller, seller_id)
        sold = await session.get_one(Product, product)
    assert (store.status, store.store_name) == (SellerStatus.SUSPENDED, "Closed store")
    assert store.description == ""
    assert sold.status is not ProductStatus.ACTIVE


async def review(buyer: Buyer) -> httpx2.Response:
    product = await new_product(buyer.catalog)
    bought = Purchase(user_id=buyer.user_id, product_id=product, order_id=new_id(), quantity=1)
    await buyer.catalog.save(bought)
    return await buyer.write(product)


async def wish(buyer: Buyer) -> httpx2.Response:
    product = await new_product(buyer.catalog)
    body = {"productId": str(product)}
    return await buyer.send("POST", f"/api/wishlists/{buyer.user_id}", body)


async def apply_for_a_store(buyer: Buyer) -> httpx2.Response:
    return await buyer.send("POST", "/api/sellers", {"storeName": f"Store {buyer.user_id}"})


WRITES = {"reviews": review, "wishlist": wish, "stores": apply_for_a_store}
TABLES = {"reviews": " reviews", "wishlist": " wishlists", "stores": " sellers"}


async def left(catalog: Catalog, user_id: UUID, what: str) -> list[dict[str, Any]]:
    """Return what is held and still tells of the person; a closed store does not."""
    items = await held(catalog, user_id, what)
    return [item for item in items if item.get("storeName") != "Closed store"]


@pytest.mark.parametrize("what", WRITES)
async def test_who_was_erased_writes_no_more_with_a_token_that_still_lives(
    catalog: Catalog, what: str
) -> None:
    buyer = somebody(catalog)
    await forget(catalog, buyer.user_id)

    answer = await WRITES[what](buyer)

    assert (answer.status_code, answer.json()["code"]) == (401, "revoked")
    assert await held(catalog, buyer.user_id, what) == []


@pytest.mark.parametrize("what", WRITES)
async def test_what_is_written_at_the_moment_of_the_erasure_does_not_survive_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The writer is told that nobody was erased, and commits once the erasure looks for it."""
    buyer, begin = somebody(catalog), asyncio.Barrier(2)
    first_answer = queries.is_erased

    async def slowly(session: WriteSession, user_id: UUID) -> bool:
        monkeypatch.undo()
        found, told = await first_answer(session, user_id), len(sent)
        await begin.wait()
        await eventually(lambda: TABLES[what] in "".join(sent[told:]), what="a look at the table")
        return found

    async def erase() -> None:
        await begin.wait()
        await forget(catalog, buyer.user_id)

    monkeypatch.setattr(queries, "is_erased", slowly)
    with statements(catalog) as sent:
        async with asyncio.timeout(30):
            answer, _ = await asyncio.gather(WRITES[what](buyer), erase())

    assert answer.status_code == 201
    assert await left(catalog, buyer.user_id, what) == []


@pytest.mark.parametrize("what", WRITES)
async def test_nothing_is_written_behind_the_back_of_an_erasure(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The erasure has looked everywhere, and commits once the writer is answered."""
    buyer, looked, answered = somebody(catalog), asyncio.Barrier(2), asyncio.Event()
    last_look = queries.lock_store_of_user

    async def slowly(session: WriteSession, user_id: UUID) -> Seller | None:
        found = await last_look(session, user_id)
        await looked.wait()
        await answered.wait()
        return found

    async def write() -> httpx2.Response:
        await looked.wait()
        try:
            return await WRITES[what](buyer)
        finally:
            answered.set()

    monkeypatch.setattr(queries, "lock_store_of_user", slowly)
    async with asyncio.timeout(30):
        answer, _ = await asyncio.gather(write(), forget(catalog, buyer.user_id))

    assert (answer.status_code, answer.json()["code"]) == (401, "revoked")
    assert await held(catalog, buyer.user_id, what) == []
