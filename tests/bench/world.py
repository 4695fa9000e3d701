"""What every measurement stands on: a shop of its own, buyers, helpers, and their CPU."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx2
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from common_lib.auth import ServiceTokens, SigningKey
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports, is_taken
from shop.stack.processes import POLL_S, Spec
from shop.stack.progress import Progress
from tests import seeding
from tests.bench import load
from tests.bench.load import Outcome, Request
from tests.bench.procfs import CpuMeter
from tests.bench.tools import Tool, Toolbox
from tests.shopper import Shopper

T = TypeVar("T")

BUYERS = 16
WARM_UP_S = 1
HELPER_DEADLINE_S = 20.0
MYSQL, REDIS, LOCALSTACK = "mysql-users", "redis", "localstack"
WORKERS = ("user-worker", "catalog-worker", "order-worker", "notification-worker")
SERVICES = ("payment-sandbox", "user", "catalog", "order", "notification", "gateway")

# What production limits is not what is measured; passwords are hashed once per buyer.
ENVIRONMENT = {
    "SHOP_RATE_LIMIT_PER_MINUTE": "100000000",
    "SHOP_LOGIN_LIMIT_PER_15MIN": "1000000",
    "SHOP_REGISTER_LIMIT_PER_HOUR": "1000000",
    "SHOP_MAIL_LIMIT_PER_HOUR": "1000000",
    "SHOP_BCRYPT_ROUNDS": "4",
}


class Needs(Exception):
    """A measurement cannot be made here; the text says what it needs."""


@dataclass(frozen=True)
class Variant:
    id: UUID
    product_id: UUID


@dataclass
class Measured:
    """One load and the CPU that each watched process used under it."""

    outcome: Outcome
    cpu_s: Mapping[str, float]

    def cpu_us(self, *names: str) -> float:
        """Return microseconds of CPU per successful request, summed over the processes named."""
        total = sum(self.cpu_s[name] for name in names or self.cpu_s)
        return total * 1e6 / max(1, self.outcome.succeeded)


@dataclass
class World:
    """The stack and what measurements share; everything synchronous, in the main thread."""

    stack: NativeStack
    tools: Toolbox
    progress: Progress
    seconds: float
    resident_mib: dict[str, float] = field(default_factory=dict)
    _tokens: Path | None = None
    _hot: list[Variant] = field(default_factory=list)

    @property
    def wrk(self) -> Tool:
        if self.tools.wrk is None:
            raise Needs("wrk")
        return self.tools.wrk

    # Processes

    def need(self, *names: str, env: Mapping[str, str] | None = None) -> None:
        """Start processes that do not run yet, or run with another environment."""
        self.stack.start_processes(names, env)

    def stop(self, names: Iterable[str]) -> None:
        for name in names:
            self.stack.terminate(name)

    def start_helper(
        self, name: str, argv: Sequence[str], port: int, tool: Tool | None = None
    ) -> None:
        """Start a program that listens on `port`; it ends with the stack."""
        env = {**self.stack.environment("gateway"), **(tool.env if tool else {})}
        spec = Spec(name=name, argv=tuple(argv), env={**os.environ, **env}, cwd=REPOSITORY)
        self.stack.processes.start(spec)
        deadline = time.monotonic() + HELPER_DEADLINE_S
        while not is_taken(port):
            if self.stack.processes.find(name) is None or time.monotonic() > deadline:
                raise StackError(f"{name} did not start", f"see {self.stack.log(name)}")
            time.sleep(POLL_S)

    def start_raw(self, name: str, body: bytes) -> int:
        """Start a raw uvicorn app that answers `body`; returns its port."""
        (port,) = free_ports(1)
        file = self.stack.layout.home / f"{name}.body"
        file.write_bytes(body)
        argv = [sys.executable, "-m", "tests.bench.raw_app", str(port), str(file)]
        self.start_helper(name, argv, port)
        return port

    def pids(self, *names: str) -> dict[str, int]:
        running = self.stack.running()
        return {name: running[name].pid for name in names}

    def note_memory(self) -> None:
        """Keep the highest resident memory seen of each process of the shop."""
        for name, identity in self.stack.running().items():
            seen = self.resident_mib.get(name, 0.0)
            self.resident_mib[name] = max(seen, identity.memory_mib())

    # Load

    def measure(
        self,
        url: str,
        request: Request,
        *,
        clients: int,
        watch: Sequence[str],
        seconds: float | None = None,
        pause_ms: int = 0,
        is_at_random: bool = False,
    ) -> Measured:
        """Drive load with wrk and read the CPU of the processes in `watch` meanwhile."""
        meter = CpuMeter(self.pids(*watch))
        outcome = load.run(
            self.wrk,
            url,
            request,
            clients=clients,
            seconds=seconds or self.seconds,
            pause_ms=pause_ms,
            is_at_random=is_at_random,
        )
        if outcome.refused > outcome.requests / 100:
            raise StackError(
                f"{outcome.refused} of {outcome.requests} requests to {request.path} were refused",
                f"see the logs in {self.stack.layout.logs}",
            )
        return Measured(outcome, meter.read())

    def warm_up(self, url: str, request: Request, clients: int = 8) -> None:
        load.run(self.wrk, url, request, clients=clients, seconds=WARM_UP_S)

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        with self.progress.step(label) as step:
            yield
            self.progress.done(label, step.elapsed_s)

    # People and goods

    def tokens(self) -> Path:
        """Return a file with the access tokens of a few buyers, one a line."""
        if self._tokens is None:
            self.need("user", "gateway")
            self._tokens = self.stack.layout.home / "tokens"
            self._tokens.write_text("\n".join(asyncio.run(self._registered())) + "\n")
        return self._tokens

    async def _registered(self) -> list[str]:
        url = self.stack.layout.url("gateway")
        async with httpx2.AsyncClient(base_url=url, timeout=10) as http:
            buyers = [await (await Shopper(http).register()).login() for _ in range(BUYERS)]
        return [buyer.token for buyer in buyers]

    def service_token(self) -> Path:
        """Return a file with a fresh token of the order service for the catalog; good for 60 s."""
        key = SigningKey.from_file(self.stack.layout.keys / "service.pem")
        file = self.stack.layout.home / "service-token"
        file.write_text(ServiceTokens(key, "order-service").issue("catalog-service") + "\n")
        return file

    def variants(self, count: int) -> list[Variant]:
        """Return variants of the seeded catalogue, with stock for any run."""
        if not self._hot:
            seeding.fill(self.stack)
            self.execute("catalog", "UPDATE inventory SET quantity = 1000000000, reorder_level = 0")
            rows = self.query(
                "catalog",
                "SELECT v.id, v.product_id FROM product_variants v JOIN products p"
                " ON p.id = v.product_id WHERE v.is_active AND p.status = 'ACTIVE' ORDER BY v.id",
            )
            self._hot = [Variant(UUID(bytes=row[0]), UUID(bytes=row[1])) for row in rows]
        return self._hot[:count]

    # Databases

    def query(self, service: str, statement: str, **values: Any) -> list[Sequence[Any]]:
        async def work(connection: AsyncConnection) -> list[Sequence[Any]]:
            return list(await connection.execute(sa.text(statement), values))

        return self._on(service, work)

    def execute(self, service: str, *statements: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            for statement in statements:
                await connection.execute(sa.text(statement))
            await connection.commit()

        self._on(service, work)

    def scalar(self, service: str, statement: str, **values: Any) -> Any:
        return self.query(service, statement, **values)[0][0]

    def _on(self, service: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def connected() -> T:
            engine = create_async_engine(self.stack.database_url(service), poolclass=NullPool)
            try:
                async with engine.connect() as connection:
                    return await work(connection)
            finally:
                await engine.dispose()

        return asyncio.run(connected())
