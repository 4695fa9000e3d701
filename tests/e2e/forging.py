"""Tokens that nobody was given: every way to make one that we know of, by name.

`FORGED` are made with what anybody can have: the public key, a real token of one's own, keys of
one's own. `MISISSUED` are signed with the shop's real key and name nobody all the same: what an
issuer's mistake, or a token for another purpose, would look like.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm
from jwt.utils import raw_to_der_signature

from common_lib.auth import ACCESS_TYPE, SigningKey

Part = Mapping[str, Any] | bytes

# The order of P-256's base point (NIST SP 800-186, 3.2.1.3): r and s lie below it.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256: Final = ECAlgorithm(ECAlgorithm.SHA256)
_OWN: Final = SigningKey(
    ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
_OWN_RSA: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)


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
        return ".".join(base64url(_bytes(part)) for part in parts)

    def public(self, encoding: Encoding, form: PublicFormat) -> bytes:
        return self.key.public.public_bytes(encoding, form)


Make = Callable[[Mint], str]


def _changed(usual: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return it with the changes; `...` takes a member away."""
    return {name: value for name, value in {**usual, **changes}.items() if value is not ...}


def _bytes(part: Part) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sealed(text: str, key: SigningKey) -> str:
    return f"{text}.{base64url(_P256.sign(text.encode(), key.private))}"


# Without a key at all.


def _alg(spelling: Any, signature: bytes = b"") -> Make:
    def make(mint: Mint) -> str:
        return f"{mint.text(mint.header(alg=spelling))}.{base64url(signature)}"

    return make


def _signature(write: Callable[[bytes], str]) -> Make:
    """A real token whose signature alone is written otherwise."""

    def make(mint: Mint) -> str:
        text = mint.text()
        return f"{text}.{write(_P256.sign(text.encode(), mint.key.private))}"

    return make


