"""Events: from the commit to the consumers' inboxes, and what publishing one costs."""

import time
from collections.abc import Callable, Sequence

from shop.stack.errors import StackError
from tests.bench.orders import PATH, order_request
from tests.bench.procfs import CpuMeter
from tests.bench.report import Row
from tests.bench.stats import per_item_us, percentile, ratio
from tests.bench.world import LOCALSTACK, MYSQL, WORKERS, Measured, World

SECTION = "Events"
GOAL_P99_MS = 250
GOAL_US = 350
# Four clients who each pause 200 ms: close to twenty orders a second.
CLIENTS, PAUSE_MS = 4, 200
BACKLOG_CLIENTS = 8
ARRIVAL_DEADLINE_S = 30.0
POLL_S = 0.2
# The payment sandbox and the notification service are only asked, not measured.
PROCESSES = ("payment-sandbox", "user", "notification", *PATH)
_PENDING = "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL"
_PUBLISHED = "SELECT COUNT(*) FROM outbox WHERE published_at IS NOT NULL"
_EXPECTED = "SELECT COUNT(*) FROM outbox WHERE created_at >= :since"
# The test stack keeps all databases on one server, so arrival and departure can be joined.
_TO_INBOX = (
    "SELECT TIMESTAMPDIFF(MICROSECOND, o.created_at, i.received_at) / 1000"
    " FROM orders_db.outbox o JOIN catalog_db.inbox i ON i.event_id = o.id"
    " WHERE o.created_at >= :since AND i.consumer = 'catalog-queue'"
)
_TO_MAIL = (
    "SELECT TIMESTAMPDIFF(MICROSECOND, o.created_at, n.sent_at) / 1000"
    " FROM orders_db.outbox o JOIN notifications_db.notification_logs n ON n.event_id = o.id"
    " WHERE o.created_at >= :since AND n.status = 'SENT'"
)


def measure(world: World) -> list[Row]:
    rows = _latencies(world)
    with world.step("publishing a backlog"):
        rows.append(_publishing(world))
    world.note_memory()
    return rows


def _latencies(world: World) -> list[Row]:
    request = order_request(world, world.variants(1))
    world.need(*PROCESSES, *WORKERS)
    url = world.stack.layout.url("gateway")
    with world.step("orders at an easy pace, workers running"):
        world.warm_up(url, request, clients=1)
        _await_none(world, _PENDING)
        since = world.scalar("order", "SELECT UTC_TIMESTAMP(6)")
        run = world.measure(
            url,
            request,
            clients=CLIENTS,
            watch=[*PATH, *WORKERS, MYSQL, LOCALSTACK],
            pause_ms=PAUSE_MS,
        )
        # What wrk left in flight at its end may still commit: count once nothing is pending.
        _await_none(world, _PENDING)
        expected = int(world.scalar("order", _EXPECTED, since=since))
        to_inbox = _await_arrival(world, _TO_INBOX, since, expected)
        to_mail = _await_arrival(world, _TO_MAIL, since, run.outcome.succeeded)
    world.note_memory()
    return [_inbox_row(to_inbox, expected), _mail_row(to_mail), _cost_row(run)]


def _inbox_row(latencies_ms: Sequence[float], expected: int) -> Row:
    p50_ms, p99_ms = percentile(latencies_ms, 0.50), percentile(latencies_ms, 0.99)
    has_all = len(latencies_ms) >= expected
    return Row(
        "Commit to inbox, p99 at most 250 ms",
        f"p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms; {len(latencies_ms)} of {expected} events",
        f"{ratio(p99_ms, GOAL_P99_MS):.2f}",
        has_all and p99_ms <= GOAL_P99_MS,
    )


def _mail_row(latencies_ms: Sequence[float]) -> Row:
    p50_ms, p99_ms = percentile(latencies_ms, 0.50), percentile(latencies_ms, 0.99)
    return Row(
        "Commit to e-mail sent",
        f"p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms; {len(latencies_ms)} mails",
    )


def _cost_row(run: Measured) -> Row:
    workers = ", ".join(
        f"{name} {run.cpu_us(name):,.0f}" for name in WORKERS if run.cpu_us(name) > 0
    )
    return Row(
        f"An order with its events and mails, {run.outcome.per_second:.0f} orders/s",
        f"µs CPU an order: services {run.cpu_us(*PATH):,.0f}, {workers}, "
        f"MySQL {run.cpu_us(MYSQL):,.0f}, LocalStack {run.cpu_us(LOCALSTACK):,.0f}",
    )


def _publishing(world: World) -> Row:
    """Let orders pile up their events, then let the relay alone publish them for a while."""
    world.stop(WORKERS)
    url, request = world.stack.layout.url("gateway"), order_request(world, world.variants(1))
    world.measure(url, request, clients=BACKLOG_CLIENTS, watch=PATH)
    world.need("order-worker")
    before = int(world.scalar("order", _PUBLISHED))
    meter = CpuMeter(world.pids("order-worker", LOCALSTACK))
    _run_until(lambda: not world.scalar("order", _PENDING), world.seconds)
    used, elapsed_s = meter.read(), meter.elapsed_s
    published = int(world.scalar("order", _PUBLISHED)) - before
    world.stop(["order-worker"])
    each_us = per_item_us(used["order-worker"], published)
    return Row(
        "At most 350 µs CPU a published message",
        f"order worker {each_us:.0f} µs, LocalStack "
        f"{per_item_us(used[LOCALSTACK], published):.0f} µs; "
        f"{published:,} messages, {published / elapsed_s:,.0f}/s",
        f"{ratio(each_us, GOAL_US):.2f}",
        each_us <= GOAL_US,
    )


def _await_none(world: World, statement: str) -> None:
    _run_until(lambda: not world.scalar("order", statement), ARRIVAL_DEADLINE_S)


def _await_arrival(world: World, statement: str, since: object, expected: int) -> list[float]:
    """Return the milliseconds of those that have arrived once all have, or at the deadline."""
    found: list[float] = []

    def has_all() -> bool:
        found[:] = [float(row[0]) for row in world.query("order", statement, since=since)]
        return len(found) >= expected

    _run_until(has_all, ARRIVAL_DEADLINE_S)
    if not found:
        raise StackError("no event has arrived", f"see the logs in {world.stack.layout.logs}")
    return found


def _run_until(is_done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline:
        time.sleep(POLL_S)
