"""The tables of users_db: two of business, the rest technical."""

from user_service.models.addresses import Address
from user_service.models.auth import RefreshToken
from user_service.models.base import Base, outbox
from user_service.models.users import IllegalStatusChange, User

__all__ = ["Address", "Base", "IllegalStatusChange", "RefreshToken", "User", "outbox"]
