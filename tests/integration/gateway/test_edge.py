"""Requests nobody honest sends: each has its exact answer, and none reaches a service."""

import asyncio
import time

import pytest

from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Door,
    Upstream,
    answer,
    answering_after,
    open_door,
)

POST = "POST /api/orders HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
GET = "GET /api/products HTTP/1.1\r\nHost: s\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + "Content-Length: 2\r\nTransfer-Encoding : chunked\r\n\r\n{}",
        POST + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + "Content-Length: 2, 2\r\n\r\n{}",
        POST + "Content-Length: +2\r\n\r\n{}",
        POST + "Content-Length: -2\r\n\r\n{}",
        POST + "Content-Length: 0x2\r\n\r\n{}",
        POST + "Content-Length: 99999999999999999999\r\n\r\n{}",
        POST + "Content-Length:\r\n\r\n{}",
        POST + "Transfer-Encoding: identity\r\n\r\n{}",
        POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding:\r\nContent-Length: 2\r\n\r\n{}",
        POST.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + "2\r\n{}XX0\r\n\r\n",
        CHUNKED + "2\n{}\n0\n\n",
        CHUNKED + "FFFFFFFFFFFFFFFFF\r\n{}",
        CHUNKED + "-2\r\n{}",
        CHUNKED + "0x2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "2;a\n{}\r\n0\r\n\r\n",
        CHUNKED + "zz\r\n",
        GET.replace("\r\n", "\n") + "\n",
        GET + " folded: 1\r\n\r\n",
        GET + "X-A: 1\rX-B: 2\r\n\r\n",
        GET + "X-A: a\x00b\r\n\r\n",
        GET + ": empty\r\n\r\n",
        GET + "X A: 1\r\n\r\n",
        GET + "Host: other\r\n\r\n",
        "GET /api/products HTTP/1.1\r\n\r\n",
        "GET /api/products HTTP/2.0\r\nHost: s\r\n\r\n",
        "GET /api/products HTTP/1.2\r\nHost: s\r\n\r\n",
        "GET /api/products\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "FOO /api/products HTTP/1.1\r\nHost: s\r\n\r\n",
        "GET api/products HTTP/1.1\r\nHost: s\r\n\r\n",
        "GET /api/\xe9 HTTP/1.1\r\nHost: s\r\n\r\n",
        "CONNECT s:80 HTTP/1.1\r\nHost: s\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        GET + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_and_ended(
    door: Door, upstream: Upstream, sent: str
) -> None:
    async with door.connect() as client:
        await client.send(sent.encode("latin-1"))
        given = await client.answer()
        given.assert_problem(400, "malformed_request")
        assert given.headers["connection"] == "close"
        assert await client.ended()

    assert upstream.requests == []


