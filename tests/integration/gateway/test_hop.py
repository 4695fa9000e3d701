"""What goes through the gateway, in both directions."""

import asyncio
import zlib

import pytest

from gateway.settings import GatewaySettings
from tests.integration.gateway.harness import (
    Door,
    Request,
    Upstream,
    answer,
    open_door,
    token,
)
from tests.waiting import eventually


async def test_a_request_arrives_as_it_was_sent(door: Door, upstream: Upstream) -> None:
    given = await door.ask(
        "/api/orders?limit=5&cursor=a%2Fb",
        method="POST",
        headers="Idempotency-Key: k-1\r\nAccept-Language: hi\r\n",
        body=b'{"items":[]}',
    )

    (request,) = upstream.requests
    assert (given.status, given.json()) == (200, {"ok": True})
    assert request.line == b"POST /api/orders?limit=5&cursor=a%2Fb HTTP/1.1"
    assert request.body == b'{"items":[]}'
    assert request.header("host") == f"127.0.0.1:{upstream.port}"
    assert request.header("idempotency-key") == "k-1"
    assert request.header("accept-language") == "hi"
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("x-forwarded-host") == "shop"
    assert request.header("x-request-id") == given.headers["x-request-id"]
    assert 0 < int(request.header("x-request-timeout-ms") or 0) <= 15_000
    assert (request.header("traceparent") or "").startswith("00-")


async def test_identity_and_hop_headers_stop_here(door: Door, upstream: Upstream) -> None:
    await door.ask(
        headers=(
            "X-User-Id: 1\r\nX_User_Id: 1\r\nX.User.Id: 1\r\nX-User-Role: ADMIN\r\n"
            "X-Internal-Token: t\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n"
            "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nTE: trailers\r\n"
            "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authorization: Basic x\r\n"
            "Keep-Alive: timeout=5\r\nX-Fine: yes\r\n"
        )
    )

    (request,) = upstream.requests
    head = request.head.lower()
    assert request.header("x-fine") == "yes"
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert request.header("x-forwarded-host") == "shop"
    for absent in (b"user", b"internal", b"6.6.6.6", b"evil", b"x-hop", b"\nte:", b"keep-alive"):
        assert absent not in head, absent


async def test_trailers_never_become_headers(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        await client.send(
            b"POST /api/orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Late: 1\r\nX-User-Id: 1\r\n\r\n"
        )
        assert (await client.answer()).status == 200

    (request,) = upstream.requests
    assert request.body == b"{}"
    assert request.header("content-length") == "2"
    assert b"late" not in request.head.lower()
    assert b"transfer-encoding" not in request.head.lower()


async def test_ids_of_the_caller_are_kept(door: Door, upstream: Upstream) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    given = await door.ask(headers=f"X-Request-Id: mine-1\r\ntraceparent: {parent}\r\n")

    assert given.headers["x-request-id"] == "mine-1"
    assert upstream.requests[0].header("traceparent") == parent


async def test_a_shorter_deadline_is_passed_on(door: Door, upstream: Upstream) -> None:
    await door.ask(headers="X-Request-Timeout-Ms: 250\r\n")

    assert upstream.requests[0].header("x-request-timeout-ms") == "250"


async def test_answers_come_back_whole_with_the_gateways_headers(
    door: Door, upstream: Upstream
) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        extra = (
            b'etag: "3"\r\nserver: secret/1.0\r\nkeep-alive: timeout=1\r\n'
            b"set-cookie: a=1\r\nset-cookie: b=2\r\nx-request-id: other\r\n"
        )
        writer.write(answer(b'{"a":1}', "201 Created", extra))

    upstream.script = script
    given = await door.ask(bearer=token())

    assert (given.status, given.body) == (201, b'{"a":1}')
    assert given.headers["etag"] == '"3"'
    assert given.headers["set-cookie"] == "a=1, b=2"
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["x-frame-options"] == "DENY"
    assert given.headers["cache-control"] == "no-store"
    assert given.headers["ratelimit-policy"] == '"default";q=100000;w=60'
    assert given.headers["x-request-id"] != "other"
    assert "server" not in given.headers
    assert "keep-alive" not in given.headers


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body_leave_the_connection_usable(
    door: Door, upstream: Upstream, status: str
) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %s\r\n\r\n" % status.encode())

    upstream.script = script
    async with door.connect() as client:
        for _ in range(2):
            await client.send(b"GET /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
            assert (await client.answer()).status == int(status[:3])
    assert upstream.connections == 1


async def test_head_is_answered_without_a_body(door: Door, upstream: Upstream) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        whole = answer(b'{"ok":true}')
        is_head = request.line.startswith(b"HEAD")
        writer.write(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if is_head else whole)

    upstream.script = script
    async with door.connect() as client:
        await client.send(b"HEAD /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
        head = await client.answer(is_head=True)
        await client.send(b"GET /api/products HTTP/1.1\r\nHost: s\r\n\r\n")
        whole = await client.answer()

    assert (head.status, head.headers["content-length"]) == (200, "11")
    assert whole.body == b'{"ok":true}'


async def test_pipelined_requests_are_answered_in_order(door: Door, upstream: Upstream) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(request.line.split()[1]))

    upstream.script = script
    async with door.connect() as client:
        requests = [b"GET /api/products/%d HTTP/1.1\r\nHost: s\r\n\r\n" % n for n in range(5)]
        await client.send(b"".join(requests))
        bodies = [(await client.answer()).body for _ in range(5)]

    assert bodies == [b"/api/products/%d" % n for n in range(5)]


async def test_an_interim_answer_is_not_the_answer(door: Door, upstream: Upstream) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + answer(b"{}", "202 OK"))

    upstream.script = script

    assert (await door.ask()).status == 202


async def test_a_chunked_answer_streams(door: Door, upstream: Upstream) -> None:
    """The first piece reaches the client before the second one exists."""
    go_on = asyncio.Event()

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await writer.drain()
        await go_on.wait()
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")

    upstream.script = script
    async with door.connect() as client:
        await client.send(b"GET /api/products/export HTTP/1.1\r\nHost: s\r\n\r\n")
        _, headers = await client.head()
        first = await client.reader.readuntil(b"first\r\n")
        go_on.set()
        rest = await client.reader.readuntil(b"0\r\n\r\n")

    assert headers["transfer-encoding"] == "chunked"
    assert first == b"5\r\nfirst\r\n"
    assert rest == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_a_large_answer_waits_for_a_slow_client(door: Door, upstream: Upstream) -> None:
    """The gateway holds back what the client does not take instead of storing it."""
    piece, pieces = b"x" * 65536, 800
    sent = 0

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        del request
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(piece) * pieces))
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    upstream.script = script
    seen: list[int] = []

    def stalled() -> bool:
        seen.append(sent)
        return len(seen) > 25 and len(set(seen[-25:])) == 1

    async with door.connect() as client:
        await client.send(b"GET /api/products/export HTTP/1.1\r\nHost: s\r\n\r\n")
        await client.head()
        await eventually(stalled, what="the pause")
        held = sent
        total = 0
        while total < len(piece) * pieces:
            total += len(await client.reader.read(1 << 20))

    assert held < len(piece) * pieces / 2
    assert total == len(piece) * pieces


