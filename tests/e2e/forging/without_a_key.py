"""Tokens made with nobody's key: unsigned, signed for another text, written otherwise."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.utils import raw_to_der_signature

from tests.e2e.forging.mint import ORDER, P256, Make, Mint, base64url, encoded, sealed
from tests.e2e.forging.own_keys import OWN


def _alg(spelling: Any, signature: bytes = b"") -> Make:
    def make(mint: Mint) -> str:
        return f"{mint.text(mint.header(alg=spelling))}.{base64url(signature)}"

    return make


def _signature(write: Callable[[bytes], str]) -> Make:
    """A real token whose signature alone is written otherwise."""

    def make(mint: Mint) -> str:
        text = mint.text()
        return f"{text}.{write(P256.sign(text.encode(), mint.key.private))}"

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
        return f"{header}.{base64url(encoded(mint.claims(**changes)))}.{signature}"

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
    "r and s the order": _numbers(ORDER, ORDER),
    "r and s beyond the order": _numbers(ORDER + 1, ORDER + 1),
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
    "a header that is no object": lambda mint: sealed(mint.text(b"[]"), OWN),
    "a header nested 1,000 deep": lambda mint: sealed(mint.text(b"[" * 1000), OWN),
    "a header that is not UTF-8": lambda mint: sealed(mint.text(b'{"alg":"\xff"}'), OWN),
    "a header that is no JSON": lambda mint: sealed(mint.text(b"{"), OWN),
    "a header with a number without end": lambda mint: sealed(
        mint.text(b'{"alg":"ES256","typ":"at+jwt","kid":1e999}'), OWN
    ),
    "two algs": lambda mint: (
        mint.text(b'{"alg":"none","alg":"ES256","typ":"at+jwt"}') + f".{'A' * 86}"
    ),
}
