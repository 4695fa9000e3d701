"""Tokens at the door: forged, stale and foreign ones go no further."""

import base64
import time
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common_lib.auth import ACCESS_TYPE, ALGORITHM, Sessions
from common_lib.cache import create_redis
from tests.integration.gateway.conftest import RedisServer
from tests.integration.gateway.harness import KEY, Door, Upstream, ec_key, token

PUBLIC_PEM = KEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": "https://shop.example",
        "aud": "shop",
        "sub": str(uuid4()),
        "jti": uuid4().hex,
        "role": "CUSTOMER",
        "iat": now,
        "exp": now + 1800,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(typ: str = ACCESS_TYPE, **changes: Any) -> str:
    return KEY.sign(claims(**changes), typ)


def encoded(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    parts = (orjson.dumps(header), orjson.dumps(body), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def with_hmac_of_public_key() -> str:
    header = {"typ": ACCESS_TYPE, "kid": KEY.key_id}
    hashed = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    unsigned = encoded({"alg": "HS256", **header}, claims()).rpartition(".")[0]
    signature = hashed.sign(unsigned.encode(), PUBLIC_PEM)
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED = {
    "alg none": encoded({"alg": "none", "typ": ACCESS_TYPE, "kid": KEY.key_id}, claims()),
    "alg None": encoded({"alg": "None", "typ": ACCESS_TYPE, "kid": KEY.key_id}, claims()),
    "HS256 by the public key": with_hmac_of_public_key(),
    "another key under our kid": jwt.encode(
        claims(),
        ec_key().private,
        algorithm=ALGORITHM,
        headers={"kid": KEY.key_id, "typ": ACCESS_TYPE},
    ),
    "unknown kid": ec_key().sign(claims(), ACCESS_TYPE),
    "no kid": jwt.encode(claims(), KEY.private, algorithm=ALGORITHM, headers={"typ": ACCESS_TYPE}),
    "own key in the header": jwt.encode(
        claims(),
        (other := ec_key()).private,
        algorithm=ALGORITHM,
        headers={"kid": other.key_id, "jwk": other.jwk, "typ": ACCESS_TYPE},
    ),
    "no exp": signed(exp=None),
    "no sub": signed(sub=None),
    "no jti": signed(jti=None),
    "no role": signed(role=None),
    "odd role": signed(role="ROOT"),
    "odd sub": signed(sub="1 OR 1=1"),
    "wrong aud": signed(aud="other"),
    "wrong iss": signed(iss="https://evil.example"),
    "not yet": signed(nbf=int(time.time()) + 3600),
    "empty signature": token().rpartition(".")[0] + ".",
    "two parts": token().rpartition(".")[0],
    "five parts": "a.b.c.d.e",
    "no token at all": "null",
    "8 KB": "x" * 8192,
}


@pytest.mark.parametrize("name", list(FORGED))
async def test_a_forged_token_is_invalid(door: Door, upstream: Upstream, name: str) -> None:
    given = await door.ask(bearer=FORGED[name])

    given.assert_problem(401, "invalid_token")
    assert given.headers["www-authenticate"].startswith("Bearer")
    assert upstream.requests == []


async def test_a_token_expired_for_31_seconds_is_expired(door: Door) -> None:
    now = int(time.time())

    (await door.ask(bearer=signed(iat=now - 600, exp=now - 31))).assert_problem(
        401, "token_expired"
    )
    assert (await door.ask(bearer=signed(iat=now - 600, exp=now - 20))).status == 200


@pytest.mark.parametrize("typ", ["rt+jwt", "service+jwt", "JWT"])
async def test_a_token_for_another_purpose_is_refused(door: Door, typ: str) -> None:
    (await door.ask(bearer=signed(typ))).assert_problem(401, "wrong_token_type")


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "Token abc", ""])
async def test_another_scheme_is_no_token(door: Door, upstream: Upstream, value: str) -> None:
    given = await door.ask(headers=f"Authorization: {value}\r\n")

    given.assert_problem(401, "invalid_token")
    assert upstream.requests == []


WITHOUT_A_TOKEN = (
    "/api/users",
    "/api/auth/login",
    "/api/auth/mfa/challenge",
    "/api/auth/refresh",
    "/api/auth/guest",
    "/api/auth/password/forgot",
    "/api/auth/password/reset",
    "/api/auth/email/verify",
)


def expired() -> str:
    return signed(iat=int(time.time()) - 7200, exp=int(time.time()) - 3600)


@pytest.mark.parametrize("path", WITHOUT_A_TOKEN)
async def test_who_comes_to_log_in_may_still_hold_an_old_token(
    door: Door, upstream: Upstream, path: str
) -> None:
    for value in (f"Bearer {expired()}", f"Bearer {FORGED['alg none']}", "Bearer null", "Basic x"):
        given = await door.ask(
            path, method="POST", body=b"{}", headers=f"Authorization: {value}\r\n"
        )
        assert (given.status, upstream.requests[-1].header("authorization")) == (200, value)


async def test_who_comes_to_log_in_may_have_logged_out(
    door: Door, redis_server: RedisServer
) -> None:
    session = uuid4().hex
    redis = create_redis(redis_server.url)
    await Sessions(redis).revoke(session)
    await redis.aclose()
    bearer = token(session=session)

    given = await door.ask("/api/auth/refresh", method="POST", body=b"{}", bearer=bearer)
    assert given.status == 200
    (await door.ask("/api/auth/sessions", bearer=bearer)).assert_problem(401, "revoked")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users"),
        ("GET", "/api/auth/login"),
        ("POST", "/api/auth/logout"),
        ("GET", "/api/products"),
    ],
)
async def test_an_old_token_is_refused_everywhere_else(
    door: Door, upstream: Upstream, method: str, path: str
) -> None:
    given = await door.ask(path, method=method, bearer=expired())

    given.assert_problem(401, "token_expired")
    assert upstream.requests == []


async def test_a_token_in_the_query_is_refused(door: Door, upstream: Upstream) -> None:
    given = await door.ask(f"/api/orders?access_token={token()}")

    given.assert_problem(401, "auth_required")
    assert upstream.requests == []


async def test_without_a_token_the_service_decides(door: Door, upstream: Upstream) -> None:
    assert (await door.ask("/api/orders")).status == 200
    assert upstream.requests[0].header("authorization") is None


async def test_a_good_token_is_passed_on(door: Door, upstream: Upstream) -> None:
    bearer = token()

    assert (await door.ask("/api/orders", bearer=bearer)).status == 200
    assert upstream.requests[0].header("authorization") == f"Bearer {bearer}"


async def test_a_refusal_never_repeats_what_was_sent(door: Door) -> None:
    for path in ("/api/<script>", "/nothing/%3Cscript%3Ealert"):
        given = await door.ask(path, headers="X-Request-Id: <script>\r\n")
        assert b"script" not in given.body
        assert "script" not in given.headers["x-request-id"]


async def test_unknown_keys_do_not_make_the_gateway_ask_again_and_again(
    door: Door, upstream: Upstream
) -> None:
    await door.ask(bearer=token())
    asked = upstream.key_requests
    for _ in range(20):
        await door.ask(bearer=ec_key().sign(claims(), ACCESS_TYPE))

    assert upstream.key_requests - asked <= 1
