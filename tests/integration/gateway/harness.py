"""A gateway in this process between bare sockets: a client that sends bytes, a server that scripts.

Both ends are written by hand, so that nothing tidies up what is sent or received.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import orjson
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from common_lib.auth import Role, SigningKey, TokenSigner
from common_lib.runtime.draining import Drain, Server
from gateway.edge import EdgeLimits, EdgeProtocol
from gateway.main import build_app
from gateway.parts import Gateway
from gateway.pool import Address
from gateway.settings import GatewaySettings
from shop.stack.ports import LOOPBACK
from tests.waiting import eventually

ANSWER_TIMEOUT_S = 20.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def ec_key() -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


KEY = ec_key()
SIGNER = TokenSigner(KEY, issuer="https://shop.example", audience="shop")


def token(
    user_id: UUID | None = None, *, role: Role = Role.CUSTOMER, session: str = "", life_s: int = 600
) -> str:
    return SIGNER.access(user_id or uuid4(), role, session or uuid4().hex, lifetime_s=life_s)


# The service behind


@dataclass
class Request:
    """What the service behind received."""

    line: bytes
    head: bytes
    body: bytes
    connection: int
    reader: asyncio.StreamReader

    def header(self, name: str) -> str | None:
        found = re.findall(
            rb"^%s: ?(.*?)\r?$" % re.escape(name.encode()), self.head, re.IGNORECASE | re.MULTILINE
        )
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0].decode("latin-1") if found else None


Script = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"{}", status: str = "200 OK", headers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
    return head % (status.encode(), len(body), headers) + body


async def plain(request: Request, writer: asyncio.StreamWriter) -> None:
    del request
    writer.write(answer(b'{"ok":true}'))


def answering_after(go_on: asyncio.Event, given: bytes | None = None) -> Script:
    """Return a script that holds its answer back until it may go on."""

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(given or answer())

    return script


@dataclass
class Upstream:
    """An HTTP server that does what its script says, and remembers what it was asked."""

    script: Script = plain
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    key_requests: int = 0
    is_ready: bool = True
    writers: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = field(default_factory=dict)
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop_connections()
            await self._server.wait_closed()
            self._server = None

    def forget(self) -> None:
        self.script = plain
        self.requests = []
        self.connections = 0
        self.is_ready = True

    def drop_connections(self) -> None:
        for writer, task in list(self.writers.items()):
            writer.transport.abort()
            if task is not None:
                task.cancel()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.writers[writer] = asyncio.current_task()
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while not writer.is_closing():
                await self._exchange(await self._read(reader, number), writer)
        self.writers.pop(writer)
        writer.close()

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if b" /livez " in request.line:
            writer.write(answer())
        elif b" /readyz " in request.line:
            writer.write(answer(status="200 OK" if self.is_ready else "503 Service Unavailable"))
        elif b"/.well-known/jwks.json" in request.line:
            self.key_requests += 1
            writer.write(answer(orjson.dumps({"keys": [KEY.jwk]})))
        else:
            self.requests.append(request)
            await self.script(request, writer)
        await writer.drain()

    async def _read(self, reader: asyncio.StreamReader, number: int) -> Request:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, headers = head.partition(b"\r\n")
        length = _LENGTH.search(headers)
        body = await reader.readexactly(int(length[1])) if length else b""
        return Request(line, headers, body, number, reader)


# The client in front


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    def assert_problem(self, status: int, code: str) -> None:
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json()
        assert (document["status"], document["code"]) == (status, code)
        assert document["requestId"] == self.headers["x-request-id"]


class Client:
    """A bare connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, is_head: bool = False) -> Answer:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            status, headers = await self.head()
            return Answer(status, headers, b"" if is_head else await self._body(status, headers))

    async def head(self) -> tuple[int, dict[str, str]]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name == name.lower()
            joined = [headers[name]] if name in headers else []
            headers[name] = ", ".join([*joined, value.strip()])
        return int(first.split()[1]), headers

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read()
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body

    async def ended(self) -> bool:
        """Wait until the gateway ends the connection; True if nothing more came."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self.reader.read() == b""
        except ConnectionError:
            return True


class Door:
    """A running gateway."""

    def __init__(
        self, port: int, settings: GatewaySettings, app: Any = None, server: Server | None = None
    ) -> None:
        self.port = port
        self.settings = settings
        self.app = app
        self.server = server

    @property
    def gateway(self) -> Gateway:
        """The gateway's inside, where it runs in this process."""
        inside: Gateway = self.app.app.state.gateway
        return inside

    def connections(self) -> int:
        """Count the connections to services that the gateway holds, at rest or at work."""
        return sum(len(address._idle) + len(address.active) for address in self._addresses())

    def held_bytes(self) -> int:
        """Count what of answers the gateway has taken from services and not given on."""
        assert self.server is not None
        clients = [connection.transport for connection in self.server.server_state.connections]
        active = [connection for address in self._addresses() for connection in address.active]
        waiting = sum(transport.get_write_buffer_size() for transport in clients)
        return waiting + sum(connection._bytes_held for connection in active)

    def resting(self) -> int:
        return sum(len(address._idle) for address in self._addresses())

    def _addresses(self) -> list[Address]:
        upstreams = self.gateway.upstreams.values()
        return [address for upstream in upstreams for address in upstream.addresses]

    def close_circuits(self) -> None:
        for upstream in self.gateway.upstreams.values():
            upstream.breaker.succeeded()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port, limit=1 << 20)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(
        self,
        path: str = "/api/products/1",
        *,
        method: str = "GET",
        headers: str = "",
        body: bytes = b"",
        bearer: str | None = None,
    ) -> Answer:
        """Send one request on a connection of its own and return the answer."""
        lines = headers + (f"Authorization: Bearer {bearer}\r\n" if bearer else "")
        if body:
            lines += f"Content-Length: {len(body)}\r\n"
            if "content-type" not in headers.lower():
                lines += "Content-Type: application/json\r\n"
        async with self.connect() as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: shop\r\n{lines}\r\n"
            await client.send(head.encode("latin-1") + body)
            return await client.answer(is_head=method == "HEAD")


@asynccontextmanager
async def open_door(settings: GatewaySettings, drain: Drain | None = None) -> AsyncIterator[Door]:
    """Run a gateway on a free port until the block ends."""
    app = build_app(settings)
    limits = EdgeLimits(
        max_header_bytes=settings.max_header_bytes, header_timeout_s=settings.header_timeout_s
    )
    protocol: Any = partial(EdgeProtocol, limits=limits)
    config = uvicorn.Config(
        app,
        host=LOOPBACK,
        port=0,
        http=protocol,
        ws="none",
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
    server = Server(config, drain or Drain(grace_s=2))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or serving.done(), what="the gateway")
    try:
        yield Door(server.servers[0].sockets[0].getsockname()[1], settings, app, server)
    finally:
        server.should_exit = True
        await serving
