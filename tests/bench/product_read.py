"""The hot read: one product by id, from the catalog's own port, beside a raw answer."""

import httpx2

from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import Measured, World

SECTION = "Product by id"
ROUNDS = 2
CLIENTS = 16
CATALOG, RAW = "catalog", "bench-raw-product"
GOAL = 1.7


def measure(world: World) -> list[Row]:
    (variant,) = world.variants(1)
    world.need("user", CATALOG)
    path = f"/api/products/{variant.product_id}"
    url = world.stack.layout.url(CATALOG)
    answer = httpx2.get(url + path).raise_for_status()
    raw_url = f"http://127.0.0.1:{world.start_raw(RAW, answer.content)}"
    request = Request(path=path)
    runs: dict[str, list[Measured]] = {CATALOG: [], RAW: []}
    for base in (url, raw_url):
        world.warm_up(base, request)
    for turn in range(ROUNDS):
        for name, base in ((CATALOG, url), (RAW, raw_url)):
            with world.step(f"{name}, {CLIENTS} in flight, round {turn + 1}"):
                seconds = world.seconds / ROUNDS
                runs[name].append(
                    world.measure(base, request, clients=CLIENTS, watch=[name], seconds=seconds)
                )
    world.note_memory()
    world.stop([RAW])
    return _rows(len(answer.content), _cpu_us(runs[CATALOG], CATALOG), _cpu_us(runs[RAW], RAW))


def _cpu_us(runs: list[Measured], name: str) -> float:
    requests = sum(run.outcome.succeeded for run in runs)
    return sum(run.cpu_s[name] for run in runs) * 1e6 / max(1, requests)


def _rows(size: int, catalog_us: float, raw_us: float) -> list[Row]:
    share = ratio(catalog_us, raw_us)
    return [
        Row(
            "At most 1.7 times a raw uvicorn answer of the same bytes, metrics on",
            f"catalog {catalog_us:.0f} µs, raw {raw_us:.0f} µs a request of {size:,} bytes",
            f"{share:.2f}",
            share <= GOAL,
        )
    ]
