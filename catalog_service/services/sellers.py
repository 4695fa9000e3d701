"""Stores."""

from uuid import UUID

from catalog_service.queries.products import seller_of_user
from catalog_service.schemas.sellers import SellerOut
from common_lib.database import Database
from common_lib.errors import NotFound


async def of_user(database: Database, user_id: UUID) -> SellerOut:
    """Return the user's store in any state. Raises NotFound."""
    async with database.read_own_writes() as session:
        seller = await seller_of_user(session, user_id)
    if seller is None:
        raise NotFound
    return SellerOut(
        id=seller.id,
        user_id=seller.user_id,
        store_name=seller.store_name,
        status=seller.status.value,
    )
