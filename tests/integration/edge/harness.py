"""A gateway that writes down what it is sent, and a client that sends what it is told to."""

import json
import socket
import ssl
import threading
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from shop.stack.edge import Edge
from shop.stack.ports import LOOPBACK

ANSWER_TIMEOUT_S = 15.0
BROKEN = "/broken"
HELD = "/held"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Received:
    """One request as it arrived at a gateway."""

    method: str
    target: str
    headers: Message
    body: bytes
    peer: str


class Gateway:
    """Answers 200; at `/held` once it is released, at `/broken` it hangs up without a word."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.released = threading.Event()
        self.port = 0
        self.reopen()

    def reopen(self) -> None:
        """Take connections, again on the same port."""
        self._server = ThreadingHTTPServer((LOOPBACK, self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Take no connection any more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        received, released = self.received, self.released

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                received.append(
                    Received(
                        self.command, self.path, self.headers, body, str(self.client_address[0])
                    )
                )
                if self.path == HELD:
                    released.wait(ANSWER_TIMEOUT_S)
                if self.path == BROKEN:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        for method in METHODS:
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Client:
    """One TLS connection to the edge."""

    def __init__(self, edge: Edge, context: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(
            (LOOPBACK, edge.layout.ports.edge), timeout=ANSWER_TIMEOUT_S
        )
        self.socket = (context or edge.trust()).wrap_socket(plain, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def rest(self) -> bytes:
        """Everything until the edge closes the connection."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except (ConnectionResetError, ssl.SSLEOFError):
            pass
        return data

    def is_closed(self, within_s: float) -> bool:
        """Whether the edge closes the connection, having said nothing, within that time."""
        self.socket.settimeout(within_s)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except (ConnectionResetError, ssl.SSLEOFError):
            return True


def exchange(edge: Edge, request: bytes) -> bytes:
    """Send bytes, return every byte that comes back until the connection is closed."""
    with Client(edge) as client:
        client.send(request)
        return client.rest()


def ask(edge: Edge, request: bytes) -> Answer:
    """Send one request, and read its answer; the connection ends with it."""
    return answer_of(exchange(edge, request))


def answer_of(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return Answer(int(lines[0].split()[1]), headers, body)


def request(
    method: str = "GET", target: str = "/api/products", headers: str = "", body: bytes = b""
) -> bytes:
    """Return the bytes of a plain request, whose connection ends with it."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return (head + length + headers + "\r\n").encode("latin-1") + body


def json_request(target: str, document: Any, method: str = "POST") -> bytes:
    body = json.dumps(document).encode()
    return request(method, target, "Content-Type: application/json\r\n", body)


def assert_problem(answer: Answer, status: int, code: str) -> None:
    """Assert that nginx itself refused, by this problem document and under one name."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.problem
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/problems/{code}"
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert b"nginx" not in answer.body
