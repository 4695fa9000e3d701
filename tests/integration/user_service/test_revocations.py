"""A decision about tokens outlives everything that Redis may forget."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from common_lib.auth import Principal, Role, Sessions, TokenRevoked
from common_lib.cache import create_redis
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.ids import UserId, new_id
from common_lib.runtime import background, every
from shop.stack.native import NativeStack
from tests.integration.user_service.conftest import Open, Served
from tests.shopper import Shopper
from tests.waiting import eventually
from user_service.models import LoginSession, RefreshToken
from user_service.queries import revocations as queries
from user_service.services.revocations import MARKER, Revocations
from user_service.services.session_ends import LONGEST_SESSION

NOWHERE = "redis://127.0.0.1:1/0"


class EvictionCount:
    """Redis as it is, but for the number of keys it says it has thrown out."""

    def __init__(self, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self._info = redis.info
        monkeypatch.setattr(redis, "info", self._told)

    async def _told(self, section: str) -> dict[str, Any]:
        return {**await self._info(section), "evicted_keys": self.number}


@dataclass(frozen=True)
class Doors:
    """Two processes that check tokens, each with what it remembers, as two gateways would."""

    redis: Redis

    async def admitted(self, person: Shopper) -> list[Role | None]:
        """Return as whom each of two freshly started processes lets the token's holder in."""
        return [await self._admitted(person) for _ in range(2)]

    async def _admitted(self, person: Shopper) -> Role | None:
        try:
            return (await Sessions(self.redis).current(principal(person))).role
        except TokenRevoked:
            return None


def principal(person: Shopper) -> Principal:
    claims = jwt.decode(person.token, options={"verify_signature": False})
    return Principal(
        UserId(UUID(claims["sub"])),
        Role(claims["role"]),
        claims["jti"],
        claims["iat"],
        claims["exp"],
    )


@pytest.fixture
def redis_url(parts: NativeStack) -> str:
    """A database of the Redis server of its own, so that a flush hits nobody else."""
    base, _, _ = parts.layout.redis_url.rpartition("/")
    return f"{base}/7"


@pytest.fixture
async def emptied(redis_url: str) -> AsyncIterator[Redis]:
    client = create_redis(redis_url, timeout_s=2)
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


@pytest.fixture
def doors(emptied: Redis) -> Doors:
    return Doors(emptied)


@pytest.fixture
async def shop(open_app: Open, redis_url: str) -> Served:
    return await open_app(redis_url=redis_url)


@pytest.fixture
def revocations(shop: Served, emptied: Redis) -> Revocations:
    return Revocations(shop.database, emptied)


async def end(person: Shopper) -> None:
    answer = await person.request("POST", "/api/auth/logout")
    assert answer.status_code == 204, answer.text


async def test_an_ended_session_stays_ended_when_redis_loses_its_memory(
    shop: Served, emptied: Redis, doors: Doors, revocations: Revocations
) -> None:
    gone, here = await shop.customer(), await shop.customer()
    await end(gone)
    async with background(revocations=every(0.5, revocations.keep)):
        await eventually(lambda: emptied.get(MARKER))

        await emptied.flushdb()

        async def is_shut() -> bool:
            return await doors.admitted(gone) == [None, None]

        await eventually(is_shut, timeout_s=5)
    assert await doors.admitted(here) == [Role.CUSTOMER, Role.CUSTOMER]


async def test_a_guests_ended_session_stays_ended(
    shop: Served, emptied: Redis, doors: Doors, revocations: Revocations
) -> None:
    answered = (await shop.client.post("/api/auth/guest", json={})).json()
    guest = Shopper(shop.client, answered["user"]["id"], answered["accessToken"])
    await end(guest)
    await emptied.flushdb()

    await revocations.keep()

    assert await doors.admitted(guest) == [None, None]


async def test_every_token_of_a_session_that_was_renewed_stays_ended(
    shop: Served, emptied: Redis, doors: Doors, revocations: Revocations
) -> None:
    before = await shop.customer()
    body = {"refreshToken": before.refresh_token}
    renewed = (await shop.client.post("/api/auth/refresh", json=body)).json()
    after = Shopper(shop.client, before.user_id, renewed["accessToken"])
    await end(after)
    await emptied.flushdb()

    await revocations.keep()

    assert await doors.admitted(before) == await doors.admitted(after) == [None, None]


async def test_rights_that_were_taken_stay_taken(
    shop: Served, emptied: Redis, doors: Doors, revocations: Revocations
) -> None:
    admin, demoted, suspended = [await shop.admin() for _ in range(3)]
    path = "/api/users/{}/{}"
    await admin.request("PATCH", path.format(demoted.user_id, "role"), json={"role": "CUSTOMER"})
    status = {"status": "SUSPENDED"}
    await admin.request("PATCH", path.format(suspended.user_id, "status"), json=status)
    await emptied.flushdb()

    await revocations.keep()

    assert await doors.admitted(demoted) == [Role.CUSTOMER, Role.CUSTOMER]
    assert await doors.admitted(suspended) == [None, None]
    assert await doors.admitted(admin) == [Role.ADMIN, Role.ADMIN]


