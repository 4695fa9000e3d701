"""Logging in, staying in, and getting out."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis

from common_lib.clock import now
from tests.integration.user_service.conftest import Open, Served
from tests.shopper import Shopper, at_once
from tests.waiting import eventually
from user_service.models import LoginSession, RefreshToken
from user_service.services.old_sessions import prune

JWKS = "/.well-known/jwks.json"


async def login(client: httpx2.AsyncClient, email: str, password: str) -> httpx2.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password})


async def refresh(app: Served, token: str) -> httpx2.Response:
    return await app.client.post("/api/auth/refresh", json={"refreshToken": token})


async def is_let_in(person: Shopper, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await person.http.get(f"/api/users/{person.user_id}", headers=headers)
    return answer.status_code == 200


async def expire_refresh_tokens(app: Served, user_id: str) -> None:
    async def work(session: Any) -> None:
        statement = sa.update(RefreshToken).where(RefreshToken.user_id == UUID(user_id))
        await session.execute(statement.values(expires_at=now()))

    await app.database.transact(work)


def never(condition: Any) -> Any:
    async def negated() -> bool:
        return not await condition()

    return negated


async def test_a_login_answers_with_tokens_and_the_account(app: Served) -> None:
    person = await app.somebody().register()

    answer = await login(app.client, f" {person.email.upper()}", "password123")

    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert (body["tokenType"], body["expiresIn"]) == ("Bearer", 1800)
    assert body["user"]["id"] == person.user_id


async def test_the_access_token_is_what_the_key_set_says(app: Served) -> None:
    person = await app.customer()
    keys = (await app.client.get(JWKS)).json()

    header = jwt.get_unverified_header(person.token)
    (key,) = [jwt.PyJWK.from_dict(k) for k in keys["keys"] if k["kid"] == header["kid"]]
    claims = jwt.decode(
        person.token,
        key.key,
        algorithms=["ES256"],
        audience=app.settings.jwt_audience,
        issuer=app.settings.jwt_issuer,
    )

    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert claims["exp"] - claims["iat"] == 1800
    assert (claims["sub"], claims["role"]) == (person.user_id, "CUSTOMER")
    assert all(set(k) == {"crv", "kty", "x", "y", "kid", "alg", "use"} for k in keys["keys"])


async def test_the_next_key_is_shown_before_it_signs(open_app: Open, tmp_path: Path) -> None:
    next_key = tmp_path / "next.pem"
    next_key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    app = await open_app(jwt_next_key_file=next_key)

    keys = (await app.client.get(JWKS)).json()["keys"]
    person = await app.customer()

    assert len({key["kid"] for key in keys}) == 2
    assert jwt.get_unverified_header(person.token)["kid"] == keys[0]["kid"]


async def test_a_session_is_kept_in_redis_for_as_long_as_its_token(
    app: Served, redis: Redis
) -> None:
    person = await app.customer()
    claims = jwt.decode(person.token, options={"verify_signature": False})

    ttl_s = await redis.ttl(f"session:{claims['jti']}")

    assert 1790 <= ttl_s <= 1830


async def test_a_refresh_token_is_exchanged_for_new_ones(app: Served) -> None:
    person = await app.customer()

    answer = await refresh(app, person.refresh_token)

    body = answer.json()
    assert answer.status_code == 200
    assert body["refreshToken"] != person.refresh_token
    assert body["user"]["id"] == person.user_id
    assert await is_let_in(person, body["accessToken"])


async def test_a_refresh_token_used_twice_ends_its_whole_family(app: Served) -> None:
    person = await app.customer()
    elsewhere = await login(app.client, person.email, "password123")
    second = (await refresh(app, person.refresh_token)).json()

    reused = await refresh(app, person.refresh_token)

    assert (reused.status_code, reused.json()["code"]) == (401, "revoked")
    assert (await refresh(app, second["refreshToken"])).status_code == 401
    await eventually(never(lambda: is_let_in(person, second["accessToken"])), timeout_s=1)
    await eventually(never(lambda: is_let_in(person, person.token)), timeout_s=1)
    assert await is_let_in(person, elsewhere.json()["accessToken"])


async def test_one_refresh_token_exchanged_at_once_never_makes_two_lines(app: Served) -> None:
    person = await app.customer()

    answers = await at_once(*(refresh(app, person.refresh_token) for _ in range(5)))

    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert (await refresh(app, won[0].json()["refreshToken"])).status_code == 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 2048])
async def test_an_unknown_refresh_token_is_refused(app: Served, token: str) -> None:
    answer = await refresh(app, token)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_an_expired_refresh_token_is_refused(app: Served) -> None:
    person = await app.customer()
    await expire_refresh_tokens(app, person.user_id)

    answer = await refresh(app, person.refresh_token)

    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_a_refresh_token_is_no_access_token_and_the_other_way_round(app: Served) -> None:
    person = await app.customer()
    headers = {"Authorization": f"Bearer {person.refresh_token}"}

    as_access = await app.client.get(f"/api/users/{person.user_id}", headers=headers)
    as_refresh = await refresh(app, person.token)

    assert (as_access.status_code, as_access.json()["code"]) == (401, "wrong_token_type")
    assert as_refresh.status_code == 401


async def test_after_logging_out_nothing_of_the_session_works(app: Served) -> None:
    person = await app.customer()
    renewed = (await refresh(app, person.refresh_token)).json()
    headers = {"Authorization": f"Bearer {renewed['accessToken']}"}

    answer = await app.client.post("/api/auth/logout", headers=headers)

    assert answer.status_code == 204
    await eventually(never(lambda: is_let_in(person, renewed["accessToken"])), timeout_s=1)
    await eventually(never(lambda: is_let_in(person, person.token)), timeout_s=1)
    assert (await refresh(app, renewed["refreshToken"])).status_code == 401


async def test_logging_out_everywhere_ends_all_sessions(app: Served) -> None:
    person = await app.customer()
    elsewhere = (await login(app.client, person.email, "password123")).json()

    await person.request("POST", "/api/auth/logout-all")

    await eventually(never(lambda: is_let_in(person, elsewhere["accessToken"])), timeout_s=1)
    assert (await refresh(app, elsewhere["refreshToken"])).status_code == 401


async def test_a_guest_gets_tokens_without_an_account(app: Served) -> None:
    answer = await app.client.post("/api/auth/guest", json={})

    body = answer.json()
    claims = jwt.decode(body["accessToken"], options={"verify_signature": False})
    assert answer.status_code == 201
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert (body["user"]["role"], body["user"]["email"]) == ("GUEST", None)
    assert (claims["role"], claims["sub"]) == ("GUEST", body["user"]["id"])


async def test_a_guest_stays_the_same_guest_after_refreshing(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()

    renewed = await refresh(app, guest["refreshToken"])

    assert renewed.json()["user"]["id"] == guest["user"]["id"]
    assert renewed.json()["user"]["role"] == "GUEST"


async def test_a_guest_has_no_profile_and_no_addresses(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    path = f"/api/users/{guest['user']['id']}"
    headers = {"Authorization": f"Bearer {guest['accessToken']}"}

    answers = [
        await app.client.get(path, headers=headers),
        await app.client.get(f"{path}/addresses", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize("body", [{"role": "ADMIN"}, {"userId": str(uuid4())}])
async def test_a_guest_cannot_choose_who_to_be(app: Served, body: dict[str, Any]) -> None:
    assert (await app.client.post("/api/auth/guest", json=body)).status_code == 422


async def listed(person: Shopper, query: str = "") -> dict[str, Any]:
    answer = await person.request("GET", f"/api/auth/sessions{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    page: dict[str, Any] = answer.json()
    return page


async def log_in_from(app: Served, person: Shopper, address: str, user_agent: str) -> Shopper:
    """Log the same account in on another device."""
    device = Shopper(app.client_from(address), headers={"User-Agent": user_agent})
    return await device.login(person.email)


async def change_sessions(app: Served, user_id: str, **values: Any) -> None:
    async def work(session: Any) -> None:
        owned = LoginSession.user_id == UUID(user_id)
        await session.execute(sa.update(LoginSession).where(owned).values(**values))

    await app.database.transact(work)


async def rows_of(app: Served, user_id: str) -> tuple[int, int]:
    """Return how many sessions and refresh tokens are kept of a user."""
    async with app.database.read_own_writes() as session:
        counted = [
            await session.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.user_id == UUID(user_id))
            )
            for table in (LoginSession, RefreshToken)
        ]
    return counted[0] or 0, counted[1] or 0


async def test_the_list_shows_each_device_the_newest_first(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "198.51.100.4", "ShopApp/2.1 (Phone)")

    page = await listed(phone)

    newest, oldest = page["items"]
    assert page["nextCursor"] is None
    assert (newest["ipAddress"], newest["userAgent"]) == ("198.51.100.4", "ShopApp/2.1 (Phone)")
    assert (newest["isCurrent"], oldest["isCurrent"]) == (True, False)
    assert newest["createdAt"] == newest["lastUsedAt"] < newest["expiresAt"]
    assert set(newest) == {
        "id",
        "userAgent",
        "ipAddress",
        "isCurrent",
        "createdAt",
        "lastUsedAt",
        "expiresAt",
    }


async def test_a_renewal_moves_the_device_and_stays_one_session(app: Served) -> None:
    person = await app.customer()
    (before,) = (await listed(person))["items"]
    moved = app.client_from("198.51.100.5")

    renewed = await moved.post(
        "/api/auth/refresh",
        json={"refreshToken": person.refresh_token},
        headers={"User-Agent": "Other/1.0"},
    )

    person.token = renewed.json()["accessToken"]
    (after,) = (await listed(person))["items"]
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])
    assert (after["ipAddress"], after["userAgent"]) == ("198.51.100.5", "Other/1.0")
    assert after["lastUsedAt"] > before["lastUsedAt"]
    assert after["isCurrent"]


async def test_a_user_agent_of_any_length_and_content_is_taken(app: Served) -> None:
    person = await app.somebody().register()
    device = await log_in_from(app, person, "192.0.2.3", "<script>\t" + "x" * 2000)

    (shown,) = (await listed(device))["items"]

    assert shown["userAgent"].startswith("<script>")
    assert len(shown["userAgent"]) == 255


async def test_the_list_comes_in_pages_that_new_logins_do_not_disturb(app: Served) -> None:
    person = await app.customer()
    for n in range(4):
        await log_in_from(app, person, f"192.0.2.{n}", "Phone")
    whole = [item["id"] for item in (await listed(person))["items"]]

    first = await person.request("GET", "/api/auth/sessions?limit=2")
    await log_in_from(app, person, "192.0.2.9", "Phone")
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    second = (await person.request("GET", following)).json()
    last = await listed(person, f"?limit=2&cursor={second['nextCursor']}")

    pages = [*first.json()["items"], *second["items"], *last["items"]]
    assert [item["id"] for item in pages] == whole
    assert last["nextCursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=nonsense"])
async def test_a_page_that_cannot_be_is_refused(app: Served, query: str) -> None:
    person = await app.customer()

    assert (await person.request("GET", f"/api/auth/sessions?{query}")).status_code == 422


async def test_only_sessions_that_are_alive_are_listed(app: Served) -> None:
    person = await app.customer()
    ended = await log_in_from(app, person, "192.0.2.1", "Phone")
    await ended.request("POST", "/api/auth/logout")

    (only,) = (await listed(person))["items"]
    await change_sessions(app, person.user_id, expires_at=now())

    assert only["isCurrent"]
    assert (await listed(person))["items"] == []


async def test_one_session_is_ended_and_the_others_go_on(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "192.0.2.1", "Phone")
    (there,) = [s["id"] for s in (await listed(person))["items"] if not s["isCurrent"]]

    answers = [
        await person.request("DELETE", f"/api/auth/sessions/{there}"),
        await person.request("DELETE", f"/api/auth/sessions/{there}"),
    ]

    assert [answer.status_code for answer in answers] == [204, 204]
    await eventually(never(lambda: is_let_in(person, phone.token)), timeout_s=1)
    assert (await refresh(app, phone.refresh_token)).status_code == 401
    assert await is_let_in(person, person.token)


async def test_every_token_of_an_ended_session_dies(app: Served) -> None:
    person = await app.customer()
    phone = await log_in_from(app, person, "192.0.2.1", "Phone")
    renewed = (await refresh(app, phone.refresh_token)).json()
    (there,) = [s["id"] for s in (await listed(person))["items"] if not s["isCurrent"]]

    await person.request("DELETE", f"/api/auth/sessions/{there}")

    for token in (phone.token, renewed["accessToken"]):
        await eventually(never(partial(is_let_in, person, token)), timeout_s=1)
    assert (await refresh(app, renewed["refreshToken"])).status_code == 401


async def test_the_current_session_may_end_itself(app: Served) -> None:
    person = await app.customer()
    (here,) = (await listed(person))["items"]

    answer = await person.request("DELETE", f"/api/auth/sessions/{here['id']}")

    assert answer.status_code == 204
    await eventually(never(lambda: is_let_in(person, person.token)), timeout_s=1)


async def test_a_session_of_somebody_else_is_not_found(app: Served) -> None:
    person, thief, admin = await app.customer(), await app.customer(), await app.admin()
    (here,) = (await listed(person))["items"]
    path = f"/api/auth/sessions/{here['id']}"

    answers = [
        await thief.request("DELETE", path),
        await admin.request("DELETE", path),
        await thief.request("DELETE", f"/api/auth/sessions/{uuid4()}"),
        await thief.request("DELETE", "/api/auth/sessions/me"),
    ]
    unknown = await app.client.request("DELETE", path)

    assert [answer.status_code for answer in answers] == [404] * 4
    assert unknown.status_code == 401
    assert await is_let_in(person, person.token)


async def test_a_guest_sees_the_guests_own_session(app: Served) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    person = Shopper(app.client, token=guest["accessToken"])

    (only,) = (await listed(person))["items"]
    ended = await person.request("DELETE", f"/api/auth/sessions/{only['id']}")

    assert (only["isCurrent"], ended.status_code) == (True, 204)


async def test_a_renewal_that_meets_the_end_of_its_session_leaves_no_token_alive(
    app: Served,
) -> None:
    for _ in range(5):
        person = await app.customer()
        (here,) = (await listed(person))["items"]
        end = person.request("DELETE", f"/api/auth/sessions/{here['id']}")

        renewed, ended = await at_once(refresh(app, person.refresh_token), end)

        assert (ended.status_code, renewed.status_code in {200, 401}) == (204, True)
        if renewed.status_code == 200:
            tokens = renewed.json()
            await eventually(never(partial(is_let_in, person, tokens["accessToken"])), timeout_s=1)
            assert (await refresh(app, tokens["refreshToken"])).status_code == 401


async def test_logging_out_everywhere_empties_the_list(app: Served) -> None:
    person = await app.customer()
    await log_in_from(app, person, "192.0.2.1", "Phone")

    await person.request("POST", "/api/auth/logout-all")

    again = await app.somebody().login(person.email)
    assert [item["isCurrent"] for item in (await listed(again))["items"]] == [True]


async def test_what_ran_out_long_ago_is_forgotten(app: Served) -> None:
    old, person = await app.customer(), await app.customer()
    await expire_refresh_tokens(app, old.user_id)
    await change_sessions(app, old.user_id, expires_at=now())

    await prune(app.database, clock=lambda: now() + timedelta(days=2))
    after_two_days = await rows_of(app, old.user_id)
    await change_sessions(app, person.user_id, expires_at=now() + timedelta(days=60))
    await prune(app.database, clock=lambda: now() + timedelta(days=30, hours=1))

    assert after_two_days == (1, 0)
    assert await rows_of(app, old.user_id) == (0, 0)
    assert (await rows_of(app, person.user_id))[0] == 1
