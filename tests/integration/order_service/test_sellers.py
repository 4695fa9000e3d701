"""What a seller sees of orders that hold own goods: the own part, and nothing derived beyond."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from common_lib.auth import Role
from common_lib.clock import now, rfc3339
from common_lib.ids import new_id
from order_service.queries.orders import OrderFilter, page_sql
from order_service.schemas.enums import OrderStatus
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.integration.order_service.placing.test_coupons import new_coupon
from tests.problems import code_of
from tests.shopper import ADDRESS, Shopper, line

OWN, FOREIGN = 3_333, 549_900


@dataclass
class Store:
    """A seller with a store and one article of 33.33."""

    shop: OpenShop
    seller: Shopper
    id: str
    variant: str

    async def listed(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.seller.request("GET", f"/api/sellers/{self.id}/orders{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


def a_store(shop: OpenShop) -> Store:
    seller, store_id = shop.somebody(Role.SELLER), str(uuid4())
    shop.neighbours.sellers[seller.user_id] = store_id
    return Store(shop, seller, store_id, shop.sell(price=OWN, seller_id=store_id))


async def ordered(shop: OpenShop, *variants: str, **body: Any) -> dict[str, Any]:
    address = {**ADDRESS, "label": "At my sister's"}
    answer = await shop.somebody().place(
        [line(variant) for variant in variants], shippingAddress=address, **body
    )
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


def amounts(order: dict[str, Any]) -> dict[str, int]:
    names = ("subtotal", "discount", "tax", "shipping", "total")
    return {name: order[name]["amount"] for name in names}


async def test_a_seller_sees_of_a_shared_order_the_own_part_only(open_shop: OpenIt) -> None:
    shop = await open_shop(tax_basis_points=1_800)
    store, code = a_store(shop), await new_coupon(shop, amount={"amount": 5_100, "currency": "INR"})
    foreign = shop.sell(price=FOREIGN)
    order = await ordered(
        shop, store.variant, foreign, couponCode=code, paymentMethod="UPI", notes="ring twice"
    )

    (listed,) = await store.listed()
    read = await store.seller.order(order["id"])

    # 33.33 of 5,532.33 bear 30.73 paise of the 51.00, which is 31; of the rest 18/118 is tax.
    assert amounts(read) == {
        "subtotal": 3_333,
        "discount": 31,
        "tax": 504,
        "shipping": 0,
        "total": 3_302,
    }
    assert [item["variantId"] for item in read["items"]] == [store.variant]
    assert (read["payment"], read["couponCode"], read["userId"]) == (None, None, None)
    assert (read["actions"], read["expiresAt"], read["notes"]) == ([], None, None)
    assert listed == read
    whole = str(order["total"]["amount"])
    assert whole not in str(read)
    assert code not in str(read)


async def test_a_seller_of_all_the_goods_sees_what_the_order_comes_to(shop: OpenShop) -> None:
    store = a_store(shop)
    order = await ordered(shop, store.variant)

    read = await store.seller.order(order["id"])

    assert amounts(read) == amounts(order)
    assert read["payment"]["method"] == "COD"
    assert read["payment"]["nextAction"] is None
    assert read["actions"] == ["PROCESS", "SHIP"]


async def test_a_seller_learns_of_the_buyer_what_a_parcel_needs_once_it_is_to_be_sent(
    shop: OpenShop,
) -> None:
    store = a_store(shop)
    unpaid = await ordered(shop, store.variant, paymentMethod="UPI", notes="ring twice")
    to_send = await ordered(shop, store.variant, notes="ring twice")

    waiting = await store.seller.order(unpaid["id"])
    sending = await store.seller.order(to_send["id"])

    assert waiting["shippingAddress"] == {
        name: ADDRESS[name] for name in ("state", "pincode", "country")
    }
    assert waiting["notes"] is None
    assert sending["shippingAddress"] == ADDRESS, "without the buyer's label"
    assert sending["notes"] == "ring twice"


async def test_a_seller_reads_in_the_timeline_nobody_elses_words(shop: OpenShop) -> None:
    store, admin = a_store(shop), shop.somebody(Role.ADMIN)
    foreign = shop.sell(price=FOREIGN)
    order = await ordered(shop, store.variant, foreign)
    path = f"/api/orders/{order['id']}"
    answer = await admin.request(
        "PATCH", f"{path}/status", json={"status": "CANCELLED", "note": "the other store is late"}
    )
    assert answer.status_code == 200

    own = (await store.seller.request("GET", f"{path}/timeline")).json()["items"]
    shops = (await admin.request("GET", f"{path}/timeline")).json()["items"]

    assert [step["changedBy"] for step in own] == ["customer", "system", "shop"]
    assert {step["note"] for step in own} == {None}
    assert shops[-1]["note"] == "the other store is late"
    assert shops[0]["changedBy"] == order["userId"]


async def test_a_move_answers_a_seller_with_the_own_part_too(shop: OpenShop) -> None:
    store = a_store(shop)
    alone = await ordered(shop, store.variant)
    shared = await ordered(shop, store.variant, shop.sell(price=FOREIGN))

    async def ship(order: dict[str, Any]) -> Any:
        path = f"/api/orders/{order['id']}/status"
        return await store.seller.request("PATCH", path, json={"status": "SHIPPED"})

    moved, refused = await ship(alone), await ship(shared)

    assert (moved.json()["userId"], moved.json()["actions"]) == (None, ["DELIVER"])
    assert (refused.status_code, code_of(refused)) == (403, "order_has_other_sellers")
    assert str(FOREIGN) not in refused.text


@pytest.mark.parametrize("path", ["/payments", "/cancel"])
async def test_a_sellers_way_to_the_money_is_closed(shop: OpenShop, path: str) -> None:
    store = a_store(shop)
    order = await ordered(shop, store.variant)
    method = "GET" if path == "/payments" else "POST"

    answer = await store.seller.request(method, f"/api/orders/{order['id']}{path}")

    assert answer.status_code in (403, 404)


async def test_a_seller_who_buys_sees_the_own_order_whole_and_may_send_it(shop: OpenShop) -> None:
    store = a_store(shop)
    order = (await store.seller.place([line(store.variant)])).json()

    path = f"/api/orders/{order['id']}/status"
    sent = await store.seller.request("PATCH", path, json={"status": "SHIPPED"})

    assert sent.status_code == 200, sent.text
    assert sent.json()["userId"] == store.seller.user_id


async def test_a_sellers_list_holds_the_orders_with_own_goods_and_pages_through_them(
    shop: OpenShop,
) -> None:
    store, other = a_store(shop), a_store(shop)
    made = []
    for _ in range(5):
        made.append((await ordered(shop, store.variant, other.variant))["id"])
        await ordered(shop, other.variant)
    path = f"/api/sellers/{store.id}/orders"

    first = await store.seller.request("GET", f"{path}?limit=2")
    await ordered(shop, store.variant)
    second = await store.seller.request("GET", first.headers["link"].split(">")[0].lstrip("<"))
    third = await store.seller.request(
        "GET", f"{path}?limit=2&cursor={second.json()['nextCursor']}"
    )

    pages = [answer.json() for answer in (first, second, third)]
    assert [item["id"] for page in pages for item in page["items"]] == made[::-1]
    assert pages[2]["nextCursor"] is None


async def test_a_sellers_list_is_narrowed_by_status_and_time(shop: OpenShop) -> None:
    store, admin = a_store(shop), shop.somebody(Role.ADMIN)
    sent, waiting = await ordered(shop, store.variant), await ordered(shop, store.variant)
    path = f"/api/orders/{sent['id']}/status"
    assert (await admin.request("PATCH", path, json={"status": "SHIPPED"})).status_code == 200
    soon, long_ago = now() + timedelta(minutes=1), now() - timedelta(days=1)

    async def ids(query: str) -> set[str]:
        return {order["id"] for order in await store.listed(query)}

    assert await ids("?status=SHIPPED") == {sent["id"]}
    assert await ids("?status=CONFIRMED") == {waiting["id"]}
    assert await ids(f"?createdFrom={quote(rfc3339(soon))}") == set()
    assert await ids(f"?createdTo={quote(rfc3339(long_ago))}") == set()
    both = f"?createdFrom={quote(rfc3339(long_ago))}&createdTo={quote(rfc3339(soon))}"
    assert await ids(both) == {sent["id"], waiting["id"]}


@pytest.mark.parametrize(
    "query",
    [
        "status=LOST",
        "createdFrom=yesterday",
        "createdFrom=2026-01-01T00:00:00",
        "createdTo=0001-01-01T00:00:00%2B14:00",
        "createdTo=9999-12-31T23:59:59-14:00",
        "limit=0",
        "cursor=!",
    ],
)
async def test_a_sellers_list_refuses_what_it_does_not_know(shop: OpenShop, query: str) -> None:
    store = a_store(shop)

    answer = await store.seller.request("GET", f"/api/sellers/{store.id}/orders?{query}")

    assert answer.status_code == 422, answer.text


async def test_anothers_list_looks_like_none_and_the_shop_may_read_it(shop: OpenShop) -> None:
    store, other = a_store(shop), a_store(shop)
    order = await ordered(shop, store.variant)
    path = f"/api/sellers/{store.id}/orders"

    refused = [
        await who.request("GET", path)
        for who in (other.seller, shop.somebody(), shop.somebody(Role.SELLER))
    ]
    unknown = await other.seller.request("GET", f"/api/sellers/{uuid4()}/orders")
    shops = await shop.somebody(Role.ADMIN).request("GET", path)

    assert {answer.status_code for answer in refused} == {unknown.status_code} == {404}
    assert [item["id"] for item in shops.json()["items"]] == [order["id"]]
    assert shops.json()["items"][0]["userId"] is None


async def test_a_store_that_was_just_opened_is_known_at_once(shop: OpenShop) -> None:
    seller, store_id = shop.somebody(Role.SELLER), str(uuid4())
    path = f"/api/sellers/{store_id}/orders"

    before = await seller.request("GET", path)
    shop.neighbours.sellers[seller.user_id] = store_id
    after = await seller.request("GET", path)

    assert (before.status_code, after.status_code) == (404, 200)


async def test_a_sellers_list_costs_the_same_statements_however_long_it_is(shop: OpenShop) -> None:
    store = a_store(shop)

    async def statements() -> int:
        shop.wire.statements.clear()
        await store.listed("?limit=50&status=CONFIRMED")
        return len(shop.wire.statements)

    await ordered(shop, store.variant)
    await store.listed()
    one = await statements()
    for _ in range(6):
        await ordered(shop, store.variant)

    assert await statements() == one


async def test_a_sellers_list_is_read_from_the_index_of_lines(shop: OpenShop) -> None:
    store = a_store(shop)
    for _ in range(3):
        await ordered(shop, store.variant)
    wanted = OrderFilter(
        user_id=None,
        status=OrderStatus.CONFIRMED,
        before_id=new_id(),
        limit=2,
        store_id=UUID(store.id),
    )
    sql, values = page_sql(wanted)

    async with shop.database.connection() as connection:
        plan = (
            (await connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {sql}", values))
            .mappings()
            .all()
        )

    by_table = {row["table"]: row for row in plan if row["select_type"] == "DERIVED"}
    assert set(by_table) == {"i", "o"}, plan
    assert by_table["i"]["key"] == "ix_order_items_seller_id_order_id"
    assert by_table["o"]["key"] in {"PRIMARY", "ix_orders_status_id"}
    for row in by_table.values():
        assert "filesort" not in (row["Extra"] or ""), plan
        assert "temporary" not in (row["Extra"] or ""), plan