async def test_long_answers_are_compressed_for_those_who_can(
    door: Door, upstream: Upstream
) -> None:
    text = b'{"items":"' + b"word " * 2000 + b'"}'

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(text))

    upstream.script = script
    packed = await door.ask(headers="Accept-Encoding: br, gzip\r\n")
    plain = await door.ask()

    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert len(packed.body) < len(text) / 5
    assert zlib.decompress(packed.body, 31) == text
    assert "content-encoding" not in plain.headers
    assert plain.body == text


async def test_streamed_answers_are_compressed_piece_by_piece(
    door: Door, upstream: Upstream
) -> None:
    lines = [b"line %d\n" % n * 300 for n in range(20)]

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for line in lines:
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    upstream.script = script
    given = await door.ask("/api/products/export", headers="Accept-Encoding: gzip\r\n")

    assert given.headers["content-encoding"] == "gzip"
    assert zlib.decompress(given.body, 31) == b"".join(lines)


async def test_short_answers_are_left_alone(door: Door) -> None:
    given = await door.ask(headers="Accept-Encoding: gzip\r\n")

    assert "content-encoding" not in given.headers


async def test_http_1_0_gets_no_chunks(door: Door, upstream: Upstream) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")

    upstream.script = script
    async with door.connect() as client:
        await client.send(b"GET /api/products HTTP/1.0\r\nHost: s\r\n\r\n")
        given = await client.answer()

    assert given.body == b"{}"
    assert "transfer-encoding" not in given.headers
    assert given.headers["connection"] == "close"


async def test_origins_on_the_list_may_ask_from_elsewhere(settings: GatewaySettings) -> None:
    listed = settings.model_copy(update={"cors_origins": ("https://shop.example",)})
    asked = "Access-Control-Request-Method: POST\r\n"
    async with open_door(listed) as door:
        good = await door.ask(
            "/api/orders", method="OPTIONS", headers=f"Origin: https://shop.example\r\n{asked}"
        )
        bad = await door.ask(
            "/api/orders", method="OPTIONS", headers=f"Origin: https://evil.example\r\n{asked}"
        )
        simple = await door.ask(headers="Origin: https://shop.example\r\n")

    assert good.status == 204
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    assert "Idempotency-Key" in good.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in bad.headers
    assert simple.headers["access-control-allow-origin"] == "https://shop.example"
    assert simple.headers["vary"] == "Origin"
