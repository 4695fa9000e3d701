"""What is on sale: a product of its own for each sale, listed through the API by the dev seller."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

import httpx2

from shop.seed import DEV_PASSWORD
from shop.stack.errors import StackError

_SELLER: Final = "seller@shop.example"
_PRICE: Final = 149_900
_LEAF: Final = "headphones"


@dataclass(frozen=True, slots=True)
class Goods:
    """The sale's product and its one variant."""

    product_id: UUID
    variant_id: UUID
    name: str
    sku: str


class Seller:
    """The seeded seller, logged in at the gateway. Refusals become StackError."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._headers: dict[str, str] = {}

    async def log_in(self) -> Self:
        login = {"email": _SELLER, "password": DEV_PASSWORD}
        answer = await self._call("POST", "/api/auth/login", json=login)
        self._headers["Authorization"] = f"Bearer {answer['accessToken']}"
        return self

    async def list_goods(self, stock: int) -> Goods:
        """Publish a new product with `stock` units."""
        code = secrets.token_hex(3).upper()
        categories = (await self._call("GET", "/api/categories"))["items"]
        body = {
            "name": f"Oktavo Flash Edition {code} Earbuds",
            "description": "One colour, one price, one day: the earbuds of the flash sale.",
            "categoryId": _leaf(categories)["id"],
            "status": "ACTIVE",
            "variants": [
                {
                    "sku": f"FLASH-{code}",
                    "name": "Coal Black",
                    "price": {"amount": _PRICE, "currency": "INR"},
                    "attributes": {"colour": "Coal Black"},
                    "quantity": stock,
                    "reorderLevel": 0,
                }
            ],
        }
        product = await self._call("POST", "/api/products", json=body)
        variant_id = UUID(product["variants"][0]["id"])
        return Goods(UUID(product["id"]), variant_id, body["name"], f"FLASH-{code}")

    async def available(self, goods: Goods) -> int:
        """Return the stock that the product's page shows."""
        product = await self._call("GET", f"/api/products/{goods.product_id}")
        return int(product["variants"][0]["available"])

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = await self._http.request(method, path, headers=self._headers, **arguments)
        except httpx2.TransportError as error:
            raise StackError(f"the gateway does not answer ({error})", "make up") from None
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            raise StackError(f"{_SELLER} cannot log in", "make seed")
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            raise StackError(
                f"{method} {path} answered {answer.status_code}: {answer.text}", "make logs"
            )
        return answer.json()


def _leaf(categories: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the leaf the earbuds belong to, or the first one there is."""
    leaves = list(_leaves(categories))
    if not leaves:
        raise StackError("the shop has no categories", "make seed")
    return next((leaf for leaf in leaves if leaf["slug"] == _LEAF), leaves[0])


def _leaves(categories: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for category in categories:
        children = category.get("children") or ()
        found.extend(_leaves(children) if children else [category])
    return found
