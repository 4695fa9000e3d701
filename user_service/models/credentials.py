"""What proves who somebody is, besides the password: one-time tokens and the second factor."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import BINARY, VARBINARY, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from user_service.models.base import Base, enum_column
from user_service.schemas.emails import MAX_ASKED_LENGTH

MAX_GUESSES: Final = 5
GUESS_WINDOW: Final = timedelta(minutes=15)


class TokenPurpose(StrEnum):
    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - a purpose, no password


class OneTimeToken(Base):
    """A secret that was mailed to `email` and works once, for one purpose, until it expires.

    Only its hash is kept. A token for an address that the account no longer has proves nothing.
    """

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        Index("ix_one_time_tokens_user_id_purpose", "user_id", "purpose"),
        Index("ix_one_time_tokens_expires_at", "expires_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, ForeignKey("users.id"))
    purpose: Mapped[TokenPurpose] = mapped_column(enum_column(TokenPurpose))
    email: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[bytes] = mapped_column(BINARY(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PasswordResetRequest(Base):
    """Somebody asked for a reset link for `email`, be there such an account or not.

    Every address is written down alike and looked up later, by the worker: neither the answer nor
    its time tells whether there is an account.
    """

    __tablename__ = "password_reset_requests"
    __table_args__ = (TABLE_OPTIONS,)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(MAX_ASKED_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TotpCredential(Base):
    """A user's authenticator app (RFC 6238). It counts once `confirmed_at` is set.

    `secret` is encrypted with a key that is not in the database. `last_step` is the time step of
    the last code that was taken: none is taken twice (RFC 6238, 5.2). After five wrong codes, each
    within 15 minutes of the one before, none is looked at for 15 minutes. All of it is decided
    with the row locked.
    """

    __tablename__ = "totp_credentials"
    __table_args__ = (TABLE_OPTIONS,)

    user_id: Mapped[UUID] = mapped_column(Id, ForeignKey("users.id"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(VARBINARY(255))
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def begin(self, sealed_secret: bytes, moment: datetime) -> None:
        """Take a new secret, of which no code was seen yet."""
        self.secret, self.last_step, self.created_at = sealed_secret, 0, moment
        self.succeed()

    def wait_s(self, moment: datetime) -> float:
        """Return for how many seconds no code is looked at; 0 while guesses are left."""
        if self.failed_at is None or self.failures < MAX_GUESSES:
            return 0.0
        return max(0.0, (self.failed_at + GUESS_WINDOW - moment).total_seconds())

    def fail(self, moment: datetime) -> None:
        """Count a wrong code."""
        is_fresh = self.failed_at is None or self.failed_at + GUESS_WINDOW <= moment
        self.failures = 1 if is_fresh else self.failures + 1
        self.failed_at = moment

    def succeed(self) -> None:
        """Give all guesses back."""
        self.failures, self.failed_at = 0, None


class RecoveryCode(Base):
    """One of the codes that stand in for a lost authenticator; each works once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id_code_hash"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, ForeignKey("users.id"))
    code_hash: Mapped[bytes] = mapped_column(BINARY(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
