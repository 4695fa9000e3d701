"""Accounts, addresses, refresh tokens and the outbox."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from common_lib.database import TABLE_OPTIONS
from common_lib.outbox import create_outbox

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _create_users()
    _create_addresses()
    _create_refresh_tokens()
    create_outbox(op)


def downgrade() -> None:
    for table in ("outbox", "refresh_tokens", "addresses", "users"):
        op.drop_table(table)


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("phone", sa.String(20)),
        sa.Column("role", mysql.ENUM("CUSTOMER", "SELLER", "ADMIN"), nullable=False),
        sa.Column("status", mysql.ENUM("ACTIVE", "SUSPENDED", "DELETED"), nullable=False),
        sa.Column("email_verified", sa.Boolean, nullable=False),
        sa.Column("preferences", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.CheckConstraint("email LIKE '_%@_%' AND email NOT LIKE '% %'", name="email_shape"),
        sa.CheckConstraint("email = LOWER(email) COLLATE utf8mb4_bin", name="email_lower"),
        sa.CheckConstraint("CHAR_LENGTH(full_name) > 0", name="full_name_given"),
        sa.CheckConstraint("version > 0", name="version_positive"),
        sa.Index("ix_users_role_status", "role", "status", "id"),
        **TABLE_OPTIONS,
    )


def _create_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("label", sa.String(50)),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("phone", sa.String(20), nullable=False),
        sa.Column("address_line1", sa.String(200), nullable=False),
        sa.Column("address_line2", sa.String(200)),
        sa.Column("city", sa.String(100), nullable=False),
        sa.Column("state", sa.String(100), nullable=False),
        sa.Column("pincode", sa.String(12), nullable=False),
        sa.Column("country", mysql.CHAR(2), nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column(
            "default_for",
            sa.BINARY(16),
            sa.Computed("CASE WHEN is_default THEN user_id END", persisted=True),
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_addresses_user_id"),
        sa.UniqueConstraint("default_for", name="uq_addresses_default_for"),
        sa.CheckConstraint("CHAR_LENGTH(full_name) > 0", name="full_name_given"),
        sa.CheckConstraint("CHAR_LENGTH(country) = 2", name="country_iso"),
        sa.Index("ix_addresses_user_id_id", "user_id", "id"),
        **TABLE_OPTIONS,
    )


def _create_refresh_tokens() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("is_guest", sa.Boolean, nullable=False),
        sa.Column("family_id", sa.BINARY(16), nullable=False),
        sa.Column("token_hash", sa.BINARY(32), nullable=False),
        sa.Column("jti", sa.BINARY(16), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("rotated_at", mysql.DATETIME(fsp=6)),
        sa.Column("revoked_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
        sa.Index("ix_refresh_tokens_family_id", "family_id"),
        sa.Index("ix_refresh_tokens_user_id_created_at", "user_id", "created_at"),
        sa.Index("ix_refresh_tokens_expires_at", "expires_at"),
        **TABLE_OPTIONS,
    )
