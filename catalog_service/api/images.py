"""Pictures of products over HTTP."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from catalog_service.api.deps import IF_MATCH, Merchant, Wired, expected_version, json_response
from catalog_service.schemas.images import AttachedImage, AttachIn, PresignIn, PresignOut
from catalog_service.services.images import image_out
from catalog_service.services.products import Expectation
from common_lib.problems import StrictRoute

router = APIRouter(prefix="/api/products", tags=["images"], route_class=StrictRoute)

_UNSTORED = "private, no-store"


@router.post("/{product_id:uuid}/images/presign", response_model=PresignOut)
async def presign_image(
    product_id: UUID, body: PresignIn, principal: Merchant, deps: Wired
) -> Response:
    """Give out a form with which a browser uploads one picture straight to the bucket."""
    form = await deps.images.presign(principal, product_id, body)
    return json_response(form.model_dump_json().encode(), cache_control=_UNSTORED)


@router.post(
    "/{product_id:uuid}/images",
    status_code=HTTPStatus.CREATED,
    response_model=AttachedImage,
    responses={HTTPStatus.OK: {"model": AttachedImage}},
    openapi_extra=IF_MATCH,
)
async def attach_image(
    product_id: UUID, body: AttachIn, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Check an upload and show it; 200 if it is shown already. The tag is the product's."""
    expected = Expectation(expected_version(request))
    attached = await deps.images.attach(principal, product_id, body, expected)
    if attached.is_new:
        await deps.announcements.product_changed(product_id)
    return json_response(
        image_out(attached.image).model_dump_json().encode(),
        HTTPStatus.CREATED if attached.is_new else HTTPStatus.OK,
        etag=f'"{attached.version}"',
        cache_control=_UNSTORED,
    )


@router.delete(
    "/{product_id:uuid}/images/{image_id:uuid}",
    status_code=HTTPStatus.NO_CONTENT,
    openapi_extra=IF_MATCH,
)
async def remove_image(
    product_id: UUID, image_id: UUID, principal: Merchant, request: Request, deps: Wired
) -> Response:
    """Take a picture off its product. The tag is the product's."""
    expected = Expectation(expected_version(request))
    version = await deps.images.remove(principal, product_id, image_id, expected)
    await deps.announcements.product_changed(product_id)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"etag": f'"{version}"'})
