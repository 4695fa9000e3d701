"""The category tree, whole."""

from collections.abc import Sequence

import sqlalchemy as sa

from catalog_service.models.categories import Category
from common_lib.database import AnySession


async def all_categories(session: AnySession) -> Sequence[Category]:
    """Return every category, siblings in the order they are shown."""
    select = sa.select(Category).order_by(Category.position, Category.name)
    return (await session.scalars(select)).all()
