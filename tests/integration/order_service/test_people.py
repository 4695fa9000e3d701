"""One person in the order service: what is handed out, and what an erasure leaves."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest

from common_lib.auth import Role
from common_lib.clock import now
from common_lib.consumer import Delivery
from common_lib.events import Envelope
from common_lib.events.users import DELETED_NAME, UserDeleted, dead_address
from common_lib.ids import new_id
from order_service.consumers import cart_events
from order_service.services.erasures import Erasures
from tests.integration.order_service.conftest import OpenShop
from tests.shopper import ADDRESS, Shopper, line

PERSON = ("Asha", "9812345678", "MG Road", "Bengaluru", "leave it at the door")


async def placed(shop: OpenShop, shopper: Shopper) -> str:
    answer = await shopper.place([line(shop.sell())], notes="leave it at the door")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def cancel(shopper: Shopper, order_id: str) -> None:
    path = f"/api/orders/{order_id}/cancel"
    answer = await shopper.request("POST", path, json={"reason": "leave it at the door"})
    assert answer.status_code == 200, answer.text


async def forget(shop: OpenShop, person: Shopper, later: timedelta = timedelta()) -> None:
    event = UserDeleted(user_id=UUID(person.user_id))
    await cart_events(shop.database, shop.cases.carts)(
        [Delivery(Envelope.wrap(event, source="test"))]
    )
    await go_through(shop, later)


async def go_through(shop: OpenShop, later: timedelta = timedelta()) -> None:
    await Erasures(shop.database, clock=lambda: now() + later).work_off()


async def row(shop: OpenShop, order_id: str) -> dict[str, Any]:
    names = ("email", "full_name", "shipping_address", "notes", "status", "total_minor")
    sql = f"SELECT {', '.join(names)} FROM orders WHERE id = :id"  # noqa: S608 - our words
    found = (await shop.rows(sql, id=UUID(order_id).bytes))[0]
    values = dict(zip(names, found, strict=True))
    return values | {"shipping_address": orjson.loads(values["shipping_address"])}


async def due_at(shop: OpenShop, person: Shopper) -> Any:
    sql = "SELECT due_at FROM erased_users WHERE user_id = :id"
    return await shop.one(sql, id=UUID(person.user_id).bytes)


async def test_a_finished_order_keeps_its_figures_and_forgets_the_person(shop: OpenShop) -> None:
    person = shop.somebody()
    order_id = await placed(shop, person)
    await cancel(person, order_id)
    before = await row(shop, order_id)

    await forget(shop, person)

    after = await row(shop, order_id)
    assert (after["full_name"], after["notes"]) == (DELETED_NAME, None)
    assert after["email"] == dead_address(UUID(person.user_id))
    kept = {"state": "Karnataka", "pincode": "560001", "country": "IN"}
    assert kept.items() <= after["shipping_address"].items()
    assert after["shipping_address"].keys() == before["shipping_address"].keys()
    assert not any(word in str(after) for word in PERSON)
    assert after["total_minor"] == before["total_minor"]


async def test_nothing_of_the_person_is_left_beside_the_order(shop: OpenShop) -> None:
    person = shop.somebody()
    await cancel(person, await placed(shop, person))

    await forget(shop, person)

    mine = {"id": UUID(person.user_id).bytes}
    notes = await shop.rows(
        "SELECT h.note FROM order_status_history h JOIN orders o ON o.id = h.order_id"
        " WHERE o.user_id = :id",
        **mine,
    )
    answers = await shop.rows(
        "SELECT response_body FROM idempotency_keys WHERE user_id = :id", **mine
    )
    assert {note for (note,) in notes} == {None}
    assert {body for (body,) in answers} == {None}


async def test_an_open_order_reaches_its_customer_and_is_forgotten_then(shop: OpenShop) -> None:
    person, admin = shop.somebody(), shop.somebody(Role.ADMIN)
    order_id = await placed(shop, person)

    await forget(shop, person)

    before = await row(shop, order_id)
    assert before["email"] == dead_address(UUID(person.user_id))
    assert before["shipping_address"]["addressLine1"] == ADDRESS["addressLine1"]
    assert await due_at(shop, person) is not None

    for status in ("CONFIRMED", "SHIPPED", "DELIVERED"):
        path = f"/api/orders/{order_id}/status"
        moved = await admin.request("PATCH", path, json={"status": status})
        assert moved.status_code in {200, 409}, moved.text
    await go_through(shop, timedelta(hours=2))

    after = await row(shop, order_id)
    assert after["status"] == "DELIVERED"
    assert after["full_name"] == DELETED_NAME
    assert not any(word in str(after) for word in PERSON)
    assert await due_at(shop, person) is None


async def test_an_order_that_was_on_its_way_is_found_afterwards(shop: OpenShop) -> None:
    """The contact of a customer is remembered for a minute: an order may come after the event."""
    person = shop.somebody()
    await forget(shop, person)
    assert await due_at(shop, person) is not None

    order_id = await placed(shop, person)
    await cancel(person, order_id)
    await go_through(shop, timedelta(minutes=11))

    assert (await row(shop, order_id))["full_name"] == DELETED_NAME


async def test_another_persons_orders_stay_as_they_are(shop: OpenShop) -> None:
    person, other = shop.somebody(), shop.somebody()
    order_id = await placed(shop, other)
    await cancel(other, order_id)
    before = await row(shop, order_id)

    await forget(shop, person)

    assert await row(shop, order_id) == before


async def test_more_orders_than_a_page_are_all_forgotten(shop: OpenShop) -> None:
    person = shop.somebody()
    first = await placed(shop, person)
    await cancel(person, first)
    await copies_of(shop, first, 120)

    await forget(shop, person)

    sql = "SELECT COUNT(*), SUM(full_name = :name) FROM orders WHERE user_id = :id"
    ((orders, forgotten),) = await shop.rows(sql, id=UUID(person.user_id).bytes, name=DELETED_NAME)
    assert (orders, int(forgotten)) == (121, 121)


async def copies_of(shop: OpenShop, order_id: str, count: int) -> None:
    """Copy an order's row, which costs less than ordering so often."""
    columns = [
        name
        for (name,) in await shop.rows(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = 'orders' ORDER BY ordinal_position"
        )
    ]
    rest = ", ".join(columns[2:])
    sql = f"INSERT INTO orders SELECT %s, created_at, {rest} FROM orders WHERE id = %s"  # noqa: S608 - names of columns
    async with shop.database.connection() as connection:
        for _ in range(count):
            await connection.exec_driver_sql(sql, (new_id().bytes, UUID(order_id).bytes))
        await connection.commit()


