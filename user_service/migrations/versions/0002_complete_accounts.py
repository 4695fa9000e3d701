"""Sessions of their own, one-time tokens, the second factor; when access last changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from common_lib.database import TABLE_OPTIONS

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = (
    "sessions",
    "one_time_tokens",
    "password_reset_requests",
    "totp_credentials",
    "recovery_codes",
)


def upgrade() -> None:
    _extend_users()
    _create_sessions()
    _create_one_time_tokens()
    _create_second_factor()
    _fill_sessions()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_users_role", "users")
    op.drop_index("ix_users_status", "users")
    op.drop_index("ix_users_access_changed_at", "users")
    op.drop_column("users", "access_changed_at")
    op.drop_column("users", "deleted_at")


def _extend_users() -> None:
    for column in ("access_changed_at", "deleted_at"):
        op.add_column("users", sa.Column(column, mysql.DATETIME(fsp=6)))
    op.create_index("ix_users_access_changed_at", "users", ["access_changed_at"])
    op.create_index("ix_users_role", "users", ["role", "id"])
    op.create_index("ix_users_status", "users", ["status", "id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("is_guest", sa.Boolean, nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.Column("ip_address", sa.String(45), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("last_used_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("ended_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("id"),
        sa.Index("ix_sessions_user_id_ended_at", "user_id", "ended_at", "id"),
        sa.Index("ix_sessions_user_id_ip_address", "user_id", "ip_address"),
        sa.Index("ix_sessions_expires_at", "expires_at"),
        sa.Index("ix_sessions_ended_at", "ended_at"),
        **TABLE_OPTIONS,
    )


def _create_one_time_tokens() -> None:
    op.create_table(
        "one_time_tokens",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("purpose", mysql.ENUM("VERIFY_EMAIL", "RESET_PASSWORD"), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("token_hash", sa.BINARY(32), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("used_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_tokens_user_id"),
        sa.UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        sa.Index("ix_one_time_tokens_user_id_purpose", "user_id", "purpose"),
        sa.Index("ix_one_time_tokens_expires_at", "expires_at"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "password_reset_requests",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLE_OPTIONS,
    )


def _create_second_factor() -> None:
    op.create_table(
        "totp_credentials",
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("secret", sa.VARBINARY(255), nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", mysql.DATETIME(fsp=6)),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("confirmed_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_totp_credentials_user_id"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("code_hash", sa.BINARY(32), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("used_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id"),
        sa.UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id_code_hash"),
        **TABLE_OPTIONS,
    )


def _fill_sessions() -> None:
    """Give each family of refresh tokens that is there already its session."""
    op.execute(
        "INSERT INTO sessions (id, user_id, is_guest, user_agent, ip_address, created_at,"
        " last_used_at, expires_at, ended_at)"
        " SELECT family_id, MIN(user_id), MIN(is_guest), '', '', MIN(created_at), MAX(created_at),"
        " MAX(expires_at), MAX(revoked_at) FROM refresh_tokens GROUP BY family_id"
    )
