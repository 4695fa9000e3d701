"""The order service's neighbours over real HTTP, with their rules and no database of their own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

JSON = "application/json"


@dataclass
class Variant:
    price: int
    stock: int
    is_active: bool = True
    seller_id: str = field(default_factory=lambda: str(uuid4()))
    product_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class Hold:
    """A reservation: its stored answer, and whether it was given back."""

    fingerprint: str
    answer: dict[str, Any]
    lines: list[tuple[str, int]]
    is_released: bool = False


@dataclass
class Neighbours:
    """Catalog and user service in one: stock is held whole or not at all, once per reservation."""

    variants: dict[str, Variant] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    releases: list[str] = field(default_factory=list)
    addresses: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    sellers: dict[str, str] = field(default_factory=dict)
    quotes: int = 0
    contacts: int = 0
    is_catalog_down: bool = False
    # The code of the 503 that the catalog answers before it begins.
    refuses_with: str | None = None
    # So many answers about reservations are lost after the stock was taken.
    loses_answers: int = 0
    reserve_calls: int = 0
    time_left_ms: int = 0
    on_contact: Callable[[], Any] | None = None
    on_reserved: Callable[[], Any] | None = None

    def sell(self, *, price: int = 50_000, stock: int = 1000, **more: Any) -> str:
        variant_id = str(uuid4())
        self.variants[variant_id] = Variant(price, stock, **more)
        return variant_id

    def held(self, variant_id: str) -> int:
        return sum(
            quantity
            for hold in self.holds.values()
            if not hold.is_released
            for variant, quantity in hold.lines
            if variant == variant_id
        )

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/internal/inventory/reserve", self._reserve, methods=["POST"]),
                Route("/internal/inventory/release", self._release, methods=["POST"]),
                Route("/internal/products/quote", self._quote, methods=["POST"]),
                Route("/internal/sellers/by-user/{user_id}", self._seller),
                Route("/internal/users/{user_id}/contact", self._contact),
            ]
        )

    async def _reserve(self, request: Request) -> Response:
        self.reserve_calls += 1
        self.time_left_ms = int(request.headers["x-request-timeout-ms"])
        refusal_code = "unavailable" if self.is_catalog_down else self.refuses_with
        if refusal_code is not None:
            return _answer(503, {"code": refusal_code})
        body = await request.json()
        hold = self.holds.get(body["reservationId"])
        if hold is None:
            refusal = self._refusal(body["items"])
            if refusal is not None:
                return refusal
            hold = self.holds[body["reservationId"]] = self._hold(body)
        elif hold.is_released:
            return _answer(409, {"code": "reservation_released"})
        elif hold.fingerprint != body["fingerprint"]:
            return _answer(422, {"code": "idempotency_key_reused"})
        if self.on_reserved is not None:
            await self.on_reserved()
        if self.loses_answers:
            self.loses_answers -= 1
            return _answer(502, {})
        return _answer(200, hold.answer)

    def _refusal(self, items: list[dict[str, Any]]) -> Response | None:
        if any(not self._is_sold(item["variantId"]) for item in items):
            return _answer(422, {"code": "unknown_variant", "errors": []})
        short = [
            {"variantId": item["variantId"], "available": self.variants[item["variantId"]].stock}
            for item in items
            if self.variants[item["variantId"]].stock < item["quantity"]
        ]
        return _answer(409, {"code": "insufficient_stock", "items": short}) if short else None

    def _hold(self, body: dict[str, Any]) -> Hold:
        lines = [(item["variantId"], item["quantity"]) for item in body["items"]]
        for variant_id, quantity in lines:
            self.variants[variant_id].stock -= quantity
        answer = {
            "reservationId": body["reservationId"],
            "orderId": body["orderId"],
            "items": [self._line(variant_id, quantity) for variant_id, quantity in lines],
        }
        return Hold(body["fingerprint"], answer, lines)

    def _line(self, variant_id: str, quantity: int) -> dict[str, Any]:
        variant = self.variants[variant_id]
        return {
            "variantId": variant_id,
            "productId": variant.product_id,
            "sku": f"SKU-{variant_id[:8]}",
            "name": "Kettle",
            "sellerId": variant.seller_id,
            "quantity": quantity,
            "unitPrice": {"amount": variant.price, "currency": "INR"},
            "available": variant.stock,
            "isActive": variant.is_active,
        }

    async def _release(self, request: Request) -> Response:
        reservation_id = (await request.json())["reservationId"]
        hold = self.holds.get(reservation_id)
        if hold is None:
            return _answer(404, {"code": "not_found"})
        if not hold.is_released:
            hold.is_released = True
            self.releases.append(reservation_id)
            for variant_id, quantity in hold.lines:
                self.variants[variant_id].stock += quantity
        return _answer(200, {"reservationId": reservation_id, "status": "RELEASED"})

    async def _quote(self, request: Request) -> Response:
        self.quotes += 1
        items = (await request.json())["items"]
        known = [item for item in items if item["variantId"] in self.variants]
        lines = [self._line(item["variantId"], item["quantity"]) for item in known]
        return _answer(200, {"items": lines, "missing": []})

    async def _seller(self, request: Request) -> Response:
        seller_id = self.sellers.get(request.path_params["user_id"])
        return _answer(200, {"id": seller_id}) if seller_id else _answer(404, {"code": "none"})

    async def _contact(self, request: Request) -> Response:
        self.contacts += 1
        if self.on_contact is not None:
            await self.on_contact()
        user_id = request.path_params["user_id"]
        body: dict[str, Any] = {
            "userId": user_id,
            "email": f"{UUID(user_id).hex}@example.com",
            "fullName": "Asha Rao",
            "preferences": {},
        }
        address_id = request.query_params.get("addressId")
        if address_id is not None:
            address = self.addresses.get((user_id, address_id))
            if address is None:
                return _answer(404, {"code": "not_found"})
            body["address"] = address
        return _answer(200, body)

    def _is_sold(self, variant_id: str) -> bool:
        variant = self.variants.get(variant_id)
        return variant is not None and variant.is_active


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type=JSON)