async def test_what_was_decided_without_redis_holds_once_it_is_back(
    open_app: Open, shop: Served, doors: Doors, revocations: Revocations
) -> None:
    without = await open_app(redis_url=NOWHERE)
    leaving, erased = await shop.customer(), await shop.customer()
    await revocations.keep()

    await end(Shopper(without.client, leaving.user_id, leaving.token))
    gone = Shopper(without.client, erased.user_id, erased.token)
    password = {"currentPassword": "password123"}
    answer = await gone.request("DELETE", f"/api/users/{erased.user_id}", json=password)
    assert answer.status_code == 204, answer.text
    assert await doors.admitted(leaving) == [Role.CUSTOMER, Role.CUSTOMER]

    await revocations.keep()
    assert await doors.admitted(leaving) == await doors.admitted(erased) == [None, None]


async def test_a_flush_during_the_copy_is_not_taken_for_a_copy(
    shop: Served, emptied: Redis, revocations: Revocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await shop.customer()
    await end(person)

    read = queries.ended_sessions

    async def flush_then_read(*arguments: Any) -> Sequence[queries.EndedSession]:
        await emptied.flushdb()
        return await read(*arguments)

    with monkeypatch.context() as while_flushing:
        while_flushing.setattr(queries, "ended_sessions", flush_then_read)
        await revocations.keep()
    assert await emptied.get(MARKER) is None
    await revocations.keep()

    assert await emptied.get(MARKER)
    assert await Doors(emptied).admitted(person) == [None, None]


async def test_more_than_a_page_is_put_back(shop: Served, emptied: Redis) -> None:
    jtis = await many_ended_sessions(shop.database, 2_300)

    await Revocations(shop.database, emptied).keep()

    keys = [f"session:{jti}" for jti in jtis]
    assert set(await emptied.mget(keys)) == {b"revoked"}


async def test_a_session_that_ended_long_ago_is_left_out(
    shop: Served, emptied: Redis, revocations: Revocations
) -> None:
    (jti,) = await many_ended_sessions(shop.database, 1, ago=LONGEST_SESSION + timedelta(seconds=1))

    await revocations.keep()

    assert await emptied.get(f"session:{jti}") is None


async def test_keys_that_redis_threw_out_are_put_back(
    shop: Served, emptied: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With volatile-ttl, as in Compose, a full Redis may throw out a revocation; it counts that."""
    (jti,) = await many_ended_sessions(shop.database, 1, ago=timedelta(minutes=5))
    evictions = EvictionCount(emptied, monkeypatch)
    keeper = Revocations(shop.database, emptied)
    await keeper.keep()

    await emptied.delete(f"session:{jti}")
    await keeper.keep()
    assert await emptied.get(f"session:{jti}") is None, "an old end is not written on every pass"
    evictions.number += 1
    await Revocations(shop.database, emptied).keep()

    assert await emptied.get(f"session:{jti}") == b"revoked"


async def test_two_workers_keep_one_copy(shop: Served, emptied: Redis, doors: Doors) -> None:
    people = [await shop.customer() for _ in range(3)]
    async with background(
        one=every(0.05, Revocations(shop.database, emptied).keep),
        two=every(0.05, Revocations(shop.database, emptied).keep),
    ):
        await asyncio.gather(*(end(person) for person in people))
        await emptied.flushdb()

        async def all_shut() -> bool:
            return all([await doors.admitted(person) == [None, None] for person in people])

        await eventually(all_shut, timeout_s=5)
        await eventually(lambda: emptied.get(MARKER), timeout_s=5)


async def test_a_session_that_ended_while_it_began_is_not_alive(emptied: Redis) -> None:
    sessions, session_id = Sessions(emptied), str(uuid4())

    await sessions.revoke(session_id)
    await sessions.start(session_id)

    assert await emptied.get(f"session:{session_id}") == b"revoked"


async def many_ended_sessions(
    database: Database, count: int, *, ago: timedelta = timedelta()
) -> list[UUID]:
    """Write sessions that ended then, and return the ids of their access tokens."""
    moment, user_id = now() - ago, new_id()
    ids = [new_id() for _ in range(count)]
    life = {"user_id": user_id, "created_at": moment, "expires_at": moment + timedelta(days=30)}
    ended = {**life, "last_used_at": moment, "ended_at": moment}
    revoked = {**life, "revoked_at": moment}

    async def work(session: WriteSession) -> None:
        await session.execute(sa.insert(LoginSession), [{**ended, "id": id_} for id_ in ids])
        links = [
            {**revoked, "id": id_, "family_id": id_, "jti": id_, "token_hash": token_bytes(32)}
            for id_ in ids
        ]
        await session.execute(sa.insert(RefreshToken), links)

    await database.transact(work)
    return ids
