"""The addresses of an upstream: connections kept alive, who is left out, and a breaker."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from common_lib.errors import Unavailable
from common_lib.http_client import CallTimedOut, CircuitBreaker
from gateway.connection import (
    ClientGone,
    ClientLink,
    Connection,
    ConnectionBroke,
    ConnectionFailed,
    RequestUnread,
)

# A connection that rested longer may be closing under our feet: no POST goes over it. A service
# that is about to stop keeps connections at rest open for longer than this (`shutdown_idle_s`).
_SAFE_REST_S: Final = 1.0
_ANY_REST_S: Final = float("inf")
_NO_REST_S: Final = -1.0
_LEAVING_S: Final = 0.5
# An address that breaks off or stays silent so often in a row is left out like one that refuses.
_TOLERATED: Final = 3
_PROBE_TIMEOUT_S: Final = 1.0
_OK: Final = 200
_REQUEST_TIMEOUT: Final = 408


class Call(NamedTuple):
    """A whole request; the `host` header goes between `first_line` and `rest`.

    `deadline` is in the event loop's time. With `is_patient` the service had all the time it is
    ever given: only then is its silence held against it, else clients in a hurry could close it.
    """

    first_line: bytes
    rest: bytes
    deadline: float
    is_idempotent: bool
    is_head_request: bool = False
    is_patient: bool = True


class Address:
    """One address of an upstream with its idle connections, youngest last."""

    def __init__(self, base_url: str, *, connect_timeout_s: float, idle_s: float) -> None:
        parts = urlsplit(base_url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 80
        self.base_url = base_url
        self.host_line = b"host: %s\r\n" % parts.netloc.encode()
        self.loop = asyncio.get_running_loop()
        # Left out until it answers a probe, or any request where no other address is left.
        self.is_out = False
        self.active: set[Connection] = set()
        self._leaves_until = 0.0
        self._idle: list[Connection] = []
        self._failures = 0
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s

    def is_healthy(self) -> bool:
        return not self.is_out and self._leaves_until <= self.loop.time()

    async def exchange(
        self, call: Call, client: ClientLink, *, longest_rest_s: float = _NO_REST_S
    ) -> Connection:
        """Send a request and wait for the head of its answer; the caller must `release`."""
        connection = await self._acquire(longest_rest_s)
        try:
            client.attach(connection)
            connection.send(
                call.first_line + self.host_line + call.rest,
                is_head_request=call.is_head_request,
                deadline=call.deadline,
            )
            await connection.head()
        except BaseException as error:
            connection.close()
            is_stale = isinstance(error, RequestUnread) and connection.has_rested
            if isinstance(error, Unavailable) and _is_telling(error, call) and not is_stale:
                self.failed()
            raise
        if self._failures:
            self._failures = 0
            self.is_out = False
        return connection

    async def _acquire(self, longest_rest_s: float) -> Connection:
        """Return a rested connection, else a new one. Raises ConnectionFailed.

        One that must not break is looked at for an end that nobody has read so far.
        """
        oldest = self.loop.time() - min(longest_rest_s, self._idle_s)
        must_hold = longest_rest_s != _ANY_REST_S
        while self._idle:
            connection = self._idle.pop()
            is_young = connection.rested_since >= oldest
            if is_young and not (must_hold and connection.has_news()):
                connection.is_idle = False
                self.active.add(connection)
                return connection
            connection.close()
        return await self.connect()

    async def connect(self) -> Connection:
        """Return a new connection. Raises ConnectionFailed."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), self.host, self.port
                )
        except (OSError, TimeoutError) as error:
            self.failed(is_certain=True)
            raise ConnectionFailed("the service cannot be reached", retry_after_s=1) from error
        self.active.add(connection)
        return connection

    def failed(self, *, is_certain: bool = False) -> None:
        """Count a failure; several in a row, or a certain one, leave this address out."""
        self._failures += 1
        if is_certain or self._failures >= _TOLERATED:
            self.is_out = True

    async def probe(self) -> None:
        """Ask whether the service is ready again; take the address back if it is."""
        deadline = self.loop.time() + _PROBE_TIMEOUT_S
        call = Call(b"GET /readyz HTTP/1.1\r\n", b"\r\n", deadline, is_idempotent=True)
        with contextlib.suppress(Unavailable):
            connection = await self.exchange(call, ClientLink())
            try:
                self.is_out = connection.status != _OK
                await connection.whole_body()
            finally:
                connection.release()

    def leave_out(self) -> None:
        """Prefer others for a moment: a service that ends its connections is about to stop.

        It waits for the end of those at rest, too.
        """
        self._leaves_until = self.loop.time() + _LEAVING_S
        for connection in tuple(self._idle):
            connection.close()

    def rest(self, connection: Connection) -> None:
        connection.is_idle = True
        connection.rested_since = self.loop.time()
        self.active.discard(connection)
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        self.active.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def sweep(self) -> None:
        """End what takes too long and what rested too long."""
        now = self.loop.time()
        for connection in [c for c in self.active if c.deadline < now]:
            connection.fail(CallTimedOut("the service did not answer in time", retry_after_s=1))
        for connection in [c for c in self._idle if c.rested_since < now - self._idle_s]:
            connection.close()

    def close(self) -> None:
        for connection in [*self._idle, *self.active]:
            connection.close()


