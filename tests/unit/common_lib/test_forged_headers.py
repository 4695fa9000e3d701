"""Headers and bodies of tokens that a good signature does not make good, and keys that come over.

What forgers try through HTTP is in tests/e2e; here the signature itself is right each time.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from common_lib.auth import (
    InvalidToken,
    JwksCache,
    ServiceTokens,
    SigningKey,
    StaticKeys,
    TokenVerifier,
    WrongTokenType,
)
from common_lib.auth import keys as keys_module
from common_lib.ids import new_id
from shop.stack.key_files import new_signing_key
from tests.waiting import eventually

ISSUER, AUDIENCE = "https://shop.test", "shop"
KEY: Final = SigningKey(new_signing_key())
VERIFIER = TokenVerifier(StaticKeys(KEY), issuer=ISSUER, audience=AUDIENCE)
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.key_id}


def claims(**changes: Any) -> dict[str, Any]:
    moment = int(time.time())
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(new_id()),
        "jti": "session-1",
        "role": "CUSTOMER",
        "iat": moment,
        "exp": moment + 1800,
    }
    return standard | changes


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: str, body: str, key: SigningKey = KEY) -> str:
    """Sign what is given to the letter, as whoever holds the key could."""
    signing_input = f"{base64url(header.encode())}.{base64url(body.encode())}"
    r, s = decode_dss_signature(key.private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{signing_input}.{base64url(signature)}"


def with_header(**changes: Any) -> str:
    return signed(json.dumps(HEADER | changes), json.dumps(claims()))


def with_claims(**changes: Any) -> str:
    return signed(json.dumps(HEADER), json.dumps(claims(**changes)))


def said_twice(name: str, value: object) -> str:
    body = json.dumps(claims())
    return signed(json.dumps(HEADER), f'{body[:-1]}, "{name}": {json.dumps(value)}}}')


async def test_a_token_signed_like_this_is_good() -> None:
    assert await VERIFIER.verify(with_claims())


@pytest.mark.parametrize(
    "parameter",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": True},
        {"b64": True},
        {"b64": False},
        {"jwk": KEY.jwk},
        {"jku": "https://evil.test/jwks.json"},
        {"x5u": "https://evil.test/cert.pem"},
        {"x5c": ["AAAA"]},
        {"x5t": "AAAA"},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
        {"alg": "ES384"},
        {"alg": "ES256K"},
        {"alg": "none"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"kid": None},
        {"kid": 7},
        {"kid": ["x"]},
        {"kid": {"$ne": ""}},
        {"kid": ""},
        {"kid": "../../../../dev/null"},
        {"kid": "/etc/passwd"},
        {"kid": "' OR '1'='1"},
        {"kid": "x' UNION SELECT 'secret"},
        {"kid": "http://evil.test/key"},
        {"kid": KEY.key_id.lower()},
        {"kid": f"{KEY.key_id} "},
        {"kid": "x" * 2000},
    ],
)
async def test_a_header_that_brings_anything_along_is_refused(parameter: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await VERIFIER.verify(with_header(**parameter))


@pytest.mark.parametrize("token_type", [None, "", 7, "JWT", "AT+JWT", "at+jwt ", ["at+jwt"]])
async def test_a_token_of_no_type_or_another_is_refused(token_type: object) -> None:
    with pytest.raises(WrongTokenType):
        await VERIFIER.verify(with_header(typ=token_type))


@pytest.mark.parametrize(
    "token",
    [
        said_twice("role", "ADMIN"),
        said_twice("sub", str(new_id())),
        said_twice("exp", 9_999_999_999),
        signed(f'{json.dumps(HEADER)[:-1]}, "alg": "ES256"}}', json.dumps(claims())),
        signed(json.dumps([HEADER]), json.dumps(claims())),
        signed(json.dumps(HEADER), json.dumps([claims()])),
        signed(json.dumps(HEADER), "null"),
        signed(json.dumps(HEADER), "{"),
        signed(json.dumps(HEADER), "[" * 1200 + "]" * 1200),
    ],
)
async def test_json_that_two_readers_take_in_two_ways_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        await VERIFIER.verify(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"nbf": int(time.time()) + 86_400},
        {"nbf": "soon"},
        {"iat": int(time.time()) + 86_400, "exp": int(time.time()) + 86_500},
        {"iat": "now"},
        {"exp": 1e400},
        {"exp": str(int(time.time()) + 1800)},
        {"exp": int(time.time()) + 86_400},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "other"]},
        {"aud": ""},
        {"iss": [ISSUER]},
        {"iss": f"{ISSUER}/"},
        {"sub": 7},
        {"sub": "admin"},
        {"jti": 7},
        {"jti": None},
        {"role": "customer"},
        {"role": ["ADMIN"]},
        {"role": None},
    ],
)
async def test_a_claim_that_says_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await VERIFIER.verify(with_claims(**changes))


async def test_a_key_of_another_curve_signs_nothing() -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    token = jwt.encode(claims(), private, algorithm="ES384", headers=HEADER | {"alg": "ES384"})

    with pytest.raises(InvalidToken):
        await VERIFIER.verify(token)


def test_a_service_token_is_checked_as_strictly() -> None:
    catalog = ServiceTokens(KEY, "catalog")
    moment = int(time.time())
    body = claims(iss="order", sub="order", aud="catalog", iat=moment, exp=moment + 60)
    header = HEADER | {"typ": "service+jwt"}
    assert catalog.verify(signed(json.dumps(header), json.dumps(body))) == "order"

    for more in ({"jwk": KEY.jwk}, {"kid": "other"}, {"crit": ["exp"]}):
        with pytest.raises(InvalidToken):
            catalog.verify(signed(json.dumps(header | more), json.dumps(body)))


def foreign_keys() -> list[dict[str, Any]]:
    """Return entries of a key set that are no key of ours."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    wide = ec.generate_private_key(ec.SECP384R1()).public_key()
    return [
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key)) | {"kid": "rsa"},
        json.loads(jwt.algorithms.ECAlgorithm.to_jwk(wide)) | {"kid": "wide"},
        {"kty": "oct", "k": base64url(b"secret"), "kid": "symmetric"},
        {name: value for name, value in KEY.jwk.items() if name != "kid"},
        {"kid": "empty"},
    ]


