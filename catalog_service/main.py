"""The catalog over HTTP: settings → database, Redis, batcher → app."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from fastapi import FastAPI
from redis.asyncio import Redis

from catalog_service.api import ROUTERS, ROUTES
from catalog_service.api.deps import Deps
from catalog_service.api.hot_reads import HOT_READS
from catalog_service.api.product_page import load_pages
from catalog_service.clients.elasticsearch import ElasticsearchClient, search_http
from catalog_service.clients.pictures import Redrawer
from catalog_service.clients.storage import ImageStore
from catalog_service.clients.users import UserClient
from catalog_service.models.reservations import ReserveCommand
from catalog_service.services.announcements import Announcements
from catalog_service.services.batcher import BatchResult, Limits, ReservationBatcher
from catalog_service.services.images import Images, Rules
from catalog_service.services.imports.jobs import Door
from catalog_service.services.reservations import known_reservations, reserve_together
from catalog_service.services.search.backend import SearchBackend
from catalog_service.services.search.elastic import ElasticSearch
from catalog_service.services.search.mysql import MySqlSearch
from catalog_service.services.search.searching import Searcher
from catalog_service.services.seller_roles import SellerRoles
from catalog_service.services.shelf_keeper import ShelfKeeper
from catalog_service.settings import SERVICE, Settings
from common_lib.auth import KeyRing, KeySource, ServiceTokens, authentication
from common_lib.cache import create_redis
from common_lib.database import Database
from common_lib.http_client import HttpClient
from common_lib.joined_loads import JoinedLoads
from common_lib.locks import RedisLock
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, background, create_app, serve
from common_lib.settings.start import told_plainly


def build_app(settings: Settings, *, keys: KeySource | None = None) -> FastAPI:
    """Return the app; `keys` replaces the user service's. Raises ValueError for a bad key file."""
    services = ServiceTokens(KeyRing(settings.service_token_key_file), SERVICE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings)
        redis = create_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
        users = HttpClient("user-service", settings.user_url, timeout_s=2, tokens=services)
        search_index = search_http(settings)
        deps = wire(settings, database, redis, UserClient(users), search_index)
        app.state.deps = deps
        app.state.checks = {
            "database": Check(database.ping),
            "redis": Check(redis.ping, is_required=False),
        }
        async with (
            authentication(settings, redis, services, keys) as app.state.authenticator,
            background(**deps.announcements.listeners()),
        ):
            yield
        await deps.batcher.close()
        await deps.images.store.close()
        await search_index.close()
        await users.close()
        await redis.aclose()
        await database.close()

    return create_app(
        settings,
        SERVICE,
        routers=ROUTERS,
        routes=ROUTES,
        hot_reads=HOT_READS,
        lifespan=lifespan,
    )


def wire(
    settings: Settings,
    database: Database,
    redis: Redis,
    users: UserClient,
    search_index: HttpClient,
) -> Deps:
    """Put the parts of one process together."""
    announcements = Announcements(redis, settings)
    return Deps(
        settings,
        database,
        new_batcher(settings, database, redis, announcements),
        announcements,
        seller_roles=SellerRoles(database, users),
        shelf_keeper=ShelfKeeper(database, announcements),
        searcher=new_searcher(settings, database, search_index),
        images=new_images(settings, database),
        import_door=Door(settings.import_uploads_at_once),
        pages=JoinedLoads(partial(load_pages, database)),
    )


def new_images(settings: Settings, database: Database) -> Images:
    """Return the pictures' use cases; the bucket's client is opened by the first that needs it."""
    rules = Rules(
        max_bytes=settings.image_max_bytes,
        per_product=settings.images_per_product,
        upload_ttl_s=settings.image_upload_ttl_s,
    )
    redrawer = Redrawer(
        max_pixels=settings.image_max_pixels, at_once=settings.image_redraws_at_once
    )
    return Images(database, ImageStore(settings), redrawer, rules)


def new_searcher(settings: Settings, database: Database, http: HttpClient) -> Searcher:
    """Return search on the backend that is set; MySQL stands behind the other one."""
    default = MySqlSearch(database, currency=settings.currency)
    backend: SearchBackend = default
    if settings.search_backend == "elasticsearch":
        backend = ElasticSearch(ElasticsearchClient(http), currency=settings.currency)
    return Searcher(database, backend, default, currency=settings.currency)


def new_batcher(
    settings: Settings, database: Database, redis: Redis, announcements: Announcements
) -> ReservationBatcher:
    """Return the one batcher of this process."""

    async def run(commands: Sequence[ReserveCommand]) -> BatchResult:
        return await reserve_together(database, commands, ttl_s=settings.reservation_ttl_s)

    async def find_known(reservation_ids: Collection[UUID]) -> Collection[UUID]:
        return await known_reservations(database, reservation_ids)

    def new_lock(variant_id: UUID) -> RedisLock:
        key = f"lock:inventory:{variant_id}"
        return RedisLock(redis, key, ttl_ms=settings.inventory_lock_ttl_ms)

    return ReservationBatcher(
        run,
        new_lock,
        find_known,
        limits=Limits(
            batch_size=settings.reservation_batch_size,
            transactions=settings.reservation_transactions,
            lock_wait_s=settings.inventory_lock_wait_s,
            sold_out_ttl_s=settings.sold_out_ttl_s,
        ),
        afterwards=announcements.batch_done,
    )


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        serve(build_app(settings), settings)


if __name__ == "__main__":
    main()
