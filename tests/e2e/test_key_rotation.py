"""Signing keys are replaced while people shop, and nobody is refused."""

import asyncio
from collections import Counter
from dataclasses import replace as changed

import jwt

from shop.keys import PEOPLE, SERVICES, replace
from shop.stack.credentials import key_file
from shop.stack.native import NativeStack
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually

OK, CREATED = 200, 201


def key_id_of(shopper: Shopper) -> str:
    return str(jwt.get_unverified_header(shopper.token)["kid"])


class Crowd:
    """People who go on asking every service until they are told to stop."""

    def __init__(self, variant_id: str) -> None:
        self._variant_id = variant_id
        self._is_open = True
        self.answers: Counter[int] = Counter()

    async def shop(self, person: Shopper) -> None:
        while self._is_open:
            for path in (
                f"/api/users/{person.user_id}",
                f"/api/cart/{person.user_id}",
                f"/api/wishlists/{person.user_id}",
            ):
                self.answers[(await person.request("GET", path)).status_code] += 1
            # The order service reserves at the catalog with a service token.
            placed = await person.place([line(self._variant_id)])
            self.answers[placed.status_code] += 1

    def close(self) -> None:
        self._is_open = False


async def test_no_request_is_refused_while_keys_are_replaced(
    stack: NativeStack, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=100_000)
    crowd = Crowd(product["variants"][0]["id"])
    old_key, newcomer = key_id_of(shopper), Shopper(shopper.http)
    keys = stack.layout.keys

    async def is_signed_anew() -> bool:
        await newcomer.login(shopper.email)
        return key_id_of(newcomer) != old_key

    async with asyncio.TaskGroup() as people:
        people.create_task(crowd.shop(shopper))
        # The next keys were published when the stack was started.
        for ring, name in ((PEOPLE, "jwt"), (SERVICES, "service")):
            ready = changed(ring, published_s=0)
            await asyncio.to_thread(replace, key_file(keys, name), ready, print)
        await eventually(is_signed_anew, what="a token signed by the next key")
        people.create_task(crowd.shop(newcomer))
        before = crowd.answers.total()
        await eventually(lambda: crowd.answers.total() > before + 100, what="a hundred requests")
        crowd.close()

    assert set(crowd.answers) == {OK, CREATED}
    assert key_id_of(shopper) == old_key
    assert (await shopper.request("GET", f"/api/users/{shopper.user_id}")).status_code == OK
    refreshed = await shopper.request(
        "POST", "/api/auth/refresh", json={"refreshToken": shopper.refresh_token}
    )
    assert refreshed.status_code == OK, "a session begun under the old key goes on"
