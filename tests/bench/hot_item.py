"""One hot item: the catalog's joined transactions against one lock and transaction per buyer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY
from tests.bench import c_client, orders
from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import MYSQL, Variant, World

SECTION = "Reservations of one item"
BUYERS = 64
ROUNDS = 2
VARIANTS = 4
SELL_OUT_UNITS = 500
SELL_OUT_S = 20
DESIGNS = ("joined", "locked")
GOAL_OVER_BASELINE = 50
GOAL_OVER_C_CLIENT = 3
GOAL_OF_TWO = 0.8
GOAL_ALONE = 2


@dataclass(frozen=True)
class Sold:
    """What one design did over all rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float

    def text(self) -> str:
        return (
            f"{self.per_second:,.0f}/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, "
            f"{self.cpu_us:.0f} µs CPU each"
        )


class Reservers:
    """A process of buyers, who work when told to."""

    def __init__(self, world: World, process: "subprocess.Popen[str]") -> None:
        self._world = world
        self._process = process

    def buy(
        self, design: str, variant: Variant, clients: int, seconds: float | None = None
    ) -> dict[str, Any]:
        """Run one design and check that every unit granted is a unit taken."""
        (found,) = buy_together(
            self._world, [self], design, variant, clients=clients, seconds=seconds
        )
        return found

    def begin(self, work: dict[str, Any]) -> None:
        if self._process.stdin is None:
            raise StackError("the buyers have no pipe", "report it")
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise StackError("the buyers' process ended", f"see {_log(self._world)}")
        found: dict[str, Any] = json.loads(line)
        return found


def buy_together(
    world: World,
    processes: Sequence[Reservers],
    design: str,
    variant: Variant,
    *,
    clients: int,
    seconds: float | None = None,
) -> list[dict[str, Any]]:
    """Let the processes share the item; every unit granted must be a unit taken."""
    before = _reserved(world, variant)
    work = {
        "design": design,
        "variant": str(variant.id),
        "clients": clients // len(processes),
        "seconds": seconds or world.seconds / ROUNDS,
    }
    for process in processes:
        process.begin(work)
    found = [process.answer() for process in processes]
    granted = sum(each["granted_in_all"] for each in found)
    if (taken := _reserved(world, variant) - before) != granted:
        raise StackError(f"{design} granted {granted} units but took {taken}", "report it")
    return found


def measure(world: World) -> list[Row]:
    # Not those of the orders: one still under way there would count here.
    variants = world.variants(orders.MIXED + VARIANTS)[-VARIANTS:]
    if world.tools.sysbench is not None:
        c_client.make_counter(world)
    with _reservers(world) as reservers, _reservers(world) as second:
        rows = [
            *_in_process(world, reservers, variants),
            _shared_row(world, [reservers, second], variants[0]),
        ]
    return [*rows, *_over_http(world, variants[3])]


@contextmanager
def _reservers(world: World) -> Iterator[Reservers]:
    """Start the buyers' process; it ends with the block."""
    with (
        _log(world).open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.reservers"],
            cwd=REPOSITORY,
            env={**os.environ, **world.stack.environment("catalog")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Reservers(world, process)
        finally:
            process.terminate()


def _log(world: World) -> Path:
    return world.stack.log("bench-reservers")


def _in_process(world: World, reservers: Reservers, variants: Sequence[Variant]) -> list[Row]:
    runs: dict[str, list[dict[str, Any]]] = {design: [] for design in DESIGNS}
    bare: list[float] = []
    for turn in range(ROUNDS):
        for design in DESIGNS:
            with world.step(f"{design}, {BUYERS} buyers, round {turn + 1}"):
                runs[design].append(reservers.buy(design, variants[0], BUYERS))
        if world.tools.sysbench is not None:
            with world.step(f"sysbench, {BUYERS} threads, round {turn + 1}"):
                bare.append(c_client.one_row_updates(world, BUYERS))
    alone = {}
    for design in ("joined", "plain"):
        with world.step(f"{design}, 1 buyer"):
            alone[design] = _joined([reservers.buy(design, variants[1], 1)])
    with world.step(f"{SELL_OUT_UNITS} units, {BUYERS} buyers until sold out"):
        sold_out = _sell_out(world, reservers, variants[2])
    found = {design: _joined(rounds) for design, rounds in runs.items()}
    return [
        *_rows(found["joined"], found["locked"], bare),
        *_alone_rows(alone["joined"], alone["plain"]),
        sold_out,
    ]


def _rows(joined: Sold, locked: Sold, bare: list[float]) -> list[Row]:
    over = ratio(joined.per_second, locked.per_second)
    both = f"joined {joined.text()}; lock per request {locked.text()}"
    rows = [
        Row(
            "At least 50 times the lock-per-request design, 64 buyers",
            both,
            f"{over:.0f}",
            over >= GOAL_OVER_BASELINE,
        ),
    ]
    if bare:
        least = sum(bare) / len(bare)
        over_c = ratio(joined.per_second, least)
        rows.append(
            Row(
                "At least 3 times sysbench's C client updating one row, 64 threads",
                f"joined {joined.per_second:,.0f}/s; sysbench {least:,.0f}/s",
                f"{over_c:.1f}",
                over_c >= GOAL_OVER_C_CLIENT,
            )
        )
    return rows


def _shared_row(world: World, both: Sequence[Reservers], variant: Variant) -> Row:
    """Compare one process with two that share the item, the same number of buyers in all."""
    alone, shared = 0.0, 0.0
    for turn in range(ROUNDS):
        with world.step(f"joined, {BUYERS} buyers in one process and in two, round {turn + 1}"):
            alone += _joined(
                buy_together(world, both[:1], "joined", variant, clients=BUYERS)
            ).per_second
            for found in buy_together(world, both, "joined", variant, clients=BUYERS):
                shared += _joined([found]).per_second
    return Row(
        "Two catalog processes sharing the item reserve at least 0.8 times as fast as one",
        f"two {shared / ROUNDS:,.0f}/s, one {alone / ROUNDS:,.0f}/s, {BUYERS} buyers in all",
        f"{ratio(shared, alone):.2f}",
        ratio(shared, alone) >= GOAL_OF_TWO,
    )


def _alone_rows(joined: Sold, plain: Sold) -> list[Row]:
    return [
        Row(
            "A buyer alone waits at most twice as long as for a plain transaction, p50",
            f"joined p50 {joined.p50_ms:.2f} ms (reservation, lines, ledger, counter); "
            f"plain p50 {plain.p50_ms:.2f} ms (ledger, counter)",
            f"{ratio(joined.p50_ms, plain.p50_ms):.2f}",
            ratio(joined.p50_ms, plain.p50_ms) <= GOAL_ALONE,
        )
    ]


def _sell_out(world: World, reservers: Reservers, variant: Variant) -> Row:
    """Let the buyers want more than there is; exactly what there is may be sold."""
    world.execute(
        "catalog",
        f"UPDATE inventory SET quantity = reserved + {SELL_OUT_UNITS}"  # noqa: S608 - our own id
        f" WHERE variant_id = x'{variant.id.hex}'",
    )
    found = reservers.buy("joined", variant, BUYERS, SELL_OUT_S)
    granted = found["granted_in_all"]
    return Row(
        "No unit oversold",
        f"{SELL_OUT_UNITS} units, {BUYERS} buyers until refused: {granted} granted",
        is_met=granted == SELL_OUT_UNITS,
    )


def _reserved(world: World, variant: Variant) -> int:
    statement = "SELECT reserved FROM inventory WHERE variant_id = :id"
    return int(world.scalar("catalog", statement, id=variant.id.bytes))


def _joined(rounds: list[dict[str, Any]]) -> Sold:
    granted = sum(found["granted"] for found in rounds)
    return Sold(
        per_second=granted / sum(found["elapsed_s"] for found in rounds),
        p50_ms=max(found["p50_ms"] for found in rounds),
        p99_ms=max(found["p99_ms"] for found in rounds),
        cpu_us=sum(found["cpu_s"] for found in rounds) * 1e6 / max(1, granted),
    )


def _over_http(world: World, variant: Variant) -> list[Row]:
    if world.tools.wrk is None:
        return []
    world.need("user", "catalog")
    bodies = world.stack.layout.home / "reserve.json"
    bodies.write_text(
        '{"reservationId":"{id}","orderId":"{id}","fingerprint":"bench",'
        f'"items":[{{"variantId":"{variant.id}","quantity":1}}]}}\n'
    )
    request = Request("POST", "/internal/inventory/reserve", world.service_token(), bodies)
    url = world.stack.layout.url("catalog")
    world.warm_up(url, request, BUYERS)
    with world.step(f"POST {request.path}, {BUYERS} clients"):
        found = world.measure(url, request, clients=BUYERS, watch=["catalog", MYSQL])
    outcome = found.outcome
    return [
        Row(
            "Over HTTP, POST /internal/inventory/reserve, 64 clients",
            f"{outcome.per_second:,.0f}/s, p50 {outcome.p50_ms:.1f} ms, "
            f"p99 {outcome.p99_ms:.1f} ms; CPU each: catalog {found.cpu_us('catalog'):.0f} µs, "
            f"MySQL {found.cpu_us(MYSQL):.0f} µs",
        )
    ]
