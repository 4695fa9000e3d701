"""Products over HTTP: keeping them, and looking them up."""

import re
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from catalog_service.api.deps import (
    IF_MATCH,
    MOVED,
    Deps,
    Merchant,
    Wired,
    etag,
    expected_version,
    is_known_to_client,
    json_response,
    moved,
)
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.api.product_page import get_product, product_answer
from catalog_service.models.products import ProductStatus
from catalog_service.queries.products import ProductDetail
from catalog_service.schemas.products import (
    ProductEdit,
    ProductIn,
    ProductOut,
    ProductPage,
    Status,
    StatusIn,
)
from catalog_service.services import products
from common_lib.auth import MaybeUser
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute

router = APIRouter(prefix="/api/products", tags=["products"], route_class=StrictRoute)

_SLUG: Final = re.compile(r"[a-z0-9-]{1,220}")


@router.post("", status_code=HTTPStatus.CREATED, response_model=ProductOut)
async def create_product(body: ProductIn, principal: Merchant, deps: Wired) -> Response:
    """List a product, as a draft unless it says otherwise."""
    detail = await products.create(deps.database, principal, body, currency=deps.settings.currency)
    await deps.announcements.product_changed(detail.product.id)
    location = f"/api/products/{detail.product.id}"
    return product_answer(detail, HTTPStatus.CREATED, location=location)


@router.get("/slug/{slug}", response_model=ProductOut, responses=MOVED)
async def product_by_slug(
    slug: str, principal: MaybeUser, request: Request, deps: Wired
) -> Response:
    """Show the product a link names; drafts to those who manage them.

    A former slug, or one in capitals, leads on.
    """
    wanted = slug.lower()
    if not _SLUG.fullmatch(wanted):
        raise NotFound
    detail, is_public = await products.by_slug(deps.database, principal, wanted)
    if detail.product.slug != slug:
        return moved(request, slug, detail.product.slug, is_public=is_public)
    return _shown(request, detail) if is_public else product_answer(detail, HTTPStatus.OK)


@router.get(
    "/seller/{seller_id:uuid}",
    response_model=ProductPage,
)
async def products_of_seller(
    *,
    seller_id: UUID,
    principal: MaybeUser,
    request: Request,
    deps: Wired,
    status: Annotated[Literal[Status, "ALL"], Query()] = "ACTIVE",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List a store's active products, newest first; its owner and administrators see all."""
    statuses = list(ProductStatus) if status == "ALL" else [ProductStatus(status)]
    page = await products.of_seller(
        deps.database, principal, seller_id, statuses, products.Page(limit, cursor)
    )
    return page_response(request, page)


@router.get(
    "/category/{category_id:uuid}",
    response_model=ProductPage,
)
async def products_of_category(
    *, category_id: UUID, request: Request, deps: Wired, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List the active products of a category and of all below it, newest first."""
    page = await products.of_category(deps.database, category_id, products.Page(limit, cursor))
    return page_response(request, page)


# For the OpenAPI document: the hot route is matched first and does the same.
@router.get("/{product_id:uuid}", response_model=ProductOut)
async def product_page_as_documented(
    product_id: UUID, principal: MaybeUser, request: Request
) -> Response:
    """Show a product; drafts to those who manage them."""
    del product_id, principal
    return await get_product(request)


@router.put("/{product_id:uuid}", response_model=ProductOut, openapi_extra=IF_MATCH)
async def update_product(
    product_id: UUID, body: ProductEdit, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Change a product and any of its variants."""
    detail = await products.update(
        deps.database,
        principal,
        product_id,
        body,
        products.Expectation(expected_version(request), body.version),
        currency=deps.settings.currency,
    )
    await _tell(deps, detail)
    return product_answer(detail, HTTPStatus.OK)


@router.delete("/{product_id:uuid}", status_code=HTTPStatus.NO_CONTENT, openapi_extra=IF_MATCH)
async def archive_product(
    product_id: UUID, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Archive a product: it leaves the shop, and orders keep what they name. Safe to repeat."""
    expected = products.Expectation(expected_version(request))
    detail = await products.archive(deps.database, principal, product_id, expected)
    await _tell(deps, detail)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.patch("/{product_id:uuid}/status", response_model=ProductOut, openapi_extra=IF_MATCH)
async def set_product_status(
    product_id: UUID, body: StatusIn, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Publish, withdraw or archive a product."""
    detail = await products.set_status(
        deps.database,
        principal,
        product_id,
        ProductStatus(body.status),
        products.Expectation(expected_version(request), body.version),
    )
    await _tell(deps, detail)
    return product_answer(detail, HTTPStatus.OK)


async def _tell(deps: Deps, detail: ProductDetail) -> None:
    variants = [variant.id for variant in detail.variants]
    await deps.announcements.product_changed(detail.product.id, variants=variants)


def _shown(request: Request, detail: ProductDetail) -> Response:
    body = products.product_out(detail).model_dump_json().encode()
    tag = etag(detail.product.version, body)
    if is_known_to_client(request, tag):
        headers = {"etag": tag, "cache-control": "no-cache"}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return json_response(body, etag=tag, cache_control="no-cache")
