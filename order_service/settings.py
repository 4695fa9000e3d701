"""What the order service reads from its environment."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from common_lib.money import CurrencyCode
from common_lib.settings import DatabaseSettings
from common_lib.settings.production import secret_faults

PositiveInt = Annotated[int, Field(gt=0)]
Amount = Annotated[int, Field(ge=0)]


class FreeShippingBasis(StrEnum):
    """Whether the goods' worth before or after the discount decides if delivery is free."""

    BEFORE_DISCOUNT = "before_discount"
    AFTER_DISCOUNT = "after_discount"


class Settings(DatabaseSettings):
    """Money is in minor units of `currency`; times are in seconds unless the name says more."""

    section: ClassVar[str] = "order"

    port: Annotated[int, Field(ge=1, le=65535)] = 8083

    currency: CurrencyCode = "INR"
    tax_basis_points: Annotated[int, Field(ge=0, le=10_000)] = 0
    is_tax_included: bool = True
    shipping_fee_minor: Amount = 4900
    free_shipping_from_minor: Amount = 49900
    free_shipping_basis: FreeShippingBasis = FreeShippingBasis.BEFORE_DISCOUNT

    cart_ttl_s: PositiveInt = 24 * 60 * 60
    # An attempt that ended between stock and order is given back its stock after so long.
    unfinished_order_grace_s: Annotated[float, Field(gt=0, le=900)] = 15.0
    cart_quote_ttl_s: PositiveInt = 30
    # Redis alone holds the carts: what is a copy elsewhere is waited for a tenth as long.
    cart_redis_timeout_s: Annotated[float, Field(gt=0, le=10)] = 1.0
    max_lines: Annotated[int, Field(gt=0, le=1000)] = 100
    max_quantity: Annotated[int, Field(gt=0, le=100_000)] = 1000

    max_open_unpaid_orders: Annotated[int, Field(gt=0, le=10_000)] = 5
    unpaid_order_ttl_s: PositiveInt = 30 * 60
    unpaid_reminder_s: Annotated[int, Field(ge=0)] = 10 * 60
    in_flight_ttl_ms: PositiveInt = 30_000
    contact_cache_ttl_s: PositiveInt = 60

    user_timeout_s: float = 2.0
    catalog_timeout_s: float = 5.0

    payment_provider: str = "sandbox"
    payment_sandbox_url: str = "http://127.0.0.1:8085"
    payment_webhook_secret: SecretStr
    payment_timeout_s: float = 3.0
    payment_lease_s: PositiveInt = 30
    webhook_tolerance_s: PositiveInt = 300
    payment_poll_s: float = 1.0
    unpaid_sweep_s: float = 5.0
    partition_check_s: float = 6 * 60 * 60

    def production_faults(self) -> Iterator[str]:
        yield from super().production_faults()
        secret = self.payment_webhook_secret.get_secret_value()
        yield from secret_faults("SHOP_PAYMENT_WEBHOOK_SECRET", secret, min_length=16)


class WorkerSettings(Settings):
    """The worker's own port; everything else is the service's."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9083
    consumer_visibility_s: PositiveInt = 60
