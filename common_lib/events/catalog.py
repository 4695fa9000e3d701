"""Events of the catalog service, on the topic catalog-events."""

from typing import ClassVar
from uuid import UUID

from common_lib.events.envelope import Event, EventPart, Topic
from common_lib.events.orders import OrderLine
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


class MemberEvent(Event):
    """News for a user whom the catalog knows by id alone.

    `email` and `full_name` do not travel: whoever writes to the user asks for them and fills in.
    """

    topic: ClassVar[Topic] = Topic.CATALOG_EVENTS

    user_id: UUID
    email: str | None = None
    full_name: str | None = None


class StoreEvent(MemberEvent):
    """News for the owner of a store."""

    store_id: UUID
    store_name: str

    @property
    def key(self) -> str:
        return str(self.store_id)


class StoreApproved(StoreEvent):
    event_type: ClassVar[str] = "STORE_APPROVED"


class StoreRejected(StoreEvent):
    """An application was turned down."""

    event_type: ClassVar[str] = "STORE_REJECTED"


class StoreSuspended(StoreEvent):
    event_type: ClassVar[str] = "STORE_SUSPENDED"


class StoreReinstated(StoreEvent):
    event_type: ClassVar[str] = "STORE_REINSTATED"


class StoreOrderEvent(StoreEvent):
    """About the store's part of an order: its own lines and what they cost before any discount."""

    order_id: UUID
    order_number: str
    lines: tuple[OrderLine, ...]
    total: Money


class StoreOrderReceived(StoreOrderEvent):
    """The order is paid, or to be paid in cash: the goods are to be sent."""

    event_type: ClassVar[str] = "STORE_ORDER_RECEIVED"


class StoreOrderCancelled(StoreOrderEvent):
    """An order that was to be sent is not to be sent any more."""

    event_type: ClassVar[str] = "STORE_ORDER_CANCELLED"


class ReviewEvent(MemberEvent):
    """A moderator's verdict, for the author."""

    review_id: UUID
    product_id: UUID
    product_name: str

    @property
    def key(self) -> str:
        return str(self.review_id)


class ReviewApproved(ReviewEvent):
    event_type: ClassVar[str] = "REVIEW_APPROVED"


class ReviewRejected(ReviewEvent):
    event_type: ClassVar[str] = "REVIEW_REJECTED"

    note: str = ""
