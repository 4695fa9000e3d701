"""POST /api/users: what becomes an account, and what leaves no trace."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa

from common_lib.database import Database
from common_lib.errors import Unavailable
from tests.integration.user_service.conftest import MEMBERS, Open, Served
from tests.production import production
from tests.shopper import at_once
from user_service.models import User, outbox

PASSWORD = "password123"


def registration(**changes: Any) -> dict[str, Any]:
    email = f"{uuid4().hex}@example.com"
    return {"email": email, "password": PASSWORD, "fullName": "Test User"} | changes


def an_address() -> str:
    """Return an address that no other test calls from."""
    return f"2001:db8::{uuid4().hex[:4]}:{uuid4().hex[:4]}"


async def register(app: Served, **changes: Any) -> httpx2.Response:
    return await app.client.post("/api/users", json=registration(**changes))


async def count_of(database: Database, email: str) -> int:
    async with database.read() as session:
        found = await session.scalar(
            sa.select(sa.func.count()).select_from(User).where(User.email == email)
        )
    return found or 0


async def test_the_briefs_register_call_answers_with_the_account(app: Served) -> None:
    answer = await register(app, fullName="  Test User ", phone="+91 98123 45678")

    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/users/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert set(body) == MEMBERS
    assert (body["fullName"], body["role"], body["status"]) == ("Test User", "CUSTOMER", "ACTIVE")
    assert body["createdAt"].endswith("Z")
    assert UUID(body["id"]).version == 7


async def test_the_events_are_written_with_the_account_and_hold_no_password(app: Served) -> None:
    body = (await register(app)).json()

    async with app.database.read() as session:
        rows = await session.execute(
            sa.select(outbox.c.event_type, outbox.c.topic, outbox.c.body).where(
                outbox.c.aggregate_key == body["id"]
            )
        )
        found = {row.event_type: row for row in rows}
    assert set(found) == {"USER_REGISTERED", "EMAIL_VERIFICATION_REQUESTED"}
    for row in found.values():
        assert row.topic == "user-events"
        assert body["email"].encode() in row.body
        assert PASSWORD.encode() not in row.body
        assert b"bcrypt" not in row.body
    assert b"token" not in found["USER_REGISTERED"].body


async def test_a_taken_address_is_refused_in_any_spelling(app: Served) -> None:
    email = f"{uuid4().hex}@example.com"
    await register(app, email=email)

    for spelling in (email, email.upper(), f"  {email} ", email.replace("example", "EXAMPLE")):
        answer = await register(app, email=spelling)
        assert answer.status_code == 409, spelling
        assert answer.json()["code"] == "email_taken"
        assert email not in answer.text
    assert await count_of(app.database, email) == 1


async def test_twenty_at_once_with_one_address_give_one_account(app: Served) -> None:
    email = f"{uuid4().hex}@example.com"

    answers = await at_once(*(register(app, email=email) for _ in range(20)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, *[409] * 19]
    assert await count_of(app.database, email) == 1


@pytest.mark.parametrize(
    "extra",
    [
        {"role": "ADMIN"},
        {"id": str(uuid4())},
        {"is_active": True},
        {"isActive": True},
        {"status": "ACTIVE"},
        {"emailVerified": True},
        {"full_name": "Other"},
        {"__proto__": {}},
    ],
)
async def test_a_member_that_is_not_the_callers_to_set_is_refused(
    app: Served, extra: dict[str, Any]
) -> None:
    body = registration(**extra)

    answer = await app.client.post("/api/users", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "extra_forbidden"
    assert await count_of(app.database, body["email"]) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "seven77"},
        {"password": 12345678},
        {"password": True},
        {"password": None},
        {"password": "nul\x00nul\x00nul"},
        {"password": "a" * 1025},
        {"email": ""},
        {"email": "no-at-sign"},
        {"email": "two@@example.com"},
        {"email": "spaced name@example.com"},
        {"email": "a@example"},
        {"email": "a@-example.com"},
        {"email": "a@example.com\r\nBcc: b@example.com"},
        {"email": "a@example.com,b@example.com"},
        {"email": f"{'a' * 65}@example.com"},
        {"email": f"a@{'b' * 250}.com"},
        {"email": ["a@example.com"]},
        {"fullName": "   "},
        {"fullName": "a\r\nBcc: b@example.com"},
        {"fullName": "a" * 121},
        {"phone": "call me"},
        {"phone": 9812345678},
    ],
)
async def test_what_is_no_account_is_refused_without_an_echo(
    app: Served, wrong: dict[str, Any]
) -> None:
    body = registration(**wrong)

    answer = await app.client.post("/api/users", json=body)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "validation_failed"
    given = next(iter(wrong.values()))
    assert not isinstance(given, str) or not given.strip() or given not in answer.text


async def test_the_seventy_third_byte_of_a_password_counts(app: Served) -> None:
    person = app.somebody()
    await person.register(password="x" * 72 + "y")

    good = await app.client.post(
        "/api/auth/login", json={"email": person.email, "password": "x" * 72 + "y"}
    )
    others = [
        await app.client.post("/api/auth/login", json={"email": person.email, "password": other})
        for other in ("x" * 72, "x" * 73, "x" * 72 + "yy")
    ]

    assert good.status_code == 200
    assert [answer.status_code for answer in others] == [401] * 3


async def test_a_password_is_kept_as_the_bytes_that_were_given(app: Served) -> None:
    composed, decomposed = "pässword123", "pa\u0308ssword123"
    person = await app.somebody().register(password=composed)

    answers = [
        await app.client.post("/api/auth/login", json={"email": person.email, "password": password})
        for password in (composed, decomposed, f" {composed}")
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 401]


async def test_a_megabyte_of_password_is_too_large(app: Served) -> None:
    assert (await register(app, password="x" * 1_000_000)).status_code == 413


async def test_the_production_profile_refuses_a_common_password(
    open_app: Open, tmp_path: Path
) -> None:
    app = await open_app(**production(tmp_path))

    answer = await register(app, password=PASSWORD)

    assert answer.status_code == 422
    assert answer.json()["code"] == "common_password"


async def test_taken_addresses_are_told_five_times_an_hour_and_address(open_app: Open) -> None:
    app = await open_app(register_limit_per_hour=5)
    here, elsewhere = app.client_from(an_address()), app.client_from(an_address())
    email = f"{uuid4().hex}@example.com"
    await elsewhere.post("/api/users", json=registration(email=email))

    answers = [await here.post("/api/users", json=registration(email=email)) for _ in range(6)]
    other = await elsewhere.post("/api/users", json=registration(email=email))

    assert [answer.status_code for answer in answers] == [409] * 5 + [429]
    assert answers[-1].json()["code"] == "too_many_attempts"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert other.status_code == 409


async def test_one_address_opens_a_limited_number_of_accounts(open_app: Open) -> None:
    app = await open_app(register_limit_per_hour=1)
    here = app.client_from(an_address())

    statuses = [(await here.post("/api/users", json=registration())).status_code for _ in range(21)]

    assert statuses == [201] * 20 + [429]


async def test_accounts_are_opened_and_used_while_redis_is_away(open_app: Open) -> None:
    app = await open_app(redis_url="redis://127.0.0.1:1/0")

    person = await app.customer()

    assert (await person.request("GET", f"/api/users/{person.user_id}")).status_code == 200


async def test_without_a_database_the_answer_says_when_to_come_back(open_app: Open) -> None:
    app = await open_app(database_url="mysql+asyncmy://nobody@127.0.0.1:1/users_db")

    answer = await register(app)

    assert answer.status_code == 503
    assert answer.json()["code"] == Unavailable.code
