"""Administrators find accounts."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.ids import new_id
from tests.integration.user_service.conftest import MEMBERS, Open, Served
from tests.shopper import Shopper, at_once
from user_service.models import User
from user_service.queries.accounts import UserFilter, newest_users
from user_service.schemas.enums import UserRole, UserStatus

Scratch = Callable[[str], Awaitable[str]]


async def listed(admin: Shopper, **query: Any) -> Any:
    answer = await admin.request("GET", "/api/users", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def people(app: Served, prefix: str, count: int) -> list[str]:
    """Register people whose addresses begin alike; return their ids, the newest first."""
    ids = [
        (await app.somebody().register(email=f"{prefix}-{n}@example.com")).user_id
        for n in range(count)
    ]
    return ids[::-1]


async def test_pages_follow_each_other_newest_first_and_end(app: Served) -> None:
    admin, prefix = await app.admin(), uuid4().hex
    ids = await people(app, prefix, 5)

    first = await admin.request("GET", "/api/users", params={"email": prefix, "limit": 2})
    await people(app, f"{prefix}-late", 1)
    second = await admin.http.get(link_of(first), headers=first.request.headers)
    third = await listed(admin, email=prefix, limit=2, cursor=second.json()["nextCursor"])

    pages = [first.json()["items"], second.json()["items"], third["items"]]
    assert [user["id"] for page in pages for user in page] == ids
    assert [len(page) for page in pages] == [2, 2, 1]
    assert third["nextCursor"] is None


def link_of(answer: Any) -> str:
    target, _, relation = answer.headers["link"].partition(";")
    assert relation.strip() == 'rel="next"'
    return str(target.strip("<>"))


async def test_the_newest_account_comes_first_without_a_filter(app: Served) -> None:
    admin = await app.admin()
    newest = await app.somebody().register()

    body = await listed(admin, limit=1)

    assert [user["id"] for user in body["items"]] == [newest.user_id]
    assert set(body["items"][0]) == MEMBERS


async def test_filters_narrow_the_list_together(app: Served) -> None:
    admin, prefix = await app.admin(), uuid4().hex
    customer, seller, gone = await people(app, prefix, 3)
    await app.give_role(seller, UserRole.SELLER)
    status = {"status": "SUSPENDED"}
    await admin.request("PATCH", f"/api/users/{gone}/status", json=status)

    async def ids(**query: Any) -> list[str]:
        return [user["id"] for user in (await listed(admin, email=prefix, **query))["items"]]

    assert await ids(role="SELLER") == [seller]
    assert await ids(status="SUSPENDED") == [gone]
    assert await ids(role="CUSTOMER", status="ACTIVE") == [customer]
    assert await ids(role="ADMIN") == []


async def test_an_address_is_found_in_any_case_and_by_its_beginning_only(app: Served) -> None:
    admin = await app.admin()
    person = await app.somebody().register()

    async def finds(email: str) -> bool:
        return person.user_id in [u["id"] for u in (await listed(admin, email=email))["items"]]

    assert await finds(f" {person.email.upper()} ")
    assert await finds(person.email[:20])
    assert not await finds(person.email[1:])
    assert not await finds(person.email.replace("-", "_"))
    assert not await finds("%%%")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"cursor": "no-cursor"},
        {"cursor": "x" * 257},
        {"role": "GUEST"},
        {"role": "customer"},
        {"status": "GONE"},
        {"email": "ab"},
        {"email": "x" * 255},
        {"offset": 10},
        {"page": 2},
        {"sort": "email"},
    ],
)
async def test_what_the_list_does_not_know_is_refused(app: Served, query: dict[str, Any]) -> None:
    admin = await app.admin()

    answer = await admin.request("GET", "/api/users", params=query)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_nobody_else_sees_who_has_an_account(app: Served) -> None:
    customer, seller = await app.customer(), await app.somebody().register()
    await app.give_role(seller.user_id, UserRole.SELLER)
    await seller.login()
    guest = Shopper(app.client)
    guest.token = (await app.client.post("/api/auth/guest")).json()["accessToken"]

    answers = [await person.request("GET", "/api/users") for person in (customer, seller, guest)]
    nobody = await app.somebody().request("GET", "/api/users")

    assert [answer.status_code for answer in answers] == [403] * 3
    assert nobody.status_code == 401


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (UserFilter(role=UserRole.SELLER), "ix_users_role"),
        (UserFilter(status=UserStatus.DELETED), "ix_users_status"),
        (UserFilter(role=UserRole.ADMIN, status=UserStatus.DELETED), "ix_users_role_status"),
        (UserFilter(email_prefix="person-17"), "uq_users_email"),
        (UserFilter(before=new_id()), "PRIMARY"),
    ],
)
async def test_each_filter_has_its_index(crowd: Database, wanted: UserFilter, index: str) -> None:
    plan = await plan_of(crowd, wanted)

    assert plan["key"] == index
    is_sorted_by_hand = "filesort" in (plan["Extra"] or "")
    assert is_sorted_by_hand is (wanted.email_prefix is not None)


async def test_the_last_active_administrator_keeps_the_rights(
    open_app: Open, scratch_database: Scratch
) -> None:
    app = await open_app(database_url=await scratch_database("user"))
    one, other = await app.admin(), await app.admin()

    async def strip(admin: Shopper, victim: Shopper, what: str, value: str) -> Any:
        path = f"/api/users/{victim.user_id}/{what}"
        return await admin.request("PATCH", path, json={what: value})

    answers = await at_once(
        strip(one, other, "role", "CUSTOMER"), strip(other, one, "status", "SUSPENDED")
    )

    first, second = sorted(answers, key=lambda answer: answer.status_code)
    assert first.status_code == 200, first.text
    assert second.json()["code"] in {"last_administrator", "role_not_allowed", "revoked"}
    async with app.database.read() as session:
        active = sa.select(User.id).where(
            User.role == UserRole.ADMIN, User.status == UserStatus.ACTIVE
        )
        assert len((await session.scalars(active)).all()) == 1


@pytest.fixture
async def crowd(scratch_database: Scratch, open_database: Callable[[str], Database]) -> Database:
    """Three thousand accounts, a tenth of them sellers, so that an index is worth it."""
    database, moment = open_database(await scratch_database("user")), now()
    row = {
        "password_hash": "-",
        "full_name": "Asha Rao",
        "status": UserStatus.ACTIVE,
        "email_verified": False,
        "preferences": {},
        "version": 1,
        "created_at": moment,
        "updated_at": moment,
    }
    roles = [UserRole.SELLER, *[UserRole.CUSTOMER] * 9] * 300
    rows = [
        {**row, "id": new_id(), "email": f"person-{n}@example.com", "role": role}
        for n, role in enumerate(roles)
    ]

    async def work(session: WriteSession) -> None:
        await session.execute(sa.insert(User), rows)

    await database.transact(work)
    async with database.connection() as connection:
        await connection.execute(sa.text("ANALYZE TABLE users"))
    return database


async def plan_of(database: Database, wanted: UserFilter) -> Mapping[str, Any]:
    """Return the one line of EXPLAIN for the query that the list makes."""
    made: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        made.append((statement, parameters))

    engine = database.writer.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    async with database.read_own_writes() as session:
        await newest_users(session, wanted, 20)
    sa.event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = made
    async with database.connection() as connection:
        version = str((await connection.exec_driver_sql("SELECT VERSION()")).scalar())
        # MySQL 9 prints trees unless told otherwise; MariaDB prints this table anyway.
        how = "" if "MariaDB" in version else "FORMAT=TRADITIONAL"
        found = await connection.exec_driver_sql(f"EXPLAIN {how} {statement}", parameters)
        return dict(found.mappings().one())
