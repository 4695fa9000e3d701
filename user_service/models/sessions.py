"""Sessions: what one login began, and the refresh tokens it has been renewed with.

Never the tokens themselves: a row knows only their hash.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BINARY, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from user_service.models.base import Base

USER_AGENT_LENGTH = 255


class LoginSession(Base):
    """A device that is logged in; `id` is the family its refresh tokens belong to.

    A guest has a session without having an account, hence no foreign key on `user_id`.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id_ended_at", "user_id", "ended_at", "id"),
        Index("ix_sessions_user_id_ip_address", "user_id", "ip_address"),
        Index("ix_sessions_expires_at", "expires_at"),
        Index("ix_sessions_ended_at", "ended_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id)
    is_guest: Mapped[bool] = mapped_column(default=False)
    user_agent: Mapped[str] = mapped_column(String(USER_AGENT_LENGTH), default="")
    ip_address: Mapped[str] = mapped_column(String(45), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefreshToken(Base):
    """A link in a family that began with one login.

    `rotated_at` is set when the token was exchanged for the next one; seeing it again afterwards
    means that it was stolen, and the family is revoked (RFC 9700, 4.14.2). `jti` names the
    access token issued with it. A guest has tokens without having an account, hence no foreign
    key on `user_id`.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
        Index("ix_refresh_tokens_family_id", "family_id"),
        Index("ix_refresh_tokens_user_id_created_at", "user_id", "created_at"),
        Index("ix_refresh_tokens_expires_at", "expires_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id)
    is_guest: Mapped[bool] = mapped_column(default=False)
    family_id: Mapped[UUID] = mapped_column(Id)
    token_hash: Mapped[bytes] = mapped_column(BINARY(32))
    jti: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
