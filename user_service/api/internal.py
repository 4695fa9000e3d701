"""What only the catalog may ask for: that the owner of a store sells."""

from fastapi import APIRouter, Depends

from common_lib.auth import ServiceName, require_service
from common_lib.problems import StrictRoute
from user_service.api.deps import PathUserId, Wiring
from user_service.schemas.users import RoleResponse

router = APIRouter(prefix="/internal", route_class=StrictRoute, tags=["internal"])


@router.put(
    "/users/{user_id}/seller",
    dependencies=[Depends(require_service(ServiceName.CATALOG))],
    include_in_schema=False,
)
async def make_seller(user_id: PathUserId, deps: Wiring) -> RoleResponse:
    user = await deps.users.make_seller(user_id)
    return RoleResponse(user_id=user.id, role=user.role.value)
