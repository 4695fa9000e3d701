"""The category tree: each row names its parent."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps
from common_lib.database import TABLE_OPTIONS, Id
from common_lib.errors import Conflict, Rejected

# Levels of the tree, the roots being the first.
MAX_DEPTH: Final = 8


class CategoryCycle(Conflict):
    code = "category_cycle"
    title = "A category cannot be below itself"


class CategoryTooDeep(Rejected):
    code = "category_too_deep"
    title = f"The category tree has at most {MAX_DEPTH} levels"


class Category(Timestamps, Base):
    """A node of the tree; a root has no parent. Siblings are ordered by `position`, then name.

    `parent_key` stands in for the parent in the key of sibling names: a key takes any number of
    NULLs for different, so two roots could otherwise share a name.
    """

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("slug"),
        UniqueConstraint("parent_id", "name"),
        UniqueConstraint("parent_key", "name"),
        CheckConstraint("parent_id <> id", name="not_own_parent"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    parent_id: Mapped[UUID | None] = mapped_column(Id, ForeignKey("categories.id"))
    parent_key: Mapped[UUID | None] = mapped_column(
        Id,
        Computed("coalesce(parent_id,0x00000000000000000000000000000000)", persisted=False),
        deferred=True,
    )
    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(140))
    position: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))


class Hierarchy:
    """Every category by its parent; while their rows are locked, the tree stays as it is."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self.by_id = {category.id: category for category in categories}

    def path(self, category_id: UUID | None) -> list[UUID]:
        """Return the ids from a category up to its root, itself first; none for None."""
        path: list[UUID] = []
        while category_id is not None and len(path) <= len(self.by_id):
            path.append(category_id)
            category_id = self.by_id[category_id].parent_id
        return path

    def height(self, category_id: UUID) -> int:
        """Return how many levels the branch has that begins with the category."""
        base = len(self.path(category_id))
        paths = (self.path(other) for other in self.by_id)
        return max(len(path) - base + 1 for path in paths if category_id in path)

    def check_place(self, category_id: UUID | None, parent_id: UUID | None) -> None:
        """Raise CategoryCycle or CategoryTooDeep if the category (None: a new one) fits not there.

        The parent is a category of this hierarchy, or None for a root.
        """
        above = self.path(parent_id)
        if category_id is not None and category_id in above:
            raise CategoryCycle
        height = 1 if category_id is None else self.height(category_id)
        if len(above) + height > MAX_DEPTH:
            raise CategoryTooDeep