def _is_stale(connection: Connection) -> bool:
    """Say whether the answer was meant for nobody: a server that ends a rest may send 408 first.

    It tells that no whole request has come (RFC 9110, 15.5.9), so nothing was done.
    """
    return connection.status == _REQUEST_TIMEOUT and connection.has_rested


def _is_telling(error: Unavailable, call: Call) -> bool:
    """Say whether a failure speaks against the service, not against its client's haste."""
    return call.is_patient or not isinstance(error, CallTimedOut)


class Upstream:
    """One service: its addresses and its circuit breaker."""

    def __init__(
        self,
        name: str,
        base_urls: Sequence[str],
        *,
        connect_timeout_s: float = 1.0,
        idle_s: float = 30.0,
    ) -> None:
        self.name = name
        self.addresses = tuple(
            Address(url, connect_timeout_s=connect_timeout_s, idle_s=idle_s) for url in base_urls
        )
        self.breaker = CircuitBreaker(name)
        self._turn = 0

    async def exchange(self, call: Call, client: ClientLink) -> Connection:
        """Send a request and wait for the head of its answer; the caller must `release`.

        What was certainly not begun (no connection, or one that had ended before the request came
        there) is tried at each address, what may safely be begun twice (`is_idempotent`) a second
        time. Raises UpstreamUnavailable, CallTimedOut, CircuitOpen, or ClientGone when the client
        left; of these, ConnectionFailed and CircuitOpen say that nothing was begun.
        """
        self.breaker.admit()
        try:
            connection = await self._exchange(call, client)
        except Unavailable as error:
            if _is_telling(error, call):
                self.breaker.failed()
            raise
        self.breaker.succeeded()
        return connection

    async def _exchange(self, call: Call, client: ClientLink) -> Connection:
        longest_rest_s = _ANY_REST_S if call.is_idempotent else _SAFE_REST_S
        refused: list[Address] = []
        broke: ConnectionBroke | None = None
        while True:
            address = self._next_address(refused)
            try:
                connection = await address.exchange(call, client, longest_rest_s=longest_rest_s)
            except ConnectionFailed as error:
                if not isinstance(error, RequestUnread) or longest_rest_s == _NO_REST_S:
                    refused.append(address)
                if len(refused) == len(self.addresses):
                    raise broke or error from None
            except ConnectionBroke as error:
                if broke is not None or not call.is_idempotent:
                    raise
                broke = error
            else:
                if longest_rest_s == _NO_REST_S or not _is_stale(connection):
                    return connection
                connection.close()
            longest_rest_s = _NO_REST_S

    async def connect(self, client: ClientLink) -> Connection:
        """Return a new connection for a request that cannot be sent twice.

        Each address is tried. Raises ConnectionFailed, CircuitOpen or ClientGone.
        """
        self.breaker.admit()
        try:
            connection = await self._connect_anywhere()
        except ConnectionFailed:
            self.breaker.failed()
            raise
        try:
            client.attach(connection)
        except ClientGone:
            connection.close()
            raise
        return connection

    async def _connect_anywhere(self) -> Connection:
        refused: list[Address] = []
        while True:
            address = self._next_address(refused)
            try:
                return await address.connect()
            except ConnectionFailed:
                refused.append(address)
                if len(refused) == len(self.addresses):
                    raise

    async def fetch(self, path: str, *, timeout_s: float) -> tuple[int, bytes]:
        """GET a small document for the gateway itself: (status, body)."""
        call = Call(
            b"GET %s HTTP/1.1\r\n" % path.encode(),
            b"accept: application/json\r\n\r\n",
            asyncio.get_running_loop().time() + timeout_s,
            is_idempotent=True,
            is_patient=False,
        )
        connection = await self.exchange(call, ClientLink())
        try:
            return connection.status, await connection.whole_body()
        finally:
            connection.release()

    def _next_address(self, refused: Sequence[Address]) -> Address:
        """Return the next address in turn: a healthy one, else any that has not refused yet."""
        count = len(self.addresses)
        if count == 1:
            return self.addresses[0]
        first = self._turn % count
        turned = (*self.addresses[first:], *self.addresses[:first])
        untried = [address for address in turned if address not in refused]
        chosen = next((address for address in untried if address.is_healthy()), untried[0])
        self._turn = self.addresses.index(chosen) + 1
        return chosen

    async def probe(self) -> None:
        """Take addresses back that are ready again; a lone one is used in any case."""
        if len(self.addresses) > 1:
            await asyncio.gather(*(each.probe() for each in self.addresses if each.is_out))

    def sweep(self) -> None:
        for address in self.addresses:
            address.sweep()

    def close(self) -> None:
        for address in self.addresses:
            address.close()
