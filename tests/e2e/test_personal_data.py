"""A person takes the data away and leaves: no database knows who it was."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shop.stack.native import NativeStack
from tests.shopper import ADDRESS, Shopper, line, new_product
from tests.waiting import eventually

SERVICES = ("user", "catalog", "order", "notification")
# Events on their way carry whom they tell of; they are gone a week after they were published.
PASSING = {"outbox"}


async def places_with(stack: NativeStack, word: str) -> list[str]:
    """Return every table and column, of all four databases, that holds the word."""
    return [place for service in SERVICES for place in await _places_in(stack, service, word)]


async def _places_in(stack: NativeStack, service: str, word: str) -> list[str]:
    engine = create_async_engine(stack.database_url(service), poolclass=NullPool)
    columns = sa.text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE()"
        " AND data_type IN ('char', 'varchar', 'text', 'mediumtext', 'longtext', 'json',"
        " 'blob', 'mediumblob', 'longblob')"
    )
    found = []
    async with engine.connect() as connection:
        for table, column in (await connection.execute(columns)).all():
            query = f"SELECT COUNT(*) FROM `{table}` WHERE LOCATE(%s, `{column}`) > 0"  # noqa: S608 - names of the schema
            hits = (await connection.exec_driver_sql(query, (word,))).scalar()
            if hits and table not in PASSING:
                found.append(f"{service}.{table}.{column}")
    await engine.dispose()
    return found


async def live_in_the_shop(
    person: Shopper, address: dict[str, Any], seller: Shopper, admin: Shopper
) -> dict[str, str]:
    """Leave traces everywhere; return the ids of an order that is over and of a review."""
    path = f"/api/users/{person.user_id}/addresses"
    assert (await person.request("POST", path, json=address)).status_code == 201
    product = await new_product(seller, quantity=9)
    variant = product["variants"][0]["id"]
    wishes = f"/api/wishlists/{person.user_id}"
    wish = {"productId": product["id"]}
    assert (await person.request("POST", wishes, json=wish)).status_code == 201
    answer = await person.place([line(variant)], shippingAddress=address)
    order = answer.json()["id"]
    review = await reviewed(person, admin, product["id"])
    ended = await person.request("POST", f"/api/orders/{order}/cancel", json={})
    assert ended.status_code == 200, ended.text
    assert (await person.add_to_cart(variant, 2)).status_code == 200
    return {"order": order, "review": review}


async def reviewed(person: Shopper, admin: Shopper, product: str) -> str:
    opinion = {"rating": 5, "title": "Good", "body": "It boils water."}

    async def written() -> str:
        answer = await person.request("POST", f"/api/products/{product}/reviews", json=opinion)
        return str(answer.json()["id"]) if answer.status_code == 201 else ""

    review: str = await eventually(written, timeout_s=120, what="a buyer may review")
    verdict = {"status": "APPROVED"}
    answer = await admin.request("PATCH", f"/api/reviews/{review}/status", json=verdict)
    assert answer.status_code == 200, answer.text
    return review


async def test_an_export_holds_all_of_it_and_an_erasure_leaves_nobody(
    stack: NativeStack, somebody: Any, seller: Shopper, admin: Shopper
) -> None:
    name = f"Zephyrine {uuid4().hex}"
    person = await (await somebody().register(fullName=name)).login()
    address = {**ADDRESS, "fullName": name}
    traces = await live_in_the_shop(person, address, seller, admin)

    async def mailed() -> bool:
        """The mails of the order and its end are on their way for a moment."""
        query = {"userId": person.user_id, "status": "SENT"}
        log = (await admin.request("GET", "/api/notifications", params=query)).json()["items"]
        return {"USER_REGISTERED", "ORDER_CANCELLED"} <= {each["eventType"] for each in log}

    await eventually(mailed, timeout_s=60, what="the mails")

    export = await person.request("GET", f"/api/users/{person.user_id}/export")
    assert export.status_code == 200, export.text
    held = export.json()
    assert held["account"]["fullName"] == name
    assert [order["id"] for order in held["orders"]] == [traces["order"]]
    assert [review["id"] for review in held["reviews"]] == [traces["review"]]
    assert held["orders"][0]["payments"]
    lists = ("addresses", "sessions", "wishlist", "cart", "notifications")
    assert all(held[part] for part in lists), {part: len(held[part]) for part in lists}
    assert "user.users.full_name" in await places_with(stack, name)
    assert "order.orders.email" in await places_with(stack, person.email)

    proof = {"currentPassword": "password123"}
    gone = await person.request("DELETE", f"/api/users/{person.user_id}", json=proof)
    assert gone.status_code == 204, gone.text

    async def is_forgotten() -> bool:
        return not [*await places_with(stack, name), *await places_with(stack, person.email)]

    await eventually(is_forgotten, timeout_s=60, what="no database knows the person")
    kept = (await admin.request("GET", f"/api/orders/{traces['order']}")).json()
    assert kept["total"] == held["orders"][0]["total"]
    assert kept["shippingAddress"]["fullName"] == "Deleted user"
