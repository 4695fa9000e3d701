"""The category tree as it is shown."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from catalog_service.models.categories import Category
from catalog_service.queries.categories import all_categories
from catalog_service.schemas.categories import CategoryOut, CategoryTree
from common_lib.database import Database


async def tree(database: Database) -> CategoryTree:
    """Return the whole tree in one statement."""
    async with database.read() as session:
        return build_tree(await all_categories(session))


def build_tree(categories: Iterable[Category]) -> CategoryTree:
    """Hang each category below its parent; what hangs on nothing shown is left out."""
    children: defaultdict[UUID | None, list[Category]] = defaultdict(list)
    for category in categories:
        children[category.parent_id].append(category)
    return CategoryTree(items=_branches(children, None))


def _branches(
    children: dict[UUID | None, list[Category]], parent_id: UUID | None
) -> tuple[CategoryOut, ...]:
    return tuple(
        CategoryOut(
            id=category.id,
            parent_id=category.parent_id,
            name=category.name,
            slug=category.slug,
            children=_branches(children, category.id),
        )
        for category in children.get(parent_id, ())
    )
