"""The category tree: whole to be shown, locked to be changed."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.categories import Category, Hierarchy
from catalog_service.queries.inventory import matched
from common_lib.database import AnySession, WriteSession


async def all_categories(session: AnySession) -> Sequence[Category]:
    """Return every category, siblings in the order they are shown."""
    select = sa.select(Category).order_by(Category.position, Category.name)
    return (await session.scalars(select)).all()


async def lock_tree(session: WriteSession) -> Hierarchy:
    """Return every category, locked in id order: what changes the tree goes one by one."""
    select = sa.select(Category).order_by(Category.id).with_for_update()
    await session.execute(sa.select(Category.id).order_by(Category.id).with_for_update())
    # Read again: rows that were written while the first statement waited are in this one.
    return Hierarchy((await session.scalars(select)).all())


async def delete_category(session: WriteSession, category_id: UUID) -> bool:
    """Delete the row; False if there is none. Foreign keys refuse one that is in use."""
    statement = sa.delete(Category).where(Category.id == category_id)
    done = await session.execute(statement, execution_options={"synchronize_session": False})
    return matched(done) == 1
