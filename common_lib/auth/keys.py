"""EC P-256 keys: those we sign with, and the user service's public ones."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient
from common_lib.settings.start import UnfitForStart

log = structlog.get_logger(__name__)

ALGORITHM: Final = "ES256"
CURVE: Final = "secp256r1"
JWKS_REFETCH_S: Final = 30.0
JWKS_RETRY_S: Final = 1.0


class SigningKey:
    """An EC P-256 private key, parsed once: signing from a PEM string costs 41 ms each time."""

    revision = 0

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != CURVE:
            raise ValueError("the signing key must be an EC key on P-256")
        self.private = key
        self.public = key.public_key()
        self.jwk = _jwk(self.public)
        self.key_id: str = self.jwk["kid"]

    @classmethod
    def from_file(cls, path: Path) -> "SigningKey":
        """Read a PEM file. Raises UnfitForStart naming it when it is missing or no such key."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            message = f"the signing key {path} cannot be read: {error.strerror}"
            raise UnfitForStart(message) from None
        except (TypeError, UnsupportedAlgorithm, ValueError):
            # What cryptography says of it could quote the key.
            raise UnfitForStart(f"{path} holds no plain EC P-256 private key in PEM") from None

    def find(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self.public if key_id == self.key_id else None

    def sign(self, claims: Mapping[str, Any], token_type: str) -> str:
        headers = {"kid": self.key_id, "typ": token_type}
        return jwt.encode(dict(claims), self.private, algorithm=ALGORITHM, headers=headers)


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Return the public key as a JWK whose kid is its RFC 7638 thumbprint."""
    numbers = public.public_numbers()
    x, y = (base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
    core = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(core, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = base64url(hashlib.sha256(canonical).digest())
    return {**core, "kid": thumbprint, "alg": ALGORITHM, "use": "sig"}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signing(Protocol):
    """What signs, and knows what it has signed: one key, or a ring of them."""

    @property
    def revision(self) -> int: ...

    def sign(self, claims: Mapping[str, Any], token_type: str) -> str: ...

    def find(self, key_id: str) -> ec.EllipticCurvePublicKey | None: ...


class KeySource(Protocol):
    """Where a token's key is looked up; `revision` grows whenever one is dropped."""

    @property
    def revision(self) -> int: ...

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None: ...


class StaticKeys:
    """Keys that are at hand and stay."""

    revision = 0

    def __init__(self, *keys: SigningKey) -> None:
        self._keys = {key.key_id: key.public for key in keys}

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self._keys.get(key_id)


class JwksCache:
    """The user service's keys, refetched at most every 30 s; the last good ones are kept."""

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._fetch = fetch
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self._fetch_again_at = 0.0
        self._lock = asyncio.Lock()
        self.revision = 0

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        """Return the key; an unknown id asks again, within the limit.

        Raises Unavailable while no key is known at all.
        """
        if key_id not in self._keys and self._is_due():
            async with self._lock:
                if key_id not in self._keys and self._is_due():
                    await self._refresh()
        if not self._keys:
            raise Unavailable("the keys for checking tokens are not known", retry_after_s=1)
        return self._keys.get(key_id)

    async def keep_fresh(self) -> None:
        """Ask again as often as the limit allows, so that a dropped key is noticed; never ends."""
        while True:
            pause_s = self._fetch_again_at - time.monotonic() if self._keys else JWKS_REFETCH_S
            await asyncio.sleep(max(pause_s, JWKS_RETRY_S))
            async with self._lock:
                if self._is_due():
                    await self._refresh()

    def _is_due(self) -> bool:
        return time.monotonic() >= self._fetch_again_at

    async def _refresh(self) -> None:
        try:
            self._take_over(_public_keys(await self._fetch()))
        except (Unavailable, LookupError, TypeError, ValueError) as error:
            log.warning("jwks.not_refreshed", error=type(error).__name__)
        # Whoever waits behind a failure shares it, instead of waiting for one of their own.
        pause_s = JWKS_REFETCH_S if self._keys else JWKS_RETRY_S
        self._fetch_again_at = time.monotonic() + pause_s

    def _take_over(self, keys: dict[str, ec.EllipticCurvePublicKey]) -> None:
        if not self._keys.keys() <= keys.keys():
            self.revision += 1
            log.info("jwks.key_dropped", known=len(keys))
        self._keys = keys


def _public_keys(document: Mapping[str, Any]) -> dict[str, ec.EllipticCurvePublicKey]:
    """Return the keys by their ids; what is no P-256 key is passed over (RFC 7517, 5).

    Raises ValueError if none is left, TypeError or LookupError for what is no key set.
    """
    found = {}
    for entry in document["keys"]:
        key = _public_key(entry)
        if key is not None:
            found[str(entry["kid"])] = key
    if not found:
        raise ValueError("there is no key in the key set")
    return found


def _public_key(entry: Mapping[str, Any]) -> ec.EllipticCurvePublicKey | None:
    try:
        key = jwt.PyJWK.from_dict(dict(entry), algorithm=ALGORITHM).key
    except jwt.PyJWTError:
        return None
    is_ours = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == CURVE
    return key if is_ours and "kid" in entry else None


@asynccontextmanager
async def remote_keys(urls: str) -> AsyncIterator[JwksCache]:
    """Open the user service's keys: `urls` are its JWKS document (RFC 7517), by comma if many."""
    parts, *others = [urlsplit(url.strip()) for url in urls.split(",")]
    origins = [f"{each.scheme}://{each.netloc}" for each in (parts, *others)]
    client = HttpClient("jwks", origins, timeout_s=2)

    async def document() -> Mapping[str, Any]:
        answer = await client.request("GET", parts.path, is_idempotent=True)
        if answer.status != HTTPStatus.OK:
            raise Unavailable("the keys for checking tokens cannot be fetched", retry_after_s=1)
        found: Mapping[str, Any] = answer.json()
        return found

    cache = JwksCache(document)
    refreshing = asyncio.create_task(cache.keep_fresh(), name="jwks")
    try:
        yield cache
    finally:
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)
        await client.close()
