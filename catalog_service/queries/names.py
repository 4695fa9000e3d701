"""What things are called, for lists that count them by id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.categories import Category
from catalog_service.models.sellers import Seller
from common_lib.database import AnySession


@dataclass(frozen=True, slots=True)
class CategoryName:
    name: str
    parent_id: UUID | None


async def category_names(session: AnySession) -> Mapping[UUID, CategoryName]:
    """Return every category's name and parent."""
    rows = await session.execute(sa.select(Category.id, Category.name, Category.parent_id))
    return {category_id: CategoryName(name, parent) for category_id, name, parent in rows}


async def store_names(session: AnySession, ids: Sequence[UUID]) -> Mapping[UUID, str]:
    if not ids:
        return {}
    rows = await session.execute(sa.select(Seller.id, Seller.store_name).where(Seller.id.in_(ids)))
    return {row.id: row.store_name for row in rows}
