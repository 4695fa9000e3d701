"""Events in: each that calls for a mail is sent, an erased user is forgotten."""

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from common_lib.bus import Bus, ReceivedMessage
from common_lib.clock import now
from common_lib.consumer import Delivery, Process
from common_lib.events import Event, InvalidEvent, event_from, parse_envelope
from common_lib.events.catalog import MemberEvent
from common_lib.events.orders import OrderCreated
from common_lib.events.users import UserDeleted
from common_lib.telemetry import flow_step
from notification_service.clients import People
from notification_service.services.mails import House, Notice, compose
from notification_service.services.notifications import Letter, Notifications

QUEUE: Final = "notification-queue"
DEAD_LETTERS: Final = "notification-dlq"


def mail_process(notifications: Notifications, house: House, people: People) -> Process:
    """Return what the consumer does with an event.

    An unknown type raises InvalidEvent: the message ends in the dead letter queue.
    """

    async def process(deliveries: Sequence[Delivery]) -> None:
        received_at = now()
        letters: list[Letter] = []
        for delivery in deliveries:
            event = await _addressed(event_from(delivery.envelope), people)
            if isinstance(event, UserDeleted):
                await notifications.forget(event.user_id)
            notice = _composed(event, delivery, house, received_at) if event else None
            if notice is not None:
                letters.append(Letter(delivery, notice))
        await notifications.notify_all(letters)

    return process


async def _addressed(event: Event, people: People) -> Event | None:
    """Return the event with whom to write to; None where the account is gone."""
    if not isinstance(event, MemberEvent):
        return event
    reader = await people.contact(event.user_id)
    if reader is None:
        return None
    return event.model_copy(update={"email": reader.email, "full_name": reader.full_name})


def _composed(
    event: Event, delivery: Delivery, house: House, received_at: datetime
) -> Notice | None:
    started = time.perf_counter()
    notice = compose(event, house)
    if isinstance(event, OrderCreated):
        on_the_way = received_at - delivery.envelope.occurred_at
        with delivery.bound():
            flow_step(11, max(0.0, on_the_way.total_seconds() * 1000))
            flow_step(12, (time.perf_counter() - started) * 1000)
    return notice


def dead_letter_watch(bus: Bus, notifications: Notifications) -> Callable[[], Awaitable[None]]:
    """Return a job that marks the rows of dead letters; it looks and leaves them where they are."""

    async def look() -> None:
        messages = await bus.receive(DEAD_LETTERS, wait_s=0, visibility_s=0)
        await notifications.mark_dead(_event_ids(messages))

    return look


def _event_ids(messages: Sequence[ReceivedMessage]) -> list[UUID]:
    found = []
    for message in messages:
        with contextlib.suppress(InvalidEvent):
            found.append(parse_envelope(message.body).event_id)
    return found
