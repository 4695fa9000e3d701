"""What is held about one person, for the user service to collect."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from catalog_service.api.deps import Wired
from catalog_service.schemas.people import HeldReviews, HeldStores, HeldWishes
from catalog_service.services import people
from common_lib.auth import ServiceName, require_service
from common_lib.problems import StrictRoute, parse_id

router = APIRouter(
    prefix="/internal/users/{user_id}/held",
    tags=["internal"],
    route_class=StrictRoute,
    dependencies=[Depends(require_service(ServiceName.USER))],
)


async def _path_user(user_id: str) -> UUID:
    return parse_id(user_id)


PathUser = Annotated[UUID, Depends(_path_user)]
After = Annotated[UUID | None, Query()]


@router.get("/reviews")
async def reviews(user_id: PathUser, deps: Wired, after: After = None) -> HeldReviews:
    """List the reviews that somebody wrote, a page at a time."""
    return await people.held_reviews(deps.database, user_id, after)


@router.get("/wishlist")
async def wishlist(user_id: PathUser, deps: Wired, after: After = None) -> HeldWishes:
    """List what somebody wishes for, a page at a time."""
    return await people.held_wishes(deps.database, user_id, after)


@router.get("/stores")
async def stores(user_id: PathUser, deps: Wired) -> HeldStores:
    """Show somebody's store, in whatever state it is."""
    return await people.held_stores(deps.database, user_id)
