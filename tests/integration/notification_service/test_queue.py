"""From the queue to the mail: duplicates, nonsense, dead letters."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aioboto3
import orjson
import pytest

from common_lib.bus import Bus, aws_client_arguments
from common_lib.consumer import Consumer
from common_lib.events import Envelope
from common_lib.events.orders import OrderConfirmed
from notification_service import consumers
from notification_service.clients import MailRefused
from notification_service.consumers import dead_letter_watch
from notification_service.schemas import NotificationStatus
from shop.stack.native import NativeStack
from tests.integration.notification_service.conftest import (
    Desk,
    enveloped,
    notification_settings,
)
from tests.unit.notification_service import events
from tests.waiting import eventually


@dataclass(frozen=True)
class Queue:
    """A queue of this test's own with its dead letters, as notification-queue is made."""

    sqs: Any
    name: str
    url: str
    dead_url: str

    @property
    def dead_name(self) -> str:
        return f"{self.name}-dlq"

    async def put(self, body: str) -> None:
        await self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    async def dead(self) -> int:
        return await self._count(self.dead_url)

    async def is_empty(self) -> bool:
        return await self._count(self.url) == 0

    async def _count(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@pytest.fixture(scope="session")
async def sqs(parts: NativeStack) -> AsyncIterator[Any]:
    settings = notification_settings(parts, database_url=parts.database_url("notification"))
    async with aioboto3.Session().client("sqs", **aws_client_arguments(settings)) as client:
        yield client


@pytest.fixture
async def queue(sqs: Any) -> AsyncIterator[Queue]:
    name = f"mails-{uuid4().hex[:12]}"
    dead_url = (await sqs.create_queue(QueueName=f"{name}-dlq"))["QueueUrl"]
    asked = await sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": asked["Attributes"]["QueueArn"], "maxReceiveCount": "3"}
    attributes = {"RedrivePolicy": orjson.dumps(policy).decode()}
    url = (await sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    yield Queue(sqs, name, url, dead_url)
    for made in (url, dead_url):
        await sqs.delete_queue(QueueUrl=made)


@contextlib.asynccontextmanager
async def consuming(bus: Bus, queue: Queue, desk: Desk) -> AsyncIterator[None]:
    stop = asyncio.Event()
    consumer = Consumer(bus, queue.name, desk.handle, wait_s=1, visibility_s=5)
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


def body_of(envelope: Envelope) -> str:
    return envelope.model_dump_json(by_alias=True)


async def test_messages_of_one_event_become_one_mail(bus: Bus, queue: Queue, desk: Desk) -> None:
    envelope = enveloped(events.order_created(email=f"{uuid4().hex}@example.com"))
    for _ in range(5):
        await queue.put(body_of(envelope))

    async with consuming(bus, queue, desk):
        await eventually(queue.is_empty, timeout_s=40)

    assert len(desk.sender.sent) == 1
    assert await queue.dead() == 0


async def test_an_event_without_a_mail_is_acknowledged(bus: Bus, queue: Queue, desk: Desk) -> None:
    await queue.put(body_of(enveloped(OrderConfirmed(**events.order()))))

    async with consuming(bus, queue, desk):
        await eventually(queue.is_empty, timeout_s=20)

    assert await queue.dead() == 0
    assert await desk.rows() == []


async def test_nonsense_lies_in_the_dead_letters_after_three_receives_and_the_rest_goes_on(
    bus: Bus, queue: Queue, desk: Desk
) -> None:
    unknown = enveloped(events.order_created()).model_copy(update={"event_type": "NO_SUCH"})
    await queue.put("{bad json")
    await queue.put("[]")
    await queue.put(body_of(unknown))
    await queue.put(body_of(enveloped(events.user_registered(email="ok@example.com"))))

    async with consuming(bus, queue, desk):

        async def has_settled() -> bool:
            return await queue.dead() == 3 and await queue.is_empty()

        await eventually(has_settled, timeout_s=60)

    assert [mail.recipient for mail in desk.sender.sent] == ["ok@example.com"]


async def test_a_refused_mail_ends_in_the_dead_letters_and_its_row_says_so(
    bus: Bus, queue: Queue, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = enveloped(events.order_created(email=f"{uuid4().hex}@example.com"))
    desk.sender.error = MailRefused("ses refused the mail: MessageRejected")
    await queue.put(body_of(envelope))
    await queue.put("{bad json")
    async with consuming(bus, queue, desk):

        async def are_dead() -> bool:
            return await queue.dead() == 2

        await eventually(are_dead, timeout_s=60)
    monkeypatch.setattr(consumers, "DEAD_LETTERS", queue.dead_name)

    await dead_letter_watch(bus, desk.notifications)()

    row = await desk.row(envelope.event_id)
    assert (row.status, row.retry_count) == (NotificationStatus.DLQ, 3)
    assert await queue.dead() == 2


async def test_a_dead_letter_that_is_put_back_is_mailed(desk: Desk) -> None:
    envelope = enveloped(events.order_created(email=f"{uuid4().hex}@example.com"))
    desk.sender.error = MailRefused("for now")
    with pytest.raises(MailRefused):
        await desk.process(envelope)
    await desk.notifications.mark_dead([envelope.event_id])
    desk.sender.error = None

    await desk.process(envelope)

    assert (await desk.row(envelope.event_id)).status is NotificationStatus.SENT


async def test_a_mail_that_was_sent_is_never_marked_dead(desk: Desk) -> None:
    envelope = enveloped(events.order_created(email=f"{uuid4().hex}@example.com"))
    await desk.process(envelope)

    await desk.notifications.mark_dead([envelope.event_id])

    assert (await desk.row(envelope.event_id)).status is NotificationStatus.SENT
