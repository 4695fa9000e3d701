"""The eight tables of the catalog, and its reservations and ledger."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from common_lib.consumer import create_inbox
from common_lib.outbox import create_outbox

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# In the order their foreign keys ask for.
TABLES = (
    "categories",
    "sellers",
    "products",
    "product_variants",
    "product_images",
    "inventory",
    "reviews",
    "wishlists",
    "reservations",
    "reservation_lines",
    "stock_movements",
    "outbox",
    "inbox",
)


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("parent_id", sa.BINARY(16), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("slug", sa.String(length=140), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_categories_not_own_parent")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["categories.id"], name=op.f("fk_categories_parent_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("parent_id", "name", name=op.f("uq_categories_parent_id_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_categories_slug")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("order_id", sa.BINARY(16), nullable=False),
        sa.Column("fingerprint", sa.String(length=128, collation="utf8mb4_bin"), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255, collation="utf8mb4_bin"), nullable=True),
        sa.Column(
            "status",
            sa.Enum("HELD", "COMMITTED", "CONSUMED", "RELEASED", name="reservationstatus"),
            nullable=False,
        ),
        sa.Column("release_reason", sa.String(length=64), nullable=True),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_reservations_status_expires_at", "reservations", ["status", "expires_at"], unique=False
    )
    op.create_table(
        "sellers",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("store_name", sa.String(length=120), nullable=False),
        sa.Column("slug", sa.String(length=140), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "status", sa.Enum("PENDING", "ACTIVE", "SUSPENDED", name="sellerstatus"), nullable=False
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug", name=op.f("uq_sellers_slug")),
        sa.UniqueConstraint("user_id", name=op.f("uq_sellers_user_id")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("variant_id", sa.BINARY(16), nullable=False),
        sa.Column("reservation_id", sa.BINARY(16), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "INITIAL",
                "RESTOCK",
                "CORRECTION",
                "RESERVE",
                "RELEASE",
                "CONSUME",
                "RETURN",
                name="movementkind",
            ),
            nullable=False,
        ),
        sa.Column("quantity_delta", sa.Integer(), nullable=False),
        sa.Column("reserved_delta", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("actor_id", sa.BINARY(16), nullable=True),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_stock_movements_variant_id_id", "stock_movements", ["variant_id", "id"], unique=False
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("seller_id", sa.BINARY(16), nullable=True),
        sa.Column("category_id", sa.BINARY(16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=220), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "status", sa.Enum("DRAFT", "ACTIVE", "ARCHIVED", name="productstatus"), nullable=False
        ),
        sa.Column("min_price_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "avg_rating",
            sa.Numeric(precision=3, scale=2),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("review_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_sold", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.CheckConstraint("avg_rating BETWEEN 0 AND 5", name=op.f("ck_products_rating_range")),
        sa.CheckConstraint(
            "min_price_minor BETWEEN 0 AND 999999999999", name=op.f("ck_products_min_price_range")
        ),
        sa.CheckConstraint(
            "review_count >= 0 AND total_sold >= 0", name=op.f("ck_products_counts")
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_products_category_id")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk_products_seller_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ft_products_name_description",
        "products",
        ["name", "description"],
        unique=False,
        mysql_prefix="FULLTEXT",
    )
    op.create_index(
        "ix_products_category_status_id", "products", ["category_id", "status", "id"], unique=False
    )
    op.create_index(
        "ix_products_seller_status_id", "products", ["seller_id", "status", "id"], unique=False
    )
    op.create_index("ix_products_status_id", "products", ["status", "id"], unique=False)
    op.create_index(
        "ix_products_status_price", "products", ["status", "min_price_minor", "id"], unique=False
    )
    op.create_index(
        "ix_products_status_rating", "products", ["status", "avg_rating", "id"], unique=False
    )
    op.create_table(
        "reservation_lines",
        sa.Column("reservation_id", sa.BINARY(16), nullable=False),
        sa.Column("variant_id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("seller_id", sa.BINARY(16), nullable=True),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_reservation_lines_quantity")),
        sa.CheckConstraint("unit_price_minor >= 0", name=op.f("ck_reservation_lines_unit_price")),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservations.id"],
            name=op.f("fk_reservation_lines_reservation_id"),
        ),
        sa.PrimaryKeyConstraint("reservation_id", "variant_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "product_images",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("url", sa.String(length=1024), nullable=False),
        sa.Column("alt_text", sa.String(length=255), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_images_product_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "product_id", "position", name=op.f("uq_product_images_product_id_position")
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "product_variants",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("compare_at_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("1"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.CheckConstraint(
            "compare_at_price_minor IS NULL OR"
            " compare_at_price_minor BETWEEN price_minor AND 999999999999",
            name=op.f("ck_product_variants_compare_at_price_range"),
        ),
        sa.CheckConstraint(
            "price_minor BETWEEN 0 AND 999999999999", name=op.f("ck_product_variants_price_range")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_variants_product_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sku", name=op.f("uq_product_variants_sku")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_product_variants_product_id_position",
        "product_variants",
        ["product_id", "position"],
        unique=False,
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.String(length=150), server_default=sa.text("''"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("PENDING", "APPROVED", "REJECTED", name="reviewstatus"),
            nullable=False,
        ),
        sa.Column(
            "is_verified_purchase", sa.Boolean(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("moderated_by", sa.BINARY(16), nullable=True),
        sa.Column("moderated_at", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_reviews_rating_range")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_reviews_product_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "product_id", name=op.f("uq_reviews_user_id_product_id")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_reviews_product_id_status_id", "reviews", ["product_id", "status", "id"], unique=False
    )
    op.create_index("ix_reviews_status_id", "reviews", ["status", "id"], unique=False)
    op.create_table(
        "wishlists",
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_wishlists_product_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "product_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "inventory",
        sa.Column("variant_id", sa.BINARY(16), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reorder_level", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.CheckConstraint(
            "0 <= reserved AND reserved <= quantity", name=op.f("ck_inventory_reserved_range")
        ),
        sa.CheckConstraint("reorder_level >= 0", name=op.f("ck_inventory_reorder_level")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["product_variants.id"], name=op.f("fk_inventory_variant_id")
        ),
        sa.PrimaryKeyConstraint("variant_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
        mysql_engine="InnoDB",
    )
    create_outbox(op)
    create_inbox(op)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