async def test_orders_and_cart_are_handed_out(shop: OpenShop) -> None:
    person = shop.somebody()
    order_id = await placed(shop, person)
    await cancel(person, order_id)
    variant = shop.sell()
    assert (await person.add_to_cart(variant, 3)).status_code == 200

    (order,) = (await ask(shop, person, "orders")).json()["items"]
    cart = (await ask(shop, person, "cart")).json()["items"]

    assert (order["id"], order["shippingAddress"]["city"]) == (order_id, "Bengaluru")
    assert order["notes"] == "leave it at the door"
    assert [step["to"] for step in order["timeline"]][-1] == "CANCELLED"
    assert len(order["payments"]) == 1
    assert {"email", "fullName", "returns", "shipments"} <= order.keys()
    assert cart == [{"variantId": variant, "quantity": 3}]


async def test_orders_come_in_pages_and_whole(shop: OpenShop) -> None:
    person = shop.somebody()
    await copies_of(shop, await placed(shop, person), 60)

    first = (await ask(shop, person, "orders")).json()
    second = (await ask(shop, person, f"orders?after={first['nextAfter']}")).json()

    found = [order["id"] for page in (first, second) for order in page["items"]]
    assert len(found) == len(set(found)) == 61
    assert second["nextAfter"] is None


@pytest.mark.parametrize("what", ["orders", "cart"])
async def test_nobody_but_the_user_service_may_ask(shop: OpenShop, what: str) -> None:
    person = shop.somebody()

    other = await ask(shop, person, what, "catalog-service")
    customer = await person.request("GET", f"/internal/users/{person.user_id}/held/{what}")

    assert other.status_code == 403
    assert customer.status_code == 401


async def ask(
    shop: OpenShop, person: Shopper, what: str, service: str = "user-service"
) -> httpx2.Response:
    path = f"/internal/users/{person.user_id}/held/{what}"
    return await shop.http.get(path, headers=shop.service_headers(service))
