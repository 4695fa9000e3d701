"""One event, one mail: on real MySQL and SES."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import sqlalchemy as sa

from common_lib.clock import now
from common_lib.consumer import Delivery, SomeFailed
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.events import Envelope, InvalidEvent
from common_lib.events.orders import OrderConfirmed
from notification_service.clients import Mail, MailRefused, MailSender
from notification_service.consumers import mail_process
from notification_service.models import NotificationLog
from notification_service.schemas import NotificationStatus
from notification_service.services.mails import compose
from notification_service.services.notifications import BeingSent, Letter, Notifications
from shop.stack.native import NativeStack
from tests.integration.notification_service.conftest import (
    HOUSE,
    LEASE,
    NOBODY,
    Desk,
    enveloped,
)
from tests.mailbox import mails_to
from tests.shopper import at_once
from tests.unit.notification_service import events

T = TypeVar("T")


def somebody() -> str:
    return f"{uuid4().hex}@example.com"


async def set_lease(desk: Desk, until: Any) -> None:
    async def work(session: Any) -> None:
        await session.execute(sa.update(NotificationLog).values(lease_until=until))

    await desk.database.transact(work)


async def test_an_order_is_mailed_as_it_was_composed_and_logged(
    desk: Desk, parts: NativeStack
) -> None:
    recipient = somebody()
    event = events.order_created(email=recipient)
    envelope = enveloped(event)

    await desk.process(envelope)

    (mail,) = await mails_to(parts, recipient)
    row = await desk.row(envelope.event_id)
    notice = compose(event, HOUSE)
    assert notice is not None
    assert (mail["subject"], mail["html"], mail["text"]) == (
        notice.mail.subject,
        notice.mail.html,
        notice.mail.text,
    )
    assert (row.status, row.recipient, row.subject) == (
        NotificationStatus.SENT,
        recipient,
        "Order Placed — ORD-123456",
    )
    assert (row.user_id, row.order_id) == (event.user_id, event.order_id)
    assert row.event_type == "ORDER_CREATED"
    assert row.sent_at is not None
    assert row.provider_message_id
    assert row.lease_token is None


@pytest.mark.parametrize(
    "kind",
    [
        events.order_created,
        events.order_shipped,
        events.order_delivered,
        events.order_cancelled,
        events.payment_succeeded,
        events.payment_failed,
        events.user_registered,
        events.low_stock,
    ],
)
async def test_every_kind_of_mail_goes_out(desk: Desk, kind: Any) -> None:
    await desk.process(enveloped(kind()))

    (row,) = await desk.rows()
    assert row.status is NotificationStatus.SENT


async def test_the_same_event_twice_is_mailed_once(desk: Desk) -> None:
    envelope = enveloped(events.user_registered(email=somebody()))

    await desk.process(envelope)
    await desk.process(envelope)

    assert len(desk.sender.sent) == 1
    assert len(await desk.rows()) == 1


async def test_two_events_of_one_order_are_two_mails(desk: Desk) -> None:
    order = events.order(email=somebody())

    await desk.process(enveloped(events.order_created(**order)))
    await desk.process(enveloped(events.order_shipped(**order)))

    assert [mail.subject for mail in desk.sender.sent] == [
        "Order Placed — ORD-123456",
        "Order Shipped 🚚",
    ]


async def test_of_ten_processes_with_one_event_one_sends(desk: Desk) -> None:
    event = events.order_created(email=somebody())
    envelope = enveloped(event)
    notice = compose(event, HOUSE)
    assert notice is not None

    letter = Letter(Delivery(envelope), notice)

    async def outcome(process: Notifications) -> str:
        try:
            return "sent" if await process.notify_all([letter]) else "known"
        except SomeFailed as failed:
            return failed.errors[envelope.event_id].__class__.__name__

    outcomes = await at_once(*(outcome(desk.another()) for _ in range(10)))

    assert outcomes.count("sent") == 1
    assert set(outcomes) <= {"sent", "known", "BeingSent"}
    assert len(desk.sender.sent) == 1
    assert (await desk.row(envelope.event_id)).status is NotificationStatus.SENT


class Killed(BaseException):
    """The process dies in the middle."""


async def test_a_claim_of_another_process_is_respected_until_it_runs_out(desk: Desk) -> None:
    event = events.order_created(email=somebody())
    envelope = enveloped(event)
    desk.sender.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        await desk.process(envelope)
    desk.sender.error = None
    next_one = desk.restarted()

    with pytest.raises(BeingSent):
        await next_one.process(envelope)
    await set_lease(desk, now() - timedelta(seconds=1))
    await next_one.process(envelope)

    assert len(desk.sender.sent) == 1


async def test_an_outage_of_ses_keeps_the_mail_and_the_claim_is_given_back(
    desk: Desk, parts: NativeStack
) -> None:
    del parts
    envelope = enveloped(events.order_created(email=somebody()))
    away = desk.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:1"})
    async with MailSender(away) as unreachable:
        working, desk.sender.ses = desk.sender.ses, unreachable
        with pytest.raises(Unavailable):
            await desk.process(envelope)
    during = await desk.row(envelope.event_id)
    desk.sender.ses = working

    await desk.process(envelope)

    after = await desk.row(envelope.event_id)
    assert (during.status, during.retry_count) == (NotificationStatus.PENDING, 1)
    assert during.last_error == "ses does not answer"
    assert (after.status, after.last_error) == (NotificationStatus.SENT, None)
    assert len(desk.sender.sent) == 1


async def test_a_sender_that_is_not_verified_is_an_outage_and_no_refusal(desk: Desk) -> None:
    stranger = desk.settings.model_copy(update={"mail_sender": "nobody@unverified.example"})
    envelope = enveloped(events.order_created(email=somebody()))

    async with MailSender(stranger) as unverified:
        desk.sender.ses = unverified
        with pytest.raises(Unavailable):
            await desk.process(envelope)


async def test_a_refused_mail_is_noted_as_failed(desk: Desk) -> None:
    envelope = enveloped(events.order_created(email=somebody()))
    desk.sender.error = MailRefused("ses refused the mail: MessageRejected")

    for _ in range(3):
        with pytest.raises(MailRefused):
            await desk.process(envelope)

    row = await desk.row(envelope.event_id)
    assert (row.status, row.retry_count) == (NotificationStatus.FAILED, 3)
    assert row.last_error == "ses refused the mail: MessageRejected"


async def test_what_ses_took_is_not_sent_again_when_only_the_log_failed(desk: Desk) -> None:
    envelope = enveloped(events.order_created(email=somebody()))
    desk.sender.error = Unavailable("for the claim only")
    with pytest.raises(Unavailable):
        await desk.process(envelope)
    desk.notifications.accepted[envelope.event_id] = "message-1"

    await desk.process(envelope)

    row = await desk.row(envelope.event_id)
    assert (row.status, row.provider_message_id) == (NotificationStatus.SENT, "message-1")
    assert desk.sender.sent == []
    assert desk.notifications.accepted == {}


async def test_mails_that_come_together_go_out_once_each(desk: Desk) -> None:
    envelopes = [enveloped(events.order_created(email=somebody())) for _ in range(10)]

    await desk.process(*envelopes, *envelopes[:3])
    await desk.process(*envelopes)

    assert len({mail.recipient for mail in desk.sender.sent}) == len(desk.sender.sent) == 10
    assert {row.status for row in await desk.rows()} == {NotificationStatus.SENT}


async def test_a_mail_that_ses_refuses_among_fifty_keeps_none_of_the_others_back(
    desk: Desk,
) -> None:
    envelopes = [enveloped(events.order_created(email=somebody())) for _ in range(50)]
    refused = envelopes[20]
    desk.sender.refused = {str(refused.data["email"])}

    with pytest.raises(SomeFailed) as failed:
        await desk.process(*envelopes)

    assert set(failed.value.errors) == {refused.event_id}
    assert isinstance(failed.value.errors[refused.event_id], MailRefused)
    assert len(desk.sender.sent) == 49
    assert (await desk.row(refused.event_id)).status is NotificationStatus.FAILED


async def test_ses_that_goes_away_amid_a_batch_is_waited_for_once_and_asked_again_for_the_rest(
    desk: Desk,
) -> None:
    envelopes = [enveloped(events.order_created(email=somebody())) for _ in range(6)]
    desk.sender.ends_after = 2

    with pytest.raises(SomeFailed) as failed:
        await desk.process(*envelopes)
    asked = desk.sender.asked
    desk.sender.ends_after = None
    await desk.process(*envelopes)

    assert all(isinstance(error, Unavailable) for error in failed.value.errors.values())
    assert (asked, len(failed.value.errors)) == (3, 4)
    assert len({mail.recipient for mail in desk.sender.sent}) == len(desk.sender.sent) == 6


async def test_a_mail_whose_turn_comes_late_is_not_sent_once_another_process_has_it(
    desk: Desk,
) -> None:
    """Nine slow mails before it, and the lease runs out: whoever took it then sends it."""
    first, late = (enveloped(events.order_created(email=somebody())) for _ in range(2))
    impatient = replace(desk.notifications, patience=LEASE * 2)
    send = desk.sender.send

    async def send_slowly(mail: Mail) -> str:
        await set_lease(desk, now() - timedelta(seconds=1))
        desk.sender.send = send  # type: ignore[method-assign]
        await desk.restarted().process(late)
        return await send(mail)

    desk.sender.send = send_slowly  # type: ignore[method-assign]
    with pytest.raises(SomeFailed) as failed:
        await replace(desk, notifications=impatient).process(first, late)

    assert isinstance(failed.value.errors[late.event_id], BeingSent)
    assert [mail.recipient for mail in desk.sender.sent].count(str(late.data["email"])) == 1


class MortalDatabase(Database):
    """A database that is away from the moment it is told."""

    is_dead = False

    async def transact(self, work: Callable[[WriteSession], Awaitable[T]]) -> T:
        if self.is_dead:
            raise Unavailable("killed")
        return await super().transact(work)


async def test_a_database_killed_under_a_batch_doubles_one_mail_at_most(desk: Desk) -> None:
    """SES takes a mail, the database dies, and the process is started again, knowing nothing."""
    envelopes = [enveloped(events.order_created(email=somebody())) for _ in range(10)]
    database = MortalDatabase(desk.settings)
    send = desk.sender.send

    async def send_and_kill(mail: Mail) -> str:
        message_id = await send(mail)
        database.is_dead = True
        return message_id

    sender: Any = SimpleNamespace(send=send_and_kill)
    before = mail_process(Notifications(database, sender, LEASE), HOUSE, NOBODY)
    for _ in range(2):  # the consumer tries again while the database is away
        with pytest.raises((SomeFailed, Unavailable)):
            await before([Delivery(each) for each in envelopes])
    assert len(desk.sender.sent) == 1

    await database.close()
    await set_lease(desk, now() - timedelta(seconds=1))
    await desk.process(*envelopes)

    recipients = [mail.recipient for mail in desk.sender.sent]
    assert (len(recipients), len(set(recipients))) == (11, 10)
    assert {row.status for row in await desk.rows()} == {NotificationStatus.SENT}


async def test_an_event_without_a_mail_leaves_no_row(desk: Desk) -> None:
    await desk.process(enveloped(OrderConfirmed(**events.order())))

    assert await desk.rows() == []


@pytest.mark.parametrize(
    "changes", [{"event_type": "NO_SUCH_EVENT"}, {"version": 99}, {"data": {"orderId": "x"}}]
)
async def test_an_event_that_is_not_known_is_refused(desk: Desk, changes: Any) -> None:
    envelope = enveloped(events.order_created())
    unknown = Envelope.model_validate(envelope.model_dump() | changes)

    with pytest.raises(InvalidEvent):
        await desk.process(unknown)
    assert await desk.rows() == []


async def test_a_long_name_and_address_fit_the_log(desk: Desk) -> None:
    long_address = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 59}.example"
    event = events.user_registered(email=long_address, full_name="ß" * 500)

    await desk.process(enveloped(event))

    (row,) = await desk.rows()
    assert row.recipient == long_address
