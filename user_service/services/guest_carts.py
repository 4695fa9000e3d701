"""What becomes of a guest's cart when the guest logs in."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from common_lib.auth import Principal, Role, Sessions, TokenVerifier, Unauthenticated
from common_lib.errors import DomainError, Unavailable
from user_service.clients.orders import Orders
from user_service.schemas.enums import GuestCart
from user_service.services.sessions import LoginSessions

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GivenGuest:
    """The token a login brought along; one in the header may be anybody's, and is then ignored."""

    token: str
    is_explicit: bool


@dataclass(frozen=True, slots=True)
class GuestCarts:
    """A login never fails for a cart: what cannot be done now is said, and can be done later."""

    verifier: TokenVerifier
    live: Sessions
    sessions: LoginSessions
    orders: Orders

    async def take_over(self, given: GivenGuest | None, user_id: UUID) -> GuestCart | None:
        """Merge the cart of the guest who holds this token, and end the guest's session.

        Returns None where there is no guest. Only who holds the token can name its cart.
        """
        if given is None:
            return None
        try:
            guest = await self._guest(given.token)
        except Unavailable:
            return GuestCart.PENDING
        if guest is None:
            return GuestCart.REFUSED if given.is_explicit else None
        return await self._merge(guest, user_id)

    async def _guest(self, token: str) -> Principal | None:
        try:
            principal = await self.live.current(await self.verifier.verify(token))
        except Unauthenticated:
            return None
        return principal if principal.role is Role.GUEST else None

    async def _merge(self, guest: Principal, user_id: UUID) -> GuestCart:
        try:
            await self.orders.merge_cart(guest_id=guest.user_id, user_id=user_id)
        except Unavailable:
            log.warning("guest_cart.not_merged")
            return GuestCart.PENDING
        try:
            await self.sessions.logout(guest)
        except DomainError:
            # Its cart is empty, and its tokens run out by themselves.
            log.warning("guest_session.not_ended")
        return GuestCart.MERGED
