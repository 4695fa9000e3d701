"""Who sends the generated requests: one of each role, and one who may be thrown away."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
from schemathesis import AuthContext, Case

from tests.shopper import ADDRESS, DEV_PASSWORD, line

Ids = Mapping[str, list[str]]

# After so many requests somebody else goes on, so that most walks are one caller's.
WALK: Final = 6
# How often a read names a thing that there is: what is made up names nothing.
KNOWN_SHARE: Final = 0.6
USES_OF_A_SACRIFICE: Final = 10
# Products are archived, categories deleted: there are new ones after so many requests.
SUPPLIED_FOR: Final = 3_000
PRODUCTS: Final = 8
# Access tokens live for 30 minutes, and a run may take longer.
RENEWED_AFTER_S: Final = 15 * 60.0

# These end the session or the account they are sent with, and with it the run: a customer made
# for the purpose sends them.
ENDING: Final = frozenset(
    {
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/logout-all"),
        ("DELETE", "/api/auth/sessions/{session_id}"),
        ("PUT", "/api/users/{user_id}"),
        ("PUT", "/api/users/{user_id}/password"),
        ("DELETE", "/api/users/{user_id}"),
        ("POST", "/api/auth/mfa/enrol"),
        ("POST", "/api/auth/mfa/confirm"),
        ("POST", "/api/auth/mfa/disable"),
    }
)
# These take rights from whom the path names: never from those who send.
DEPRIVING: Final = frozenset(
    {("PATCH", "/api/users/{user_id}/role"), ("PATCH", "/api/users/{user_id}/status")}
)


@dataclass(frozen=True)
class Caller:
    email: str
    user_id: str
    token: str
    own: Ids = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Callers:
    """Chooses who sends each request, and what its path names.

    schemathesis asks `get` and `set` of it for every case (its AuthProvider). What is written goes
    to things of the run's own, so that a shop that others use, too, stays as it was for them.
    """

    def __init__(self, gateway: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._http = httpx2.Client(base_url=gateway, timeout=30)
        self._left = self._sent = self._sacrifice_uses = 0
        self.admin = self._login("admin@shop.example")
        self.seller = self._new_seller()
        self.customer = self._new_customer()
        self._sacrifice = self._new_customer()
        self._supply()
        self._now: Caller | None = self.admin
        self._renew_at = time.monotonic() + RENEWED_AFTER_S

    def close(self) -> None:
        self._http.close()

    def get(self, case: Case[Any], context: AuthContext) -> Caller | None:
        del context
        if _operation(case) in ENDING:
            return self._next_sacrifice()
        self._sent += 1
        if self._sent % SUPPLIED_FOR == 0:
            self._supply()
        if self._left == 0:
            self._renew()
            self._left = WALK
            people = (self.admin, self.seller, self.customer, None)
            [self._now] = self._random.choices(people, (4, 3, 4, 1))
        self._left -= 1
        return self._now

    def set(self, case: Case[Any], caller: Caller, context: AuthContext) -> None:
        del context
        case.headers["Authorization"] = f"Bearer {caller.token}"
        if _operation(case) in ENDING | DEPRIVING:
            self._name(case, {"user_id": [self._sacrifice.user_id]}, share=1)
            return
        known = {**self.customer.own, **self.seller.own, "user_id": [caller.user_id]}
        self._name(case, known, share=KNOWN_SHARE if case.method.upper() == "GET" else 1)

    def _name(self, case: Case[Any], known: Ids, *, share: float) -> None:
        """Put known ids in place of what looks like one; what does not may stay malformed."""
        path: dict[str, Any] = case.path_parameters
        for name, ids in known.items():
            if name in path and _is_id(path[name]) and self._random.random() < share:
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
            replace(self._login(each.email), own=each.own)
            for each in (self.admin, self.seller, self.customer)
        )

    # What the run begins with, and is given again

    def _post(self, path: str, body: Any, caller: Caller, *, status: int = 201) -> Any:
        headers = {**caller.headers, "Idempotency-Key": uuid4().hex}
        answer = self._http.post(path, json=body, headers=headers)
        assert answer.status_code == status, f"{path}: {answer.text}"
        return answer.json()

    def _login(self, email: str) -> Caller:
        body = {"email": email, "password": DEV_PASSWORD}
        answer = self._http.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        given = answer.json()
        return Caller(email, given["user"]["id"], given["accessToken"])

    def _new_customer(self) -> Caller:
        email = f"fuzz-{uuid4().hex}@example.com"
        body = {"email": email, "password": DEV_PASSWORD, "fullName": "Asha Rao"}
        answer = self._http.post("/api/users", json=body)
        assert answer.status_code == 201, answer.text
        return self._login(email)

    def _new_seller(self) -> Caller:
        applicant = self._new_customer()
        store = self._post("/api/sellers", {"storeName": "Fuzz"}, applicant)["id"]
        path = f"/api/sellers/{store}/status"
        answer = self._http.patch(path, json={"status": "ACTIVE"}, headers=self.admin.headers)
        assert answer.status_code == 200, answer.text
        return replace(self._login(applicant.email), own={"seller_id": [store]})

    def _supply(self) -> None:
        """Fill the shelf, and let the customer have bought of it."""
        category = self._post("/api/categories", {"name": f"Fuzz {uuid4().hex}"}, self.admin)["id"]
        products = [self._new_product(category) for _ in range(PRODUCTS)]
        own = {
            "product_id": [product["id"] for product in products],
            "variant_id": [each["id"] for product in products for each in product["variants"]],
            "category_id": [category],
        }
        self.seller = replace(self.seller, own={**self.seller.own, **own})
        self.customer = replace(self.customer, own=self._bought(own["variant_id"]))

    def _new_product(self, category: str) -> Any:
        tag = uuid4().hex[:12]
        price = {"amount": 1_000, "currency": "INR"}
        variants = [
            {"sku": f"F-{tag}-{n}", "name": f"Size {n}", "price": price, "quantity": 10_000}
            for n in range(2)
        ]
        body = {"name": f"Fuzz {tag}", "description": "Fuzz", "status": "ACTIVE"}
        product = {**body, "categoryId": category, "variants": variants}
        return self._post("/api/products", product, self.seller)

    def _bought(self, variants: list[str]) -> Ids:
        customer = self.customer
        addresses = f"/api/users/{customer.user_id}/addresses"
        found = self._http.get(addresses, headers=customer.headers).json()["items"]
        address = found[0]["id"] if found else self._post(addresses, ADDRESS, customer)["id"]
        order = {"items": [line(variants[0])], "addressId": address, "paymentMethod": "COD"}
        placed = self._post("/api/orders", order, customer)
        return {"address_id": [address], "order_id": [placed["id"]]}


def _operation(case: Case[Any]) -> tuple[str, str]:
    return case.method.upper(), case.operation.path


def _is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
