"""A product's page: the hottest read of the shop."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

from fastapi import Request, Response

from catalog_service.api.deps import Deps, deps_of, etag, json_response
from catalog_service.queries.products import ProductDetail
from catalog_service.services import products
from common_lib.auth import current_user
from common_lib.database import Database
from common_lib.errors import NotFound
from common_lib.problems import refuse_unfit_query
from common_lib.runtime import HotRoute
from common_lib.runtime.hot_reads import pack, packed_response


async def get_product(request: Request) -> Response:
    """Answer ready bytes; drafts are shown to those who manage them."""
    refuse_unfit_query(request)
    deps = deps_of(request)
    product_id: UUID = request.path_params["product_id"]
    stored = await deps.announcements.products.get(
        str(product_id), lambda: deps.pages.get(product_id)
    )
    if stored is None:
        return await _unlisted_product(request, deps, product_id)
    return packed_response(request, stored)


# Matched before FastAPI's routes, and left alone where the page is at hand.
product_route = HotRoute("/api/products/{product_id:uuid}", get_product, methods=["GET"])


def product_answer(detail: ProductDetail, status: HTTPStatus, **headers: str) -> Response:
    """Answer the product as its seller sees it, never kept by a cache."""
    body = _body(detail)
    return json_response(
        body,
        status,
        etag=etag(detail.product.version, body),
        cache_control="private, no-store",
        **headers,
    )


async def load_pages(database: Database, ids: Sequence[UUID]) -> Mapping[UUID, bytes]:
    """Return the pages, packed for the cache, of those that everybody may see."""
    shown = await products.all_shown(database, ids)
    return {product_id: _packed(detail) for product_id, detail in shown.items()}


def _packed(detail: ProductDetail) -> bytes:
    body = _body(detail)
    return pack(etag(detail.product.version, body), body)


async def _unlisted_product(request: Request, deps: Deps, product_id: UUID) -> Response:
    if "authorization" not in request.headers:
        raise NotFound
    principal = await current_user(request)
    detail = await products.owned(deps.database, principal, product_id)
    return product_answer(detail, HTTPStatus.OK)


def _body(detail: ProductDetail) -> bytes:
    return products.product_out(detail).model_dump_json().encode()
