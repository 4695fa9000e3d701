"""What the catalog's processes read from their environment, once, at start."""

from typing import Annotated

from pydantic import Field

from common_lib.settings import DatabaseSettings

Seconds = Annotated[float, Field(gt=0)]


class Settings(DatabaseSettings):
    """The catalog's own settings; the variable names carry the prefix ``SHOP_``."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8082

    product_cache_ttl_s: Annotated[int, Field(gt=0)] = 15 * 60
    category_cache_ttl_s: Annotated[int, Field(gt=0)] = 60 * 60

    # How long a reservation may stay HELD before the sweeper asks the order service about it.
    reservation_ttl_s: Seconds = 15 * 60
    reservation_batch_size: Annotated[int, Field(ge=1, le=1024)] = 128
    inventory_lock_ttl_ms: Annotated[int, Field(gt=0)] = 3000
    inventory_lock_wait_s: Annotated[float, Field(ge=0)] = 0.05
    sold_out_ttl_s: Annotated[float, Field(ge=0)] = 0.2

    sweep_interval_s: Seconds = 30
    sweep_batch_size: Annotated[int, Field(ge=1, le=1000)] = 20
    order_timeout_s: Seconds = 2


class WorkerSettings(Settings):
    """The worker's own port; everything else is the service's."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9082
