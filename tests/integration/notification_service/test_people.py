"""One person in the log of mails: what is handed out, and what an erasure leaves."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest

from common_lib.auth import ServiceTokens, SigningKey
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.errors import Unavailable
from common_lib.events.users import UserDeleted, dead_address
from common_lib.ids import new_id
from notification_service.main import build_app
from notification_service.models import NotificationLog
from notification_service.schemas import NotificationStatus
from tests.integration.notification_service.conftest import Desk, enveloped
from tests.unit.notification_service import events

USERS = "user-service"


@pytest.fixture
async def http(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_app(desk.settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://mails") as client:
            yield client


async def ask(
    http: httpx2.AsyncClient,
    desk: Desk,
    user_id: UUID,
    tail: str = "",
    caller: str = "user-service",
) -> httpx2.Response:
    key = SigningKey.from_file(desk.settings.service_token_key_file)
    token = ServiceTokens(key, caller).issue("notification-service")
    path = f"/internal/users/{user_id}/held/notifications{tail}"
    return await http.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_an_erased_persons_address_leaves_the_log(desk: Desk) -> None:
    person, other = new_id(), new_id()
    await desk.process(enveloped(events.order_created(user_id=person, email="asha@example.com")))
    await desk.process(enveloped(events.order_created(user_id=other, email="ravi@example.com")))

    for _ in range(2):
        await desk.process(enveloped(UserDeleted(user_id=person)))

    recipients = {row.user_id: row.recipient for row in await desk.rows()}
    assert recipients == {person: dead_address(person), other: "ravi@example.com"}


async def test_nothing_is_ever_mailed_to_a_dead_address(desk: Desk) -> None:
    person = new_id()

    await desk.process(enveloped(events.order_created(user_id=person, email=dead_address(person))))

    assert desk.sender.sent == []
    assert await desk.rows() == []


async def test_a_mail_that_waited_longer_than_its_reader_does_not_go_out(desk: Desk) -> None:
    person = new_id()
    await desk.process(enveloped(events.order_created(user_id=person)))
    held = enveloped(events.order_created(user_id=person))
    desk.sender.error = Unavailable("SES is away")
    with pytest.raises(Unavailable):
        await desk.process(held)
    desk.sender.error = None
    desk.sender.sent.clear()

    await desk.process(enveloped(UserDeleted(user_id=person)))
    await desk.process(held)
    await desk.process(enveloped(events.order_created(user_id=person)))

    assert desk.sender.sent == []
    assert {row.recipient for row in await desk.rows()} == {dead_address(person)}


async def test_what_a_person_was_sent_is_handed_out(http: httpx2.AsyncClient, desk: Desk) -> None:
    person = new_id()
    await desk.process(enveloped(events.order_created(user_id=person, email="asha@example.com")))
    await desk.process(enveloped(events.order_created()))

    body = (await ask(http, desk, person)).json()

    (item,) = body["items"]
    assert (item["recipient"], item["eventType"]) == ("asha@example.com", "ORDER_CREATED")
    assert body["nextAfter"] is None


async def test_a_long_log_comes_in_pages_and_whole(http: httpx2.AsyncClient, desk: Desk) -> None:
    person, moment = new_id(), now()
    ids = [new_id() for _ in range(130)]
    rows = [
        NotificationLog(
            id=id_,
            event_id=id_,
            event_type="ORDER_CREATED",
            channel="EMAIL",
            user_id=person,
            recipient="asha@example.com",
            subject="Order Placed",
            status=NotificationStatus.FAILED,
            retry_count=0,
            created_at=moment,
            updated_at=moment,
        )
        for id_ in ids
    ]

    async def work(session: WriteSession) -> None:
        session.add_all(rows)

    await desk.database.transact(work)

    first = (await ask(http, desk, person)).json()
    second = (await ask(http, desk, person, f"?after={first['nextAfter']}")).json()

    found = [item["id"] for page in (first, second) for item in page["items"]]
    assert found == [str(id_) for id_ in ids]
    assert second["nextAfter"] is None


async def test_nobody_but_the_user_service_may_ask(http: httpx2.AsyncClient, desk: Desk) -> None:
    user_id = new_id()

    other = await ask(http, desk, user_id, caller="order-service")
    nobody = await http.get(f"/internal/users/{user_id}/held/notifications")

    assert (other.status_code, nobody.status_code) == (403, 401)
