"""The caller, and why somebody is not one."""

from dataclasses import dataclass
from enum import StrEnum

from common_lib.errors import Forbidden, Unavailable
from common_lib.ids import UserId


class Role(StrEnum):
    GUEST = "GUEST"
    CUSTOMER = "CUSTOMER"
    SELLER = "SELLER"
    ADMIN = "ADMIN"


class ServiceName(StrEnum):
    """How services name themselves in their tokens, as the caller and as the called."""

    CATALOG = "catalog-service"
    NOTIFICATION = "notification-service"
    ORDER = "order-service"
    USER = "user-service"


class Unauthenticated(Forbidden):
    """Nobody is known to be calling; `code` says why."""

    code = "auth_required"
    title = "A valid access token is needed"


class InvalidToken(Unauthenticated):
    code = "invalid_token"
    title = "The access token is not valid"


class TokenExpired(Unauthenticated):
    code = "token_expired"
    title = "The access token has expired"


class WrongTokenType(Unauthenticated):
    code = "wrong_token_type"
    title = "This is not an access token"


class TokenRevoked(Unauthenticated):
    code = "revoked"
    title = "The session was ended"


class RevocationUnknown(Unavailable):
    """Redis is away, and too much depends on the answer to go by the token alone."""

    code = "revocation_unknown"
    title = "Whether your session was ended cannot be checked just now"


class RoleNotAllowed(Forbidden):
    code = "role_not_allowed"
    title = "Your role does not allow this"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as the token names it. `issued_at` and `expires_at` are epoch seconds."""

    user_id: UserId
    role: Role
    session_id: str
    issued_at: int
    expires_at: int

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN
