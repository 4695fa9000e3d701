"""The enumerations of users_db, shared by rows and by what travels over HTTP."""

from enum import StrEnum


class UserRole(StrEnum):
    CUSTOMER = "CUSTOMER"
    SELLER = "SELLER"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


class GuestCart(StrEnum):
    """MERGED: it is in the user's cart. PENDING: it waits. REFUSED: the token is no guest's."""

    MERGED = "MERGED"
    PENDING = "PENDING"
    REFUSED = "REFUSED"
