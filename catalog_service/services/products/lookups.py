"""Products as people find them: by id, by slug, by store, by category."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from catalog_service.models.former_slugs import SlugKind
from catalog_service.models.products import ProductStatus
from catalog_service.queries import products as queries
from catalog_service.queries.former_slugs import former_owner
from catalog_service.queries.products import Among, ProductDetail
from catalog_service.schemas.products import ProductPage
from catalog_service.services.products.rules import require_owner
from catalog_service.services.products.shapes import product_out
from common_lib.auth import Principal, Role, RoleNotAllowed, Unauthenticated
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.database import AnySession, Database
from common_lib.errors import NotFound

_NEWEST: Final = "newest"
_PUBLIC: Final = frozenset({ProductStatus.ACTIVE})


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: `limit` products after where the cursor points."""

    limit: int
    cursor: str | None = None


async def shown(database: Database, product_id: UUID) -> ProductDetail | None:
    """Return a product as everybody may see it; drafts and archived ones nobody may.

    Read from the source: a replica's lag would be kept for as long as the page is.
    """
    found = await all_shown(database, [product_id])
    return found.get(product_id)


async def all_shown(database: Database, ids: Sequence[UUID]) -> dict[UUID, ProductDetail]:
    """Return those of the products that everybody may see, as `shown` does."""
    async with database.read_own_writes() as session:
        details = await queries.product_details(session, ids)
    return {
        detail.product.id: detail.for_everybody()
        for detail in details
        if detail.product.status is ProductStatus.ACTIVE
    }


async def owned(database: Database, principal: Principal, product_id: UUID) -> ProductDetail:
    """Return a product in any state to its seller or an administrator. Raises NotFound."""
    async with database.read_own_writes() as session:
        detail = await queries.product_detail(session, product_id)
        if detail is None:
            raise NotFound
        await require_owner(session, principal, detail.product.seller_id)
    return detail


async def may_manage(database: Database, principal: Principal, seller_id: UUID | None) -> bool:
    """Tell whether the caller is that seller or an administrator."""
    async with database.read_own_writes() as session:
        return await _manages(session, principal, seller_id)


async def by_slug(
    database: Database, principal: Principal | None, slug: str
) -> tuple[ProductDetail, bool]:
    """Return the product and whether everybody may see it; else it is shown to its manager only.

    A slug that it had before finds it too, unless another product has it now. Raises NotFound.
    """
    async with database.read() as session:
        product_id = await queries.product_id_by_slug(session, slug)
        if product_id is None:
            product_id = await former_owner(session, SlugKind.PRODUCT, slug)
    if product_id is None:
        raise NotFound
    detail = await shown(database, product_id)
    if detail is not None:
        return detail, True
    if principal is None:
        raise NotFound
    return await owned(database, principal, product_id), False


async def variants_of(
    database: Database, principal: Principal | None, product_id: UUID
) -> ProductDetail:
    """Return the product with the variants the caller may see: its manager sees inactive ones.

    Raises NotFound.
    """
    if principal is not None:
        async with database.read_own_writes() as session:
            detail = await queries.product_detail(session, product_id)
            if detail is not None and await _manages(session, principal, detail.product.seller_id):
                return detail
    found = await shown(database, product_id)
    if found is None:
        raise NotFound
    return found


async def of_seller(
    database: Database,
    principal: Principal | None,
    seller_id: UUID,
    statuses: Collection[ProductStatus],
    page: Page,
) -> ProductPage:
    """Return a store's products, newest first; other than active ones to its manager only.

    Raises InvalidCursor; NotFound for no such store, or another seller's; Unauthenticated or
    RoleNotAllowed.
    """
    is_public = set(statuses) <= _PUBLIC
    if not is_public:
        principal = _require_merchant(principal)
    opened = database.read() if is_public else database.read_own_writes()
    async with opened as session:
        if not await queries.seller_exists(session, seller_id):
            raise NotFound
        if principal is not None and not is_public:
            await require_owner(session, principal, seller_id)
        return await _page(session, Among(statuses, seller_id=seller_id), page, is_public=is_public)


async def of_category(database: Database, category_id: UUID, page: Page) -> ProductPage:
    """Return the active products of a category and all below it, newest first.

    Raises InvalidCursor, or NotFound for no such category.
    """
    async with database.read() as session:
        branch = await queries.category_branch(session, category_id)
        if not branch:
            raise NotFound
        return await _page(session, Among(_PUBLIC, category_ids=branch), page, is_public=True)


def _require_merchant(principal: Principal | None) -> Principal:
    if principal is None:
        raise Unauthenticated
    if principal.role not in {Role.SELLER, Role.ADMIN}:
        raise RoleNotAllowed
    return principal


async def _manages(session: AnySession, principal: Principal, seller_id: UUID | None) -> bool:
    try:
        await require_owner(session, principal, seller_id)
    except NotFound:
        return False
    return True


async def _page(session: AnySession, among: Among, page: Page, *, is_public: bool) -> ProductPage:
    after = None if page.cursor is None else decode_cursor(page.cursor, _NEWEST)[1]
    ids = await queries.newest_ids(session, among, after=after, limit=page.limit + 1)
    details = await queries.product_details(session, ids[: page.limit])
    has_more = len(ids) > page.limit
    return ProductPage(
        items=tuple(product_out(d.for_everybody() if is_public else d) for d in details),
        next_cursor=encode_cursor(_NEWEST, None, ids[page.limit - 1]) if has_more else None,
    )