@pytest.mark.parametrize("cut", range(1, 12))
async def test_it_is_refused_in_however_many_pieces_it_comes(
    door: Door, upstream: Upstream, cut: int
) -> None:
    sent = (POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").encode()
    async with door.connect() as client:
        for start in range(0, len(sent), cut):
            client.writer.write(sent[start : start + cut])
            await asyncio.sleep(0)
        (await client.answer()).assert_problem(400, "malformed_request")

    assert upstream.requests == []


async def test_a_smuggled_second_request_is_never_answered(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        await client.send(
            (POST + "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
            + b"0\r\n\r\nGET /api/orders/1 HTTP/1.1\r\nHost: s\r\n\r\n"
        )
        assert (await client.answer()).status == 400
        assert await client.ended()

    assert upstream.requests == []


async def test_an_earlier_request_is_still_answered_before_a_broken_one_ends_it(
    door: Door, upstream: Upstream
) -> None:
    go_on = asyncio.Event()
    upstream.script = answering_after(go_on, answer(b'{"first":true}'))
    async with door.connect() as client:
        await client.send((GET + "\r\n" + GET + "\r\nBROKEN\r\n\r\n").encode())
        go_on.set()
        assert (await client.answer()).json() == {"first": True}
        assert await client.ended()


async def test_nothing_is_read_after_an_upgrade(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        await client.send(
            (GET + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n").encode()
            + b"GET /api/orders/1 HTTP/1.1\r\nHost: s\r\n\r\n"
        )
        given = await client.answer()
        assert given.headers["connection"] == "close"
        assert await client.ended()

    assert [request.line for request in upstream.requests] == [b"GET /api/products HTTP/1.1"]
    assert b"upgrade" not in upstream.requests[0].head.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/internal/inventory/reserve",
        "/%69nternal/inventory/reserve",
        "//internal/inventory/reserve",
        "/api/..%2finternal/inventory/reserve",
        "/api/products/../../internal/x",
        "/api/products/%2e%2e/internal",
        "/api/products/..;/internal",
        "/api/products;x=1",
        "/api\\internal",
        "/metrics",
        "/metrics/",
        "/livez/",
        "/docs",
        "/redoc",
        "/nothing",
        "http://s/internal/x",
        "http://s/metrics",
        "*",
    ],
)
async def test_other_paths_do_not_exist(door: Door, upstream: Upstream, path: str) -> None:
    (await door.ask(path)).assert_problem(404, "not_found")
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/api/products", "/livez", "/nothing"])
async def test_trace_is_not_a_method_here(door: Door, upstream: Upstream, path: str) -> None:
    given = await door.ask(path, method="TRACE")

    given.assert_problem(405, "method_not_allowed")
    assert "GET" in given.headers["allow"]
    assert "TRACE" not in given.headers["allow"]
    assert upstream.requests == []


async def test_a_known_path_of_the_gateway_refuses_other_methods(door: Door) -> None:
    (await door.ask("/livez", method="POST")).assert_problem(405, "method_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: \r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_body_must_be_json(
    door: Door, upstream: Upstream, method: str, headers: str
) -> None:
    given = await door.ask("/api/orders/1", method=method, headers=headers, body=b"{}")

    given.assert_problem(415, "unsupported_media_type")
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/orders", "application/json; charset=utf-8"),
        ("/api/orders", "APPLICATION/JSON"),
        ("/api/orders/1", "application/merge-patch+json"),
        ("/api/webhooks/ses", "text/plain; charset=UTF-8"),
        ("/api/webhooks/payments/stripe", "application/x-www-form-urlencoded"),
    ],
)
async def test_json_and_what_webhook_senders_send_passes(door: Door, path: str, kind: str) -> None:
    given = await door.ask(path, method="POST", headers=f"Content-Type: {kind}\r\n", body=b"{}")

    assert given.status == 200


async def test_a_post_without_a_body_needs_no_type(door: Door, upstream: Upstream) -> None:
    assert (await door.ask("/api/auth/logout", method="POST")).status == 200
    assert upstream.requests[0].header("content-length") == "0"


async def test_a_body_of_64_kilobytes_passes(door: Door, upstream: Upstream) -> None:
    body = b'"' + b"x" * (64 * 1024 - 2) + b'"'

    assert (await door.ask("/api/orders", method="POST", body=body)).status == 200
    assert upstream.requests[0].body == body


async def test_a_larger_body_is_refused(door: Door, upstream: Upstream) -> None:
    given = await door.ask("/api/orders", method="POST", body=b"x" * (64 * 1024 + 1))

    given.assert_problem(413, "body_too_large")
    assert upstream.requests == []


async def test_the_refusal_of_a_large_body_arrives_however_large_it_is(door: Door) -> None:
    """Closing at once would reset the connection and with it the answer."""
    given = await door.ask("/api/orders", method="POST", body=b"x" * 8_000_000)

    given.assert_problem(413, "body_too_large")


async def test_a_chunked_body_is_measured_as_it_comes(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        await client.send(CHUNKED.encode())
        for _ in range(65):
            await client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        (await client.answer()).assert_problem(413, "body_too_large")

    assert upstream.requests == []


async def test_a_client_that_waits_for_100_is_told_to_go_on_or_not(
    door: Door, upstream: Upstream
) -> None:
    async with door.connect() as client:
        await client.send((POST + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n").encode())
        assert (await client.head())[0] == 100
        await client.send(b"{}")
        assert (await client.answer()).status == 200
    async with door.connect() as client:
        await client.send((POST + "Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n").encode())
        (await client.answer()).assert_problem(413, "body_too_large")

    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "filler",
    [
        "".join(f"X-Filler-{n}: {'x' * 1000}\r\n" for n in range(17)),
        f"Cookie: {'x' * 17_000}\r\n",
        f"{'x' * 17_000}: 1\r\n",
    ],
)
@pytest.mark.parametrize("is_ended", [True, False])
async def test_headers_over_16_kilobytes_are_refused(
    door: Door, upstream: Upstream, filler: str, *, is_ended: bool
) -> None:
    async with door.connect() as client:
        await client.send((GET + filler + ("\r\n" if is_ended else "")).encode())
        (await client.answer()).assert_problem(431, "headers_too_large")
        assert await client.ended()

    assert upstream.requests == []


async def test_a_path_over_16_kilobytes_is_refused(door: Door, upstream: Upstream) -> None:
    (await door.ask(f"/api/products/{'x' * 17_000}")).assert_problem(431, "headers_too_large")
    assert upstream.requests == []


async def test_headers_of_15_kilobytes_pass_with_a_large_body_behind_them(door: Door) -> None:
    given = await door.ask(
        "/api/orders",
        method="POST",
        headers=f"Cookie: {'x' * 15_000}\r\n",
        body=b'"' + b"x" * 60_000 + b'"',
    )

    assert given.status == 200


@pytest.fixture
def hasty(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"body_timeout_s": 0.4, "header_timeout_s": 0.4})


async def test_a_slow_body_is_given_up(hasty: GatewaySettings, upstream: Upstream) -> None:
    started = time.monotonic()
    async with open_door(hasty) as door, door.connect() as client:
        await client.send((POST + "Content-Length: 10\r\n\r\n{").encode())
        given = await client.answer()
        given.assert_problem(408, "request_timeout")
        assert given.headers["connection"] == "close"

    assert time.monotonic() - started < 10
    assert upstream.requests == []


@pytest.mark.parametrize("sent", ["", "GE", GET, GET + "X-A: 1"])
async def test_slow_headers_end_the_connection(hasty: GatewaySettings, sent: str) -> None:
    async with open_door(hasty) as door, door.connect() as client:
        await client.send(sent.encode())
        assert await client.ended()


async def test_slow_headers_of_a_second_request_end_the_connection_too(
    hasty: GatewaySettings,
) -> None:
    async with open_door(hasty) as door, door.connect() as client:
        await client.send((GET + "\r\n").encode())
        assert (await client.answer()).status == 200
        await client.send(b"GET /api/pro")
        assert await client.ended()


async def test_a_body_that_breaks_off_is_never_forwarded(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        await client.send((POST + "Content-Length: 10\r\n\r\n{").encode())
    assert (await door.ask()).status == 200

    assert [request.line[:3] for request in upstream.requests] == [b"GET"]


async def test_the_limits_default_to_what_is_promised() -> None:
    settings = GatewaySettings()

    assert settings.max_body_bytes == 64 * 1024
    assert settings.max_header_bytes == 16 * 1024
    assert settings.body_timeout_s <= 15
    assert settings.header_timeout_s <= 10
    assert settings.rate_limit_per_minute == 100
