"""Wishlists: the products a user wants to find again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime


class WishlistItem(Base):
    """One product on one user's list; adding it twice changes nothing."""

    __tablename__ = "wishlists"
    __table_args__ = (TABLE_OPTIONS,)

    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, ForeignKey("products.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
