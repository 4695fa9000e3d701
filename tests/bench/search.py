"""Search and product reads at 1,000 and at 100,000 products, sixteen clients in a closed loop.

Cold: every answer is worked out, no query comes twice within the second that answers are kept.
Warm: queries follow Zipf's law, as people's do, and answers are kept for five minutes.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

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
_QUERIES: Final = 4_000
_RANDOM: Final = 20_261_123


@dataclass(frozen=True)
class Timing:
    p50_ms: float
    p99_ms: float
    requests: int

    def text(self) -> str:
        return f"p50 {self.p50_ms:.1f}, p99 {self.p99_ms:.1f} ms ({self.requests:,} requests)"


@dataclass(frozen=True)
class Figures:
    """What was measured at one size."""

    cold: Timing
    warm: Timing
    suggest: Timing
    read: Timing


def measure(world: World) -> list[Row]:
    found = {}
    for size in SIZES:
        _fill(world, size)
        found[size] = _figures(world, size)
    small, large = (found[size] for size in SIZES)
    return [
        _bounded("Search at 100,000 products under 100 ms at the p99, mixed queries", large.warm),
        _bounded("The same, every answer worked out", large.cold),
        _bounded("Suggestions at 100,000 products, every answer worked out", large.suggest),
        _flat("Search p99 flat from 1,000 to 100,000 products", small.warm, large.warm),
        _flat("Product read p99 flat from 1,000 to 100,000 products", small.read, large.read),
        Row("Cold search at 1,000 products, for comparison", small.cold.text()),
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
    searches, suggestions, reads = _paths(world)
    url = world.stack.layout.url(CATALOG)
    world.need("user", CATALOG, env={"SHOP_SEARCH_CACHE_TTL_S": "1"})
    with world.step(f"{CLIENTS} clients, {size:,} products, cold"):
        _drive(url, searches[:200], world.seconds / 3)
        cold = _drive(url, searches[200:], world.seconds)
        suggest = _drive(url, suggestions, world.seconds)
    world.need(CATALOG, env={"SHOP_SEARCH_CACHE_TTL_S": "300"})
    with world.step(f"{CLIENTS} clients, {size:,} products, warm"):
        mixed = _zipf(searches)
        _drive(url, mixed, world.seconds / 2)
        warm = _drive(url, mixed, world.seconds)
        read = _drive(url, _zipf(reads), world.seconds)
    world.note_memory()
    return Figures(cold, warm, suggest, read)


def _paths(world: World) -> tuple[list[str], list[str], list[str]]:
    """Return what people ask for: words of names, some filtered or sorted; beginnings; pages."""
    chance = random.Random(_RANDOM)
    rows = world.query("catalog", "SELECT LOWER(HEX(id)), name FROM products WHERE status='ACTIVE'")
    chosen = chance.sample(list(rows), min(len(rows), _QUERIES))
    searches = dict.fromkeys(_search(chance, str(name)) for _, name in chosen)
    begun = dict.fromkeys(_begun(chance, str(name)) for _, name in chosen)
    reads = [f"/api/products/{_uuid(str(id_))}" for id_, _ in chosen]
    return list(searches), list(begun), reads


def _search(chance: random.Random, name: str) -> str:
    words = re.findall(r"\w{3,}", name) or [name]
    number = min(len(words), chance.choices((1, 2, 3), (50, 35, 15))[0])
    wanted = chance.sample(words, number)
    more = chance.choices(
        ("", "&inStock=true", "&maxPrice=200000", "&sort=price", "&sort=newest"),
        (70, 10, 8, 7, 5),
    )[0]
    return f"/api/products/search?q={quote(' '.join(wanted))}{more}"


def _begun(chance: random.Random, name: str) -> str:
    word = chance.choice(re.findall(r"\w{3,}", name) or [name])
    typed = word[: chance.randint(2, len(word))]
    if len(typed) > 4 and chance.random() < 0.2:
        at = chance.randrange(1, len(typed) - 1)
        typed = typed[:at] + typed[at + 1 :]
    return f"/api/products/suggest?q={quote(typed)}"


def _zipf(paths: Sequence[str], length: int = 20_000) -> list[str]:
    chance = random.Random(_RANDOM)
    weights = [1 / rank for rank in range(1, len(paths) + 1)]
    return chance.choices(paths, weights, k=length)


def _uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _drive(url: str, paths: Sequence[str], seconds: float) -> Timing:
    times = asyncio.run(_closed_loop(url, paths, seconds))
    ms = [1_000 * each for each in times]
    return Timing(percentile(ms, 0.5), percentile(ms, 0.99), len(ms))


async def _closed_loop(url: str, paths: Sequence[str], seconds: float) -> list[float]:
    """Keep a request of each client in flight; the paths are shared out in turn."""
    ends_at, times, turn = time.monotonic() + seconds, list[float](), iter(_forever(paths))

    async def client() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.monotonic() < ends_at:
            path = next(turn)
            began = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            await _answer(reader, path)
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return times


def _forever(paths: Sequence[str]) -> Iterator[str]:
    while True:
        yield from paths


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
