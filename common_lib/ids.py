"""UUIDv7 ids (RFC 9562): sortable by time, so that an order's id carries its month."""

from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

import uuid_utils

UserId = NewType("UserId", UUID)
AddressId = NewType("AddressId", UUID)
SellerId = NewType("SellerId", UUID)
CategoryId = NewType("CategoryId", UUID)
ProductId = NewType("ProductId", UUID)
VariantId = NewType("VariantId", UUID)
OrderId = NewType("OrderId", UUID)
OrderItemId = NewType("OrderItemId", UUID)
PaymentId = NewType("PaymentId", UUID)
ReservationId = NewType("ReservationId", UUID)
EventId = NewType("EventId", UUID)


def new_id() -> UUID:
    return UUID(int=uuid_utils.uuid7().int)


def created_at(identifier: UUID) -> datetime:
    """Return the moment carried by a UUIDv7, in UTC, to the millisecond."""
    milliseconds = identifier.int >> 80
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def first_id_at(moment: datetime) -> UUID:
    """Return the lowest of the ids made at that millisecond or later, to compare others with."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
