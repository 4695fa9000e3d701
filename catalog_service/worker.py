"""The catalog's background work: relay, queued events, sweeper, search, product files, upkeep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from catalog_service.clients.elasticsearch import ElasticsearchClient, search_http
from catalog_service.clients.orders import OrderClient
from catalog_service.clients.storage import ImageStore
from catalog_service.clients.users import UserClient
from catalog_service.consumers import QUEUE, queued_events
from catalog_service.services.announcements import Announcements, Component
from catalog_service.services.images import ImageSweeper
from catalog_service.services.imports.worker import Importer, prune
from catalog_service.services.indexing import ElasticIndexer, MySqlIndexer, mark_behind
from catalog_service.services.refresher import Refresher
from catalog_service.services.search_rebuilds import Rebuilder
from catalog_service.services.seller_roles import SellerRoles
from catalog_service.services.shelf_keeper import ShelfKeeper
from catalog_service.services.sweeper import Sweeper
from catalog_service.settings import SERVICE, WorkerSettings
from common_lib.auth import KeyRing, ServiceTokens
from common_lib.bus import Bus
from common_lib.cache import create_redis
from common_lib.consumer import Consumer, prune_inbox
from common_lib.database import Database
from common_lib.http_client import HttpClient
from common_lib.outbox import Relay
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, Worker, every, run_worker
from common_lib.settings.start import told_plainly

_PRUNE_EVERY_S: Final = 60 * 60
_AUDIT_SEARCH_EVERY_S: Final = 10 * 60
_IMAGES_EVERY_S: Final = 5.0
_ROLES_EVERY_S: Final = 1.0
_SHELF_EVERY_S: Final = 5.0
_REFRESH_EVERY_S: Final = 1.0


@asynccontextmanager
async def build(settings: WorkerSettings) -> AsyncIterator[Worker]:
    """Open what the worker needs and close it at the end."""
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SERVICE)
    http = HttpClient(
        "order-service",
        settings.order_url,
        timeout_s=settings.order_timeout_s,
        tokens=services,
    )
    users = HttpClient("user-service", settings.user_url, timeout_s=2, tokens=services)
    database = Database(settings)
    redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    announcements = Announcements(redis, settings)
    sweeper = new_sweeper(settings, database, OrderClient(http), announcements)
    search, store = search_http(settings), ImageStore(settings)
    async with Bus(settings) as bus:
        consumer = Consumer(
            bus,
            QUEUE,
            queued_events(database, announcements),
            wait_s=settings.consumer_wait_s,
            visibility_s=settings.consumer_visibility_s,
        )
        yield Worker(
            components={
                "relay": Relay(database, bus, redis, source=SERVICE).run,
                "consumer": consumer.run,
                "sweeper": every(settings.sweep_interval_s, sweeper.sweep),
                "imports": new_importer(settings, database, announcements).run,
                **housekeeping(database, announcements, UserClient(users), store),
                **search_components(settings, database, search),
            },
            checks={
                "database": Check(database.ping),
                "bus": Check(bus.ping),
                "redis": Check(redis.ping, is_required=False),
            },
        )
    await store.close()
    await search.close()
    await users.close()
    await http.close()
    await redis.aclose()
    await database.close()


def new_sweeper(
    settings: WorkerSettings, database: Database, orders: OrderClient, announcements: Announcements
) -> Sweeper:
    return Sweeper(
        database,
        orders,
        announcements,
        lease_s=settings.sweep_interval_s,
        batch_size=settings.sweep_batch_size,
    )


def new_importer(
    settings: WorkerSettings, database: Database, announcements: Announcements
) -> Importer:
    return Importer(
        database,
        announcements,
        settings.currency,
        lease_s=settings.import_lease_s,
        chunk_rows=settings.import_chunk_rows,
        poll_s=settings.import_poll_s,
    )


def housekeeping(
    database: Database, announcements: Announcements, users: UserClient, store: ImageStore
) -> dict[str, Component]:
    """Return what is looked after again and again, by what the rows say is owed."""
    roles, shelf = SellerRoles(database, users), ShelfKeeper(database, announcements)
    return {
        "import_pruner": every(_PRUNE_EVERY_S, lambda: prune(database)),
        "image_sweeper": every(_IMAGES_EVERY_S, ImageSweeper(database, store).sweep),
        "seller_roles": every(_ROLES_EVERY_S, roles.drain),
        "shelf_keeper": every(_SHELF_EVERY_S, shelf.keep),
        "refresher": every(_REFRESH_EVERY_S, Refresher(database, announcements).refresh),
        "inbox_pruner": every(_PRUNE_EVERY_S, lambda: prune_inbox(database)),
    }


def search_components(
    settings: WorkerSettings, database: Database, http: HttpClient
) -> dict[str, Component]:
    """Return what keeps the search indexes up to date: MySQL's always, the other if it is set."""
    if settings.search_backend != "elasticsearch":
        return {
            "search_auditor": every(_AUDIT_SEARCH_EVERY_S, lambda: mark_behind(database)),
            "search_indexer": MySqlIndexer(database).run,
            "search_rebuilder": Rebuilder(database).run,
        }
    client = ElasticsearchClient(http)
    return {
        "search_auditor": every(_AUDIT_SEARCH_EVERY_S, lambda: mark_behind(database)),
        "search_indexer": MySqlIndexer(database, hands_on=True).run,
        "elasticsearch_indexer": ElasticIndexer(database, client).run,
        "search_rebuilder": Rebuilder(database, client).run,
    }


def main() -> None:
    with told_plainly():
        settings = WorkerSettings()
        ensure_pools_fit(settings)
        run_worker(settings, "catalog-worker", lambda: build(settings))


if __name__ == "__main__":
    main()
