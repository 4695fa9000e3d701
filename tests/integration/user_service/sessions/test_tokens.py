"""What a login gives: tokens that the key set explains, and a session in Redis."""

from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis

from common_lib.auth import SigningKey
from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.entering import login

JWKS = "/.well-known/jwks.json"


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

    shown, coming = [key["kid"] for key in keys], SigningKey.from_file(next_key).key_id
    assert coming in shown[1:]
    assert jwt.get_unverified_header(person.token)["kid"] == shown[0]


async def test_a_session_is_kept_in_redis_for_as_long_as_its_token(
    app: Served, redis: Redis
) -> None:
    person = await app.customer()
    claims = jwt.decode(person.token, options={"verify_signature": False})

    ttl_s = await redis.ttl(f"session:{claims['jti']}")

    assert 1790 <= ttl_s <= 1830
