"""The order service's background work: relay, events for carts, payments, sweepers, erasures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from common_lib.auth import KeyRing, ServiceTokens
from common_lib.bus import Bus
from common_lib.clock import now
from common_lib.consumer import Consumer, prune_inbox
from common_lib.outbox import Relay
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, Worker, every, run_worker
from common_lib.settings.start import told_plainly
from order_service.consumers import QUEUE, cart_events
from order_service.queries.placing import SOURCE
from order_service.services.erasures import Erasures
from order_service.services.partitions import keep_partitions_ahead
from order_service.services.reminders import Reminders
from order_service.services.waking import whenever_woken
from order_service.services.wiring import UseCases, use_cases
from order_service.settings import WorkerSettings

_PRUNE_EVERY_S: Final = 60 * 60
_ERASURES_EVERY_S: Final = 1.0


@asynccontextmanager
async def build(settings: WorkerSettings) -> AsyncIterator[Worker]:
    """Open what the worker needs and close it at the end."""
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SOURCE)
    async with use_cases(settings, services) as cases, Bus(settings) as bus:
        yield _worker(settings, cases, bus)


def _worker(settings: WorkerSettings, cases: UseCases, bus: Bus) -> Worker:
    database, redis = cases.database, cases.redis
    consumer = Consumer(
        bus,
        QUEUE,
        cart_events(database, cases.carts),
        wait_s=settings.consumer_wait_s,
        visibility_s=settings.consumer_visibility_s,
    )
    return Worker(
        components={
            "relay": Relay(database, bus, redis, source=SOURCE).run,
            "consumer": consumer.run,
            "payments": whenever_woken(
                redis, settings.payment_poll_s, cases.provider_calls.work_off
            ),
            "unpaid": every(settings.unpaid_sweep_s, cases.orders.expire_unpaid),
            "reminders": every(
                settings.unpaid_sweep_s, Reminders.of(settings, database, redis).work_off
            ),
            "partitions": every(
                settings.partition_check_s, lambda: keep_partitions_ahead(database, now())
            ),
            "erasures": every(_ERASURES_EVERY_S, Erasures(database).work_off),
            "inbox_pruner": every(_PRUNE_EVERY_S, lambda: prune_inbox(database)),
        },
        checks={
            "database": Check(database.ping),
            "bus": Check(bus.ping),
            "redis": Check(redis.ping, is_required=False),
        },
    )


def main() -> None:
    with told_plainly():
        settings = WorkerSettings()
        ensure_pools_fit(settings)
        run_worker(settings, "order-worker", lambda: build(settings))


if __name__ == "__main__":
    main()
