"""What things are called, for lists that count them by id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.categories import Category
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
    connection = await session.connection()
    listed = ",".join(f"0x{id_.hex}" for id_ in ids)
    select = f"SELECT id, store_name FROM sellers WHERE id IN ({listed})"  # noqa: S608 - hex alone
    rows: Sequence[Any] = (await connection.exec_driver_sql(select)).all()
    return {UUID(bytes=row[0]): row[1] for row in rows}
