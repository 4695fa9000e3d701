"""Orders over HTTP."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, Field, ValidationError
from starlette.background import BackgroundTask

from common_lib.auth import (
    CurrentUser,
    Principal,
    RoleNotAllowed,
    ServiceName,
    current_user,
    require_service,
)
from common_lib.idempotency import KeyState, key_from
from common_lib.problems import PROBLEM_JSON, StrictRoute, parse_id, read_json, refuse_unfit_query
from common_lib.runtime import HotRoute
from order_service.api.deps import (
    BUYERS,
    JSON,
    REPLAYED,
    Buyer,
    KeyHeader,
    Paged,
    PageWish,
    PathOrder,
    PathSeller,
    Wired,
    deps_of,
    json_response,
    page_response,
)
from order_service.queries.orders import OrderFilter
from order_service.schemas.coupons import EARLIEST, LATEST
from order_service.schemas.enums import OrderStatus
from order_service.schemas.orders import (
    AbortOrder,
    AbortView,
    CancelOrder,
    OrderList,
    OrderView,
    PlaceOrder,
    StatusPatch,
    Timeline,
)
from order_service.services.attempts import Placed
from order_service.services.views import Seen, document
from order_service.services.wiring import UseCases

router = APIRouter(route_class=StrictRoute, tags=["orders"])


# Beyond these years a moment has no place in a DATETIME, or overflows on its way to UTC.
Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]


async def _narrowed(
    wish: Paged,
    status: Annotated[OrderStatus | None, Query()] = None,
    created_from: Annotated[Moment | None, Query(alias="createdFrom")] = None,
    created_to: Annotated[Moment | None, Query(alias="createdTo")] = None,
) -> OrderFilter:
    return OrderFilter(
        user_id=None,
        status=status,
        before_id=wish.before_id,
        limit=wish.limit,
        created_from=created_from,
        created_to=created_to,
    )


Narrowed = Annotated[OrderFilter, Depends(_narrowed)]


async def place(request: Request) -> Response:
    """Place an order; the same key and body replay the stored answer."""
    caller = await current_user(request)
    if caller.role not in BUYERS:
        raise RoleNotAllowed
    refuse_unfit_query(request)
    body = await _place_body(request)
    header = request.headers.get("idempotency-key")
    key = key_from(header, body.key_in_camel, body.key_in_snake)
    return await _place(deps_of(request), caller, key, body)


# The hot route: answered without FastAPI's own 100 microseconds.
place_route = HotRoute("/api/orders", place, methods=["POST"])


# For the OpenAPI document: the route above is matched first and does the same.
@router.post("/api/orders", response_model=OrderView, status_code=201, name="place")
async def place_as_documented(
    body: PlaceOrder, caller: Buyer, deps: Wired, header: KeyHeader = None
) -> Response:
    """Place an order; the same key and body replay the stored answer."""
    key = key_from(header, body.key_in_camel, body.key_in_snake)
    return await _place(deps, caller, key, body)


@router.get("/api/orders", response_model=OrderList)
async def page(
    *,
    request: Request,
    caller: CurrentUser,
    deps: Wired,
    wish: Paged,
    narrowed: Narrowed,
    user_id: Annotated[str | None, Query(alias="userId")] = None,
) -> Response:
    """List orders, the newest first."""
    wanted = replace(narrowed, user_id=parse_id(user_id) if user_id is not None else None)
    return _page(request, wish, await deps.orders.page(caller, wanted))


@router.get("/api/sellers/{seller_id}/orders", response_model=OrderList)
async def page_of_store(
    *,
    request: Request,
    seller_id: PathSeller,
    caller: CurrentUser,
    deps: Wired,
    wish: Paged,
    narrowed: Narrowed,
) -> Response:
    """List the orders that hold a store's goods, the newest first, each with its own part only."""
    return _page(request, wish, await deps.orders.page_of_store(caller, seller_id, narrowed))


@router.get("/api/orders/{order_id}", response_model=OrderView)
async def detail(order_id: PathOrder, caller: CurrentUser, deps: Wired) -> Response:
    """Read an order."""
    return json_response(document(await deps.orders.detail(caller, order_id)))


@router.get("/api/orders/{order_id}/timeline", response_model=Timeline)
async def timeline(order_id: PathOrder, caller: CurrentUser, deps: Wired) -> Response:
    """Read what became of an order."""
    return json_response(await deps.orders.timeline(caller, order_id))


@router.patch("/api/orders/{order_id}/status", response_model=OrderView)
async def move(
    order_id: PathOrder, body: StatusPatch, caller: CurrentUser, deps: Wired
) -> Response:
    """Move an order to its next status."""
    moved = await deps.orders.move(caller, order_id, body.status, body.note)
    return json_response(document(moved))


@router.post("/api/orders/{order_id}/cancel", response_model=OrderView)
async def cancel(
    order_id: PathOrder, caller: CurrentUser, deps: Wired, body: CancelOrder | None = None
) -> Response:
    """Cancel an order."""
    reason = body.reason if body else None
    return json_response(document(await deps.orders.cancel(caller, order_id, reason)))


@router.post(
    "/internal/orders/abort",
    response_model=AbortView,
    dependencies=[Depends(require_service(ServiceName.CATALOG))],
    include_in_schema=False,
)
async def abort(body: AbortOrder, deps: Wired) -> Response:
    """Decide an order whose reservation ran out of time; PLACED stays PLACED."""
    outcome = await deps.placing.abort(body.user_id, body.idempotency_key)
    is_placed = outcome.state is KeyState.PLACED
    order_id = str(outcome.subject_id) if is_placed else None
    return json_response({"outcome": outcome.state.value, "orderId": order_id})


async def _place(deps: UseCases, caller: Principal, key: str, body: PlaceOrder) -> Response:
    placed = await deps.placing.place(caller.user_id, key, body)
    return _answer(placed, BackgroundTask(deps.placing.after, placed))


async def _place_body(request: Request) -> PlaceOrder:
    try:
        return PlaceOrder.model_validate(await read_json(request))
    except ValidationError as error:
        raise RequestValidationError(
            [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        ) from None


def _answer(placed: Placed, after: BackgroundTask) -> Response:
    headers = {REPLAYED: "true"} if placed.is_replay else {}
    if placed.order_id is not None:
        headers["Location"] = f"/api/orders/{placed.order_id}"
    return Response(
        placed.body,
        status_code=placed.status,
        media_type=JSON if placed.order_id is not None else PROBLEM_JSON,
        headers=headers,
        background=after,
    )


def _page(request: Request, wish: PageWish, found: Sequence[Seen]) -> Response:
    ids = [seen.detail.order.id for seen in found]
    return page_response(request, wish, [document(seen) for seen in found], ids)
