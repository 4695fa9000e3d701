"""What only the order service may call."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from catalog_service.api.deps import Wired, deps_of, json_response
from catalog_service.models.inventory import ReservationStatus
from catalog_service.models.reservations import HeldStock, ReserveCommand, merged_lines
from catalog_service.schemas.inventory import (
    ConfirmIn,
    QuoteIn,
    QuoteOut,
    ReleaseIn,
    ReservationOut,
    ReserveIn,
)
from catalog_service.schemas.sellers import SellerOut
from catalog_service.services import inventory, reservations, sellers
from catalog_service.services.batcher import Timings
from common_lib.auth import ServiceName, require_service
from common_lib.clock import rfc3339
from common_lib.problems import StrictRoute, parse_id, read_json, refuse_unfit_query
from common_lib.runtime import HotRoute
from common_lib.telemetry import flow_step

_admit_orders = require_service(ServiceName.ORDER)

router = APIRouter(
    prefix="/internal",
    tags=["internal"],
    route_class=StrictRoute,
    dependencies=[Depends(_admit_orders)],
)


async def reserve(request: Request) -> Response:
    """Hold stock for an order: all lines or none. Safe to repeat with the same reservation id."""
    await _admit_orders(request)
    refuse_unfit_query(request)
    body = await _reserve_in(request)
    held, timings = await deps_of(request).batcher.reserve(_command(body))
    _log_steps(timings)
    return json_response(orjson.dumps(_held_body(held)))


# The hot hop of every order: answered without FastAPI's own 100 microseconds.
reserve_route = HotRoute("/internal/inventory/reserve", reserve, methods=["POST"])


@router.post("/inventory/release", response_model=ReservationOut)
async def release(body: ReleaseIn, deps: Wired) -> Response:
    """Put a reservation's stock back. Safe to repeat."""
    moved = await reservations.release(deps.database, body.reservation_id, body.reason)
    deps.batcher.forget_sold_out(moved.changed)
    await deps.announcements.reservation_moved(moved)
    return _moved(moved)


@router.post("/inventory/confirm", response_model=ReservationOut)
async def confirm(body: ConfirmIn, deps: Wired) -> Response:
    """Note that a reservation's order was placed, or paid. Safe to repeat."""
    target = ReservationStatus(body.status)
    return _moved(await reservations.confirm(deps.database, body.reservation_id, target))


@router.post("/products/quote", response_model=QuoteOut)
async def quote(body: QuoteIn, deps: Wired) -> Response:
    """Say what the items of a cart cost now and how many there are."""
    return json_response((await inventory.quote(deps.database, body)).model_dump_json().encode())


@router.get("/sellers/by-user/{user_id}", response_model=SellerOut)
async def seller_by_user(user_id: str, deps: Wired) -> Response:
    """Show whose store a user has."""
    store = await sellers.of_user(deps.database, parse_id(user_id))
    return json_response(store.model_dump_json().encode())


async def _reserve_in(request: Request) -> ReserveIn:
    try:
        return ReserveIn.model_validate(await read_json(request))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from None


def _command(body: ReserveIn) -> ReserveCommand:
    return ReserveCommand(
        reservation_id=body.reservation_id,
        order_id=body.order_id,
        fingerprint=body.fingerprint,
        lines=merged_lines((item.variant_id, item.quantity) for item in body.items),
        user_id=body.user_id,
        idempotency_key=body.idempotency_key,
    )


def _log_steps(timings: Timings) -> None:
    flow_step(5, timings.confirm_ms)
    flow_step(7, timings.lock_ms or 0.0, is_taken=timings.lock_ms is not None)
    flow_step(8, timings.reserve_ms)


def _held_body(held: HeldStock) -> dict[str, Any]:
    return {
        "reservationId": held.reservation_id,
        "orderId": held.order_id,
        "expiresAt": rfc3339(held.expires_at),
        "items": [
            {
                "variantId": line.variant_id,
                "productId": line.offer.product_id,
                "sku": line.offer.sku,
                "name": line.offer.name,
                "sellerId": line.offer.seller_id,
                "quantity": line.quantity,
                "unitPrice": {"amount": line.offer.price_minor, "currency": line.offer.currency},
            }
            for line in held.lines
        ],
    }


def _moved(moved: reservations.Moved) -> Response:
    out = ReservationOut(reservation_id=moved.reservation_id, status=moved.status.value)
    return json_response(out.model_dump_json().encode())
