"""The storefront's pages over the wire: from the gateway alone, whatever is down behind it."""

import pytest

from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import Door, Upstream, open_door, token

BROWSER = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"


async def test_a_page_needs_no_service(door: Door, upstream: Upstream) -> None:
    page = await door.ask("/verify-email", headers=BROWSER)

    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-request-id"]
    assert b'<html lang="en">' in page.body
    assert upstream.requests == []


async def test_a_page_and_its_parts_are_not_counted_as_requests(settings: GatewaySettings) -> None:
    bearer = token()  # of nobody else: addresses are shared by the tests
    async with open_door(settings.model_copy(update={"rate_limit_per_minute": 1})) as door:
        pages = [await door.ask("/storefront/api/client.js", bearer=bearer) for _ in range(5)]
        first, second = [await door.ask(bearer=bearer) for _ in range(2)]

    assert [page.status for page in pages] == [200] * 5
    assert (first.status, second.status) == (200, 429)


async def test_what_is_behind_a_page_may_be_asked_on_the_same_connection(door: Door) -> None:
    async with door.connect() as client:
        for method in ("HEAD", "GET", "HEAD"):
            await client.send(f"{method} /login HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            page = await client.answer(is_head=method == "HEAD")
            assert page.status == 200
        await client.send(b"GET /api/products/1 HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert (await client.answer()).json() == {"ok": True}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_page_is_only_read(door: Door, method: str) -> None:
    answer = await door.ask("/login", method=method, headers=BROWSER)

    answer.assert_problem(405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_there_is_no_such_page_in_words_for_people_and_as_a_problem_for_programs(
    door: Door,
) -> None:
    page = await door.ask("/nothing-here", headers=BROWSER)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")

    (await door.ask("/nothing-here")).assert_problem(404, "not_found")
    (await door.ask("/api/nothing", headers=BROWSER)).assert_problem(404, "not_found")
    (await door.ask("/metrics")).assert_problem(404, "not_found")


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"image_public_url": "https://cdn.example/pictures/"}, "https://cdn.example"),
        ({"aws_endpoint_url": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({}, "https://shop-images.s3.ap-south-1.amazonaws.com"),
    ],
)
async def test_pictures_may_come_from_where_the_catalog_puts_them(
    settings: GatewaySettings, changes: dict[str, str], origin: str
) -> None:
    async with open_door(settings.model_copy(update=changes)) as door:
        policy = (await door.ask("/")).headers["content-security-policy"]

    assert f"img-src 'self' {origin};" in policy
