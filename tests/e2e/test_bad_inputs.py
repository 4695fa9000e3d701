"""The families Edge, JSON, User and Cart/order of the bad inputs, through the gateway."""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pytest

from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from tests.shopper import ADDRESS, DEV_PASSWORD, Shopper, at_once, line, new_product
from tests.waiting import eventually


def assert_problem(answer: httpx2.Response, status: int, code: str | None = None) -> None:
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["requestId"]
    assert code in {None, document["code"]}, document


# --- Edge -----------------------------------------------------------------------------------


async def test_no_token_is_told_to_log_in(somebody: Callable[[], Shopper]) -> None:
    answer = await somebody().request("GET", "/api/orders")

    assert_problem(answer, 401, "auth_required")


def forged(token: str, **changes: Any) -> str:
    """Return the token's claims changed and signed with a key nobody knows."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    header = jwt.get_unverified_header(token)
    return jwt.encode(claims, "x" * 32, algorithm="HS256", headers=header | {"alg": "HS256"})


async def test_forged_tokens_open_nothing(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    header, body, signature = shopper.token.split(".")
    tokens: dict[str, str] = {
        "none": jwt.encode(
            jwt.decode(shopper.token, options={"verify_signature": False}), "", algorithm="none"
        ),
        "hs256": forged(shopper.token),
        "admin": forged(shopper.token, role="ADMIN"),
        "cut": f"{header}.{body}.",
        "swapped": f"{header}.{body}.{signature[::-1]}",
        "long": "x" * 8192,
        "refresh": shopper.refresh_token,
    }
    for name, token in tokens.items():
        caller = somebody()
        caller.token = token
        answer = await caller.request("GET", f"/api/users/{shopper.user_id}")
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"


async def test_a_token_in_the_query_is_not_looked_at(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    answer = await somebody().request("GET", f"/api/orders?access_token={shopper.token}")

    assert_problem(answer, 401, "auth_required")


async def test_a_logged_out_token_is_dead_within_a_second(shopper: Shopper) -> None:
    assert (await shopper.request("POST", "/api/auth/logout")).status_code in {200, 204}

    async def refused() -> bool:
        answer = await shopper.request("GET", f"/api/users/{shopper.user_id}")
        return answer.status_code == 401 and answer.json()["code"] == "revoked"

    await eventually(refused, timeout_s=1)


async def test_a_demoted_admin_is_one_no_longer_within_a_second(
    admin: Shopper, shopper: Shopper
) -> None:
    promote = {"role": "ADMIN"}
    path = f"/api/users/{shopper.user_id}/role"
    assert (await admin.request("PATCH", path, json=promote)).status_code == 200
    await shopper.login()
    assert (await shopper.request("GET", "/api/coupons")).status_code == 200

    demoted = await admin.request("PATCH", path, json={"role": "CUSTOMER"})
    assert demoted.status_code == 200, demoted.text

    async def refused() -> bool:
        return (await shopper.request("GET", "/api/coupons")).status_code == 403

    await eventually(refused, timeout_s=1)


@pytest.mark.parametrize("name", ["X-User-Id", "X_User_Id", "X.User.Id", "X-User-Role"])
async def test_an_identity_header_of_the_client_changes_nothing(
    shopper: Shopper, other: Shopper, name: str
) -> None:
    answer = await shopper.request(
        "GET", f"/api/users/{other.user_id}", headers={name: other.user_id}
    )

    assert_problem(answer, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/internal/inventory/reserve",
        "/%69nternal/inventory/reserve",
        "//internal/inventory/reserve",
        "/api/..%2finternal/inventory/reserve",
        "/api/products/..;/internal/inventory/reserve",
        "/api\\internal\\inventory\\reserve",
        "/api/%2e%2e/internal/inventory/reserve",
        "/metrics",
        "/user/metrics",
        "/api/../metrics",
        "/nothing/here",
    ],
)
async def test_inner_paths_do_not_exist_outside(stack: NativeStack, path: str) -> None:
    """Sent on a bare socket: a client library would tidy such a path up first."""
    status = await raw_status(stack, f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")

    assert status == 404


async def raw_status(stack: NativeStack, request: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.layout.ports.of("gateway"))
    try:
        writer.write(request.encode("latin-1"))
        await writer.drain()
        head = await asyncio.wait_for(reader.readline(), 20)
    finally:
        writer.close()
        await writer.wait_closed()
    return int(head.split()[1]) if head else 0


@pytest.mark.parametrize(
    "request_text",
    [
        (
            "POST /api/auth/login HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        ),
        (
            "POST /api/auth/login HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        ),
        (
            "POST /api/auth/login HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n"
        ),
    ],
)
async def test_an_ambiguous_length_is_refused(stack: NativeStack, request_text: str) -> None:
    assert await raw_status(stack, request_text) == 400


async def test_endless_headers_and_bodies_are_cut_off(
    stack: NativeStack, http: httpx2.AsyncClient
) -> None:
    many = "".join(f"X-Filler-{n}: {'x' * 1000}\r\n" for n in range(20))
    assert await raw_status(stack, f"GET /livez HTTP/1.1\r\nHost: s\r\n{many}\r\n") == 431

    large = await http.post("/api/auth/login", json={"email": "a@b.c", "password": "x" * 70_000})
    assert_problem(large, 413)

    async def chunks() -> Any:
        for _ in range(80):
            yield b"x" * 1024

    chunked = await http.post(
        "/api/auth/login", content=chunks(), headers={"content-type": "application/json"}
    )
    assert_problem(chunked, 413)


async def test_methods_and_types_that_do_not_fit(http: httpx2.AsyncClient) -> None:
    assert_problem(await http.request("TRACE", "/api/products"), 405)
    text = await http.post("/api/auth/login", content=b"{}", headers={"content-type": "text/plain"})
    assert_problem(text, 415)


async def test_the_documentation_page_needs_nothing_from_elsewhere(
    stack: NativeStack, http: httpx2.AsyncClient
) -> None:
    document = (await http.get("/openapi.json")).json()

    assert not [path for path in document["paths"] if path.startswith("/internal")]
    assert {"/api/orders", "/api/users", "/api/products/{id}"} & set(document["paths"])
    # The page itself is for the dev profile only; this stack runs the test profile.
    assert stack.layout.profile == "test"
    assert (await http.get("/docs")).status_code == 404


# --- JSON -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "\xff"}', 400),
        (b'{"email": "a@b.example", "password": NaN, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": 1e400, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": true, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "A\\u0000"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "\\ud800"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "A", "x": 1}', 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"[" * 20_000, 400),
    ],
)
@pytest.mark.parametrize("path", ["/api/users", "/api/auth/login"])
async def test_json_that_cannot_be_taken(
    http: httpx2.AsyncClient, path: str, body: bytes, status: int
) -> None:
    answer = await http.post(path, content=body, headers={"content-type": "application/json"})

    assert_problem(answer, status)


# --- User -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [{"role": "ADMIN"}, {"id": str(uuid4())}, {"isActive": True}, {"is_active": True}],
)
async def test_nobody_makes_himself_more_than_a_customer(
    somebody: Callable[[], Shopper], extra: dict[str, Any]
) -> None:
    caller = somebody()
    email = f"sly-{uuid4().hex}@example.com"
    body = {"email": email, "password": "password123", "fullName": "Sly"}

    assert_problem(await caller.request("POST", "/api/users", json=body | extra), 422)

    login = {"email": email, "password": "password123"}
    assert_problem(await caller.request("POST", "/api/auth/login", json=login), 401)


@pytest.mark.parametrize("change", [str, str.upper, lambda email: f"  {email} "])
async def test_a_taken_address_is_taken_in_any_spelling(
    shopper: Shopper, change: Callable[[str], str]
) -> None:
    body = {"email": change(shopper.email), "password": "password123", "fullName": "Twin"}

    assert_problem(await shopper.request("POST", "/api/users", json=body), 409, "email_taken")


async def test_passwords_have_a_least_length_and_no_silent_cut(
    somebody: Callable[[], Shopper],
) -> None:
    caller = somebody()
    short = {"email": f"{uuid4().hex}@example.com", "password": "1234567", "fullName": "A"}
    assert_problem(await caller.request("POST", "/api/users", json=short), 422)

    password = "p" * 72 + "a"
    await caller.register(password=password)
    await caller.login(password=password)
    wrong = {"email": caller.email, "password": "p" * 72 + "b"}
    assert_problem(await caller.request("POST", "/api/auth/login", json=wrong), 401)


async def test_unknown_user_and_wrong_password_look_and_last_the_same(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    caller = somebody()

    async def attempt(email: str) -> tuple[float, httpx2.Response]:
        body = {"email": email, "password": "not-the-password"}
        started = time.perf_counter()
        answer = await caller.request("POST", "/api/auth/login", json=body)
        return time.perf_counter() - started, answer

    known, unknown = [], []
    for _ in range(30):  # in turns, so that both meet the same machine
        known.append(await attempt(shopper.email))
        unknown.append(await attempt(f"{uuid4().hex}@example.com"))

    answers = {
        (answer.status_code, answer.json()["code"], answer.json()["detail"])
        for _, answer in known + unknown
    }
    assert len(answers) == 1
    gap_s = abs(
        statistics.median(took for took, _ in known)
        - statistics.median(took for took, _ in unknown)
    )
    assert gap_s < 0.005


async def test_others_accounts_look_like_unknown_ones(shopper: Shopper, other: Shopper) -> None:
    path = f"/api/users/{other.user_id}"
    for answer in (
        await shopper.request("GET", path),
        await shopper.request("PUT", path, json={"fullName": "Mine now"}),
        await shopper.request("GET", f"{path}/addresses"),
        await shopper.request("POST", f"{path}/addresses", json=ADDRESS),
        await shopper.request("GET", f"/api/users/{uuid4()}"),
        await shopper.request("GET", "/api/users/not-an-id"),
    ):
        assert_problem(answer, 404)


async def test_two_defaults_at_once_leave_one(shopper: Shopper) -> None:
    path = f"/api/users/{shopper.user_id}/addresses"
    await at_once(
        *(
            shopper.request("POST", path, json=ADDRESS | {"isDefault": True, "city": f"City {n}"})
            for n in range(5)
        )
    )

    addresses = (await shopper.request("GET", path)).json()["items"]

    assert (len(addresses), sum(a["isDefault"] for a in addresses)) == (5, 1)


async def test_a_new_address_needs_the_current_password(shopper: Shopper) -> None:
    body = {"email": f"{uuid4().hex}@example.com"}

    answer = await shopper.request("PUT", f"/api/users/{shopper.user_id}", json=body)

    assert_problem(answer, 403)


async def test_a_stale_if_match_is_refused(shopper: Shopper) -> None:
    path = f"/api/users/{shopper.user_id}"
    etag = (await shopper.request("GET", path)).headers["etag"]
    first = await shopper.request(
        "PUT", path, json={"fullName": "First"}, headers={"If-Match": etag}
    )
    assert first.status_code == 200, first.text

    second = await shopper.request(
        "PUT", path, json={"fullName": "Second"}, headers={"If-Match": etag}
    )

    assert_problem(second, 412)


# --- Cart and order -------------------------------------------------------------------------


@pytest.fixture
async def variant_id(seller: Shopper) -> str:
    product = await new_product(seller, quantity=50)
    found: str = product["variants"][0]["id"]
    return found


async def test_others_carts_and_orders_look_like_unknown_ones(
    shopper: Shopper, other: Shopper, variant_id: str
) -> None:
    order = (await other.place([line(variant_id)])).json()
    for method, path in (
        ("GET", f"/api/cart/{other.user_id}"),
        ("DELETE", f"/api/cart/{other.user_id}"),
        ("GET", f"/api/orders/{order['id']}"),
        ("GET", f"/api/orders/{order['id']}/timeline"),
        ("POST", f"/api/orders/{order['id']}/cancel"),
        ("GET", "/api/orders/not-an-id"),
        ("GET", f"/api/orders/{uuid4()}"),
    ):
        assert_problem(await shopper.request(method, path), 404)
    body = line(variant_id)
    assert_problem(await shopper.request("POST", f"/api/cart/{other.user_id}", json=body), 404)


@pytest.mark.parametrize("quantity", [-5, 0, 2**31, 2**70, "5", 5.0, True, None])
async def test_a_quantity_is_a_small_positive_number(
    shopper: Shopper, variant_id: str, quantity: Any
) -> None:
    body = {"variantId": variant_id, "quantity": quantity}
    cart = await shopper.request("POST", f"/api/cart/{shopper.user_id}", json=body)

    assert_problem(cart, 422)
    assert_problem(await shopper.place([body]), 422)


async def test_a_hundred_and_one_lines_are_too_many(shopper: Shopper, seller: Shopper) -> None:
    product = await new_product(seller, quantity=1, variants=50)
    known = [variant["id"] for variant in product["variants"]]
    lines = [line(variant) for variant in known + [str(uuid4()) for _ in range(51)]]

    assert_problem(await shopper.place(lines), 422)


async def test_an_order_without_a_key_is_asked_for_one(shopper: Shopper, variant_id: str) -> None:
    body = {"items": [line(variant_id)], "shippingAddress": ADDRESS, "paymentMethod": "COD"}

    answer = await shopper.request("POST", "/api/orders", json=body)

    assert_problem(answer, 400, "idempotency_key_required")


async def test_a_key_may_come_in_the_body_but_not_contradict_the_header(
    shopper: Shopper, variant_id: str
) -> None:
    key = uuid4().hex
    body = {"items": [line(variant_id)], "shippingAddress": ADDRESS, "paymentMethod": "COD"}
    first = await shopper.request("POST", "/api/orders", json=body | {"idempotencyKey": key})
    second = await shopper.request("POST", "/api/orders", json=body | {"idempotency_key": key})
    both = await shopper.request(
        "POST",
        "/api/orders",
        json=body | {"idempotencyKey": key},
        headers={"Idempotency-Key": "another"},
    )

    assert (first.status_code, second.status_code) == (201, 201), second.text
    assert first.json()["id"] == second.json()["id"]
    assert_problem(both, 400)


async def test_a_key_is_not_used_for_two_orders(shopper: Shopper, variant_id: str) -> None:
    key = uuid4().hex
    await shopper.place([line(variant_id)], key=key)

    answer = await shopper.place([line(variant_id, 2)], key=key)

    assert_problem(answer, 422, "idempotency_key_reused")


async def test_another_users_key_is_another_key(
    shopper: Shopper, other: Shopper, variant_id: str
) -> None:
    key = uuid4().hex

    first = await shopper.place([line(variant_id)], key=key)
    second = await other.place([line(variant_id)], key=key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_duplicate_variants_are_merged(shopper: Shopper, variant_id: str) -> None:
    order = (await shopper.place([line(variant_id, 1), line(variant_id, 2)])).json()

    assert [item["quantity"] for item in order["items"]] == [3]


async def test_too_little_stock_names_the_short_lines_and_holds_nothing(
    shopper: Shopper, seller: Shopper, variant_id: str
) -> None:
    short = (await new_product(seller, quantity=1))["variants"][0]["id"]

    answer = await shopper.place([line(variant_id, 2), line(short, 2)])

    assert_problem(answer, 409, "insufficient_stock")
    assert [item["variantId"] for item in answer.json()["items"]] == [short]
    whole = await shopper.place([line(variant_id, 50), line(short, 1)])
    assert whole.status_code == 201, whole.text


async def test_orders_move_along_their_graph_only(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    order = (await shopper.place([line(variant_id)])).json()
    path = f"/api/orders/{order['id']}/status"

    assert_problem(await shopper.request("PATCH", path, json={"status": "SHIPPED"}), 403)
    for status in ("PROCESSING", "SHIPPED", "DELIVERED"):
        assert (await admin.request("PATCH", path, json={"status": status})).status_code == 200
    assert_problem(await admin.request("PATCH", path, json={"status": "PENDING"}), 409)
    assert_problem(await shopper.request("POST", f"/api/orders/{order['id']}/cancel"), 409)


async def test_a_sixth_unpaid_order_is_one_too_many(shopper: Shopper, variant_id: str) -> None:
    answers = [await shopper.place([line(variant_id)], paymentMethod="UPI") for _ in range(6)]

    assert [answer.status_code for answer in answers[:5]] == [201] * 5
    assert_problem(answers[5], 409, "too_many_open_orders")


async def test_no_more_is_refunded_than_was_paid(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    order = (await shopper.place([line(variant_id)], paymentMethod="UPI")).json()
    payment = (await shopper.pay(order["id"])).json()

    async def paid() -> bool:
        return bool((await shopper.order(order["id"]))["status"] == "CONFIRMED")

    await eventually(paid)
    too_much = {"amount": {"amount": order["total"]["amount"] + 1, "currency": "INR"}}
    answer = await admin.request(
        "POST",
        f"/api/payments/{payment['id']}/refunds",
        json=too_much,
        headers={"Idempotency-Key": uuid4().hex},
    )

    assert_problem(answer, 409)


async def test_an_expired_coupon_is_refused(
    shopper: Shopper, admin: Shopper, variant_id: str
) -> None:
    code = f"OLD{uuid4().hex[:8].upper()}"
    coupon = await admin.request(
        "POST",
        "/api/coupons",
        json={
            "code": code,
            "type": "PERCENTAGE",
            "percentBasisPoints": 1000,
            "validFrom": "2020-01-01T00:00:00Z",
            "validUntil": "2021-01-01T00:00:00Z",
        },
    )
    assert coupon.status_code == 201, coupon.text

    assert_problem(await shopper.place([line(variant_id)], couponCode=code), 422)


async def test_the_address_of_an_order_is_a_snapshot(shopper: Shopper, variant_id: str) -> None:
    path = f"/api/users/{shopper.user_id}/addresses"
    address = (await shopper.request("POST", path, json=ADDRESS)).json()
    body = {"items": [line(variant_id)], "paymentMethod": "COD", "addressId": address["id"]}
    order = await shopper.request(
        "POST", "/api/orders", json=body, headers={"Idempotency-Key": uuid4().hex}
    )
    assert order.status_code == 201, order.text

    changed = ADDRESS | {"city": "Mysuru"}
    edited = await shopper.request("PUT", f"{path}/{address['id']}", json=changed)
    assert edited.status_code == 200, edited.text

    assert (await shopper.order(order.json()["id"]))["shippingAddress"]["city"] == "Bengaluru"


# --- The inside ------------------------------------------------------------------------------


async def test_inner_routes_want_a_service_token(stack: NativeStack, shopper: Shopper) -> None:
    body = {
        "reservationId": str(uuid4()),
        "orderId": str(uuid4()),
        "fingerprint": "00" * 32,
        "items": [line(str(uuid4()))],
    }
    async with httpx2.AsyncClient(base_url=stack.layout.url("catalog")) as direct:
        nobody = await direct.post("/internal/inventory/reserve", json=body)
        person = await direct.post(
            "/internal/inventory/reserve",
            json=body,
            headers={"Authorization": f"Bearer {shopper.token}"},
        )

    assert_problem(nobody, 401)
    assert_problem(person, 401)


async def test_the_logs_hold_no_password_and_no_token(stack: NativeStack, shopper: Shopper) -> None:
    await shopper.login()
    secrets = (shopper.token, shopper.refresh_token, DEV_PASSWORD, "password123")

    for name in (*SERVICES, *(f"{service}-worker" for service in SERVICES), "gateway"):
        text = stack.log(name).read_text(encoding="utf-8", errors="replace")
        assert not [secret for secret in secrets if secret in text], name
