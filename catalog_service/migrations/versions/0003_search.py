"""Search in its own tables; every product there already is due to be indexed."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("search_documents", "search_words", "search_updates", "search_rebuilds")
OPTIONS: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
    "mysql_engine": "InnoDB",
}
ZERO = sa.text("0")


def upgrade() -> None:
    _documents()
    _words()
    _updates()
    _rebuilds()
    op.execute(
        "INSERT INTO search_updates (target, product_id, due_at)"
        " SELECT 'mysql', id, UTC_TIMESTAMP(6) FROM products"
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _documents() -> None:
    op.create_table(
        "search_documents",
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.BINARY(16), nullable=False),
        sa.Column("seller_id", sa.BINARY(16), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("rating", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("sold", sa.Integer(), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column(
            "names", mysql.VARCHAR(1200, charset="ascii", collation="ascii_bin"), nullable=False
        ),
        sa.Column("words", mysql.TEXT(charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("product_id"),
        **OPTIONS,
    )
    op.create_index(
        "ft_search_documents_words", "search_documents", ["words"], mysql_prefix="FULLTEXT"
    )
    for name, column in (("price", "price_minor"), ("rating", "rating")):
        op.create_index(f"ix_search_documents_{name}", "search_documents", [column, "product_id"])
    op.create_index("ix_search_documents_sold", "search_documents", ["sold", "product_id", "names"])
    for column in ("category_id", "seller_id"):
        op.create_index(f"ix_search_documents_{column}", "search_documents", [column])
    op.create_index(
        "ix_search_documents_names", "search_documents", ["names"], mysql_length={"names": 64}
    )


def _words() -> None:
    op.create_table(
        "search_words",
        sa.Column(
            "word", mysql.VARCHAR(80, charset="ascii", collation="ascii_bin"), nullable=False
        ),
        sa.Column("name_count", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("text_count", sa.Integer(), server_default=ZERO, nullable=False),
        sa.PrimaryKeyConstraint("word"),
        **OPTIONS,
    )


def _updates() -> None:
    op.create_table(
        "search_updates",
        sa.Column("target", _target(), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("mark", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("due_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("target", "product_id"),
        **OPTIONS,
    )
    op.create_index("ix_search_updates_target_due_at", "search_updates", ["target", "due_at"])


def _rebuilds() -> None:
    status = sa.Enum("QUEUED", "RUNNING", "DONE", "FAILED", name="rebuildstatus")
    op.create_table(
        "search_rebuilds",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("target", _target(), nullable=False),
        sa.Column("status", status, nullable=False),
        sa.Column("total", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("done", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("index_name", sa.String(120), nullable=True),
        sa.Column("last_product_id", sa.BINARY(16), nullable=True),
        sa.Column("lease_until", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column("failure", sa.String(255), nullable=True),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    op.create_index("ix_search_rebuilds_status", "search_rebuilds", ["status"])


def _target() -> sa.Enum:
    return sa.Enum("mysql", "elasticsearch", name="searchtarget")
