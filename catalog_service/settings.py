"""What the catalog's processes read from their environment, once, at start."""

from typing import Annotated, Final

from pydantic import Field

from common_lib.settings import DatabaseSettings

# The name our events carry as their source, and the audience of calls to this service.
SERVICE: Final = "catalog-service"

Seconds = Annotated[float, Field(gt=0)]
WholeSeconds = Annotated[int, Field(gt=0)]


class Settings(DatabaseSettings):
    """The catalog's own settings; the variable names carry the prefix ``SHOP_``."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8082

    # One currency per shop: the totals of an order cannot mix them.
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "INR"

    product_cache_ttl_s: WholeSeconds = 15 * 60
    category_cache_ttl_s: WholeSeconds = 60 * 60
    stock_cache_ttl_s: WholeSeconds = 30
    search_cache_ttl_s: WholeSeconds = 5 * 60

    # How long a reservation may stay HELD before the sweeper asks the order service about it.
    reservation_ttl_s: Seconds = 15 * 60
    reservation_batch_size: Annotated[int, Field(ge=1, le=1024)] = 128
    reservation_transactions: Annotated[int, Field(ge=1, le=64)] = 16
    inventory_lock_ttl_ms: Annotated[int, Field(gt=0)] = 3000
    inventory_lock_wait_s: Annotated[float, Field(ge=0)] = 0.05
    sold_out_ttl_s: Annotated[float, Field(ge=0)] = 0.2

    sweep_interval_s: Seconds = 30
    sweep_batch_size: Annotated[int, Field(ge=1, le=1000)] = 20
    order_timeout_s: Seconds = 2


class WorkerSettings(Settings):
    """The worker's own port; everything else is the service's."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9082
