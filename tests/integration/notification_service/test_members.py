"""News for people whom the catalog knows by id: the address is asked for when it is written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common_lib.consumer import Delivery
from common_lib.errors import Unavailable
from common_lib.events import Event
from common_lib.http_client import HttpClient
from common_lib.ids import new_id
from notification_service.clients import People
from notification_service.consumers import mail_process
from notification_service.schemas import NotificationStatus
from shop.stack.native import NativeStack
from tests.integration.notification_service.conftest import HOUSE, Desk, enveloped
from tests.mailbox import mails_to
from tests.serving import free_port, served
from tests.unit.notification_service import events


@dataclass
class Accounts:
    """The user service over real HTTP, as far as it tells of contacts."""

    known: dict[str, str] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/internal/users/{user_id}/contact", self._contact)])

    async def _contact(self, request: Request) -> Response:
        self.asked += 1
        if self.is_away:
            return Response(status_code=503)
        email = self.known.get(request.path_params["user_id"])
        if email is None:
            return Response(status_code=404)
        body = {"userId": "", "email": email, "fullName": "Asha <Rao>", "preferences": {}}
        return Response(orjson.dumps(body), media_type="application/json")

    def somebody(self) -> tuple[UUID, str]:
        user_id, email = new_id(), f"{uuid4().hex}@example.com"
        self.known[str(user_id)] = email
        return user_id, email


@asynccontextmanager
async def asking(accounts: Accounts) -> AsyncIterator[People]:
    async with served(accounts.app(), free_port()) as url:
        http = HttpClient("user-service", [url], timeout_s=2)
        yield People(http)
        await http.close()


@pytest.mark.parametrize(
    "kind",
    [
        events.store_approved,
        events.store_rejected,
        events.store_suspended,
        events.store_reinstated,
        events.store_order_received,
        events.store_order_cancelled,
        events.review_approved,
        events.review_rejected,
    ],
)
async def test_each_news_reaches_its_member_once(desk: Desk, parts: NativeStack, kind: Any) -> None:
    accounts = Accounts()
    user_id, email = accounts.somebody()
    event: Event = kind(user_id=user_id, email=None, full_name=None)
    envelope = enveloped(event)

    async with asking(accounts) as people:
        process = mail_process(desk.notifications, HOUSE, people)
        await process([Delivery(envelope)])
        await process([Delivery(envelope)])

    (mail,) = await mails_to(parts, email)
    assert "Asha &lt;Rao&gt;" in mail["html"]
    row = await desk.row(envelope.event_id)
    assert (row.status, row.user_id, row.recipient) == (NotificationStatus.SENT, user_id, email)


async def test_an_account_that_is_gone_is_not_written_to(desk: Desk) -> None:
    async with asking(Accounts()) as people:
        await mail_process(desk.notifications, HOUSE, people)(
            [Delivery(enveloped(events.store_approved()))]
        )

    assert await desk.rows() == []
    assert desk.sender.sent == []


async def test_the_mail_waits_while_the_user_service_is_away(desk: Desk) -> None:
    accounts = Accounts(is_away=True)
    user_id, email = accounts.somebody()
    envelope = enveloped(events.review_approved(user_id=user_id))

    async with asking(accounts) as people:
        process = mail_process(desk.notifications, HOUSE, people)
        with pytest.raises(Unavailable):
            await process([Delivery(envelope)])
        accounts.is_away = False
        await process([Delivery(envelope)])

    assert [mail.recipient for mail in desk.sender.sent] == [email]


async def test_an_address_is_asked_for_once_a_minute(desk: Desk) -> None:
    accounts = Accounts()
    user_id, _ = accounts.somebody()

    async with asking(accounts) as people:
        process = mail_process(desk.notifications, HOUSE, people)
        for _ in range(3):
            await process([Delivery(enveloped(events.store_order_received(user_id=user_id)))])

    assert accounts.asked == 1
    assert len(desk.sender.sent) == 3
