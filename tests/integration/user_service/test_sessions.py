"""Logging in, staying in, and getting out."""

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
from user_service.models import RefreshToken

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
