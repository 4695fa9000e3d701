"""The category tree: each row names its parent."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps
from common_lib.database import TABLE_OPTIONS, Id


class Category(Timestamps, Base):
    """A node of the tree; a root has no parent. Siblings are ordered by `position`, then name."""

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("slug"),
        UniqueConstraint("parent_id", "name"),
        CheckConstraint("parent_id <> id", name="not_own_parent"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    parent_id: Mapped[UUID | None] = mapped_column(Id, ForeignKey("categories.id"))
    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(140))
    position: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
