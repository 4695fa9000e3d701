"""Parcels on their way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from order_service.models.base import Base, enum_column
from order_service.schemas.enums import ShipmentStatus


class Shipment(Base):
    """One parcel of an order; written when the order is shipped."""

    __tablename__ = "shipments"
    __table_args__ = (
        UniqueConstraint("carrier", "tracking_number"),
        CheckConstraint("version > 0", name="version_positive"),
        Index("ix_shipments_order_id", "order_id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id)
    status: Mapped[ShipmentStatus] = mapped_column(enum_column(ShipmentStatus))
    carrier: Mapped[str | None] = mapped_column(String(64))
    tracking_number: Mapped[str | None] = mapped_column(String(64))
    shipped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
