"""What is held about one person, for the user service to collect."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from common_lib.auth import ServiceName, require_service
from common_lib.problems import StrictRoute
from order_service.api.deps import PathUser, Wired, json_response
from order_service.services import people

router = APIRouter(
    prefix="/internal/users/{user_id}/held",
    tags=["internal"],
    route_class=StrictRoute,
    dependencies=[Depends(require_service(ServiceName.USER))],
    include_in_schema=False,
)


@router.get("/orders")
async def orders(
    user_id: PathUser, deps: Wired, after: Annotated[UUID | None, Query()] = None
) -> Response:
    return json_response(await people.held_orders(deps.database, user_id, after))


@router.get("/cart")
async def cart(user_id: PathUser, deps: Wired) -> Response:
    return json_response(await people.held_cart(deps.carts, user_id))
