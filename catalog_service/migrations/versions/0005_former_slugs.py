"""Slugs that were given up lead on to the present ones."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "former_slugs",
        sa.Column("kind", sa.Enum("product", "category", name="slugkind"), nullable=False),
        sa.Column("slug", sa.String(220), nullable=False),
        sa.Column("target_id", sa.BINARY(16), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("kind", "slug"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_former_slugs_target_id", "former_slugs", ["target_id"])


def downgrade() -> None:
    op.drop_table("former_slugs")
