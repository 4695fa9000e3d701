"""Stores: a seller is one user's store."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps, enum_column
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict


class SellerStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


# PENDING → SUSPENDED turns an application down; nothing becomes PENDING again.
SELLER_MOVES: Final[Mapping[SellerStatus, frozenset[SellerStatus]]] = {
    SellerStatus.PENDING: frozenset({SellerStatus.ACTIVE, SellerStatus.SUSPENDED}),
    SellerStatus.ACTIVE: frozenset({SellerStatus.SUSPENDED}),
    SellerStatus.SUSPENDED: frozenset({SellerStatus.ACTIVE}),
}


CLOSED_STORE: Final = "Closed store"


class IllegalStoreMove(Conflict):
    code = "illegal_status_change"
    title = "The store cannot change to that status"


class Seller(Timestamps, Base):
    """A store. Only an ACTIVE one may list products.

    `role_due_at` is set while the user service has yet to be told that the owner sells, and is
    when it is asked next.
    """

    __tablename__ = "sellers"
    __table_args__ = (
        UniqueConstraint("user_id"),
        UniqueConstraint("slug"),
        Index("ix_sellers_role_due_at", "role_due_at"),
        Index("ix_sellers_status_id", "status", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id)
    store_name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(140))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[SellerStatus] = mapped_column(
        enum_column(SellerStatus), default=SellerStatus.PENDING
    )
    role_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def may_sell(self) -> bool:
        return self.status is SellerStatus.ACTIVE

    def close(self, moment: datetime) -> None:
        """Suspend the store of an owner who is gone, under a name that tells nothing."""
        self.status, self.role_due_at = SellerStatus.SUSPENDED, None
        self.store_name, self.description = CLOSED_STORE, ""
        self.slug = f"closed-store-{self.id.hex}"
        self.updated_at = moment

    def change_status(self, status: SellerStatus, moment: datetime) -> bool:
        """Move to `status`; return whether anything changed. Raises IllegalStoreMove.

        A store that opens owes its owner the role SELLER.
        """
        if status is self.status:
            return False
        if status not in SELLER_MOVES[self.status]:
            raise IllegalStoreMove
        self.status = status
        self.role_due_at = moment if status is SellerStatus.ACTIVE else None
        self.updated_at = moment
        return True
