"""Use cases of notifications: send a mail once, look the log up, note dead letters."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.events import Envelope
from common_lib.events.orders import OrderCreated
from common_lib.events.users import is_dead_address
from common_lib.ids import new_id
from common_lib.telemetry import flow_step
from notification_service import queries
from notification_service.clients import MailRefused, MailSender
from notification_service.models import NotificationLog
from notification_service.queries import Filter
from notification_service.schemas import Channel, NotificationStatus
from notification_service.services.mails import Notice

log = structlog.get_logger(__name__)


class BeingSent(Unavailable):
    """Another process has claimed this mail and may be sending it at this moment."""

    code = "being_sent"
    title = "Another process is sending this mail"


@dataclass(frozen=True, slots=True)
class NotificationLogs:
    """The log as it is looked up."""

    db: Database

    async def newest(self, wanted: Filter, limit: int) -> Sequence[NotificationLog]:
        async with self.db.read() as session:
            return await queries.newest(session, wanted, limit)

    async def of_user(
        self, user_id: UUID, after: UUID | None, limit: int
    ) -> Sequence[NotificationLog]:
        """Return what was sent to a user, oldest first, beyond the one named."""
        async with self.db.read_own_writes() as session:
            return await queries.oldest_of_user(session, user_id, after=after, limit=limit)


@dataclass(frozen=True, slots=True)
class Notifications:
    """The log and the sender.

    A mail goes out in three steps: claim it with a lease, hand it to SES, mark it SENT. Whatever
    dies between the last two leaves the one chance of a second copy; SES has no idempotency. So
    no more than `at_once` mails are between the two: the next waits until the log has heard.
    """

    db: Database
    sender: MailSender
    lease: timedelta
    at_once: int = 1
    # What SES took but the database has not heard of yet: marked, not sent again, on the retry.
    accepted: dict[UUID, str] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", asyncio.Semaphore(self.at_once))

    async def notify(self, envelope: Envelope, notice: Notice) -> bool:
        """Send the mail unless this event's mail was sent before; return whether it went out.

        Nothing goes to a person who was erased, nor is anything written down about one.
        Raises BeingSent while another process holds the claim, MailRefused for a mail that SES
        will not take, and Unavailable while SES or the database is away. Repeating is safe.
        """
        if is_dead_address(notice.mail.recipient):
            return False
        async with self._turns:
            was_accepted = envelope.event_id in self.accepted
            await self._settle()
            if was_accepted:
                return True
            if not await self._claim(envelope, notice):
                log.info("mail.not_sent", event_id=str(envelope.event_id))
                return False
            crash_point("mail.before_ses")
            self.accepted[envelope.event_id] = await self._hand_over(envelope, notice)
            crash_point("mail.after_ses_before_sent")
            started = time.perf_counter()
            await self._record(envelope.event_id)
            _step(14, envelope, started)
        return True

    async def _settle(self) -> None:
        """Record what SES took while the database was away. Raises Unavailable while it is."""
        for event_id in tuple(self.accepted):
            await self._record(event_id)

    async def forget(self, user_id: UUID) -> None:
        """Take an erased user's address out of the log (ADR 0031). Safe to repeat."""
        await self.db.transact(lambda session: queries.forget(session, user_id))

    async def mark_dead(self, event_ids: Sequence[UUID]) -> None:
        """Note in the log that these messages lie in the dead letter queue. Safe to repeat."""
        if event_ids:
            await self.db.transact(lambda session: queries.mark_dead(session, event_ids))

    async def _claim(self, envelope: Envelope, notice: Notice) -> bool:
        """Take the lease; False if the mail was sent, or must not be. Raises BeingSent."""
        token = new_id()

        async def work(session: WriteSession) -> bool:
            moment = now()
            if notice.user_id and await queries.is_forgotten(session, notice.user_id):
                return False
            await queries.insert_unless_known(session, _values(envelope, notice))
            row = await queries.lock_by_event(session, envelope.event_id, Channel.EMAIL)
            if row is None or row.status is NotificationStatus.SENT:
                return False
            if row.is_leased(moment):
                raise BeingSent
            row.take(token, moment, moment + self.lease)
            return True

        return await self.db.transact(work)

    async def _hand_over(self, envelope: Envelope, notice: Notice) -> str:
        started = time.perf_counter()
        try:
            message_id = await self.sender.send(notice.mail)
        except MailRefused as error:
            await self._note_failure(envelope, error, NotificationStatus.FAILED)
            raise
        except Unavailable as error:
            await self._note_failure(envelope, error, NotificationStatus.PENDING)
            raise
        _step(13, envelope, started)
        return message_id

    async def _record(self, event_id: UUID) -> None:
        message_id = self.accepted.get(event_id)
        if message_id is None:
            return

        async def work(session: WriteSession) -> None:
            row = await queries.lock_by_event(session, event_id, Channel.EMAIL)
            if row is not None and row.status is not NotificationStatus.SENT:
                row.sent(now(), message_id)

        await self.db.transact(work)
        self.accepted.pop(event_id, None)

    async def _note_failure(
        self, envelope: Envelope, error: MailRefused | Unavailable, status: NotificationStatus
    ) -> None:
        async def work(session: WriteSession) -> None:
            row = await queries.lock_by_event(session, envelope.event_id, Channel.EMAIL)
            if row is not None and row.status is not NotificationStatus.SENT:
                row.failed(now(), error.detail, status)

        await self.db.transact(work)


def _values(envelope: Envelope, notice: Notice) -> dict[str, object]:
    moment = now()
    return {
        "id": new_id(),
        "event_id": envelope.event_id,
        "event_type": envelope.event_type,
        "channel": Channel.EMAIL,
        "user_id": notice.user_id,
        "order_id": notice.order_id,
        "recipient": notice.mail.recipient,
        "subject": notice.mail.subject,
        "status": NotificationStatus.PENDING,
        "retry_count": 0,
        "created_at": moment,
        "updated_at": moment,
    }


def _step(number: int, envelope: Envelope, started: float) -> None:
    """Log one of the order flow's steps; the other mails belong to no flow."""
    if envelope.event_type == OrderCreated.event_type:
        flow_step(number, (time.perf_counter() - started) * 1000)
