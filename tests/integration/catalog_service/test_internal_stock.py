"""Reserving, releasing and quoting, as other services see them."""

import asyncio
from typing import Any

import pytest

from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.shelves import RELEASE, RESERVE, UNKNOWN, wanted


async def test_a_reservation_is_answered_with_what_an_order_needs(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    variant = await catalog.variant(5, seller_id=seller_id)
    body = wanted(variant, 2)
    answer = await catalog.post(RESERVE, body)
    assert answer.status_code == 200
    reserved = answer.json()
    assert reserved.pop("expiresAt").endswith("Z")
    assert reserved == {
        "reservationId": body["reservationId"],
        "orderId": body["orderId"],
        "items": [
            {
                "variantId": str(variant),
                "productId": str(await catalog.product_of(variant)),
                "sku": variant.hex,
                "name": "Kurta (M)",
                "sellerId": str(seller_id),
                "quantity": 2,
                "unitPrice": {"amount": 149_900, "currency": "INR"},
            }
        ],
    }


async def test_a_retry_is_answered_alike_and_with_the_first_order_id(catalog: Catalog) -> None:
    body = wanted(await catalog.variant(5))
    first = await catalog.post(RESERVE, body)
    again = await catalog.post(RESERVE, body | {"orderId": str(new_id())})
    assert again.json() == first.json()


async def test_100_callers_of_10_units_get_exactly_10(catalog: Catalog) -> None:
    variant = await catalog.variant(10)
    answers = await asyncio.gather(*(catalog.post(RESERVE, wanted(variant)) for _ in range(100)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(409)) == (10, 90)
    assert (await catalog.shelf(variant)).adds_up


async def test_a_short_line_is_named(catalog: Catalog) -> None:
    variant = await catalog.variant(1)
    answer = await catalog.post(RESERVE, wanted(variant, 2))
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_stock")
    assert answer.json()["items"] == [{"variantId": str(variant), "requested": 2, "available": 1}]


async def test_an_unknown_variant_is_refused(catalog: Catalog) -> None:
    answer = await catalog.post(RESERVE, wanted(new_id()))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_variant")


@pytest.mark.parametrize("quantity", [0, -1, 2**31, "5", True, 5.0])
async def test_an_odd_quantity_is_refused(catalog: Catalog, quantity: Any) -> None:
    answer = await catalog.post(RESERVE, wanted(new_id(), quantity))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/0/quantity"]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"a": "\xff"}', "application/json", 400),
        (b'{"a": NaN}', "application/json", 422),
        (b'{"a": 1e400}', "application/json", 422),
        (b'{"fingerprint": "\\u0000"}', "application/json", 422),
        (b"", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413),
    ],
)
async def test_what_is_no_proper_json_is_refused(
    catalog: Catalog, content: bytes, content_type: str, status: int
) -> None:
    headers = catalog.service() | {"content-type": content_type}
    answer = await catalog.client.post(RESERVE, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [RESERVE, RELEASE, "/internal/inventory/confirm", "/internal/products/quote"],
)
async def test_internal_calls_want_a_service_token(catalog: Catalog, path: str) -> None:
    body = wanted(new_id())
    for headers in ({}, catalog.bearer(Role.ADMIN)):
        answer = await catalog.client.post(path, json=body, headers=headers)
        assert answer.status_code == 401


async def test_releasing_twice_is_fine_and_counts_once(catalog: Catalog) -> None:
    variant = await catalog.variant(5)
    body = wanted(variant, 2)
    await catalog.post(RESERVE, body)
    for _ in range(2):
        answer = await catalog.post(
            RELEASE, {"reservationId": body["reservationId"], "reason": "test"}
        )
        assert answer.json() == {"reservationId": body["reservationId"], "status": "RELEASED"}
    assert (await catalog.shelf(variant)).available == 5


async def test_releasing_what_was_never_reserved_is_not_found(catalog: Catalog) -> None:
    answer = await catalog.post(RELEASE, {"reservationId": str(new_id()), "reason": "test"})
    assert answer.status_code == 404


async def test_released_units_can_be_bought_at_once(catalog: Catalog) -> None:
    variant = await catalog.variant(1)
    body = wanted(variant)
    await catalog.post(RESERVE, body)
    assert (await catalog.post(RESERVE, wanted(variant))).status_code == 409
    await catalog.post(RELEASE, {"reservationId": body["reservationId"], "reason": "test"})
    assert (await catalog.post(RESERVE, wanted(variant))).status_code == 200


async def test_a_quote_names_prices_stock_and_what_is_missing(catalog: Catalog) -> None:
    variant, unknown = await catalog.variant(5), new_id()
    items = [{"variantId": str(v), "quantity": 1} for v in (variant, unknown, variant)]
    quote = (await catalog.post("/internal/products/quote", {"items": items})).json()
    assert quote["missing"] == [str(unknown)]
    assert [(line["quantity"], line["available"]) for line in quote["items"]] == [(2, 5)]
    assert quote["items"][0]["unitPrice"] == {"amount": 149_900, "currency": "INR"}


async def test_a_users_store_is_named_to_services(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller()
    path = "/internal/sellers/by-user"
    answer = await catalog.client.get(f"{path}/{user_id}", headers=catalog.service())
    assert (answer.json()["id"], answer.json()["status"]) == (str(seller_id), "ACTIVE")
    nobody = await catalog.client.get(f"{path}/{UNKNOWN}", headers=catalog.service())
    assert nobody.status_code == 404
    assert (await catalog.client.get(f"{path}/{user_id}")).status_code == 401