def _numbers(r: int, s: int) -> Make:
    return _signature(lambda _: base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")))


def _token(write: Callable[[str], str]) -> Make:
    """A real token that is written otherwise."""
    return lambda mint: write(mint.signed())


def _spare_bit(token: str) -> str:
    """Return the token with a bit set that is none of the signature's: 86 characters hold 516."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def _payload_swapped(**changes: Any) -> Make:
    def make(mint: Mint) -> str:
        header, _, signature = mint.signed().split(".")
        return f"{header}.{base64url(_bytes(mint.claims(**changes)))}.{signature}"

    return make


WITHOUT_A_KEY: Final[Mapping[str, Make]] = {
    **{f"alg {spelling!r}": _alg(spelling) for spelling in ("none", "None", "NONE", "nOnE", "")},
    "alg null": _alg(None),
    "no alg": _alg(...),
    "alg in a list": _alg(["ES256", "none"]),
    "alg in lower case, unsigned": _alg("es256"),
    "alg ES256, unsigned": _alg("ES256"),
    "alg none, with 64 bytes": _alg("none", bytes(64)),
    "role of an administrator under another's signature": _payload_swapped(role="ADMIN"),
    "another user under another's signature": _payload_swapped(sub=str(uuid4())),
    "later expiry under another's signature": _payload_swapped(exp=int(time.time()) + 900),
    "r and s 0": _numbers(0, 0),
    "r 0": _numbers(0, 1),
    "s 0": _numbers(1, 0),
    "r and s 1": _numbers(1, 1),
    "r and s the order": _numbers(_ORDER, _ORDER),
    "r and s beyond the order": _numbers(_ORDER + 1, _ORDER + 1),
    "r and s all ones": _numbers(2**256 - 1, 2**256 - 1),
    "signature in DER": _signature(
        lambda raw: base64url(raw_to_der_signature(raw, ec.SECP256R1()))
    ),
    "signature in hexadecimals": _signature(bytes.hex),
    "signature twice": _signature(lambda raw: base64url(raw + raw)),
    "signature with a byte more": _signature(lambda raw: base64url(raw + b"\0")),
    "signature with a byte less": _signature(lambda raw: base64url(raw[:-1])),
    "r and s changed about": _signature(lambda raw: base64url(raw[32:] + raw[:32])),
    "signature padded": _signature(lambda raw: f"{base64url(raw)}=="),
    "signature in the other base64": _signature(
        lambda raw: f"{base64url(raw)[:-2]}+/{base64url(raw)[-2:]}"
    ),
    "signature with a bit that is not read": _token(_spare_bit),
    "a sign that decoders skip": _token(lambda token: f"{token[:-9]}!{token[-9:]}"),
    "a space that decoders skip": _token(lambda token: f"{token[:-9]} {token[-9:]}"),
    "a tab that decoders skip": _token(lambda token: f"{token[:-9]}\t{token[-9:]}"),
    "a letter beyond ASCII": _token(lambda token: f"{token[:-9]}é{token[-9:]}"),
    "percent-encoded": _token(lambda token: token.replace(".", "%2E")),
    "in quotes": _token(lambda token: f'"{token}"'),
    "in angle brackets": _token(lambda token: f"<{token}>"),
    "no signature": _token(lambda token: token.rpartition(".")[0]),
    "empty signature": _token(lambda token: token.rpartition(".")[0] + "."),
    "half a signature": _token(lambda token: token[:-43]),
    "no header": _token(lambda token: "." + token.partition(".")[2]),
    "no claims": _token(lambda token: "..".join(token.split(".")[::2])),
    "a fourth part": _token(lambda token: f"{token}.e30"),
    "five parts, as if encrypted": _token(lambda token: f"{token}.e30.e30"),
    "a comma and another": _token(lambda token: f"{token},{token}"),
    "a comma and nothing": _token(lambda token: f"{token},"),
    "a semicolon": _token(lambda token: f"{token};"),
    "in JSON": _token(lambda token: json.dumps(dict(zip("abc", token.split("."), strict=True)))),
    "8 KB": lambda _: "x" * 8192,
    "8 KB in three parts": lambda _: ".".join(["x" * 2730] * 3),
    "only dots": lambda _: "..",
    "null": lambda _: "null",
    "undefined": lambda _: "undefined",
    "an object that is none": lambda _: "[object Object]",
    "a header that is no object": lambda mint: sealed(mint.text(b"[]"), _OWN),
    "a header nested 1,000 deep": lambda mint: sealed(mint.text(b"[" * 1000), _OWN),
    "a header that is not UTF-8": lambda mint: sealed(mint.text(b'{"alg":"\xff"}'), _OWN),
    "a header that is no JSON": lambda mint: sealed(mint.text(b"{"), _OWN),
    "a header with a number without end": lambda mint: sealed(
        mint.text(b'{"alg":"ES256","typ":"at+jwt","kid":1e999}'), _OWN
    ),
    "two algs": lambda mint: (
        mint.text(b'{"alg":"none","alg":"ES256","typ":"at+jwt"}') + f".{'A' * 86}"
    ),
}

# Signed with something else than the shop's private key.


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
    return lambda mint: sealed(mint.text(mint.header(**header), mint.claims(role="ADMIN")), _OWN)


def _own_rsa(alg: str) -> Make:
    def make(mint: Mint) -> str:
        text = mint.text(mint.header(alg=alg))
        scheme: Any = padding.PKCS1v15()
        if alg.startswith("PS"):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        return f"{text}.{base64url(_OWN_RSA.sign(text.encode(), scheme, hashes.SHA256()))}"

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
    "an own key under its own kid": _own(kid=_OWN.key_id),
    **{f"an own key, kid: {name}": _own(kid=kid) for name, kid in KEY_IDS.items()},
    "an own key in the header": _own(kid=_OWN.key_id, jwk=_OWN.jwk),
    "an own key in the header, under our kid": _own(jwk=_OWN.jwk),
    "an own key's address in the header": _own(kid=_OWN.key_id, jku=EVIL),
    "an own certificate's address in the header": _own(x5u=EVIL),
    "an own certificate in the header": _own(x5c=["MIIB"], x5t="AAAA"),
    "an own key, and iss names its place": lambda mint: sealed(
        mint.text(mint.header(kid=_OWN.key_id), mint.claims(iss=EVIL)), _OWN
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

FORGED: Final[Mapping[str, Make]] = {**WITHOUT_A_KEY, **WITH_ANOTHER_KEY}

# Signed with the real key.

FAR: Final = 2**53


def _header(**changes: Any) -> Make:
    return lambda mint: mint.signed(mint.header(**changes))


def _claims(**changes: Any) -> Make:
    return lambda mint: mint.signed(None, mint.claims(**changes))


def _raw_claims(member: str) -> Make:
    """Claims with a further member that Python would not write."""
    return lambda mint: mint.signed(None, _bytes(mint.claims())[:-1] + f", {member}}}".encode())


def _in(seconds: float) -> float:
    return int(time.time()) + seconds


TYPES: Final = ("rt+jwt", "service+jwt", "mfa+jwt", "JWT", "jwt", "AT+JWT", "id_token", "", None, 7)
EXPIRIES: Final[Mapping[str, Any]] = {
    "missing": ...,
    "null": None,
    "in milliseconds": _in(1800) * 1000,
    "huge": 10**30,
    "far": FAR,
    "a day away": _in(86_400),
    "negative": -1,
    "0": 0,
    "a fraction": _in(1800.5),
    "text": str(int(_in(1800))),
    "true": True,
    "a list": [_in(1800)],
    "an object": {},
}

MISISSUED: Final[Mapping[str, Make]] = {
    **{f"typ {typ!r}": _header(typ=typ) for typ in TYPES},
    "no typ": _header(typ=...),
    "nothing critical": _header(crit=[]),
    "an unknown extension critical": _header(crit=["shop"], shop=True),
    "critical text": _header(crit="b64"),
    "payload not encoded": _header(crit=["b64"], b64=False),
    **{f"exp {name}": _claims(exp=value) for name, value in EXPIRIES.items()},
    "exp without end": _raw_claims('"exp": 1e999'),
    "exp no number": _raw_claims('"exp": NaN'),
    "iat missing": _claims(iat=...),
    "iat in the future": _claims(iat=_in(3600), exp=_in(4200)),
    "iat text": _claims(iat=str(int(_in(0)))),
    "iat a fraction": _claims(iat=_in(0.5)),
    "iat a year ago": _claims(iat=_in(-31_536_000)),
    "nbf in the future": _claims(nbf=_in(3600)),
    "nbf text": _claims(nbf="later"),
    "aud missing": _claims(aud=...),
    "aud empty": _claims(aud=""),
    "aud null": _claims(aud=None),
    "aud another": _claims(aud="shop2"),
    "aud in capitals": _claims(aud="SHOP"),
    "aud a service": _claims(aud="catalog-service"),
    "aud a list": _claims(aud=["shop"]),
    "aud a list of two": _claims(aud=["shop", "other"]),
    "aud an object": _claims(aud={"shop": 1}),
    "iss missing": _claims(iss=...),
    "iss another": _claims(iss="https://shop.example.evil.example"),
    "iss with a slash": _claims(iss="https://shop.example/"),
    "iss a list": _claims(iss=["https://shop.example"]),
    "iss a service": _claims(iss="user-service"),
    "sub missing": _claims(sub=...),
    "sub empty": _claims(sub=""),
    "sub no id": _claims(sub="admin"),
    "sub SQL": _claims(sub="' OR 1=1 -- "),
    "sub the nil id": _claims(sub=str(UUID(int=0))),
    "sub a list": lambda mint: mint.signed(None, mint.claims(sub=[str(mint.user_id)])),
    "sub a number": _claims(sub=1),
    "sub in capitals": lambda mint: mint.signed(
        None, mint.claims(sub=f"{uuid4()}".upper().replace("0", "A"))
    ),
    "sub in braces": lambda mint: mint.signed(None, mint.claims(sub=f"{{{mint.user_id}}}")),
    "sub without hyphens": lambda mint: mint.signed(None, mint.claims(sub=mint.user_id.hex)),
    "sub as a URN": lambda mint: mint.signed(None, mint.claims(sub=mint.user_id.urn)),
    "jti missing": _claims(jti=...),
    "jti a number": _claims(jti=7),
    "role missing": _claims(role=...),
    "role unknown": _claims(role="ROOT"),
    "role in lower case": _claims(role="admin"),
    "role a list": _claims(role=["ADMIN"]),
    "role an object": _claims(role={"ADMIN": True}),
    "role null": _claims(role=None),
    "role with a space": _claims(role="ADMIN "),
    "claims that are no object": lambda mint: mint.signed(None, b"[]"),
    "claims that are no JSON": lambda mint: mint.signed(None, b"{"),
    "claims that are not UTF-8": lambda mint: mint.signed(None, b'{"sub":"\xff"}'),
    "claims nested 1,000 deep": lambda mint: mint.signed(None, b"[" * 1000),
}


def malleated(token: str) -> str:
    """Return the token with the other of its two valid signatures: (r, -s) verifies as (r, s)."""
    text, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = _ORDER - int.from_bytes(raw[32:], "big")
    return f"{text}.{base64url(raw[:32] + other.to_bytes(32, 'big'))}"
