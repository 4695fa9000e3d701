"""Tokens signed with the real key that name nobody all the same."""

import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from tests.e2e.forging.mint import Make, encoded

FAR: Final = 2**53


def _header(**changes: Any) -> Make:
    return lambda mint: mint.signed(mint.header(**changes))


def _claims(**changes: Any) -> Make:
    return lambda mint: mint.signed(None, mint.claims(**changes))


def _raw_claims(member: str) -> Make:
    """Claims with a further member that Python would not write."""
    return lambda mint: mint.signed(None, encoded(mint.claims())[:-1] + f", {member}}}".encode())


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
