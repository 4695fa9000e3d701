"""The notification service's parts in this process, on real MySQL, SES, SQS and Redis."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from common_lib.consumer import Delivery, SomeFailed
from common_lib.database import Database
from common_lib.errors import Unavailable
from common_lib.events import Envelope, Event
from common_lib.http_client import HttpClient
from notification_service.clients import Mail, MailRefused, MailSender, People
from notification_service.consumers import mail_process
from notification_service.models import NotificationLog
from notification_service.services.mails import House
from notification_service.services.notifications import Notifications
from notification_service.settings import Settings
from shop.stack.native import NativeStack
from tests.databases import migrated, settings_on

HOUSE = House("The Shop", "http://localhost:8080", "ops@ecommerce.com")
LEASE = timedelta(seconds=30)
# For events that carry their recipient: no user service is there to be asked.
NOBODY = People(HttpClient("user-service", ["http://127.0.0.1:9"], timeout_s=0.1))


@dataclass
class CountingSender:
    """Passes mails on to the real SES and remembers them; raises `error` instead if it is set.

    It refuses what goes to `refused`, and is away once `ends_after` mails are out.
    """

    ses: MailSender
    sent: list[Mail] = field(default_factory=list)
    error: Exception | None = None
    refused: set[str] = field(default_factory=set)
    ends_after: int | None = None
    asked: int = 0

    async def send(self, mail: Mail) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if mail.recipient in self.refused:
            raise MailRefused("ses refused the mail: MessageRejected")
        if self.ends_after is not None and len(self.sent) >= self.ends_after:
            raise Unavailable("ses does not answer")
        message_id = await self.ses.send(mail)
        self.sent.append(mail)
        return message_id


@dataclass(frozen=True)
class Desk:
    """The use cases on a database of their own, and a look into its log."""

    settings: Settings
    database: Database
    sender: CountingSender
    notifications: Notifications

    def another(self) -> Notifications:
        """Return what a second process would have: the same parts, no shared memory."""
        sender: Any = self.sender
        return Notifications(self.database, sender, LEASE)

    async def process(self, *envelopes: Envelope) -> None:
        """Handle events that came together; one that fails alone raises its own error."""
        deliveries = [Delivery(envelope) for envelope in envelopes]
        try:
            await self.handle(deliveries)
        except SomeFailed as failed:
            if len(envelopes) > 1:
                raise
            raise failed.errors[envelopes[0].event_id] from None

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        await mail_process(self.notifications, HOUSE, NOBODY)(deliveries)

    def restarted(self) -> "Desk":
        """Return the desk of a process that begins anew, knowing nothing."""
        return replace(self, notifications=self.another())

    async def rows(self) -> list[NotificationLog]:
        async with self.database.read() as session:
            found = await session.scalars(select(NotificationLog).order_by(NotificationLog.id))
            return list(found)

    async def row(self, event_id: UUID) -> NotificationLog:
        (found,) = [row for row in await self.rows() if row.event_id == event_id]
        return found


@pytest.fixture(scope="session")
async def mail_database(parts: NativeStack) -> AsyncIterator[str]:
    """A migrated database that no worker of the stack writes to; each test finds it empty."""
    async with migrated(parts, "notification", "scratch_mails") as url:
        yield url


@pytest.fixture(scope="session")
async def ses(parts: NativeStack, mail_database: str) -> AsyncIterator[MailSender]:
    """One client for all tests: making one costs most of a second."""
    async with MailSender(notification_settings(parts, database_url=mail_database)) as sender:
        yield sender


@pytest.fixture
async def desk(parts: NativeStack, mail_database: str, ses: MailSender) -> AsyncIterator[Desk]:
    settings = notification_settings(parts, database_url=mail_database)
    database = Database(settings)
    await database.transact(_empty)
    sender = CountingSender(ses)
    substitute: Any = sender
    yield Desk(settings, database, sender, Notifications(database, substitute, LEASE))
    await database.close()


async def _empty(session: Any) -> None:
    await session.execute(delete(NotificationLog))


def notification_settings(parts: NativeStack, **changes: Any) -> Settings:
    return settings_on(parts, "notification", Settings, **changes)


def enveloped(event: Event) -> Envelope:
    return Envelope.wrap(event, source="test", correlation_id="request-1")
