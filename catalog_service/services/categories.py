"""The category tree: shown whole, changed by administrators one after the other."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from catalog_service.models.categories import Category, Hierarchy
from catalog_service.models.former_slugs import SlugKind
from catalog_service.models.slugs import slugified
from catalog_service.queries.categories import all_categories, delete_category, lock_tree
from catalog_service.queries.former_slugs import (
    forget_target,
    former_owner,
    note_change,
    note_taken,
)
from catalog_service.queries.search_index import mark_branch
from catalog_service.schemas.categories import (
    CategoryEdit,
    CategoryIn,
    CategoryMove,
    CategoryOut,
    CategoryRow,
    CategoryTree,
)
from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key, is_still_referenced
from common_lib.errors import Conflict, FieldError, NotFound, Rejected
from common_lib.ids import new_id

_SLUG_LENGTH = 120


class CategoryExists(Conflict):
    code = "category_exists"
    title = "A sibling has this name, or another category this slug"


class CategoryNotEmpty(Conflict):
    code = "category_not_empty"
    title = "The category has products or other categories in it"


class InvalidCategory(Rejected):
    code = "validation_failed"
    title = "Some members are missing or wrong"


async def tree(database: Database) -> CategoryTree:
    """Return the whole tree in one statement, from the source: it is kept for an hour."""
    async with database.read_own_writes() as session:
        return build_tree(await all_categories(session))


async def by_slug(database: Database, slug: str) -> CategoryOut:
    """Return the category with what is below it; a slug that it had before finds it too.

    Raises NotFound.
    """
    async with database.read_own_writes() as session:
        categories = await all_categories(session)
        wanted = next((each.id for each in categories if each.slug == slug), None)
        if wanted is None:
            wanted = await former_owner(session, SlugKind.CATEGORY, slug)
    children = _children(categories)
    for category in categories:
        if category.id == wanted:
            return _branch(children, category)
    raise NotFound


async def create(database: Database, body: CategoryIn) -> CategoryRow:
    """Hang a new category into the tree.

    Raises InvalidCategory, CategoryTooDeep or CategoryExists.
    """

    async def work(session: WriteSession) -> Category:
        hierarchy = await lock_tree(session)
        _require_parent(hierarchy, body.parent_id)
        hierarchy.check_place(None, body.parent_id)
        category = _new_category(body, hierarchy)
        session.add(category)
        await session.flush()
        await note_taken(session, SlugKind.CATEGORY, category.slug)
        return category

    return await _saved(database, work)


async def update(database: Database, category_id: UUID, body: CategoryEdit) -> CategoryRow:
    """Change a category, and move it where another parent is given.

    Raises NotFound, InvalidCategory, CategoryCycle, CategoryTooDeep or CategoryExists.
    """

    async def work(session: WriteSession) -> Category:
        hierarchy = await lock_tree(session)
        category = _known(hierarchy, category_id)
        slug = category.slug
        if "parent_id" in body.model_fields_set:
            _move(hierarchy, category, body.parent_id)
        category.name = body.name
        category.slug = body.slug or slug
        _touch(category, body.position)
        await session.flush()
        await note_change(session, SlugKind.CATEGORY, category_id, slug, category.slug)
        await mark_branch(session, category_id)
        return category

    return await _saved(database, work)


async def move(database: Database, category_id: UUID, body: CategoryMove) -> CategoryRow:
    """Hang a category with all that is below it elsewhere.

    Moves go one after the other, so that no two of them make a circle together. Raises NotFound,
    InvalidCategory, CategoryCycle, CategoryTooDeep or CategoryExists.
    """

    async def work(session: WriteSession) -> Category:
        hierarchy = await lock_tree(session)
        category = _known(hierarchy, category_id)
        _move(hierarchy, category, body.parent_id)
        _touch(category, body.position)
        await mark_branch(session, category_id)
        return category

    return await _saved(database, work)


async def delete(database: Database, category_id: UUID) -> None:
    """Delete an empty category. Raises NotFound or CategoryNotEmpty."""
    try:
        is_deleted = await database.transact(lambda session: _delete(session, category_id))
    except IntegrityError as error:
        if is_still_referenced(error):
            raise CategoryNotEmpty from None
        raise
    if not is_deleted:
        raise NotFound


async def _delete(session: WriteSession, category_id: UUID) -> bool:
    await forget_target(session, SlugKind.CATEGORY, category_id)
    return await delete_category(session, category_id)


def build_tree(categories: Iterable[Category]) -> CategoryTree:
    """Hang each category below its parent; what hangs on nothing shown is left out."""
    children = _children(categories)
    return CategoryTree(items=tuple(_branch(children, root) for root in children.get(None, ())))


def _children(categories: Iterable[Category]) -> Mapping[UUID | None, list[Category]]:
    children: defaultdict[UUID | None, list[Category]] = defaultdict(list)
    for category in categories:
        children[category.parent_id].append(category)
    return children


def _branch(children: Mapping[UUID | None, list[Category]], category: Category) -> CategoryOut:
    return CategoryOut(
        id=category.id,
        parent_id=category.parent_id,
        name=category.name,
        slug=category.slug,
        children=tuple(_branch(children, each) for each in children.get(category.id, ())),
    )


def _known(hierarchy: Hierarchy, category_id: UUID) -> Category:
    category = hierarchy.by_id.get(category_id)
    if category is None:
        raise NotFound
    return category


def _require_parent(hierarchy: Hierarchy, parent_id: UUID | None) -> None:
    if parent_id is not None and parent_id not in hierarchy.by_id:
        detail = "there is no such category"
        raise InvalidCategory(errors=[FieldError("/parentId", "unknown_category", detail)])


def _move(hierarchy: Hierarchy, category: Category, parent_id: UUID | None) -> None:
    _require_parent(hierarchy, parent_id)
    hierarchy.check_place(category.id, parent_id)
    category.parent_id = parent_id


def _touch(category: Category, position: int | None) -> None:
    if position is not None:
        category.position = position
    category.updated_at = now()


def _new_category(body: CategoryIn, hierarchy: Hierarchy) -> Category:
    category_id, at = new_id(), now()
    return Category(
        id=category_id,
        parent_id=body.parent_id,
        name=body.name,
        slug=body.slug or _free_slug(body.name, category_id, hierarchy),
        position=body.position,
        created_at=at,
        updated_at=at,
    )


def _free_slug(name: str, category_id: UUID, hierarchy: Hierarchy) -> str:
    """Return the name as a URL part; where it is taken or empty, the id's tail makes it unique."""
    words = slugified(name, max_length=_SLUG_LENGTH)
    taken = {category.slug for category in hierarchy.by_id.values()}
    if words and words not in taken:
        return words
    return f"{words or 'category'}-{category_id.hex[-8:]}"


async def _saved(
    database: Database, work: Callable[[WriteSession], Awaitable[Category]]
) -> CategoryRow:
    try:
        category = await database.transact(work)
    except IntegrityError as error:
        if is_duplicate_key(error, "uq_categories_"):
            raise CategoryExists from None
        raise
    return CategoryRow(
        id=category.id,
        parent_id=category.parent_id,
        name=category.name,
        slug=category.slug,
        position=category.position,
    )
