"""Who bought what, as the order events told: the proof behind a verified review."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime


class Purchase(Base):
    """Units of one product in one confirmed order; a cancelled order's rows are taken back."""

    __tablename__ = "purchases"
    __table_args__ = (Index("ix_purchases_order_id", "order_id"), TABLE_OPTIONS)

    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    quantity: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
