"""What the catalog's processes read from their environment, once, at start."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from common_lib.settings import DatabaseSettings, UrlList, split_list

# The name our events carry as their source, and the audience of calls to this service.
SERVICE: Final = "catalog-service"

Seconds = Annotated[float, Field(gt=0)]
WholeSeconds = Annotated[int, Field(gt=0)]


class Settings(DatabaseSettings):
    """The catalog's own settings; the variable names carry the prefix ``SHOP_``."""

    section: ClassVar[str] = "catalog"

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

    # Pictures: uploaded by the client straight to the bucket, checked here, shown from the CDN.
    image_bucket: str = "shop-images"
    # Empty: the bucket's own address (LocalStack's in development).
    image_public_url: str = ""
    # Where an upload's form is posted to: the bucket itself, never a CDN. Empty: as above.
    image_upload_url: str = ""
    image_upload_ttl_s: WholeSeconds = 300
    image_max_bytes: Annotated[int, Field(gt=0)] = 5 * 1024 * 1024
    image_max_pixels: Annotated[int, Field(gt=0)] = 25_000_000
    images_per_product: Annotated[int, Field(ge=1, le=100)] = 10
    # Each takes a processor and up to 400 MB for a second or two.
    image_redraws_at_once: Annotated[int, Field(ge=1, le=64)] = 1

    import_max_bytes: Annotated[int, Field(gt=0)] = 10 * 1024 * 1024
    import_max_rows: Annotated[int, Field(gt=0)] = 20_000
    import_max_waiting: Annotated[int, Field(gt=0)] = 5
    import_uploads_at_once: Annotated[int, Field(gt=0)] = 4
    import_chunk_rows: Annotated[int, Field(gt=0)] = 50
    import_lease_s: Seconds = 30
    import_poll_s: Seconds = 1

    search_backend: Literal["mysql", "elasticsearch"] = "mysql"
    elasticsearch_url: UrlList = ()
    elasticsearch_timeout_s: Seconds = 1

    sweep_interval_s: Seconds = 30
    sweep_batch_size: Annotated[int, Field(ge=1, le=1000)] = 20
    order_timeout_s: Seconds = 2

    @field_validator("elasticsearch_url", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        return split_list(value)


class WorkerSettings(Settings):
    """The worker's own port; everything else is the service's."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9082
