"""Relatives of the attacks beside this file: other spellings of lengths, targets and paths."""

import pytest

from tests.integration.gateway.harness import Door, Upstream

POST = "POST /api/orders HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
GET = "GET /api/products HTTP/1.1\r\nHost: s\r\n"
HIDDEN = "GET /api/orders/1 HTTP/1.1\r\nHost: s\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        POST + 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
        POST + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
        POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        POST + "Content-Length: 2\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
        POST + "Content-Length: 2\r\n\ttransfer-encoding: chunked\r\n\r\n{}",
        POST + "Content-Length: 2 2\r\n\r\n{}",
        POST + "Content-Length: 2;\r\n\r\n{}",
        POST + "Content-Length: 2_0\r\n\r\n{}",
        POST + "Content-Length: 2\r\ncontent-length: 2\r\n\r\n{}",
        POST + "Content-Length: 2.0\r\n\r\n{}",
        POST + "Content-Length\t: 2\r\n\r\n{}",
        CHUNKED + "2 x\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "+2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "2_0\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "2\r\r\n{}\r\n0\r\n\r\n",
        CHUNKED + "2\r\n{}\n0\r\n\r\n",
        CHUNKED + "2;a=\x00\r\n{}\r\n0\r\n\r\n",
        GET + "X-A: 1\nX-B: 2\r\n\r\n",
        GET + "X-A: 1\r\n\x0bX-B: 2\r\n\r\n",
        GET + "X\x00A: 1\r\n\r\n",
        GET + "X-A\x7f: 1\r\n\r\n",
        GET + "X-A: 1\x07\r\n\r\n",
        GET + "no-colon\r\n\r\n",
        "GET\t/api/products HTTP/1.1\r\nHost: s\r\n\r\n",
        "GET /api/products http/1.1\r\nHost: s\r\n\r\n",
        "GET /api/products HTTP/01.1\r\nHost: s\r\n\r\n",
        "GET /api/products HTTP/1.1 \r\nHost: s\r\n\r\n",
        "GET /api/products HTTP/1.10\r\nHost: s\r\n\r\n",
        "GET /api/prod\ructs HTTP/1.1\r\nHost: s\r\n\r\n",
        "GET /api/prod\x00ucts HTTP/1.1\r\nHost: s\r\n\r\n",
        "get /api/products HTTP/1.1\r\nHost: s\r\n\r\n",
        "GET shop:80 HTTP/1.1\r\nHost: s\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_and_ended(
    door: Door, upstream: Upstream, sent: str
) -> None:
    async with door.connect() as client:
        await client.send((sent + HIDDEN).encode("latin-1"))
        given = await client.answer()
        given.assert_problem(400, "malformed_request")
        assert await client.ended()

    assert upstream.requests == []


@pytest.mark.parametrize("line", ["GET  /api/products HTTP/1.1", "GET /api/products  HTTP/1.1"])
async def test_a_second_space_goes_no_further(door: Door, upstream: Upstream, line: str) -> None:
    """RFC 9112, 3 lets it be read so; what is passed on is written anew."""
    async with door.connect() as client:
        await client.send(f"{line}\r\nHost: s\r\n\r\n".encode())
        assert (await client.answer()).status == 200

    assert [request.line for request in upstream.requests] == [b"GET /api/products HTTP/1.1"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/%c0%af../internal/x",
        "/api/%c0%ae%c0%ae/internal/x",
        "/api/products/%00",
        "/api/products/%0d%0aX-A:1",
        "/api/products/%252e%252e",
        "/api/products/.",
        "/api/products/..",
        "/api/products/%2e",
        "/api/products/a/%2E%2E/internal",
        "/api/./products",
        "/api//products",
        "/api/products//",
        "/API/products",
        "/Api/Products",
        "/api/products%2f1",
        "/api/products%5c1",
        "/api/orders/1;jsessionid=1",
        "/api/orders/1%3bx",
        "/api/orders/1%7f",
        "/.well-known/../internal/x",
        "/.well-known/jwks.json/x",
        "/internal",
        "/INTERNAL/x",
        "/api/internal/x",
        "/internal%2fx",
        "/user/internal/x",
        "//s/internal/x",
        "http://s//internal/x",
        "http://user-service/internal/x",
        "https://s/internal/x",
    ],
)
async def test_no_spelling_of_a_path_leads_elsewhere(
    door: Door, upstream: Upstream, path: str
) -> None:
    (await door.ask(path)).assert_problem(404, "not_found")
    assert upstream.requests == []


async def test_what_stands_in_trailers_is_no_header(door: Door, upstream: Upstream) -> None:
    async with door.connect() as client:
        trailers = "Authorization: Bearer x\r\nX-User-Id: 1\r\nContent-Length: 9\r\n"
        await client.send((CHUNKED + "2\r\n{}\r\n0\r\n" + trailers + "\r\n").encode())
        given = await client.answer()

    assert given.status in {200, 400}
    for request in upstream.requests:
        assert request.body == b"{}"
        assert request.header("authorization") is None
        assert request.header("x-user-id") is None


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
async def test_a_method_is_what_the_first_line_says(
    door: Door, upstream: Upstream, name: str
) -> None:
    assert (await door.ask("/api/orders/1", headers=f"{name}: DELETE\r\n")).status == 200
    assert upstream.requests[0].line == b"GET /api/orders/1 HTTP/1.1"


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"])
async def test_a_path_is_what_the_first_line_says(
    door: Door, upstream: Upstream, name: str
) -> None:
    given = await door.ask("/nothing", headers=f"{name}: /api/products\r\n")

    given.assert_problem(404, "not_found")
    assert upstream.requests == []


@pytest.mark.parametrize("wanted", ["websocket", "h2c", "TLS/1.3", "HTTP/2.0"])
async def test_no_connection_becomes_another(door: Door, upstream: Upstream, wanted: str) -> None:
    headers = f"Connection: Upgrade\r\nUpgrade: {wanted}\r\nSec-WebSocket-Key: eA==\r\n"
    async with door.connect() as client:
        await client.send((GET + headers + "\r\n" + HIDDEN).encode())
        given = await client.answer()
        assert given.status == 200
        assert await client.ended()

    assert [request.line for request in upstream.requests] == [b"GET /api/products HTTP/1.1"]


@pytest.mark.parametrize("wanted", ["200-ok", "100-continue, x", "", "100-Continue"])
async def test_whatever_is_expected_the_request_is_answered_once(
    door: Door, upstream: Upstream, wanted: str
) -> None:
    async with door.connect() as client:
        await client.send((POST + f"Expect: {wanted}\r\nContent-Length: 2\r\n\r\n{{}}").encode())
        status, _ = await client.head()
        if status == 100:
            status = (await client.answer()).status
        assert status in {200, 417}

    assert len(upstream.requests) <= 1


async def test_an_error_in_the_middle_of_a_pipeline_ends_it(door: Door, upstream: Upstream) -> None:
    broken = POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"
    async with door.connect() as client:
        await client.send((GET + "\r\n" + broken + HIDDEN).encode())
        assert (await client.answer()).status == 200
        # Whether or not the refusal still comes, nothing behind it is read.
        await client.reader.read()

    assert [request.line for request in upstream.requests] == [b"GET /api/products HTTP/1.1"]


async def test_the_oldest_kind_of_request_is_refused(door: Door, upstream: Upstream) -> None:
    """HTTP/0.9 knows no headers and no version."""
    async with door.connect() as client:
        await client.send(b"GET /api/products\r\n\r\n")
        (await client.answer()).assert_problem(400, "malformed_request")

    assert upstream.requests == []
