"""Search by single variants and by stems; every copy is due to be written anew."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from catalog_service.models.search_text import stem_of

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PRICES = ("highest_minor", "stocked_minor", "stocked_highest_minor")
_AT_ONCE = 5_000


def upgrade() -> None:
    for name in PRICES:
        op.add_column("search_documents", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("search_documents", sa.Column("variants", sa.JSON(), nullable=True))
    # Until a copy is written anew it is judged as a product of one variant.
    op.execute(
        "UPDATE search_documents SET highest_minor = price_minor,"
        " stocked_minor = CASE WHEN in_stock THEN price_minor END,"
        " stocked_highest_minor = CASE WHEN in_stock THEN price_minor END"
    )
    for name in ("highest", "stocked"):
        op.create_index(
            f"ix_search_documents_{name}", "search_documents", [f"{name}_minor", "product_id"]
        )
    _variants()
    _stems()
    op.execute(
        "INSERT INTO search_updates (target, product_id, due_at)"
        " SELECT 'mysql', id, UTC_TIMESTAMP(6) FROM products"
        " ON DUPLICATE KEY UPDATE mark = mark + 1, attempts = 0, due_at = VALUES(due_at)"
    )
    # The index of Elasticsearch is made anew where there is one; until then MySQL answers.
    op.execute(
        "INSERT INTO search_rebuilds (id, target, status, created_at, updated_at)"
        " SELECT UNHEX(REPLACE(UUID(), '-', '')), 'elasticsearch', 'QUEUED', UTC_TIMESTAMP(6),"
        " UTC_TIMESTAMP(6) FROM search_rebuilds WHERE target = 'elasticsearch' LIMIT 1"
    )


def downgrade() -> None:
    op.drop_index("ix_search_words_stem", "search_words")
    op.drop_column("search_words", "stem")
    op.drop_table("search_variants")
    for name in ("highest", "stocked"):
        op.drop_index(f"ix_search_documents_{name}", "search_documents")
    for name in ("variants", *PRICES):
        op.drop_column("search_documents", name)


def _variants() -> None:
    op.create_table(
        "search_variants",
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column(
            "tokens", mysql.VARCHAR(480, charset="ascii", collation="ascii_bin"), nullable=False
        ),
        sa.PrimaryKeyConstraint("product_id", "position"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )


def _stems() -> None:
    stem = mysql.VARCHAR(80, charset="ascii", collation="ascii_bin")
    op.add_column("search_words", sa.Column("stem", stem, nullable=True))
    connection = op.get_bind()
    words = connection.execute(sa.text("SELECT word FROM search_words")).scalars().all()
    update = sa.text("UPDATE search_words SET stem = :stem WHERE word = :word")
    for start in range(0, len(words), _AT_ONCE):
        rows = [{"word": word, "stem": stem_of(word)} for word in words[start : start + _AT_ONCE]]
        connection.execute(update, rows)
    op.create_index("ix_search_words_stem", "search_words", ["stem"])
