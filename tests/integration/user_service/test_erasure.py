"""An account is erased: the person goes, the id stays."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.events.users import DELETED_NAME
from common_lib.ids import new_id
from tests.integration.user_service.conftest import Open, Served
from tests.shopper import ADDRESS, Shopper, at_once
from tests.waiting import eventually
from user_service.models import (
    Address,
    LoginSession,
    OneTimeToken,
    RecoveryCode,
    RefreshToken,
    TokenPurpose,
    TotpCredential,
    User,
    outbox,
)
from user_service.schemas.enums import UserStatus

PASSWORD = {"currentPassword": "password123"}
BELONGINGS = (Address, OneTimeToken, RecoveryCode, TotpCredential, RefreshToken, LoginSession)


async def erase(caller: Shopper, user_id: str, body: Any = None) -> Any:
    return await caller.request("DELETE", f"/api/users/{user_id}", json=body)


async def full_account(app: Served) -> Shopper:
    """Return a person of whom every table knows something."""
    person = await app.customer()
    path = f"/api/users/{person.user_id}"
    await person.request("PUT", path, json={"phone": "+919812345678"})
    for _ in range(2):
        await person.request("POST", f"{path}/addresses", json=ADDRESS)
    moment, owner = now(), UUID(person.user_id)

    async def work(session: WriteSession) -> None:
        common = {"user_id": owner, "created_at": moment}
        session.add(TotpCredential(secret=b"encrypted", **common))
        session.add(RecoveryCode(id=new_id(), code_hash=new_id().bytes * 2, **common))
        session.add(
            OneTimeToken(
                id=new_id(),
                purpose=TokenPurpose.VERIFY_EMAIL,
                email=person.email,
                token_hash=new_id().bytes * 2,
                expires_at=moment,
                **common,
            )
        )

    await app.database.transact(work)
    return person


async def row_of(database: Database, user_id: str) -> User:
    async with database.read_own_writes() as session:
        return await session.get_one(User, UUID(user_id))


async def belongings(database: Database, user_id: str) -> dict[str, int]:
    async with database.read_own_writes() as session:
        return {
            table.__tablename__: await session.scalar(
                sa.select(sa.func.count()).where(table.user_id == UUID(user_id))
            )
            or 0
            for table in BELONGINGS
        }


async def events_of(database: Database, user_id: str) -> list[str]:
    async with database.read_own_writes() as session:
        found = await session.scalars(
            sa.select(outbox.c.event_type)
            .where(outbox.c.aggregate_key == user_id)
            .order_by(outbox.c.id)
        )
        return list(found)


async def test_nothing_about_the_person_is_left(app: Served) -> None:
    person = await full_account(app)

    answer = await erase(person, person.user_id, PASSWORD)

    assert (answer.status_code, answer.content) == (204, b"")
    user = await row_of(app.database, person.user_id)
    assert user.full_name == DELETED_NAME
    assert user.email.endswith("@deleted.invalid")
    assert (user.phone, user.preferences, user.email_verified) == (None, {}, False)
    assert (user.status, user.deleted_at is not None) == (UserStatus.DELETED, True)
    assert set((await belongings(app.database, person.user_id)).values()) == {0}
    assert (await events_of(app.database, person.user_id))[-1] == "USER_DELETED"


async def test_tokens_and_logins_end_within_a_second(app: Served) -> None:
    person, admin = await app.customer(), await app.admin()
    path = f"/api/users/{person.user_id}"
    assert (await person.request("GET", path)).status_code == 200

    await erase(person, person.user_id, PASSWORD)

    async def is_refused() -> bool:
        return (await person.request("GET", path)).status_code == 401

    await eventually(is_refused, timeout_s=1)
    login = {"email": person.email, "password": "password123"}
    assert (await app.client.post("/api/auth/login", json=login)).status_code == 401
    renewal = {"refreshToken": person.refresh_token}
    assert (await app.client.post("/api/auth/refresh", json=renewal)).status_code == 401
    assert (await admin.request("GET", path)).status_code == 404


async def test_nobody_logs_in_by_the_dead_address(app: Served) -> None:
    person = await app.customer()
    await erase(person, person.user_id, PASSWORD)
    dead = (await row_of(app.database, person.user_id)).email

    for password in ("password123", "-", "!"):
        body = {"email": dead, "password": password}
        assert (await app.client.post("/api/auth/login", json=body)).status_code == 401


async def test_the_address_is_free_for_a_new_account(app: Served) -> None:
    person = await app.customer()
    await erase(person, person.user_id, PASSWORD)
    body = {"email": person.email, "password": "password123", "fullName": "Asha Rao"}

    again = await app.client.post("/api/users", json=body)

    assert again.status_code == 201, again.text
    assert again.json()["id"] != person.user_id


@pytest.mark.parametrize(
    "body", [None, {}, {"currentPassword": None}, {"currentPassword": "password124"}]
)
async def test_the_own_account_needs_the_current_password(app: Served, body: Any) -> None:
    person = await app.customer()

    answer = await erase(person, person.user_id, body)

    assert answer.status_code == 403
    assert answer.json()["code"] == "current_password_required"
    assert (await row_of(app.database, person.user_id)).status is UserStatus.ACTIVE


async def test_the_password_cannot_be_guessed_here_either(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.customer()

    guesses = [
        await erase(person, person.user_id, {"currentPassword": f"guess-{n}"}) for n in range(6)
    ]

    assert [guess.status_code for guess in guesses] == [403] * 5 + [429]


async def test_an_administrator_erases_without_a_password_and_twice_is_once(app: Served) -> None:
    person, admin = await app.customer(), await app.admin()

    answers = [await erase(admin, person.user_id) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await events_of(app.database, person.user_id)).count("USER_DELETED") == 1


async def test_ten_erasures_at_once_are_one(app: Served) -> None:
    person, admin = await full_account(app), await app.admin()

    answers = await at_once(*(erase(admin, person.user_id) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {204}
    assert (await events_of(app.database, person.user_id)).count("USER_DELETED") == 1


async def test_what_happens_at_the_same_moment_leaves_nothing_behind(app: Served) -> None:
    person = await app.customer()
    path = f"/api/users/{person.user_id}"

    await at_once(
        erase(person, person.user_id, PASSWORD),
        *(person.request("POST", f"{path}/addresses", json=ADDRESS) for _ in range(4)),
        *(person.request("PUT", path, json={"fullName": "Still Here"}) for _ in range(4)),
        Shopper(app.client).request(
            "POST", "/api/auth/refresh", json={"refreshToken": person.refresh_token}
        ),
    )

    assert (await row_of(app.database, person.user_id)).full_name == DELETED_NAME
    left = await belongings(app.database, person.user_id)
    assert left["addresses"] == 0


async def test_anothers_account_looks_like_an_unknown_one(app: Served) -> None:
    person, other = await app.customer(), await app.customer()
    unknown = str(new_id())

    answers = [await erase(other, target, PASSWORD) for target in (person.user_id, unknown, "x")]
    nobody = await erase(app.somebody(), person.user_id, PASSWORD)

    assert [answer.status_code for answer in answers] == [404] * 3
    assert nobody.status_code == 401
    assert (await row_of(app.database, person.user_id)).status is UserStatus.ACTIVE


async def test_an_unknown_account_is_not_found_for_an_administrator(app: Served) -> None:
    admin = await app.admin()

    assert (await erase(admin, str(new_id()))).status_code == 404


@pytest.mark.parametrize("body", [{"password": "password123"}, [], "password123", {"x": 1}])
async def test_a_body_of_another_shape_is_refused(app: Served, body: Any) -> None:
    person = await app.customer()

    assert (await erase(person, person.user_id, body)).status_code == 422


async def test_no_use_case_brings_an_erased_account_back(app: Served) -> None:
    person, admin = await app.customer(), await app.admin()
    path = f"/api/users/{person.user_id}"
    await erase(admin, person.user_id)

    tries = await asyncio.gather(
        admin.request("PUT", path, json={"fullName": "Back Again"}),
        admin.request("PATCH", f"{path}/status", json={"status": "ACTIVE"}),
        admin.request("PATCH", f"{path}/role", json={"role": "ADMIN"}),
        admin.request("GET", f"{path}/addresses"),
        app.client.put(
            f"/internal/users/{person.user_id}/seller",
            headers=app.service_headers("catalog-service"),
        ),
        app.client.get(f"/internal/users/{person.user_id}/contact", headers=app.service_headers()),
    )

    assert [answer.status_code for answer in tries] == [404] * 6


async def test_the_last_administrator_stays(
    open_app: Open, scratch_database: Callable[[str], Awaitable[str]]
) -> None:
    app = await open_app(database_url=await scratch_database("user"))
    admin = await app.admin()

    refused = await erase(admin, admin.user_id, PASSWORD)
    second = await app.admin()
    done = await erase(second, second.user_id, PASSWORD)

    assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")
    assert done.status_code == 204
