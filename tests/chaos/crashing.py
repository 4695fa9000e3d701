"""What the tests of crashes share: how a process is made to die, and a customer who tries again."""

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx2

from shop.stack.native import NativeStack
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually


def arm(
    stack: NativeStack, process: str, point: str, env: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Start the process anew so that it dies at the point; killing it first spares its farewell."""
    stack.kill(process)
    stack.start_process(process, {**env, "SHOP_CRASH_AT": point})


async def variant_with(seller: Shopper, quantity: int) -> str:
    product = await new_product(seller, quantity=quantity)
    variant_id: str = product["variants"][0]["id"]
    return variant_id


async def place_or_fail(shopper: Shopper, variant_id: str, key: str, **body: Any) -> int:
    """Return the status; 0 where the connection broke, which is no answer at all."""
    with contextlib.suppress(httpx2.TransportError):
        return (await shopper.place([line(variant_id)], key=key, **body)).status_code
    return 0


async def available(shopper: Shopper, variant_id: str) -> int:
    answer = await shopper.request("GET", f"/api/inventory/{variant_id}")
    found: int = answer.json()["available"]
    return found


async def placed_again(shopper: Shopper, variant_id: str, key: str) -> httpx2.Response:
    """Repeat the request with its key, as a client would, until it is answered for good."""

    async def answered() -> httpx2.Response | None:
        try:
            answer = await shopper.place([line(variant_id)], key=key)
        except httpx2.TransportError:
            return None
        return answer if answer.status_code in {201, 422} else None

    answer: httpx2.Response = await eventually(answered, timeout_s=60, what="a final answer")
    return answer
