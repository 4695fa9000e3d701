"""Forgetting people in orders, as soon as each order can do without them (ADR 0031)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from common_lib.clock import Clock, now
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from order_service.queries import people
from order_service.queries.placing import SCOPE

log = structlog.get_logger(__name__)

_PAGE: Final = 100
_LEASE: Final = timedelta(minutes=1)
_AGAIN: Final = timedelta(minutes=10)
# An order that was on its way when its customer was erased has arrived by then.
_SETTLED_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Pass:
    """How far one pass over a user's orders has come."""

    last: UUID | None = None
    is_over: bool = False
    needed: int = 0


@dataclass(frozen=True, slots=True)
class Erasures:
    """Goes through the orders of erased users until none needs the person any more."""

    database: Database
    clock: Clock = now

    async def work_off(self) -> int:
        """Go through the orders of all users who are due; return how many users there were."""
        done = 0
        try:
            while user_id := await self.database.transact(self._claim):
                await self._forget(user_id)
                done += 1
        except Unavailable as error:
            log.warning("erasures.wait", reason=error.code)
        return done

    async def _claim(self, session: WriteSession) -> UUID | None:
        moment = self.clock()
        erased = await people.claim_erased(session, moment, moment + _LEASE)
        return erased.user_id if erased is not None else None

    async def _forget(self, user_id: UUID) -> None:
        progress = _Pass()
        while not progress.is_over:
            before = progress

            async def work(session: WriteSession, before: _Pass = before) -> _Pass:
                return await _forget_some(session, user_id, before)

            progress = await self.database.transact(work)
        needed = progress.needed
        await self.database.transact(lambda session: self._settle(session, user_id, needed))
        log.info("erasures.passed", user_id=str(user_id), orders_in_need=needed)

    async def _settle(self, session: WriteSession, user_id: UUID, needed: int) -> None:
        await people.blank_answers(session, user_id, SCOPE)
        moment, erased_at = self.clock(), await people.erased_at(session, user_id)
        is_over = needed == 0 and moment - erased_at >= _SETTLED_AFTER
        await people.set_due(session, user_id, None if is_over else moment + _AGAIN)


async def note(session: WriteSession, user_id: UUID, moment: datetime) -> None:
    """Have a user forgotten from now on. Safe to repeat."""
    await people.note_erased(session, user_id, moment)


async def _forget_some(session: WriteSession, user_id: UUID, before: _Pass) -> _Pass:
    orders = await people.lock_orders_of(session, user_id, after=before.last, limit=_PAGE)
    ids = [order.id for order in orders]
    coming_back = await people.orders_with_goods_coming_back(session, ids)
    finished = [order for order in orders if order.is_final and order.id not in coming_back]
    for order in orders:
        order.forget_contact()
    for order in finished:
        order.forget_recipient()
    await people.blank_remarks(session, [order.id for order in finished])
    needed = before.needed + len(orders) - len(finished)
    return _Pass(ids[-1] if ids else None, len(orders) < _PAGE, needed)
