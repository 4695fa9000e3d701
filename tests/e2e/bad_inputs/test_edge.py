"""Paths, lengths and methods that the gateway itself refuses; what only the inside may ask."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from tests.problems import assert_problem
from tests.shopper import DEV_PASSWORD, Shopper, line


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
