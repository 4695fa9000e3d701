"""The shop's key in a forger's hands, and how tokens are put together."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from common_lib.auth import ACCESS_TYPE, SigningKey

Part = Mapping[str, Any] | bytes
# The order of P-256's base point (NIST SP 800-186, 3.2.1.3): r and s lie below it.
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256: Final = ECAlgorithm(ECAlgorithm.SHA256)


@dataclass(frozen=True)
class Mint:
    """The shop's key, and whom its tokens name. A forger uses only what is public of the key."""

    key: SigningKey
    user_id: UUID

    def header(self, **changes: Any) -> dict[str, Any]:
        return _changed({"alg": "ES256", "typ": ACCESS_TYPE, "kid": self.key.key_id}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {
            "iss": "https://shop.example",
            "aud": "shop",
            "sub": str(self.user_id),
            "jti": str(uuid4()),
            "role": "CUSTOMER",
            "iat": now,
            "exp": now + 1800,
        }
        return _changed(usual, changes)

    def signed(self, header: Part | None = None, claims: Part | None = None) -> str:
        """Return a token under the real key, whatever it says."""
        return sealed(self.text(header, claims), self.key)

    def text(self, header: Part | None = None, claims: Part | None = None) -> str:
        """Return what is signed of a token."""
        parts = (header or self.header(), claims or self.claims())
        return ".".join(base64url(encoded(part)) for part in parts)

    def public(self, encoding: Encoding, form: PublicFormat) -> bytes:
        return self.key.public.public_bytes(encoding, form)


Make = Callable[[Mint], str]


def _changed(usual: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return it with the changes; `...` takes a member away."""
    return {name: value for name, value in {**usual, **changes}.items() if value is not ...}


def encoded(part: Part) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sealed(text: str, key: SigningKey) -> str:
    return f"{text}.{base64url(P256.sign(text.encode(), key.private))}"


def malleated(token: str) -> str:
    """Return the token with the other of its two valid signatures: (r, -s) verifies as (r, s)."""
    text, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = ORDER - int.from_bytes(raw[32:], "big")
    return f"{text}.{base64url(raw[:32] + other.to_bytes(32, 'big'))}"
