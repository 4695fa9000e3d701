"""What nginx refuses by itself: problem documents, and nothing of it reaches a gateway."""

import socket

import pytest

from shop.stack.edge import Edge
from shop.stack.ports import LOOPBACK
from tests.integration.edge.harness import (
    ANSWER_TIMEOUT_S,
    BROKEN,
    Answer,
    Gateway,
    answer_of,
    ask,
    assert_problem,
    exchange,
    json_request,
    request,
)

JSON = "Content-Type: application/json\r\n"
CHUNKED = f"{JSON}Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        request("POST", "/api/x", f"{CHUNKED}Content-Length: 2\r\n") + b"0\r\n\r\n",
        request("POST", "/api/x", f"{JSON}Content-Length: 2\r\nContent-Length: 3\r\n") + b"{}x",
        request("POST", "/api/x", f"{JSON}Content-Length: 2\r\nContent-Length: 2\r\n") + b"{}",
        request("POST", "/api/x", f"{JSON}Content-Length: +2\r\n") + b"{}",
        request("POST", "/api/x", CHUNKED) + b"2\r\n{}XX0\r\n\r\n",
        request("POST", "/api/x", CHUNKED) + b"-1\r\n{}\r\n0\r\n\r\n",
        request("POST", "/api/x", f"{JSON}Transfer-Encoding : chunked\r\n") + b"0\r\n\r\n",
        request("POST", "/api/x", f"{CHUNKED}Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        request(headers="X-Folded: a\r\n b\r\n"),
        request(headers="X\x01A: a\r\n"),
        request(headers="Host: other\r\n"),
        request("POST", "/api/x", CHUNKED).replace(b"/1.1", b"/1.0") + b"2\r\n{}\r\n0\r\n\r\n",
        b"GET /api/products HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT shop:443 HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_not_read(
    edge: Edge, gateways: tuple[Gateway, Gateway], sent: bytes
) -> None:
    assert_problem(ask(edge, sent), 400, "malformed_request")
    assert not [one for gateway in gateways for one in gateway.received]


def test_an_unknown_transfer_coding_is_refused(edge: Edge) -> None:
    sent = request("POST", "/api/x", "Transfer-Encoding: xchunked\r\n") + b"0\r\n\r\n"

    assert_problem(ask(edge, sent), 501, "malformed_request")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /api/products HTTP/1.1\nHost: s\nConnection: close\n\nGET /metrics HTTP/1.1\n\n",
        request("POST", "/api/x", CHUNKED).replace(b"\r", b"")
        + b"2\n{}\n0\n\nGET /metrics HTTP/1.1\nHost: s\n\n",
    ],
)
def test_bare_line_feeds_smuggle_nothing(
    edge: Edge, gateways: tuple[Gateway, Gateway], sent: bytes
) -> None:
    """Nginx takes them for line ends, as RFC 9112 allows, and passes on lines of its own."""
    exchange(edge, sent)

    received = [one for gateway in gateways for one in gateway.received]
    assert [one.target for one in received] in (["/api/products"], ["/api/x"])
    assert "transfer-encoding" not in received[0].headers


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (request("TRACE"), 405, "method_not_allowed"),
        (request(target="/" + "a" * 20_000), 414, "uri_too_long"),
        (request(headers=f"X-Long: {'a' * 20_000}\r\n"), 431, "headers_too_large"),
        (
            request(headers="".join(f"X-{n}: {'a' * 1000}\r\n" for n in range(20))),
            431,
            "headers_too_large",
        ),
        (request("POST", "/api/x", JSON, b'"%s"' % (b"x" * 70_000)), 413, "body_too_large"),
        (
            request("POST", "/api/x", CHUNKED) + b"8000\r\n%s\r\n" % (b"x" * 0x8000) * 3,
            413,
            "body_too_large",
        ),
        (
            request("POST", "/api/products/import", "Content-Length: 10485761\r\n"),
            413,
            "body_too_large",
        ),
        (request(target="/.problem"), 404, "not_found"),
        (request("PROPFIND"), 403, "blocked_by_firewall"),
    ],
)
def test_what_is_too_large_or_out_of_place_is_told_so(
    edge: Edge, gateways: tuple[Gateway, Gateway], sent: bytes, status: int, code: str
) -> None:
    assert_problem(ask(edge, sent), status, code)
    assert not [one for gateway in gateways for one in gateway.received]


def test_a_token_of_eight_kilobytes_is_for_the_gateway_to_judge(edge: Edge) -> None:
    assert ask(edge, request(headers=f"Authorization: Bearer {'x' * 8192}\r\n")).status == 200


def test_a_gateway_that_hangs_up_is_a_502_that_may_be_tried_again(edge: Edge) -> None:
    answer = ask(edge, json_request(BROKEN, {}))

    assert_problem(answer, 502, "upstream_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert ask(edge, request()).status == 200


def test_a_client_names_its_refusal_as_it_likes_within_letters(edge: Edge) -> None:
    named = ask(edge, request("TRACE", headers="X-Request-ID: order-7_a\r\n"))
    assert named.problem["requestId"] == "order-7_a"

    sly = ask(edge, request("TRACE", headers='X-Request-ID: a","code":"fine\r\n'))
    assert_problem(sly, 405, "method_not_allowed")


def plain(port: int, sent: bytes) -> Answer:
    with socket.create_connection((LOOPBACK, port), timeout=ANSWER_TIMEOUT_S) as connection:
        connection.sendall(sent)
        return answer_of(b"".join(iter(lambda: connection.recv(65536), b"")))


def test_http_leads_to_https(edge: Edge) -> None:
    answer = plain(edge.layout.ports.edge_http, request(target="/api/products?q=tv"))

    assert answer.status == 308
    https = f"https://localhost:{edge.layout.ports.edge}"
    assert answer.headers["location"] == f"{https}/api/products?q=tv"


def test_http_leads_nobody_to_another_host(edge: Edge) -> None:
    sent = request().replace(b"Host: localhost", b"Host: evil.example")

    assert_problem(plain(edge.layout.ports.edge_http, sent), 421, "misdirected_request")


def test_plain_http_on_the_port_for_tls_is_told_so(edge: Edge) -> None:
    assert_problem(plain(edge.layout.ports.edge, request()), 400, "malformed_request")