async def test_of_a_key_set_only_keys_of_our_kind_count() -> None:
    foreign = foreign_keys()

    async def fetch() -> Mapping[str, Any]:
        return {"keys": [*foreign, KEY.jwk]}

    cache = JwksCache(fetch)

    assert await cache.key(KEY.key_id) is not None
    assert [await cache.key(str(entry.get("kid"))) for entry in foreign] == [None] * len(foreign)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "JWKS_REFETCH_S", 0.01)
    monkeypatch.setattr(keys_module, "JWKS_RETRY_S", 0.01)


@pytest.mark.usefixtures("_quick")
async def test_a_dropped_keys_tokens_die_also_where_they_are_remembered() -> None:
    other = SigningKey(new_signing_key())
    documents = [{"keys": [KEY.jwk, other.jwk]}]

    async def fetch() -> Mapping[str, Any]:
        return documents[-1]

    cache = JwksCache(fetch)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    leaked, good = with_claims(), other.sign(claims(), "at+jwt")
    assert await verifier.verify(leaked)
    assert await verifier.verify(good)

    refreshing = asyncio.create_task(cache.keep_fresh())
    documents.append({"keys": [other.jwk]})
    await eventually(lambda: verifier.known(leaked) is None, what="the key to be dropped")
    refreshing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await refreshing

    with pytest.raises(InvalidToken):
        await verifier.verify(leaked)
    assert await verifier.verify(good)


@pytest.mark.parametrize("document", [{"keys": []}, {}, {"keys": [{"kty": "oct"}]}, {"keys": 7}])
@pytest.mark.usefixtures("_quick")
async def test_an_empty_or_broken_key_set_drops_no_key(document: dict[str, Any]) -> None:
    documents: list[dict[str, Any]] = [{"keys": [KEY.jwk]}]
    asked = 0

    async def fetch() -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        return documents[-1]

    cache = JwksCache(fetch)
    await cache.key(KEY.key_id)
    documents.append(document)
    refreshing = asyncio.create_task(cache.keep_fresh())
    await eventually(lambda: asked > 2, what="the key set to be fetched again")
    refreshing.cancel()

    assert await cache.key(KEY.key_id) is not None
    assert cache.revision == 0


async def test_a_thousand_unknown_keys_at_once_ask_once() -> None:
    asked = 0

    async def fetch() -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {"keys": [KEY.jwk]}

    cache = JwksCache(fetch)
    answers = await asyncio.gather(*(cache.key(f"unknown-{n}") for n in range(1000)))

    assert answers == [None] * 1000
    assert asked == 1
