"""Whom the shop has to forget, until the last of their orders is done."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from common_lib.database import TABLE_OPTIONS

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "erased_users",
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("erased_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("due_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("user_id"),
        sa.Index("ix_erased_users_due_at", "due_at"),
        **TABLE_OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("erased_users")
