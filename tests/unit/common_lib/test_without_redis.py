"""A service whose Redis is away: whom it still believes, and for what."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisIsAway
from redis.exceptions import TimeoutError as TimedOut

from common_lib import problems
from common_lib.auth import (
    Authenticator,
    CurrentUser,
    Role,
    ServiceTokens,
    Sessions,
    SigningKey,
    StaticKeys,
    TokenSigner,
    TokenVerifier,
)

ISSUER, AUDIENCE = "https://shop.test", "shop"
KEY = SigningKey(
    ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)


class Away:
    """A Redis whose pipelines find nobody."""

    def pipeline(self, **_: Any) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        del kind, error, at

    def get(self, key: str) -> None:
        del key

    async def execute(self) -> Any:
        raise RedisIsAway


async def whose(caller: CurrentUser) -> str:
    return caller.role


class Late(Away):
    """A Redis that knows of nothing revoked, and is asked by a process that was held up once."""

    def __init__(self) -> None:
        self.asked = 0

    async def execute(self) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise TimedOut
        return [None, None]


def asking(redis: Away) -> httpx2.AsyncClient:
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.add_api_route("/mine", whose, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    app.state.authenticator = Authenticator(
        TokenVerifier(StaticKeys(KEY), issuer=ISSUER, audience=AUDIENCE),
        Sessions(cast("Redis", redis)),
        ServiceTokens(KEY, "test-service"),
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with asking(Away()) as client:
        yield client


def bearer(role: Role) -> dict[str, str]:
    signer = TokenSigner(KEY, issuer=ISSUER, audience=AUDIENCE)
    return {"Authorization": f"Bearer {signer.access(uuid4(), role, uuid4().hex)}"}


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SELLER])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_the_powerful_change_nothing(
    client: httpx2.AsyncClient, role: Role, method: str
) -> None:
    answer = await client.request(method, "/mine", headers=bearer(role))

    assert (answer.status_code, answer.json()["code"]) == (503, "revocation_unknown")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_everybody_may_look(client: httpx2.AsyncClient, role: Role, method: str) -> None:
    assert (await client.request(method, "/mine", headers=bearer(role))).status_code == 200


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.GUEST])
async def test_customers_and_guests_go_on(client: httpx2.AsyncClient, role: Role) -> None:
    assert (await client.post("/mine", headers=bearer(role))).status_code == 200


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SELLER])
async def test_one_answer_that_comes_late_refuses_nobody(role: Role) -> None:
    async with asking(Late()) as client:
        assert (await client.post("/mine", headers=bearer(role))).status_code == 200
