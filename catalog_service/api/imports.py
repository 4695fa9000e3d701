"""Products in and out as CSV files."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from catalog_service.api.deps import Merchant, Wired, json_response
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.models.products import ProductStatus
from catalog_service.schemas.imports import ImportOut, ImportReport
from catalog_service.services import exports
from catalog_service.services.imports import jobs
from catalog_service.services.imports.decoding import CHARSETS
from catalog_service.services.imports.jobs import ImportLimits, Upload
from catalog_service.settings import Settings
from common_lib.clock import now
from common_lib.idempotency import key_from
from common_lib.problems import StrictRoute, UnsupportedMediaType, parse_id, read_body

router = APIRouter(tags=["imports"], route_class=StrictRoute)

CSV: Final = "text/csv"
# A body that comes slower than this does not arrive in time (the gateway keeps the same rule).
_BYTES_PER_S: Final = 64 * 1024
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {CSV: {"schema": {"type": "string", "format": "binary"}}},
    }
}

Store = Annotated[UUID | None, Query(alias="sellerId")]


@router.post(
    "/api/products/import",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ImportOut,
    openapi_extra=_BODY,
)
async def import_products(
    principal: Merchant, request: Request, deps: Wired, seller_id: Store = None
) -> Response:
    """Take a CSV file of products; `GET /api/imports/{id}` tells how far it has come."""
    charset = _charset(request)
    header = request.headers.get("idempotency-key")
    key = None if header is None else key_from(header)
    await jobs.admit(deps.database, principal, seller_id)
    with deps.import_door.open():
        upload = Upload(await _file(request, deps.settings), seller_id, key, charset)
        limits = ImportLimits(deps.settings.import_max_rows, deps.settings.import_max_waiting)
        job, is_replayed = await jobs.submit(deps.database, principal, upload, limits)
    replayed = {"idempotent_replayed": "true"} if is_replayed else {}
    return json_response(
        job.model_dump_json().encode(),
        HTTPStatus.ACCEPTED,
        location=f"/api/imports/{job.id}",
        **replayed,
    )


@router.get(
    "/api/imports/{import_id}",
    response_model=ImportReport,
)
async def get_import(
    *,
    import_id: str,
    principal: Merchant,
    request: Request,
    deps: Wired,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Show how far an import has come, with a page of the rows that were refused."""
    report = await jobs.report(
        deps.database, principal, parse_id(import_id), cursor=cursor, limit=limit
    )
    return page_response(request, report, cache_control="private, no-store")


@router.get(
    "/api/products/export",
    response_class=StreamingResponse,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
async def export_products(
    *,
    principal: Merchant,
    deps: Wired,
    seller_id: Annotated[UUID | Literal["shop"] | None, Query(alias="sellerId")] = None,
    status: ProductStatus | None = None,
) -> Response:
    """Send the products as a CSV file that can be imported again.

    Administrators get all, or with `sellerId` one store's, or with `sellerId=shop` the shop's own.
    """
    wanted = await exports.filter_for(deps.database, principal, seller_id, status)
    pieces = exports.file(deps.database, wanted)
    # Read before the answer begins: a database that is away is then a 503, not a broken file.
    first = await anext(pieces)
    headers = {
        "content-disposition": f'attachment; filename="products-{now():%Y-%m-%d}.csv"',
        "cache-control": "private, no-store",
    }
    return StreamingResponse(_joined(first, pieces), media_type=CSV, headers=headers)


async def _file(request: Request, settings: Settings) -> bytes:
    return await read_body(
        request,
        max_bytes=settings.import_max_bytes,
        timeout_s=settings.body_timeout_s,
        bytes_per_s=_BYTES_PER_S,
    )


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _charset(request: Request) -> str:
    """Return the encoding the file is said to have. Raises UnsupportedMediaType."""
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().partition("charset=")[2].strip(' "')
    is_plain = "content-encoding" not in request.headers
    if media_type.strip().lower() != CSV or charset not in CHARSETS or not is_plain:
        known = ", ".join(sorted(filter(None, CHARSETS)))
        raise UnsupportedMediaType(f"the body must be text/csv; its charset may be {known}")
    return charset
