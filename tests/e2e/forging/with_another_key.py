"""Tokens signed with something else than the shop's private key."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.forging.mint import Make, Mint, base64url, sealed
from tests.e2e.forging.own_keys import OWN, OWN_RSA


def _hmac(secret: Callable[[Mint], bytes], alg: str = "HS256", **header: Any) -> Make:
    def make(mint: Mint) -> str:
        text = mint.text(mint.header(alg=alg, **header), mint.claims(role="ADMIN"))
        digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[alg]
        return f"{text}.{base64url(hmac.digest(secret(mint), text.encode(), digest))}"

    return make


def _pem(mint: Mint) -> bytes:
    return mint.public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _der(mint: Mint) -> bytes:
    return mint.public(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _point(mint: Mint) -> bytes:
    return mint.public(Encoding.X962, PublicFormat.UncompressedPoint)


def _short_point(mint: Mint) -> bytes:
    return mint.public(Encoding.X962, PublicFormat.CompressedPoint)


SECRETS: Final[Mapping[str, Callable[[Mint], bytes]]] = {
    "the public key in PEM": _pem,
    "the public key in PEM, without its last line feed": lambda mint: _pem(mint).strip(),
    "the public key in DER": _der,
    "the public key as a point": _point,
    "the public key as a short point": _short_point,
    "the public key as a JWK": lambda mint: json.dumps(mint.key.jwk).encode(),
    "the public key as a compact JWK": lambda mint: json.dumps(
        mint.key.jwk, separators=(",", ":")
    ).encode(),
    "the public key's x": lambda mint: base64.urlsafe_b64decode(mint.key.jwk["x"] + "="),
    "the key's id": lambda mint: mint.key.key_id.encode(),
    "nothing": lambda _: b"",
    "the word secret": lambda _: b"secret",
}


def _own(**header: Any) -> Make:
    """A token under a key of one's own."""
    return lambda mint: sealed(mint.text(mint.header(**header), mint.claims(role="ADMIN")), OWN)


def _own_rsa(alg: str) -> Make:
    def make(mint: Mint) -> str:
        text = mint.text(mint.header(alg=alg))
        scheme: Any = padding.PKCS1v15()
        if alg.startswith("PS"):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        return f"{text}.{base64url(OWN_RSA.sign(text.encode(), scheme, hashes.SHA256()))}"

    return make


EVIL: Final = "https://evil.example/keys.json"
KEY_IDS: Final[Mapping[str, Any]] = {
    "a path": "../../../../dev/null",
    "a file": "/proc/sys/kernel/randomize_va_space",
    "a URL": EVIL,
    "SQL": "x' UNION SELECT 'secret' -- ",
    "a command": "$(id)",
    "a NUL": "a\0b",
    "a lone surrogate": "\ud800",
    "empty": "",
    "very long": "k" * 2000,
    "a number": 7,
    "null": None,
    "a list": ["a"],
    "an object": {"a": "b"},
    "true": True,
    "missing": ...,
    "__proto__": "__proto__",
}
WITH_ANOTHER_KEY: Final[Mapping[str, Make]] = {
    **{f"HS256 by {name}": _hmac(secret) for name, secret in SECRETS.items()},
    "HS384 by the public key": _hmac(_pem, "HS384"),
    "HS512 by the public key": _hmac(_pem, "HS512"),
    "HS256 by nothing, with the kid of an empty file": _hmac(lambda _: b"", kid="/dev/null"),
    "HS256, and the secret in the header": _hmac(
        lambda _: b"secret", jwk={"kty": "oct", "k": base64url(b"secret")}
    ),
    "an own key under our kid": _own(),
    "an own key under its own kid": _own(kid=OWN.key_id),
    **{f"an own key, kid: {name}": _own(kid=kid) for name, kid in KEY_IDS.items()},
    "an own key in the header": _own(kid=OWN.key_id, jwk=OWN.jwk),
    "an own key in the header, under our kid": _own(jwk=OWN.jwk),
    "an own key's address in the header": _own(kid=OWN.key_id, jku=EVIL),
    "an own certificate's address in the header": _own(x5u=EVIL),
    "an own certificate in the header": _own(x5c=["MIIB"], x5t="AAAA"),
    "an own key, and iss names its place": lambda mint: sealed(
        mint.text(mint.header(kid=OWN.key_id), mint.claims(iss=EVIL)), OWN
    ),
    "an own key, nothing critical": _own(crit=[]),
    "an own key, an unknown extension critical": _own(crit=["shop"], shop=True),
    "an own key, payload not encoded": _own(crit=["b64"], b64=False),
    "an own RSA key, RS256": _own_rsa("RS256"),
    "an own RSA key, PS256": _own_rsa("PS256"),
    "an own key, called ES384": _own(alg="ES384"),
    "an own key, called EdDSA": _own(alg="EdDSA"),
    "an own key, packed": _own(zip="DEF"),
}
