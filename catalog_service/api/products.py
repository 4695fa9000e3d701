"""Products over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from catalog_service.api.deps import (
    Deps,
    Wired,
    deps_of,
    etag,
    expected_version,
    is_known_to_client,
    json_response,
)
from catalog_service.queries.products import ProductDetail
from catalog_service.schemas.products import ProductEdit, ProductIn, ProductOut
from catalog_service.services import products
from common_lib.auth import Principal, Role, current_user, require_role
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute
from common_lib.runtime import HotRoute

router = APIRouter(prefix="/api/products", tags=["products"], route_class=StrictRoute)

Merchant = Annotated[Principal, Depends(require_role(Role.SELLER, Role.ADMIN))]


@router.post("", status_code=HTTPStatus.CREATED, response_model=ProductOut)
async def create_product(body: ProductIn, principal: Merchant, deps: Wired) -> Response:
    detail = await products.create(deps.database, principal, body, currency=deps.settings.currency)
    await deps.announcements.product_changed(detail.product.id)
    return _answer(detail, HTTPStatus.CREATED, location=f"/api/products/{detail.product.id}")


@router.put("/{product_id:uuid}", response_model=ProductOut)
async def update_product(
    product_id: UUID, body: ProductEdit, principal: Merchant, request: Request, deps: Wired
) -> Response:
    detail = await products.update(
        deps.database,
        principal,
        product_id,
        body,
        products.Expectation(expected_version(request), body.version),
        currency=deps.settings.currency,
    )
    await deps.announcements.product_changed(detail.product.id)
    return _answer(detail, HTTPStatus.OK)


async def get_product(request: Request) -> Response:
    """Answer ready bytes; drafts are shown to those who manage them."""
    deps = deps_of(request)
    product_id: UUID = request.path_params["product_id"]
    stored = await deps.announcements.products.get(str(product_id), lambda: _load(deps, product_id))
    if stored is None:
        return await _unlisted_product(request, deps, product_id)
    tag, _, body = stored.partition(b"\n")
    name = tag.decode()
    headers = {"etag": name, "cache-control": "no-cache"}
    if is_known_to_client(request, name):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


# The hot read: matched before FastAPI's routes, and answered from ready bytes.
product_route = HotRoute("/api/products/{product_id:uuid}", get_product, methods=["GET"])


async def _load(deps: Deps, product_id: UUID) -> bytes | None:
    detail = await products.shown(deps.database, product_id)
    if detail is None:
        return None
    body = _body(detail)
    return etag(detail.product.version, body).encode() + b"\n" + body


async def _unlisted_product(request: Request, deps: Deps, product_id: UUID) -> Response:
    if "authorization" not in request.headers:
        raise NotFound
    principal = await current_user(request)
    return _answer(await products.owned(deps.database, principal, product_id), HTTPStatus.OK)


def _body(detail: ProductDetail) -> bytes:
    return products.product_out(detail).model_dump_json().encode()


def _answer(detail: ProductDetail, status: HTTPStatus, **headers: str) -> Response:
    body = _body(detail)
    return json_response(
        body,
        status,
        etag=etag(detail.product.version, body),
        cache_control="private, no-store",
        **headers,
    )
