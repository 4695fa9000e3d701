"""Tokens: what is accepted, and the forgeries that are not."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from common_lib.auth import (
    JWKS_REFETCH_S,
    InvalidToken,
    JwksCache,
    Principal,
    RevocationUnknown,
    Role,
    ServiceTokens,
    SigningKey,
    StaticKeys,
    TokenExpired,
    TokenRevoked,
    TokenSigner,
    TokenVerifier,
    WrongTokenType,
    apply_revocation,
    trusted_without_redis,
)
from common_lib.errors import Forbidden, Unavailable
from common_lib.ids import UserId

USER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
ISSUER, AUDIENCE = "https://shop.test", "shop"


def new_key() -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


KEY = new_key()
VERIFIER = TokenVerifier(StaticKeys(KEY), issuer=ISSUER, audience=AUDIENCE)


def claims(**changes: Any) -> dict[str, Any]:
    issued_at = int(time.time())
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "jti": "session-1",
        "role": "CUSTOMER",
        "iat": issued_at,
        "exp": issued_at + 1800,
    }
    return {name: value for name, value in (standard | changes).items() if value is not None}


def signed(body: Mapping[str, Any], *, typ: str = "at+jwt", key: SigningKey = KEY) -> str:
    return key.sign(body, typ)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def handmade(algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    header = {"alg": algorithm, "typ": "at+jwt", "kid": KEY.key_id}
    signing_input = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims()))
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


def unsigned(algorithm: str) -> str:
    return handmade(algorithm, lambda _: b"")


def hs256_with_the_public_key() -> str:
    public = KEY.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return handmade("HS256", lambda text: hmac.digest(public, text, "sha256"))


def rs256() -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(
        claims(), private, algorithm="RS256", headers={"kid": KEY.key_id, "typ": "at+jwt"}
    )


def with_a_changed_role() -> str:
    header, _, signature = signed(claims()).split(".")
    body = base64url(json.dumps(claims(role="ADMIN")).encode())
    return f"{header}.{body}.{signature}"


async def test_a_good_token_names_its_caller() -> None:
    token = TokenSigner(KEY, issuer=ISSUER, audience=AUDIENCE).access(USER, Role.SELLER, "s-1")

    principal = await VERIFIER.verify(token)

    assert (principal.user_id, principal.role, principal.session_id) == (USER, Role.SELLER, "s-1")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é.é.é",
        "x" * 8192,
        unsigned("none"),
        unsigned("None"),
        unsigned("ES256"),
        hs256_with_the_public_key(),
        rs256(),
        with_a_changed_role(),
        signed(claims(), key=new_key()),
        signed(claims(aud="another-shop")),
        signed(claims(aud=None)),
        signed(claims(iss="https://evil.test")),
        signed(claims(iss=None)),
        signed(claims(exp=None)),
        signed(claims(iat=None)),
        signed(claims(sub=None)),
        signed(claims(sub="not-an-id")),
        signed(claims(jti=None)),
        signed(claims(role="ROOT")),
        signed(claims(role=None)),
        signed(claims(nbf=int(time.time()) + 86_400)),
        signed(claims(exp="never")),
    ],
)
async def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        await VERIFIER.verify(token)


async def test_an_expired_token_has_half_a_minute_of_grace_and_no_more() -> None:
    moment = int(time.time())
    assert await VERIFIER.verify(signed(claims(exp=moment - 25)))

    with pytest.raises(TokenExpired):
        await VERIFIER.verify(signed(claims(exp=moment - 31)))


@pytest.mark.parametrize("typ", ["rt+jwt", "service+jwt", "JWT"])
async def test_another_type_of_token_is_refused_by_name(typ: str) -> None:
    with pytest.raises(WrongTokenType):
        await VERIFIER.verify(signed(claims(), typ=typ))


async def test_a_cached_token_still_expires() -> None:
    verifier = TokenVerifier(StaticKeys(KEY), issuer=ISSUER, audience=AUDIENCE)
    token = signed(claims())
    principal = await verifier.verify(token)
    verifier._seen[token] = Principal(
        principal.user_id, principal.role, principal.session_id, 0, int(time.time()) - 31
    )

    with pytest.raises(TokenExpired):
        await verifier.verify(token)


async def test_unknown_key_ids_do_not_make_the_cache_ask_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    async def fetch() -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        return {"keys": [KEY.jwk]}

    cache = JwksCache(fetch)
    for _ in range(20):
        assert await cache.key("unknown") is None
    assert asked == 1
    assert await cache.key(KEY.key_id) is not None

    later = time.monotonic() + JWKS_REFETCH_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    await cache.key("unknown")
    assert asked == 2


async def test_the_last_good_keys_outlive_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"keys": [KEY.jwk]}])

    async def fetch() -> Mapping[str, Any]:
        try:
            return next(answers)
        except StopIteration:
            raise Unavailable from None

    cache = JwksCache(fetch)
    await cache.key(KEY.key_id)
    later = time.monotonic() + JWKS_REFETCH_S
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert await cache.key("unknown") is None
    assert await cache.key(KEY.key_id) is not None


@pytest.mark.parametrize("document", [{}, {"keys": [{"kid": "x"}]}, {"keys": [7]}, [], None])
async def test_a_broken_key_document_is_an_outage_and_not_a_crash(document: Any) -> None:
    async def fetch() -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", document)

    with pytest.raises(Unavailable):
        await JwksCache(fetch).key(KEY.key_id)


async def test_those_who_wait_for_keys_share_one_failed_fetch() -> None:
    asked = 0

    async def fetch() -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise Unavailable

    cache = JwksCache(fetch)
    answers = await asyncio.gather(
        *(cache.key(KEY.key_id) for _ in range(20)), return_exceptions=True
    )

    assert asked == 1
    assert all(isinstance(answer, Unavailable) for answer in answers)


def principal(role: Role = Role.ADMIN, age_s: int = 0) -> Principal:
    issued_at = int(time.time()) - age_s
    return Principal(UserId(USER), role, "session-1", issued_at, issued_at + 1800)


def test_a_revoked_session_is_refused() -> None:
    with pytest.raises(TokenRevoked):
        apply_revocation(principal(), b"revoked", None)


def test_a_demoted_admin_has_the_lesser_role_at_once() -> None:
    assert apply_revocation(principal(), b"live", b"CUSTOMER").role is Role.CUSTOMER


@pytest.mark.parametrize("is_write", [False, True])
def test_without_redis_only_a_young_token_is_trusted(is_write: bool) -> None:
    assert trusted_without_redis(principal(Role.CUSTOMER, age_s=14 * 60), is_write=is_write)
    with pytest.raises(RevocationUnknown):
        trusted_without_redis(principal(Role.CUSTOMER, age_s=16 * 60), is_write=is_write)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SELLER])
def test_without_redis_the_powerful_may_look_and_change_nothing(role: Role) -> None:
    caller = principal(role)

    assert trusted_without_redis(caller, is_write=False) is caller
    with pytest.raises(RevocationUnknown):
        trusted_without_redis(caller, is_write=True)


def test_a_service_token_opens_its_audience_only() -> None:
    token = ServiceTokens(KEY, "order-service").issue("catalog-service")

    assert ServiceTokens(KEY, "catalog-service").verify(token) == "order-service"
    with pytest.raises(InvalidToken):
        ServiceTokens(KEY, "user-service").verify(token)


def test_a_persons_token_opens_no_internal_door() -> None:
    with pytest.raises(Forbidden):
        ServiceTokens(KEY, "shop").verify(signed(claims()))


async def test_a_service_token_is_no_access_token() -> None:
    with pytest.raises(WrongTokenType):
        await VERIFIER.verify(KEY.sign(claims(), "service+jwt"))


def test_the_key_id_is_the_thumbprint_of_the_key() -> None:
    core = {name: KEY.jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashes.Hash(hashes.SHA256())
    digest.update(json.dumps(core, separators=(",", ":")).encode())

    assert KEY.key_id == base64url(digest.finalize())
