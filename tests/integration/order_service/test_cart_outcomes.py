"""What is said of a change of a cart is so, also when Redis does not answer."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from common_lib.auth import Role
from order_service.queries.carts import Token
from order_service.services.carts import UnknownChanges
from shop.stack.native import NativeStack
from tests.integration.common_lib.cutting import Cut, Proxy, proxy_before
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.problems import code_of
from tests.shopper import Shopper, at_once

# Stands in every change of a cart, and in nothing else that is sent to Redis.
CHANGE = b"cart-done"
CUTS = [(cut, is_reset) for cut in Cut for is_reset in (True, False)]


@pytest.fixture
async def proxy(parts: NativeStack) -> AsyncIterator[Proxy]:
    async with proxy_before("127.0.0.1", parts.layout.ports.redis) as proxy:
        yield proxy


@pytest.fixture
async def shop(open_shop: OpenIt, proxy: Proxy) -> OpenShop:
    """The order service with its Redis behind the proxy."""
    url = f"redis://127.0.0.1:{proxy.port}/0"
    return await open_shop(redis_url=url)


async def add(
    shopper: Shopper, variant: str, quantity: int = 1, key: str | None = None
) -> httpx2.Response:
    body = {"variantId": variant, "quantity": quantity}
    headers = {"Idempotency-Key": key} if key else {}
    return await shopper.request("POST", f"/api/cart/{shopper.user_id}", json=body, headers=headers)


async def quantities(shopper: Shopper) -> dict[str, int]:
    answer = await shopper.request("GET", f"/api/cart/{shopper.user_id}")
    assert answer.status_code == 200, answer.text
    return {item["variantId"]: item["quantity"] for item in answer.json()["items"]}


@pytest.mark.parametrize(("cut", "is_reset"), CUTS)
async def test_an_addition_whose_answer_is_lost_is_made_once_and_told_so(
    shop: OpenShop, proxy: Proxy, cut: Cut, is_reset: bool
) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    proxy.cut_at(CHANGE, cut, is_reset=is_reset)

    answer = await add(shopper, variant, 2)

    assert answer.status_code == 200, answer.text
    assert await quantities(shopper) == {variant: 2}


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("key", [None, "a-key"])
async def test_an_addition_that_nobody_knows_of_says_so_and_asking_again_adds_nothing_twice(
    shop: OpenShop, proxy: Proxy, cut: Cut, key: str | None
) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    proxy.cut_at(CHANGE, cut, is_reset=False, times=2)

    unknown = await add(shopper, variant, 2, key)
    again = await add(shopper, variant, 2, key)

    assert (unknown.status_code, code_of(unknown)) == (503, "cart_outcome_unknown")
    assert unknown.headers["Retry-After"]
    assert again.status_code == 200, again.text
    assert await quantities(shopper) == {variant: 2}


async def test_the_next_addition_after_an_unknown_one_was_asked_for_again_counts(
    shop: OpenShop, proxy: Proxy
) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    proxy.cut_at(CHANGE, Cut.BEFORE_THE_ANSWER, is_reset=False, times=2)
    for _ in range(3):
        await add(shopper, variant, 2)

    assert await quantities(shopper) == {variant: 4}


async def test_the_same_key_adds_once_however_often_and_however_many_at_once(
    shop: OpenShop,
) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex

    first = await add(shopper, variant, 2, key)
    rest = await at_once(*(add(shopper, variant, 2, key) for _ in range(8)))

    assert {answer.status_code for answer in [first, *rest]} == {200}
    assert await quantities(shopper) == {variant: 2}


async def test_a_key_belongs_to_one_change_of_one_persons_cart(shop: OpenShop) -> None:
    shopper, other, variant = shop.somebody(), shop.somebody(), shop.sell()
    await add(shopper, variant, 2, "a-key")

    another_change = await add(shopper, variant, 3, "a-key")
    another_person = await add(other, variant, 3, "a-key")

    assert (another_change.status_code, code_of(another_change)) == (422, "idempotency_key_reused")
    assert another_person.status_code == 200
    assert await quantities(shopper) == {variant: 2}
    assert await quantities(other) == {variant: 3}


async def test_without_a_key_the_same_addition_twice_counts_twice(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()

    for _ in range(2):
        await add(shopper, variant, 2)

    assert await quantities(shopper) == {variant: 4}


@pytest.mark.parametrize("key", ["k" * 256, "sch\u00f6n"])
async def test_a_key_that_is_none_is_refused(shop: OpenShop, key: str) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    body = {"variantId": variant, "quantity": 1}
    path = f"/api/cart/{shopper.user_id}"

    headers = {
        b"authorization": f"Bearer {shopper.token}".encode(),
        b"idempotency-key": key.encode(),
    }
    answer = await shopper.http.request("POST", path, json=body, headers=headers)

    assert answer.status_code == 422
    assert await quantities(shopper) == {}


async def test_a_cart_that_cannot_be_reached_was_not_changed_and_is_told_as_such(
    open_shop: OpenIt,
) -> None:
    shop = await open_shop(redis_url="redis://127.0.0.1:9/0")

    answer = await add(shop.somebody(), shop.sell())

    assert (answer.status_code, code_of(answer)) == (503, "cart_unavailable")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("cut", list(Cut))
async def test_a_line_that_is_set_or_taken_out_survives_a_lost_answer(
    shop: OpenShop, proxy: Proxy, method: str, cut: Cut
) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await add(shopper, variant, 2)
    path = f"/api/cart/{shopper.user_id}/items/{variant}"
    proxy.cut_at(CHANGE, cut, is_reset=False)

    body = {"quantity": 7} if method == "PUT" else None
    answer = await shopper.request(method, path, json=body)

    assert answer.status_code == 200, answer.text
    assert await quantities(shopper) == ({variant: 7} if method == "PUT" else {})


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_cart_is_emptied_though_the_answer_is_lost(
    shop: OpenShop, proxy: Proxy, cut: Cut
) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await add(shopper, variant)
    proxy.cut_at(b"DEL", cut, is_reset=False)

    answer = await shopper.request("DELETE", f"/api/cart/{shopper.user_id}")

    assert answer.status_code == 204, answer.text
    assert await quantities(shopper) == {}


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_merge_whose_answer_is_lost_is_made_once_and_names_what_found_no_line(
    open_shop: OpenIt, proxy: Proxy, cut: Cut
) -> None:
    url = f"redis://127.0.0.1:{proxy.port}/0"
    shop = await open_shop(redis_url=url, max_lines=1)
    shopper, guest = shop.somebody(), shop.somebody(Role.GUEST)
    own, theirs = shop.sell(), shop.sell()
    await add(shopper, own)
    await add(guest, theirs)
    proxy.cut_at(CHANGE, cut, is_reset=False)

    path = f"/api/cart/{shopper.user_id}/merge"
    answer = await shopper.request("POST", path, json={"guestToken": guest.token})

    assert answer.status_code == 200, answer.text
    assert answer.json()["leftOut"] == [theirs]
    assert (await quantities(shopper), await quantities(guest)) == ({own: 1}, {})


async def test_a_change_that_redis_refuses_was_not_made(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shop.cases.redis.set(f"cart:{shopper.user_id}", b"no hash")

    removed = await shopper.request("DELETE", f"/api/cart/{shopper.user_id}/items/{variant}")

    assert (removed.status_code, code_of(removed)) == (503, "cart_unavailable")


def test_no_more_unknown_additions_are_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("order_service.services.carts._MOST_UNKNOWN", 2)
    unknown = UnknownChanges()
    changes = [(uuid4(), uuid4(), 1) for _ in range(3)]
    tokens = [Token.fresh() for _ in changes]

    for change, token in zip(changes, tokens, strict=True):
        unknown.keep(change, token)

    assert [unknown.take(change) for change in changes] == [None, *tokens[1:]]
    assert unknown.take(changes[1]) is None
