"""The role SELLER, owed to the owner of every store that was opened.

The duty is written with the store's status, so that a crash or a user service that is away only
puts it off. The web process tries at once; the worker takes up what is left.
"""

from dataclasses import dataclass

import structlog

from catalog_service.clients.users import RoleNotGranted, UserClient
from catalog_service.models.sellers import Seller
from catalog_service.queries.sellers import RoleDuty, claim_roles, end_role_duty
from common_lib.clock import Clock, now
from common_lib.database import Database, WriteSession
from common_lib.errors import NotFound, Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SellerRoles:
    """`lease_s` is how long a claimed duty is left alone before it is tried again."""

    database: Database
    users: UserClient
    lease_s: float = 5
    batch_size: int = 20
    clock: Clock = now

    async def try_for(self, seller: Seller) -> None:
        """Grant what is owed to the owner of a store just opened; never raises."""
        if seller.role_due_at is None:
            return
        try:
            await self._grant(RoleDuty(seller.id, seller.user_id, seller.role_due_at))
        except Unavailable as error:
            log.warning("seller_roles.left_to_worker", seller_id=str(seller.id), reason=error.code)

    async def drain(self) -> int:
        """Grant all roles that are due and return how many; stops early where nobody answers."""
        granted = 0
        try:
            while duties := await self._claim():
                for duty in duties:
                    granted += await self._try_to_grant(duty)
        except Unavailable as error:
            log.warning("seller_roles.waits", reason=error.code)
        return granted

    async def _try_to_grant(self, duty: RoleDuty) -> bool:
        """Leave a duty that is refused for later: it must not stop the others."""
        try:
            await self._grant(duty)
        except RoleNotGranted as error:
            log.warning("seller_roles.skips", user_id=str(duty.user_id), reason=error.detail)
            return False
        return True

    async def _claim(self) -> list[RoleDuty]:
        async def work(session: WriteSession) -> list[RoleDuty]:
            return await claim_roles(
                session, at=self.clock(), lease_s=self.lease_s, limit=self.batch_size
            )

        return await self.database.transact(work)

    async def _grant(self, duty: RoleDuty) -> None:
        try:
            await self.users.make_seller(duty.user_id)
        except NotFound:
            log.warning("seller_roles.no_such_user", user_id=str(duty.user_id))
        await self.database.transact(lambda session: end_role_duty(session, duty))
