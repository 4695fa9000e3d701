"""Telling the customer of an unpaid order, once, that its time is running out."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from common_lib.clock import Clock, now
from common_lib.database import Database, WriteSession
from common_lib.events.orders import OrderPaymentDue
from common_lib.outbox import enqueue, wake
from order_service.queries import orders as sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import OrderStatus
from order_service.services.drafting import event_fields
from order_service.settings import Settings

_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Reminders:
    """Reminds `ahead` before an order expires, at the earliest half of its time after placing."""

    database: Database
    redis: Redis
    ahead: timedelta
    clock: Clock = now

    @classmethod
    def of(cls, settings: Settings, database: Database, redis: Redis) -> "Reminders":
        ahead_s = min(settings.unpaid_reminder_s, settings.unpaid_order_ttl_s // 2)
        return cls(database, redis, timedelta(seconds=ahead_s))

    async def work_off(self) -> int:
        """Remind of what is due soon and return how many orders there were."""
        if not self.ahead:
            return 0
        moment = self.clock()
        soon = await sql.orders_to_remind_of(self.database, moment, moment + self.ahead, _BATCH)
        for order_id in soon:
            await self.database.transact(partial(self._remind, order_id))
        if soon:
            await wake(self.redis, SOURCE)
        return len(soon)

    async def _remind(self, order_id: UUID, session: WriteSession) -> None:
        """Tell it where a payment would be taken now; one that is under way needs no reminder."""
        order = await sql.lock_order(session, order_id)
        payments = await sql.lock_payments(session, order_id)
        slot = await sql.lock_slot(session, order_id)
        if order is None or slot is None or slot.reminded_at is not None:
            return
        slot.reminded_at = self.clock()
        is_open = order.status is OrderStatus.PENDING
        if is_open and not any(payment.is_under_way for payment in payments):
            event = OrderPaymentDue(**event_fields(order), pay_until=slot.due_at)
            await enqueue(session, event, source=SOURCE)
