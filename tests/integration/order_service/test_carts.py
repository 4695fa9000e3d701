"""Carts: Redis alone, prices from the catalog alone."""

from uuid import uuid4

import pytest

from common_lib.auth import Role
from common_lib.consumer import Delivery
from common_lib.events import Envelope
from common_lib.events.catalog import ProductUpdated, VariantPrice
from common_lib.events.users import UserDeleted
from common_lib.ids import new_id
from common_lib.money import Money
from order_service.consumers import cart_events
from tests.integration.order_service.conftest import OpenShop
from tests.problems import code_of
from tests.shopper import Shopper, at_once


async def cart_of(shopper: Shopper) -> dict[str, object]:
    answer = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    assert answer.status_code == 200, answer.text
    cart: dict[str, object] = answer.json()
    return cart


async def test_a_cart_adds_up_at_the_catalogs_prices(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(price=12_345, stock=7)

    await shopper.add_to_cart(variant, 2)
    answer = await shopper.add_to_cart(variant, 1)

    cart = answer.json()
    assert answer.status_code == 200, answer.text
    assert cart["userId"] == shopper.user_id
    assert [item["quantity"] for item in cart["items"]] == [3]
    assert cart["items"][0]["lineTotal"] == {"amount": 37_035, "currency": "INR"}
    assert cart["items"][0]["available"] == 7
    assert cart["subtotal"] == {"amount": 37_035, "currency": "INR"}
    assert await cart_of(shopper) | {"expiresAt": ""} == cart | {"expiresAt": ""}


async def test_the_cart_needs_no_mysql(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    shop.wire.statements.clear()

    await shopper.add_to_cart(variant)
    await cart_of(shopper)
    await shopper.request("DELETE", f"/api/cart/{shopper.user_id}")

    assert shop.wire.statements == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.ADMIN, Role.GUEST])
async def test_anothers_cart_is_not_found(shop: OpenShop, method: str, role: Role) -> None:
    owner, other = shop.somebody(), shop.somebody(role)
    body = {"variantId": shop.sell(), "quantity": 1} if method == "POST" else None

    theirs = await other.request(method, f"/api/cart/{owner.user_id}", json=body)
    malformed = await other.request(method, "/api/cart/me", json=body)

    assert (theirs.status_code, malformed.status_code) == (404, 404)


async def test_a_guest_has_a_cart(shop: OpenShop) -> None:
    guest = shop.somebody(Role.GUEST)

    assert (await guest.add_to_cart(shop.sell())).status_code == 200


@pytest.mark.parametrize("quantity", [0, -5, 2**31, 1001, True, "5", 1.0, None])
async def test_a_quantity_out_of_bounds_is_refused(shop: OpenShop, quantity: object) -> None:
    shopper = shop.somebody()
    body = {"variantId": shop.sell(), "quantity": quantity}

    answer = await shopper.request("POST", f"/api/cart/{shopper.user_id}", json=body)

    assert (answer.status_code, code_of(answer)) == (422, "validation_failed")


async def test_prices_from_the_client_are_refused(shop: OpenShop) -> None:
    shopper = shop.somebody()
    body = {"variantId": shop.sell(), "quantity": 1, "unitPrice": {"amount": 1, "currency": "INR"}}

    answer = await shopper.request("POST", f"/api/cart/{shopper.user_id}", json=body)

    assert answer.status_code == 422


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_variant_that_is_not_sold_is_refused(shop: OpenShop, is_known: bool) -> None:
    variant = shop.sell(is_active=False) if is_known else str(uuid4())

    answer = await shop.somebody().add_to_cart(variant)

    assert (answer.status_code, code_of(answer)) == (422, "unknown_variant")


async def test_the_101st_line_is_refused_also_at_once(shop: OpenShop) -> None:
    shopper, variants = shop.somebody(), [shop.sell() for _ in range(103)]
    for variant in variants[:98]:
        await shopper.add_to_cart(variant)

    answers = await at_once(*(shopper.add_to_cart(variant) for variant in variants[98:]))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 422, 422, 422]
    assert {code_of(answer) for answer in answers} == {None, "cart_full"}
    more = await shopper.add_to_cart(variants[0])
    assert more.status_code == 200


async def test_a_line_holds_only_so_many_units(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(stock=5000)
    await shopper.add_to_cart(variant, 1000)

    answer = await shopper.add_to_cart(variant, 1)

    assert (answer.status_code, code_of(answer)) == (422, "quantity_too_large")


async def test_a_line_is_set_and_taken_out(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    path = f"/api/cart/{shopper.user_id}/items/{variant}"
    missing = await shopper.request("PUT", path, json={"quantity": 2})
    await shopper.add_to_cart(variant, 5)

    changed = await shopper.request("PUT", path, json={"quantity": 2})
    removed = await shopper.request("DELETE", path)
    again = await shopper.request("DELETE", path)

    assert (missing.status_code, code_of(missing)) == (404, "cart_line_not_found")
    assert [item["quantity"] for item in changed.json()["items"]] == [2]
    assert (removed.status_code, removed.json()["items"]) == (200, [])
    assert again.status_code == 200


async def test_clearing_a_cart_twice_is_fine(shop: OpenShop) -> None:
    shopper = shop.somebody()
    await shopper.add_to_cart(shop.sell())

    answers = [await shopper.request("DELETE", f"/api/cart/{shopper.user_id}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await cart_of(shopper))["items"] == []


async def test_a_cart_lives_a_day_after_its_last_edit(shop: OpenShop) -> None:
    shopper = shop.somebody()
    await shopper.add_to_cart(shop.sell())
    key = f"cart:{shopper.user_id}"
    await shop.cases.redis.expire(key, 100)

    await cart_of(shopper)
    after_view = await shop.cases.redis.ttl(key)
    await shopper.add_to_cart(shop.sell())
    after_edit = await shop.cases.redis.ttl(key)

    assert after_view <= 100
    assert 86_000 < after_edit <= 86_400


async def test_a_version_is_never_used_twice(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    versions = []
    for _ in range(3):
        versions.append((await shopper.add_to_cart(variant)).json()["version"])
        await shopper.request("DELETE", f"/api/cart/{shopper.user_id}")

    assert len(set(versions)) == 3


async def test_a_changed_product_is_repriced_at_once(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell(price=10_000)
    await shopper.add_to_cart(variant)
    shop.neighbours.variants[variant].price = 9_000
    event = ProductUpdated(
        product_id=new_id(),
        name="Kettle",
        status="ACTIVE",
        product_version=2,
        variants=(
            VariantPrice.model_validate(
                {"variantId": variant, "price": Money(amount=9_000), "isActive": True}
            ),
        ),
    )

    await cart_events(shop.database, shop.cases.carts)(
        [Delivery(Envelope.wrap(event, source="test"))]
    )

    assert (await cart_of(shopper))["subtotal"] == {"amount": 9_000, "currency": "INR"}


async def test_what_is_no_longer_sold_is_named_and_not_counted(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shopper.add_to_cart(variant)
    shop.neighbours.variants[variant].is_active = False
    await shop.cases.redis.delete(f"cart-quote:{variant}")

    cart = await cart_of(shopper)

    assert (cart["items"], cart["unavailable"]) == ([], [variant])


async def test_a_deleted_users_cart_is_erased(shop: OpenShop) -> None:
    shopper = shop.somebody()
    await shopper.add_to_cart(shop.sell())
    event = UserDeleted.model_validate({"userId": shopper.user_id})

    await cart_events(shop.database, shop.cases.carts)(
        [Delivery(Envelope.wrap(event, source="test"))]
    )

    assert (await cart_of(shopper))["items"] == []
