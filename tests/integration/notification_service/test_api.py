"""GET /api/notifications: who sees what, page by page."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from common_lib.auth import (
    Authenticator,
    Role,
    ServiceTokens,
    Sessions,
    SigningKey,
    StaticKeys,
    TokenSigner,
    TokenVerifier,
)
from common_lib.cache import create_redis
from common_lib.ids import new_id
from notification_service.main import build_app
from shop.stack.native import NativeStack
from tests.integration.notification_service.conftest import Desk, enveloped
from tests.unit.notification_service import events

PATH = "/api/notifications"


class Api:
    """The app on the desk's database, with a key of the test's own for its callers."""

    def __init__(self, client: httpx2.AsyncClient, signer: TokenSigner) -> None:
        self._client = client
        self._signer = signer

    async def get(
        self, role: Role = Role.ADMIN, user_id: UUID | None = None, **query: Any
    ) -> httpx2.Response:
        token = self._signer.access(user_id or new_id(), role, str(uuid4()))
        headers = {"Authorization": f"Bearer {token}"}
        return await self._client.get(PATH, params=query, headers=headers)

    async def follow(self, path: str) -> httpx2.Response:
        token = self._signer.access(new_id(), Role.ADMIN, str(uuid4()))
        return await self._client.get(path, headers={"Authorization": f"Bearer {token}"})

    async def anonymous(self) -> httpx2.Response:
        return await self._client.get(PATH)


@pytest.fixture
async def api(desk: Desk, parts: NativeStack) -> AsyncIterator[Api]:
    del parts
    settings = desk.settings
    key = SigningKey.from_file(settings.service_token_key_file)
    signer = TokenSigner(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    verifier = TokenVerifier(
        StaticKeys(key), issuer=settings.jwt_issuer, audience=settings.jwt_audience
    )
    redis = create_redis(settings.redis_url)
    app = build_app(settings)
    async with app.router.lifespan_context(app):
        services = ServiceTokens(key, "notification-service")
        app.state.authenticator = Authenticator(verifier, Sessions(redis), services)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://mails") as client:
            yield Api(client, signer)
    await redis.aclose()


async def test_an_entry_shows_what_was_sent_to_whom(api: Api, desk: Desk) -> None:
    envelope = enveloped(events.order_created(email="asha@example.com"))
    await desk.process(envelope)

    body = (await api.get()).json()

    (item,) = body["items"]
    assert body["nextCursor"] is None
    assert set(item) == {
        "id",
        "eventId",
        "eventType",
        "channel",
        "recipient",
        "subject",
        "status",
        "retryCount",
        "createdAt",
        "sentAt",
    }
    assert item["eventId"] == str(envelope.event_id)
    assert (item["eventType"], item["channel"], item["status"]) == (
        "ORDER_CREATED",
        "EMAIL",
        "SENT",
    )
    assert item["subject"] == "Order Placed — ORD-123456"
    assert item["createdAt"].endswith("Z")


async def test_people_see_their_own_and_administrators_all(api: Api, desk: Desk) -> None:
    asha, ravi = new_id(), new_id()
    for user_id in (asha, ravi):
        await desk.process(enveloped(events.order_created(user_id=user_id)))

    own = (await api.get(Role.CUSTOMER, asha)).json()["items"]
    also_own = (await api.get(Role.CUSTOMER, asha, userId=str(asha))).json()["items"]
    anothers = await api.get(Role.CUSTOMER, asha, userId=str(ravi))
    sellers = (await api.get(Role.SELLER, new_id())).json()["items"]
    everybodys = (await api.get(Role.ADMIN)).json()["items"]
    ravis = (await api.get(Role.ADMIN, userId=str(ravi))).json()["items"]

    assert len(own) == len(also_own) == len(ravis) == 1
    assert anothers.status_code == 404
    assert (len(sellers), len(everybodys)) == (0, 2)


async def test_the_list_is_narrowed_by_order_type_and_status(api: Api, desk: Desk) -> None:
    created = events.order_created()
    await desk.process(enveloped(created))
    await desk.process(enveloped(events.order_shipped(order_id=created.order_id)))
    await desk.process(enveloped(events.user_registered()))

    async def count(**query: Any) -> int:
        return len((await api.get(**query)).json()["items"])

    assert await count(orderId=str(created.order_id)) == 2
    assert await count(orderId=str(created.order_id), eventType="ORDER_SHIPPED") == 1
    assert await count(eventType="USER_REGISTERED", status="SENT") == 1
    assert await count(status="FAILED") == 0
    assert await count(eventType="' OR 1=1 --") == 0


async def test_pages_stay_in_place_while_rows_are_added(api: Api, desk: Desk) -> None:
    for _ in range(5):
        await desk.process(enveloped(events.user_registered()))
    expected = [str(row.id) for row in reversed(await desk.rows())]

    first = await api.get(limit=2)
    await desk.process(enveloped(events.user_registered()))
    seen = [item["id"] for item in first.json()["items"]]
    following = first
    while "link" in following.headers:
        assert 'rel="next"' in following.headers["link"]
        target = following.headers["link"].partition("<")[2].partition(">")[0]
        following = await api.follow(target)
        seen += [item["id"] for item in following.json()["items"]]

    assert seen == expected
    assert following.json()["nextCursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": 10**6},
        {"limit": "many"},
        {"status": "GONE"},
        {"userId": "me"},
        {"orderId": "' OR 1=1 --"},
        {"cursor": "nonsense"},
        {"eventType": "x" * 65},
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(api: Api, query: dict[str, Any]) -> None:
    answer = await api.get(**query)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_token_nothing_is_shown(api: Api) -> None:
    answer = await api.anonymous()

    assert (answer.status_code, answer.json()["code"]) == (401, "auth_required")
