"""Slow clients, greedy ones, and what TLS is spoken; the limits are a second here."""

import json
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from shop.stack.edge import Edge
from shop.stack.ports import LOOPBACK
from tests.integration.edge.conftest import SETTINGS
from tests.integration.edge.harness import (
    ANSWER_TIMEOUT_S,
    HELD,
    Client,
    Gateway,
    answer_of,
    ask,
    request,
)
from tests.waiting import eventually

CLOSED_WITHIN_S = 4.0
# Kept alive between the servers of nginx, and to the gateways.
SPARE = 4
REQUESTS = int(SETTINGS["SHOP_EDGE_REQUESTS"])
CONNECTIONS = int(SETTINGS["SHOP_EDGE_CONNECTIONS"])
SLOW_POST = (
    b"POST /api/orders HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: s\r\n", SLOW_POST])
def test_who_stops_in_the_middle_is_hung_up_on(
    edge: Edge, gateways: tuple[Gateway, Gateway], sent: bytes
) -> None:
    with Client(edge) as client:
        client.send(sent)

        assert client.is_closed(within_s=CLOSED_WITHIN_S)
    assert not [one for gateway in gateways for one in gateway.received]


def test_a_head_has_its_time_in_all_however_steadily_it_drips(edge: Edge) -> None:
    with Client(edge) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: s\r\n")
        started = time.monotonic()
        while not client.is_closed(within_s=0.1):
            assert time.monotonic() - started < CLOSED_WITHIN_S
            client.send(b"X-A: b\r\n")


@pytest.mark.parametrize("port", ["edge", "edge_http"])
def test_a_client_that_never_speaks_is_hung_up_on(edge: Edge, port: str) -> None:
    address = (LOOPBACK, edge.layout.ports.of(port))
    with socket.create_connection(address, timeout=CLOSED_WITHIN_S) as connection:
        assert connection.recv(1) == b""


async def test_one_address_has_so_many_connections_and_no_more(edge: Edge) -> None:
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(Client(edge)).send(SLOW_POST)
        with pytest.raises((ConnectionResetError, ssl.SSLError)):
            Client(edge)

        assert request_from(edge, "127.0.0.9").startswith(b"HTTP/1.1 200")

    def is_let_in_again() -> bool:
        try:
            return ask(edge, request()).status == 200
        except OSError:
            return False

    await eventually(is_let_in_again)
    refusals = [line for line in log_of(edge) if "edge.connection_refused" in line]
    assert refusals


def request_from(edge: Edge, address: str) -> bytes:
    target = (LOOPBACK, edge.layout.ports.edge)
    plain = socket.create_connection(target, ANSWER_TIMEOUT_S, source_address=(address, 0))
    with edge.trust().wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(request())
        return connection.recv(65536)


def log_of(edge: Edge) -> list[str]:
    return (edge.layout.logs / "edge.log").read_text().splitlines()


async def test_one_address_has_so_many_requests_in_work_and_is_told_of_the_next(
    edge: Edge, gateways: tuple[Gateway, Gateway]
) -> None:
    with ExitStack() as held:
        waiting = [held.enter_context(Client(edge)) for _ in range(REQUESTS)]
        for client in waiting:
            client.send(request(target=HELD))
        await eventually(lambda: sum(len(one.received) for one in gateways) == REQUESTS)

        refused = ask(edge, request())

        for gateway in gateways:
            gateway.released.set()
        assert {answer_of(client.rest()).status for client in waiting} == {200}
    assert (refused.status, refused.problem["code"]) == (429, "too_many_at_once")
    assert refused.headers["retry-after"] == "1"
    assert request_from(edge, "127.0.0.9").startswith(b"HTTP/1.1 200")


BROKEN_BODIES = {
    "too large": [b"8000\r\n%s\r\n" % (b"x" * 0x8000)] * 3,
    "bad chunk": [b"2\r\n{}", b"XX\r\n"],
    "left in the middle": [b"2\r\n{"],
}


@pytest.mark.parametrize("pieces", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
async def test_bodies_that_break_off_leave_nothing_behind(edge: Edge, pieces: list[bytes]) -> None:
    """The module for ModSecurity alone would keep each of these requests for ever."""
    before = len(open_files(edge))
    head = request("POST", "/api/orders", "Transfer-Encoding: chunked\r\n")

    for _ in range(10):
        with Client(edge) as client, suppress(ConnectionError, ssl.SSLError):
            for piece in [head, *pieces]:
                client.send(piece)
                # A moment for nginx to read this piece alone.
                client.is_closed(within_s=0.01)

    await eventually(lambda: len(open_files(edge)) <= before + SPARE)


def open_files(edge: Edge) -> list[Path]:
    pid = json.loads((edge.layout.run / "edge.pid").read_text())["pid"]
    return list(Path(f"/proc/{pid}/fd").iterdir())


def test_only_tls_1_3_is_spoken(edge: Edge) -> None:
    with Client(edge) as client:
        assert client.socket.version() == "TLSv1.3"

    older = edge.trust()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        Client(edge, older)


def test_only_http_1_is_agreed_on(edge: Edge) -> None:
    context = edge.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Client(edge, context) as client:
        assert client.socket.selected_alpn_protocol() != "h2"


def test_who_does_not_know_the_certificate_does_not_trust_it(edge: Edge) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(edge, ssl.create_default_context())


def test_the_key_is_the_owners_alone(edge: Edge) -> None:
    assert (edge.layout.keys / "edge.key").stat().st_mode & 0o777 == 0o600


def test_browsers_are_told_to_stay_with_https(edge: Edge) -> None:
    for answer in (ask(edge, request()), ask(edge, request("TRACE"))):
        assert answer.headers["strict-transport-security"] == "max-age=300"
        assert answer.headers["server"] == "nginx"
