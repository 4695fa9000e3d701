"""The tables of users_db: two of business, the rest technical."""

from user_service.models.addresses import Address
from user_service.models.base import Base, outbox
from user_service.models.credentials import (
    OneTimeToken,
    PasswordResetRequest,
    RecoveryCode,
    TokenPurpose,
    TotpCredential,
)
from user_service.models.sessions import LoginSession, RefreshToken
from user_service.models.users import IllegalStatusChange, User

__all__ = [
    "Address",
    "Base",
    "IllegalStatusChange",
    "LoginSession",
    "OneTimeToken",
    "PasswordResetRequest",
    "RecoveryCode",
    "RefreshToken",
    "TokenPurpose",
    "TotpCredential",
    "User",
    "outbox",
]
