"""The variants of a product over HTTP."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from catalog_service.api.deps import IF_MATCH, Merchant, Wired, expected_version, json_response
from catalog_service.schemas.products import VariantAdd, VariantList, VariantOut, VariantUpdate
from catalog_service.services import products, variants
from common_lib.auth import MaybeUser
from common_lib.problems import StrictRoute

router = APIRouter(
    prefix="/api/products/{product_id:uuid}/variants", tags=["variants"], route_class=StrictRoute
)


@router.get("", response_model=VariantList)
async def list_variants(product_id: UUID, principal: MaybeUser, deps: Wired) -> Response:
    """List what can be bought of a product; those who manage it see inactive variants, too."""
    detail = await products.variants_of(deps.database, principal, product_id)
    found = VariantList(items=products.variants_out(detail))
    return json_response(
        found.model_dump_json().encode(),
        etag=f'"{detail.product.version}"',
        cache_control="private, no-store",
    )


@router.post("", status_code=HTTPStatus.CREATED, response_model=VariantOut, openapi_extra=IF_MATCH)
async def add_variant(
    product_id: UUID, body: VariantAdd, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Add a variant with its first stock. The ETag is the product's new version."""
    variant, version = await variants.add(
        deps.database,
        principal,
        product_id,
        body,
        products.Expectation(expected_version(request), body.version),
        currency=deps.settings.currency,
    )
    await deps.announcements.product_changed(product_id)
    return _answer(variant, version, HTTPStatus.CREATED)


@router.put("/{variant_id:uuid}", response_model=VariantOut, openapi_extra=IF_MATCH)
async def change_variant(
    *,
    product_id: UUID,
    variant_id: UUID,
    body: VariantUpdate,
    principal: Merchant,
    request: Request,
    deps: Wired,
) -> Response:
    """Change a variant; what is absent stays. The ETag is the product's new version."""
    variant, version = await variants.change(
        deps.database,
        principal,
        product_id,
        variant_id,
        body=body,
        expected=products.Expectation(expected_version(request), body.version),
        currency=deps.settings.currency,
    )
    await deps.announcements.product_changed(product_id, variants=[variant_id])
    return _answer(variant, version, HTTPStatus.OK)


@router.delete("/{variant_id:uuid}", status_code=HTTPStatus.NO_CONTENT, openapi_extra=IF_MATCH)
async def deactivate_variant(
    product_id: UUID, variant_id: UUID, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Take a variant out of the shop; orders in flight still get theirs. Safe to repeat."""
    expected = products.Expectation(expected_version(request))
    version = await variants.deactivate(deps.database, principal, product_id, variant_id, expected)
    await deps.announcements.product_changed(product_id, variants=[variant_id])
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"etag": f'"{version}"'})


def _answer(variant: VariantOut, version: int, status: HTTPStatus) -> Response:
    return json_response(
        variant.model_dump_json().encode(),
        status,
        etag=f'"{version}"',
        cache_control="private, no-store",
    )
