"""Events of the catalog service, on the topic catalog-events."""

from typing import ClassVar
from uuid import UUID

from common_lib.events.envelope import Event, EventPart, Topic
from common_lib.money import Money


class StockEvent(Event):
    """About one variant's stock; `available` is quantity minus reserved at the crossing."""

    topic: ClassVar[Topic] = Topic.CATALOG_EVENTS

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    available: int
    reorder_level: int

    @property
    def key(self) -> str:
        return str(self.variant_id)


class LowStockReached(StockEvent):
    """Written once per downward crossing of the reorder level."""

    event_type: ClassVar[str] = "LOW_STOCK_ALERT"


class OutOfStockReached(StockEvent):
    event_type: ClassVar[str] = "OUT_OF_STOCK"


class BackInStock(StockEvent):
    """Written once when a variant that was out of stock can be bought again."""

    event_type: ClassVar[str] = "BACK_IN_STOCK"


class ProductEvent(Event):
    topic: ClassVar[Topic] = Topic.CATALOG_EVENTS

    product_id: UUID
    seller_id: UUID | None = None
    name: str
    status: str
    product_version: int

    @property
    def key(self) -> str:
        return str(self.product_id)


class ProductCreated(ProductEvent):
    event_type: ClassVar[str] = "PRODUCT_CREATED"


class VariantPrice(EventPart):
    """A variant and its price inside PRODUCT_UPDATED."""

    variant_id: UUID
    price: Money
    is_active: bool


class ProductUpdated(ProductEvent):
    event_type: ClassVar[str] = "PRODUCT_UPDATED"

    variants: tuple[VariantPrice, ...] = ()
