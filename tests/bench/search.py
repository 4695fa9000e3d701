"""Search and product reads at 1,000 and at 100,000 products, sixteen clients in a closed loop.

Steady: what the shop is like. A thousand queries that people ask again and again follow Zipf's
law, and answers are kept for five minutes: all were asked before, and as many are worked out anew
every second as would have expired. Cold: every answer is worked out, no query comes twice.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import Final
from urllib.parse import quote, urlsplit
from uuid import UUID

from common_lib.settings import Profile
from shop import seed
from shop.stack.errors import StackError
from tests.bench.report import Row
from tests.bench.stats import percentile, ratio
from tests.bench.world import World

SECTION: Final = "Search"
SIZES: Final = (1_000, 100_000)
CLIENTS: Final = 16
GOAL_MS: Final = 100.0
# Flat: what the machine's noise alone moves a p99 by.
FLAT: Final = 2.0
CATALOG, WORKER = "catalog", "catalog-worker"
INDEXING_DEADLINE_S: Final = 900.0
# Different queries of the warm mix; the cold ones are others.
_QUERIES: Final = 1_000
_SAMPLE: Final = 6_000
# Each once, as the traffic of five minutes would; no longer than this.
_WARM_UP_S: Final = 40.0
_KEPT_S: Final = 300.0
_DRAWN_AT_ONCE: Final = 1_000
_RANDOM: Final = 20_261_123


@dataclass(frozen=True)
class Timing:
    p50_ms: float
    p99_ms: float
    requests: int
    known: float | None = None

    def text(self) -> str:
        asked = "" if self.known is None else f", {self.known:.1%} asked before"
        return (
            f"p50 {self.p50_ms:.1f}, p99 {self.p99_ms:.1f} ms ({self.requests:,} requests{asked})"
        )


@dataclass(frozen=True)
class Figures:
    """What was measured at one size."""

    cold: Timing
    alone: Timing
    warm: Timing
    suggest: Timing
    read: Timing


@dataclass(frozen=True)
class Paths:
    """What is asked for, each once."""

    searches: Sequence[str]
    suggestions: Sequence[str]
    reads: Sequence[str]


class Mix:
    """Endless draws by Zipf's law: the n-th most wanted path comes in proportion to 1/n.

    Between them come `expiring` ones, which nobody asked for yet, as often as answers expire.
    """

    def __init__(self, paths: Sequence[str], expiring: Iterator[str]) -> None:
        self._chance = random.Random(_RANDOM)
        self._paths = paths
        self._weights = list(accumulate(1 / rank for rank in range(1, len(paths) + 1)))
        self._drawn: list[str] = []
        self._expiring = expiring
        self._began = time.monotonic()
        self._requests = self._expired = 0

    def __iter__(self) -> "Mix":
        return self

    def __next__(self) -> str:
        self._requests += 1
        if self._expired < (time.monotonic() - self._began) * len(self._paths) / _KEPT_S:
            self._expired += 1
            return next(self._expiring)
        if not self._drawn:
            self._drawn = self._chance.choices(
                self._paths, cum_weights=self._weights, k=_DRAWN_AT_ONCE
            )
        return self._drawn.pop()

    def known_share(self) -> float:
        """Return which share of the draws had been asked for before."""
        return 1 - self._expired / max(1, self._requests)


def measure(world: World) -> list[Row]:
    found = {}
    for size in SIZES:
        _fill(world, size)
        found[size] = _figures(world, size)
    small, large = (found[size] for size in SIZES)
    return [
        _bounded(
            f"Search at 100,000 products under 100 ms at the p99, {CLIENTS} clients,"
            f" {_QUERIES:,} different queries by Zipf's law",
            large.warm,
        ),
        _flat("Search p99 flat from 1,000 to 100,000 products", small.warm, large.warm),
        _flat("Product read p99 flat from 1,000 to 100,000 products", small.read, large.read),
        Row(
            f"Search with nothing in the cache, {CLIENTS} clients, no query twice",
            f"1,000: {small.cold.text()}; 100,000: {large.cold.text()}",
        ),
        Row(
            "The same by one client alone",
            f"1,000: {small.alone.text()}; 100,000: {large.alone.text()}",
        ),
        Row(
            f"Suggestions with nothing in the cache, {CLIENTS} clients, no text twice",
            f"1,000: {small.suggest.text()}; 100,000: {large.suggest.text()}",
        ),
    ]


def _fill(world: World, size: int) -> None:
    with world.step(f"{size:,} products on the shelves and in the index"):
        databases = seed.Databases.of_stack(world.stack)
        asyncio.run(seed.seed(databases, profile=Profile.TEST, products=size))
        world.need(WORKER)
        ends_at = time.monotonic() + INDEXING_DEADLINE_S
        while world.scalar("catalog", "SELECT COUNT(*) FROM search_updates"):
            if time.monotonic() > ends_at:
                raise StackError("the products were not indexed in time", "see catalog-worker.log")
            time.sleep(1)
        world.stop([WORKER])


def _figures(world: World, size: int) -> Figures:
    paths = _paths(world)
    reads = paths.reads[: min(_QUERIES, len(paths.reads) // 2)]
    url = world.stack.layout.url(CATALOG)
    world.need("user", CATALOG)
    with world.step(f"{CLIENTS} clients, {size:,} products, cold"):
        cold_paths = iter(paths.searches[_QUERIES:])
        _drive(url, islice(cold_paths, 50), world.seconds)
        alone = _drive(url, cold_paths, world.seconds / 2, clients=1)
        cold = _drive(url, cold_paths, world.seconds)
        suggest = _drive(url, iter(paths.suggestions), world.seconds / 2)
    with world.step(f"{CLIENTS} clients, {size:,} products, steady"):
        warm = _steady(url, paths.searches[:_QUERIES], cold_paths, world.seconds)
        read = _steady(url, reads, iter(paths.reads[len(reads) :]), world.seconds / 2)
    world.note_memory()
    return Figures(cold, alone, warm, suggest, read)


def _steady(url: str, paths: Sequence[str], expiring: Iterator[str], seconds: float) -> Timing:
    """Measure once each of the paths has been asked for."""
    _drive(url, iter(paths), _WARM_UP_S)
    mix = Mix(paths, expiring)
    timing = _drive(url, mix, seconds)
    return replace(timing, known=mix.known_share())


def _paths(world: World) -> Paths:
    """Return what people ask for: words and names, some filtered or sorted; beginnings; pages."""
    chance = random.Random(_RANDOM)
    rows = world.query(
        "catalog",
        "SELECT LOWER(HEX(p.id)), p.name, LOWER(HEX(p.category_id)) FROM products p"
        " WHERE p.status = 'ACTIVE' ORDER BY p.id",
    )
    chosen = [tuple(map(str, row)) for row in chance.choices(rows, k=_SAMPLE)]
    searches = dict.fromkeys(_search(chance, name, category) for _, name, category in chosen)
    begun = dict.fromkeys(_begun(chance, name) for _, name, _ in chosen)
    reads = dict.fromkeys(f"/api/products/{UUID(id_)}" for id_, _, _ in chosen)
    return Paths(list(searches), list(begun), list(reads))


def _search(chance: random.Random, name: str, category: str) -> str:
    words = re.findall(r"\w{3,}", name) or [name]
    number = min(len(words), chance.choices((1, 2, 3, len(words)), (40, 35, 15, 10))[0])
    wanted = words if number == len(words) else chance.sample(words, number)
    more = chance.choices(
        ("", "&inStock=true", "&maxPrice=200000", "&sort=price", "&sort=newest", "&categoryId="),
        (60, 10, 8, 7, 5, 10),
    )[0]
    narrowed = f"{more}{UUID(category)}" if more.endswith("Id=") else more
    return f"/api/products/search?q={quote(' '.join(wanted)[:100])}{narrowed}"


def _begun(chance: random.Random, name: str) -> str:
    word = chance.choice(re.findall(r"\w{3,}", name) or [name])
    typed = word[: chance.randint(2, len(word))]
    if len(typed) > 4 and chance.random() < 0.2:
        at = chance.randrange(1, len(typed) - 1)
        typed = typed[:at] + typed[at + 1 :]
    return f"/api/products/suggest?q={quote(typed)}"


def _drive(url: str, paths: Iterator[str], seconds: float, *, clients: int = CLIENTS) -> Timing:
    ms = [1_000 * each for each in asyncio.run(_closed_loop(url, paths, seconds, clients))]
    return Timing(percentile(ms, 0.5), percentile(ms, 0.99), len(ms))


async def _closed_loop(url: str, paths: Iterator[str], seconds: float, clients: int) -> list[float]:
    """Keep a request of each client in flight until the time or the paths are over."""
    ends_at, times = time.monotonic() + seconds, list[float]()

    async def client() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for path in paths:
            began = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            await _answer(reader, path)
            times.append(time.perf_counter() - began)
            if time.monotonic() > ends_at:
                break
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times


async def _answer(reader: asyncio.StreamReader, path: str) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise StackError(f"{path} was refused: {head[:60]!r}", "see catalog.log")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    if length is None:
        raise StackError(f"{path} has no length", "see catalog.log")
    await reader.readexactly(int(length[1]))


def _bounded(goal: str, timing: Timing) -> Row:
    return Row(
        goal, timing.text(), ratio=f"{timing.p99_ms / GOAL_MS:.2f}", is_met=timing.p99_ms < GOAL_MS
    )


def _flat(goal: str, small: Timing, large: Timing) -> Row:
    share = ratio(large.p99_ms, small.p99_ms)
    measured = f"1,000: {small.text()}; 100,000: {large.text()}"
    return Row(goal, measured, f"{share:.2f}", share <= FLAT)
