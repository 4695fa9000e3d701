"""What the order service reads from its environment."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from common_lib.money import CurrencyCode
from common_lib.settings import DEV_ONLY_SECRETS, DatabaseSettings

PositiveInt = Annotated[int, Field(gt=0)]
Amount = Annotated[int, Field(ge=0)]


class Settings(DatabaseSettings):
    """Money is in minor units of `currency`; times are in seconds unless the name says more."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8083

    currency: CurrencyCode = "INR"
    tax_basis_points: Annotated[int, Field(ge=0, le=10_000)] = 0
    is_tax_included: bool = True
    shipping_fee_minor: Amount = 4900
    free_shipping_from_minor: Amount = 49900

    cart_ttl_s: PositiveInt = 24 * 60 * 60
    cart_quote_ttl_s: PositiveInt = 30
    max_lines: Annotated[int, Field(gt=0, le=1000)] = 100
    max_quantity: Annotated[int, Field(gt=0, le=100_000)] = 1000

    max_open_unpaid_orders: Annotated[int, Field(gt=0, le=10_000)] = 5
    unpaid_order_ttl_s: PositiveInt = 30 * 60
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

    @model_validator(mode="after")
    def _production_has_a_webhook_secret(self) -> Self:
        if self.is_production and self.payment_webhook_secret.get_secret_value() in (
            *DEV_ONLY_SECRETS,
            "",
        ):
            raise ValueError("SHOP_PAYMENT_WEBHOOK_SECRET is a development default")
        return self


class WorkerSettings(Settings):
    """The worker's own port; everything else is the service's."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9083
    consumer_visibility_s: PositiveInt = 60
