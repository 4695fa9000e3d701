"""Products over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from catalog_service.api.deps import Wired, expected_version
from catalog_service.api.product_page import product_answer
from catalog_service.schemas.products import ProductEdit, ProductIn, ProductOut
from catalog_service.services import products
from common_lib.auth import Principal, Role, require_role
from common_lib.problems import StrictRoute

router = APIRouter(prefix="/api/products", tags=["products"], route_class=StrictRoute)

Merchant = Annotated[Principal, Depends(require_role(Role.SELLER, Role.ADMIN))]


@router.post("", status_code=HTTPStatus.CREATED, response_model=ProductOut)
async def create_product(body: ProductIn, principal: Merchant, deps: Wired) -> Response:
    detail = await products.create(deps.database, principal, body, currency=deps.settings.currency)
    await deps.announcements.product_changed(detail.product.id)
    location = f"/api/products/{detail.product.id}"
    return product_answer(detail, HTTPStatus.CREATED, location=location)


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
    return product_answer(detail, HTTPStatus.OK)
