"""Reservations HELD past their time: the order service is asked, and its answer carried out.

Presumed abort with the order service as coordinator: one unique key there decides between PLACED
and ABORTED. Expiry itself decides nothing; it only brings the question up.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from catalog_service.clients.orders import OrderClient, Outcome, OutcomeUnknown
from catalog_service.models.inventory import ReservationStatus
from catalog_service.queries import inventory as stock
from catalog_service.services.announcements import Announcements
from catalog_service.services.reservations import Moved, move
from common_lib.clock import Clock, now
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

_TARGETS: Final = {
    Outcome.PLACED: ReservationStatus.COMMITTED,
    Outcome.ABORTED: ReservationStatus.RELEASED,
}
EXPIRED: Final = "expired"


@dataclass(frozen=True, slots=True)
class Sweeper:
    """`lease_s` is how long a claimed hold is left alone before it is asked about again."""

    database: Database
    orders: OrderClient
    announcements: Announcements
    lease_s: float
    batch_size: int = 20
    clock: Clock = now

    async def sweep(self) -> int:
        """Settle all expired holds and return how many; stops early where nobody answers."""
        settled = 0
        try:
            while holds := await self._claim():
                for hold in holds:
                    settled += await self._try_to_settle(hold)
        except Unavailable as error:
            log.warning("sweeper.waits", reason=error.code)
        return settled

    async def _try_to_settle(self, hold: stock.ExpiredHold) -> bool:
        """Leave a hold nobody can tell about for later: it must not stop the others."""
        try:
            await self._settle(hold)
        except OutcomeUnknown as error:
            log.warning("sweeper.skips", hold=str(hold.reservation_id), reason=error.detail)
            return False
        return True

    async def _claim(self) -> list[stock.ExpiredHold]:
        async def work(session: WriteSession) -> list[stock.ExpiredHold]:
            return await stock.claim_expired(
                session, at=self.clock(), lease_s=self.lease_s, limit=self.batch_size
            )

        return await self.database.transact(work)

    async def _settle(self, hold: stock.ExpiredHold) -> None:
        target = _TARGETS[await self._outcome(hold)]

        async def work(session: WriteSession) -> Moved:
            return await move(session, hold.reservation_id, target, reason=EXPIRED)

        moved = await self.database.transact(work)
        await self.announcements.reservation_moved(moved)
        log.info(
            "sweeper.settled",
            reservation_id=str(hold.reservation_id),
            status=moved.status.value,
        )

    async def _outcome(self, hold: stock.ExpiredHold) -> Outcome:
        """Ask the order service; a hold that names no order key was never part of an order."""
        if hold.user_id is None or hold.idempotency_key is None:
            return Outcome.ABORTED
        return await self.orders.abort(hold.user_id, hold.idempotency_key, hold.reservation_id)
