"""Accounts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict, PreconditionFailed
from common_lib.events.users import DELETED_NAME, dead_address
from user_service.models.base import Base, enum_column
from user_service.schemas.enums import UserRole, UserStatus


class IllegalStatusChange(Conflict):
    code = "illegal_status_change"
    title = "The account cannot change to that status"


# DELETED is reached by anonymising the account only, and never left.
ALLOWED_MOVES: dict[UserStatus, frozenset[UserStatus]] = {
    UserStatus.ACTIVE: frozenset({UserStatus.SUSPENDED}),
    UserStatus.SUSPENDED: frozenset({UserStatus.ACTIVE}),
    UserStatus.DELETED: frozenset(),
}


class User(Base):
    """One account. `email` is stored trimmed and in lower case; its unique key ignores case.

    `access_changed_at` is when the role or the status last changed: tokens signed before carry what
    held then, so Redis has to know better until they have expired.
    """

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email", name="uq_users_email"),
        CheckConstraint("email LIKE '_%@_%' AND email NOT LIKE '% %'", name="email_shape"),
        CheckConstraint("email = LOWER(email) COLLATE utf8mb4_bin", name="email_lower"),
        CheckConstraint("CHAR_LENGTH(full_name) > 0", name="full_name_given"),
        CheckConstraint("version > 0", name="version_positive"),
        Index("ix_users_role", "role", "id"),
        Index("ix_users_role_status", "role", "status", "id"),
        Index("ix_users_status", "status", "id"),
        Index("ix_users_access_changed_at", "access_changed_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str | None] = mapped_column(String(20))
    role: Mapped[UserRole] = mapped_column(enum_column(UserRole), default=UserRole.CUSTOMER)
    status: Mapped[UserStatus] = mapped_column(enum_column(UserStatus), default=UserStatus.ACTIVE)
    email_verified: Mapped[bool] = mapped_column(default=False)
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    access_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def check_version(self, expected: frozenset[int] | None) -> None:
        """Raise PreconditionFailed unless the caller saw this version (None: did not say)."""
        if expected is not None and self.version not in expected:
            raise PreconditionFailed

    @property
    def name_in_mails(self) -> str:
        """Return the name to greet by; none until it is shown whose address this is.

        Whoever registers types both, and could have the shop write anything to anybody.
        """
        return self.full_name if self.email_verified else ""

    def touch(self, moment: datetime) -> None:
        self.version += 1
        self.updated_at = moment

    def anonymise(self, unusable_hash: str, moment: datetime) -> None:
        """Forget the person for good; the id stays, because orders and reviews name it."""
        self.email = dead_address(self.id)
        self.email_verified = False
        self.password_hash = unusable_hash
        self.full_name, self.phone, self.preferences = DELETED_NAME, None, {}
        self.role, self.status = UserRole.CUSTOMER, UserStatus.DELETED
        self.deleted_at = moment
        self.change_access(moment)

    def change_access(self, moment: datetime) -> None:
        """Note that role or status changed, so that living tokens are told (ADR 0027)."""
        self.touch(moment)
        self.access_changed_at = moment

    def change_status(self, status: UserStatus) -> bool:
        """Move to `status`; return whether anything changed. Raises IllegalStatusChange."""
        if status is self.status:
            return False
        if status not in ALLOWED_MOVES[self.status]:
            raise IllegalStatusChange
        self.status = status
        return True
