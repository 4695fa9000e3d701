"""People who use the shop through the gateway: what the end-to-end tests and loads drive."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx2

DEV_PASSWORD = "demo-pass-123"
ADDRESS = {
    "fullName": "Asha Rao",
    "phone": "+919812345678",
    "addressLine1": "12 MG Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": "560001",
    "country": "IN",
}


@dataclass
class Shopper:
    """One caller with a token; every method is one HTTP request through `base_url`."""

    http: httpx2.AsyncClient
    user_id: str = ""
    token: str = ""
    refresh_token: str = ""
    email: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> httpx2.Response:
        sent = {**self.headers, **(headers or {})}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        return await self.http.request(method, path, headers=sent, **arguments)

    async def register(self, **changes: Any) -> Self:
        self.email = f"shopper-{uuid4().hex}@example.com"
        body = {"email": self.email, "password": "password123", "fullName": "Asha Rao"} | changes
        answer = await self.request("POST", "/api/users", json=body)
        assert answer.status_code == 201, answer.text
        self.user_id = answer.json()["id"]
        return self

    async def login(self, email: str | None = None, password: str = "password123") -> Self:
        body = {"email": email or self.email, "password": password}
        answer = await self.request("POST", "/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        answered = answer.json()
        self.token, self.refresh_token = answered["accessToken"], answered["refreshToken"]
        self.user_id, self.email = answered["user"]["id"], answered["user"]["email"]
        return self

    async def add_to_cart(self, variant_id: str, quantity: int = 1) -> httpx2.Response:
        body = {"variantId": variant_id, "quantity": quantity}
        return await self.request("POST", f"/api/cart/{self.user_id}", json=body)

    async def place(
        self, items: Sequence[Mapping[str, Any]] | None = None, *, key: str = "", **changes: Any
    ) -> httpx2.Response:
        """Place an order of the items given, else of the cart; COD unless said otherwise."""
        body: dict[str, Any] = {"shippingAddress": ADDRESS, "paymentMethod": "COD"} | changes
        if items is not None:
            body["items"] = list(items)
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self.request("POST", "/api/orders", headers=headers, json=body)

    async def place_until_told(
        self, items: Sequence[Mapping[str, Any]] | None = None, *, key: str = "", **changes: Any
    ) -> httpx2.Response:
        """Place an order, and again with its key for as long as the shop says to come back."""
        key = key or uuid4().hex
        while True:
            answer = await self.place(items, key=key, **changes)
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def pay(
        self, order_id: str, token: str = "tok_success", key: str = ""
    ) -> httpx2.Response:
        return await self.request(
            "POST",
            f"/api/orders/{order_id}/payments",
            headers={"Idempotency-Key": key or uuid4().hex},
            json={"paymentMethod": "UPI", "paymentToken": token},
        )

    async def order(self, order_id: str) -> dict[str, Any]:
        answer = await self.request("GET", f"/api/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def line(variant_id: str, quantity: int = 1) -> dict[str, Any]:
    return {"variantId": variant_id, "quantity": quantity}


async def new_product(
    seller: Shopper,
    *,
    quantity: int,
    reorder_level: int = 0,
    price: int = 49_900,
    variants: int = 1,
) -> dict[str, Any]:
    """Publish a product of one's own, so that a test depends on no other's stock."""
    categories = (await seller.request("GET", "/api/categories")).json()
    tag = uuid4().hex[:12]
    body = {
        "name": f"Test kettle {tag}",
        "description": "A kettle that boils water and nothing else.",
        "categoryId": _leaf(categories["items"])["id"],
        "status": "ACTIVE",
        "variants": [
            {
                "sku": f"T-{tag}-{n}",
                "name": f"Size {n}",
                "price": {"amount": price, "currency": "INR"},
                "attributes": {"size": str(n)},
                "quantity": quantity,
                "reorderLevel": reorder_level,
            }
            for n in range(variants)
        ],
    }
    answer = await seller.request("POST", "/api/products", json=body)
    assert answer.status_code == 201, answer.text
    product: dict[str, Any] = answer.json()
    return product


def _leaf(nodes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    node = nodes[0]
    while node.get("children"):
        node = node["children"][0]
    return node


async def at_once(*calls: Any) -> list[Any]:
    """Run the calls together, released by one barrier so that they truly meet."""
    barrier = asyncio.Barrier(len(calls))

    async def released(call: Any) -> Any:
        await barrier.wait()
        return await call

    return list(await asyncio.gather(*(released(call) for call in calls)))
