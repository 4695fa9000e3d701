"""Redis filled to its limit: what is data stays, what is a copy goes, and nobody is told a lie."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from common_lib.cache import create_redis
from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually

LIMIT_BYTES = 192 * 2**20
PIECE = b"x" * 2**20
# As long as a category's page is kept at most: longer than any session, shorter than any cart.
PIECE_LIFETIME_S = 3600
TOLD_AGAIN_S = 5


@pytest.fixture
async def patient(whole: NativeStack) -> AsyncIterator[Redis]:
    client = create_redis(whole.layout.redis_url, timeout_s=10)
    yield client
    await client.aclose()


@pytest.fixture
async def filled(patient: Redis) -> AsyncIterator[None]:
    """Fill it with pages until it throws some of them out."""
    await fill(patient)
    yield
    pieces = [key async for key in patient.scan_iter(match="filler:*", count=1000)]
    await patient.delete(*pieces)


async def fill(redis: Redis) -> None:
    before = await evicted(redis)
    for number in range(2 * LIMIT_BYTES // len(PIECE)):
        await redis.set(f"filler:{number}", PIECE, ex=PIECE_LIFETIME_S)
        if await evicted(redis) > before + 10:
            return
    raise AssertionError("it took twice its limit and threw nothing out")


async def evicted(redis: Redis) -> int:
    statistics: dict[str, Any] = await redis.info("stats")
    count: int = statistics["evicted_keys"]
    return count


@asynccontextmanager
async def clogged(redis: Redis) -> AsyncIterator[None]:
    """Full, with nothing left that may be thrown out: every write is refused (OOM)."""
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        await redis.config_set("maxmemory", LIMIT_BYTES)
        await redis.config_set("maxmemory-policy", "volatile-ttl")


async def test_the_native_redis_has_the_limit_and_the_policy_of_its_file(patient: Redis) -> None:
    assert await patient.config_get("maxmemory") == {"maxmemory": str(LIMIT_BYTES)}
    assert await patient.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}


async def test_carts_outlive_the_pages_that_fill_redis(
    shopper: Shopper, seller: Shopper, patient: Redis
) -> None:
    variant_id = (await new_product(seller, quantity=10))["variants"][0]["id"]
    assert (await shopper.add_to_cart(variant_id)).status_code == 200
    await fill(patient)
    cart = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    assert [item["variantId"] for item in cart.json()["items"]] == [variant_id]
    assert (await shopper.add_to_cart(variant_id)).status_code == 200
    assert (await shopper.place()).status_code == 201


@pytest.mark.usefixtures("filled")
async def test_the_shop_goes_on_with_a_full_redis(
    whole: NativeStack, somebody: Callable[[], Shopper], seller: Shopper
) -> None:
    variant_id = (await new_product(seller, quantity=10))["variants"][0]["id"]
    buyer = await (await somebody().register()).login()
    assert (await buyer.add_to_cart(variant_id)).status_code == 200
    assert (await buyer.place()).status_code == 201
    await assert_invariants(whole)


async def test_a_session_that_ended_stays_ended_when_its_mark_is_thrown_out(
    somebody: Callable[[], Shopper], patient: Redis
) -> None:
    person = await (await somebody().register()).login()
    answer = await person.request(
        "POST", "/api/auth/logout", json={"refreshToken": person.refresh_token}
    )
    assert answer.status_code == 204
    await fill(patient)

    async def is_refused() -> bool:
        return (await person.request("GET", f"/api/users/{person.user_id}")).status_code == 401

    await eventually(is_refused, timeout_s=TOLD_AGAIN_S)


async def test_a_redis_that_takes_nothing_more_takes_no_cart_and_says_so(
    shopper: Shopper, seller: Shopper, patient: Redis
) -> None:
    variant_id = (await new_product(seller, quantity=10))["variants"][0]["id"]
    async with clogged(patient):
        answer = await shopper.add_to_cart(variant_id)
        cart = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "cart_unavailable")
    assert cart.json()["items"] == []


async def test_orders_go_on_while_redis_takes_nothing_more(
    whole: NativeStack, shopper: Shopper, seller: Shopper, patient: Redis
) -> None:
    variant_id = (await new_product(seller, quantity=10))["variants"][0]["id"]
    async with clogged(patient):
        assert (await shopper.place([line(variant_id)])).status_code == 201
        assert (await shopper.request("GET", "/api/categories")).status_code == 200
    await assert_invariants(whole)


async def test_nobody_sells_while_it_cannot_be_known_whether_they_still_may(
    seller: Shopper, patient: Redis
) -> None:
    """The look at the revocations is one step with the count of the limit, which is a write."""
    product = await new_product(seller, quantity=10)
    async with clogged(patient):
        answer = await seller.request(
            "PUT", f"/api/products/{product['id']}", json={"name": "Renamed"}
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "revocation_unknown")


async def test_who_logs_out_while_redis_takes_nothing_more_is_out_once_it_does(
    somebody: Callable[[], Shopper], patient: Redis
) -> None:
    person = await (await somebody().register()).login()
    body = {"refreshToken": person.refresh_token}
    async with clogged(patient):
        answer = await person.request("POST", "/api/auth/logout", json=body)
    assert answer.status_code == 204

    async def is_refused() -> bool:
        return (await person.request("GET", f"/api/users/{person.user_id}")).status_code == 401

    await eventually(is_refused, timeout_s=TOLD_AGAIN_S)
