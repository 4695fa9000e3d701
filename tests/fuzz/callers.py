"""Who sends the generated requests: one of each role, and one who may be thrown away."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

import httpx2
from schemathesis import AuthContext, Case

from tests.shopper import ADDRESS, DEV_PASSWORD

# After so many requests somebody else goes on, so that most scenarios are one caller's.
SCENARIO: Final = 6
# How often a path names the caller's own things: what is made up names nothing.
OWN_SHARE: Final = 0.6
USES_OF_A_SACRIFICE: Final = 10

# Access tokens live for 30 minutes, and a run may take longer.
RENEWED_AFTER_S: Final = 15 * 60.0

# These end the session or the account they are sent with, and with it the run: a customer made
# for the purpose sends them.
ENDING: Final = frozenset(
    {
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/logout-all"),
        ("DELETE", "/api/auth/sessions/{session_id}"),
        ("PUT", "/api/users/{user_id}/password"),
        ("DELETE", "/api/users/{user_id}"),
        ("POST", "/api/auth/mfa/enrol"),
        ("POST", "/api/auth/mfa/confirm"),
        ("POST", "/api/auth/mfa/disable"),
    }
)
# These change the rights of whom the path names: never of those who send.
CHANGING: Final = frozenset(
    {("PATCH", "/api/users/{user_id}/role"), ("PATCH", "/api/users/{user_id}/status")}
)


@dataclass(frozen=True)
class Caller:
    email: str
    user_id: str
    token: str
    own: Mapping[str, list[str]] = field(default_factory=dict)


class Callers:
    """Chooses who sends each request, and puts ids of theirs into its path.

    schemathesis asks `get` and `set` of it for every case (its AuthProvider).
    """

    def __init__(self, gateway: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._http = httpx2.Client(base_url=gateway, timeout=30)
        self._sacrifice_uses = 0
        self._left = 0
        self.admin = self._login("admin@shop.example", DEV_PASSWORD)
        self.seller = self._with_products(self._login("seller@shop.example", DEV_PASSWORD))
        self.customer = self._with_an_address(self._new_customer())
        self.admin = replace(self.admin, own=self.customer.own)
        self._sacrifice = self._new_customer()
        self._now: Caller | None = self.admin
        self._renew_at = time.monotonic() + RENEWED_AFTER_S

    def close(self) -> None:
        self._http.close()

    def get(self, case: Case[Any], context: AuthContext) -> Caller | None:
        del context
        operation = (case.method.upper(), case.operation.path)
        if operation in ENDING:
            return self._next_sacrifice()
        if self._left == 0:
            self._renew()
            self._left = SCENARIO
            people = (self.admin, self.seller, self.customer, None)
            [self._now] = self._random.choices(people, (4, 3, 4, 1))
        self._left -= 1
        return self._now

    def set(self, case: Case[Any], caller: Caller, context: AuthContext) -> None:
        del context
        case.headers["Authorization"] = f"Bearer {caller.token}"
        operation = (case.method.upper(), case.operation.path)
        if operation in ENDING or operation in CHANGING:
            self._name(case, {"user_id": [self._sacrifice.user_id]}, share=1)
        else:
            self._name(case, {"user_id": [caller.user_id], **caller.own}, share=OWN_SHARE)

    def _name(self, case: Case[Any], own: Mapping[str, list[str]], *, share: float) -> None:
        path: dict[str, Any] = case.path_parameters
        for name, ids in own.items():
            if name in path and self._random.random() < share:
                path[name] = self._random.choice(ids)

    def _next_sacrifice(self) -> Caller:
        self._sacrifice_uses += 1
        if self._sacrifice_uses % USES_OF_A_SACRIFICE == 0:
            self._sacrifice = self._new_customer()
        return self._sacrifice

    def _renew(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEWED_AFTER_S
        self.admin, self.seller, self.customer = (
            replace(self._login(each.email, DEV_PASSWORD), own=each.own)
            for each in (self.admin, self.seller, self.customer)
        )

    # What the run begins with

    def _login(self, email: str, password: str) -> Caller:
        body = {"email": email, "password": password}
        answer = self._http.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        given = answer.json()
        return Caller(email, given["user"]["id"], given["accessToken"])

    def _new_customer(self) -> Caller:
        email = f"fuzz-{uuid4().hex}@example.com"
        body = {"email": email, "password": DEV_PASSWORD, "fullName": "Asha Rao"}
        answer = self._http.post("/api/users", json=body)
        assert answer.status_code == 201, answer.text
        return self._login(email, DEV_PASSWORD)

    def _with_an_address(self, caller: Caller) -> Caller:
        headers = {"Authorization": f"Bearer {caller.token}"}
        path = f"/api/users/{caller.user_id}/addresses"
        address = self._http.post(path, json=ADDRESS, headers=headers).json()
        line = {"variantId": self.seller.own["variant_id"][0], "quantity": 1}
        order = self._http.post(
            "/api/orders",
            json={"items": [line], "addressId": address["id"], "paymentMethod": "COD"},
            headers={**headers, "Idempotency-Key": uuid4().hex},
        )
        assert order.status_code == 201, order.text
        own = {**self.seller.own, "address_id": [address["id"]], "order_id": [order.json()["id"]]}
        return replace(caller, own=own)

    def _with_products(self, caller: Caller) -> Caller:
        found = self._http.get("/api/products?inStock=true&limit=100").json()["items"]
        variants = [variant["id"] for product in found for variant in product["variants"]]
        own = {
            "product_id": [product["id"] for product in found],
            "variant_id": variants,
            "category_id": [product["categoryId"] for product in found],
            "seller_id": [product["sellerId"] for product in found if product["sellerId"]],
        }
        return replace(caller, own={name: ids for name, ids in own.items() if ids})
