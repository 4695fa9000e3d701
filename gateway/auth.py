"""Who is calling, as far as the gateway must know: for the limit, and to stop bad tokens early.

The services check tokens and rights themselves; a request without a token passes on to them, and
so does one that comes to get a token, whatever old one it still carries.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from common_lib.auth import (
    MAX_TOKEN_LENGTH,
    InvalidToken,
    Principal,
    TokenVerifier,
    Unauthenticated,
    apply_revocation,
    revocation_keys,
    trusted_without_redis,
)
from gateway.headers import limit_key
from gateway.limits import Limiter, Policy, Subject, Verdict
from gateway.settings import GatewaySettings

# Tokens in addresses end up in logs and histories (RFC 6750, 2.3 and 5.3).
_TOKEN_IN_QUERY: Final = re.compile(
    rb"(?:^|&)(?:access_token|accessToken|id_token|jwt|bearer|authorization)=", re.IGNORECASE
)
_BEARER: Final = b"bearer "
_MAX_KNOWN: Final = 20_000
_MAX_ADDRESSES: Final = 10_000

DEFAULT: Final = "default"
WEBHOOK: Final = "webhook"
# What an address may POST less often than all else, and the policy that says how often.
GUARDED: Final[Mapping[str, str]] = {
    "/api/auth/login": "login",
    "/api/users": "register",
    "/api/auth/password/forgot": "forgot",
    "/api/auth/mfa/challenge": "mfa",
}
# What is POSTed there needs no token, and often comes from who has only a dead one.
WAYS_IN: Final = frozenset(
    {
        "/api/users",
        "/api/auth/login",
        "/api/auth/mfa/challenge",
        "/api/auth/refresh",
        "/api/auth/guest",
        "/api/auth/password/forgot",
        "/api/auth/password/reset",
        "/api/auth/email/verify",
    }
)


def policies(settings: GatewaySettings) -> list[Policy]:
    return [
        Policy(DEFAULT, settings.rate_limit_per_minute),
        Policy(WEBHOOK, settings.webhook_limit_per_minute),
        Policy("login", settings.login_limit_per_minute),
        Policy("register", settings.register_limit_per_minute),
        Policy("forgot", settings.forgot_limit_per_minute),
        Policy("mfa", settings.mfa_limit_per_minute),
    ]


def refuse_token_in_query(query: bytes) -> None:
    """Raise Unauthenticated where a token is sent in the address, even beside a good header."""
    if query and _TOKEN_IN_QUERY.search(query):
        raise Unauthenticated("an access token belongs in the Authorization header")


def bearer_token(authorization: bytes) -> str:
    """Return the token of an Authorization header. Raises InvalidToken."""
    token = authorization[len(_BEARER) :].strip()
    if authorization[: len(_BEARER)].lower() != _BEARER or not token:
        raise InvalidToken
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken
    return token.decode("latin-1")


class Caller(NamedTuple):
    principal: Principal
    subject: Subject


class Callers:
    """Who is behind a request, with what is ready for counting it."""

    def __init__(self, verifier: TokenVerifier, limiter: Limiter) -> None:
        self._verifier = verifier
        self._limiter = limiter
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._addresses: OrderedDict[tuple[str, str], Subject] = OrderedDict()

    async def identify(self, token: str) -> Caller:
        """Return the caller. Raises the token's 401, or Unavailable without a key to check by."""
        # The verifier looks at the expiry every time, also of a token it has seen.
        principal = self._verifier.known(token) or await self._verifier.verify(token)
        caller = self._known.get(token)
        if caller is None:
            caller = self._known[token] = self._new(principal)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        return caller

    def at(self, address: str, policy: str = DEFAULT) -> Subject:
        """Return who is counted where no token names anybody: the client's address."""
        found = self._addresses.get((address, policy))
        if found is None:
            key = f"{policy}:{limit_key(address)}"
            found = self._addresses[address, policy] = self._limiter.subject(key, policy)
            if len(self._addresses) > _MAX_ADDRESSES:
                self._addresses.popitem(last=False)
        return found

    def guard(self, path: str, address: str) -> Subject | None:
        """Return who is counted besides, by address, where a POST tries a secret or makes accounts.

        The path is the decoded one, by which the service behind chooses what to do.
        """
        policy = GUARDED.get(path)
        return None if policy is None else self.at(address, policy)

    def _new(self, principal: Principal) -> Caller:
        keys = revocation_keys(principal)
        return Caller(principal, self._limiter.subject(f"u:{principal.user_id}", DEFAULT, keys))


def ensure_not_revoked(principal: Principal, verdict: Verdict, *, is_write: bool) -> None:
    """Raise TokenRevoked, or RevocationUnknown while Redis is away and too much depends on it."""
    if verdict.is_shared:
        apply_revocation(principal, verdict.session, verdict.role)
    else:
        trusted_without_redis(principal, is_write=is_write)
