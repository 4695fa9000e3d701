"""Reservations, stock and quotes on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common_lib.money import Money
from common_lib.problems import ApiModel, LaxId, RequestModel
from common_lib.text import OneLine, Shaped, Verbatim

# The largest value of the INT columns behind these numbers.
MAX_COUNT = 2**31 - 1
MAX_LINES = 100

Quantity = Annotated[int, Field(ge=1, lt=MAX_COUNT)]
Version = Annotated[int, Field(ge=1, le=MAX_COUNT)]
PlainText = Annotated[
    str,
    Shaped(r"^[!-~]+$", "Use letters and signs of ASCII, without spaces", max_length=128),
]

IdempotencyKey = Annotated[
    str, Field(min_length=1, max_length=255), Verbatim("another key would be another request")
]


class LineIn(RequestModel):
    """So many units of one variant."""

    variant_id: LaxId
    quantity: Quantity


Lines = Annotated[list[LineIn], Field(min_length=1, max_length=MAX_LINES)]


class ReserveIn(RequestModel):
    """Ask for stock for an order that is about to be placed.

    `userId` and `idempotencyKey` let the sweeper ask the order service what became of it.
    """

    reservation_id: LaxId
    order_id: LaxId
    fingerprint: PlainText
    user_id: LaxId | None = None
    idempotency_key: IdempotencyKey | None = None
    items: Lines


class ReleaseIn(RequestModel):
    reservation_id: LaxId
    reason: Annotated[str, OneLine(64)] = "released"


class ConfirmIn(RequestModel):
    """Move a reservation on: COMMITTED once its order exists, CONSUMED once it is paid."""

    reservation_id: LaxId
    status: Literal["COMMITTED", "CONSUMED"] = "COMMITTED"


class ReservationOut(ApiModel):
    reservation_id: UUID
    status: str


class QuoteIn(RequestModel):
    items: Lines


class QuotedLine(ApiModel):
    """A variant as it would be sold now; `is_active` False means it cannot be ordered."""

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    seller_id: UUID | None
    quantity: int
    unit_price: Money
    available: int
    is_active: bool


class QuoteOut(ApiModel):
    """`missing` names the variants that do not exist."""

    items: tuple[QuotedLine, ...]
    missing: tuple[UUID, ...]


class AdjustIn(RequestModel):
    """Put units on the shelf (positive) or take them off (negative), and say why."""

    delta: Annotated[int, Field(gt=-MAX_COUNT, lt=MAX_COUNT)]
    reason: Annotated[str, OneLine(200)]
    kind: Literal["RESTOCK", "CORRECTION"] = "CORRECTION"
    version: Version | None = None


class ReorderLevelIn(RequestModel):
    """At how many available units more have to be ordered; 0 asks for no alert."""

    reorder_level: Annotated[int, Field(ge=0, lt=MAX_COUNT)]
    version: Version | None = None


class StockOut(ApiModel):
    """Displayed stock; the two counters are for the seller and the administrator."""

    variant_id: UUID
    available: int
    quantity: int | None = None
    reserved: int | None = None
    reorder_level: int | None = None
    version: int | None = None
    updated_at: datetime


class MovementOut(ApiModel):
    """A row of the ledger."""

    id: UUID
    kind: str
    quantity_delta: int
    reserved_delta: int
    reason: str
    reservation_id: UUID | None
    actor_id: UUID | None
    created_at: datetime


class MovementPage(ApiModel):
    items: tuple[MovementOut, ...]
    next_cursor: str | None


class LowStockItem(ApiModel):
    variant_id: UUID
    product_id: UUID
    seller_id: UUID | None
    sku: str
    name: str
    available: int
    quantity: int
    reserved: int
    reorder_level: int
    version: int
    updated_at: datetime


class LowStockPage(ApiModel):
    items: tuple[LowStockItem, ...]
    next_cursor: str | None
