"""Events in: each that calls for a mail is sent, an erased user is forgotten."""

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from common_lib.bus import Bus, ReceivedMessage
from common_lib.clock import now
from common_lib.consumer import Process
from common_lib.events import Envelope, InvalidEvent, event_from, parse_envelope
from common_lib.events.catalog import MemberEvent
from common_lib.events.orders import OrderCreated
from common_lib.events.users import UserDeleted
from common_lib.telemetry import flow_step
from notification_service.clients import People
from notification_service.services.mails import House, compose
from notification_service.services.notifications import Notifications

QUEUE: Final = "notification-queue"
DEAD_LETTERS: Final = "notification-dlq"


def mail_process(notifications: Notifications, house: House, people: People) -> Process:
    """Return what the consumer does with an event.

    An unknown type raises InvalidEvent: the message ends in the dead letter queue.
    """

    async def process(envelope: Envelope) -> None:
        started, received_at = time.perf_counter(), now()
        event = event_from(envelope)
        if isinstance(event, UserDeleted):
            await notifications.forget(event.user_id)
        if isinstance(event, MemberEvent):
            reader = await people.contact(event.user_id)
            if reader is None:
                return
            event = event.model_copy(update={"email": reader.email, "full_name": reader.full_name})
        notice = compose(event, house)
        if envelope.event_type == OrderCreated.event_type:
            on_the_way = received_at - envelope.occurred_at
            flow_step(11, max(0.0, on_the_way.total_seconds() * 1000))
            flow_step(12, (time.perf_counter() - started) * 1000)
        if notice is not None:
            await notifications.notify(envelope, notice)

    return process


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
