"""Pictures that were checked, moderated reviews, verified buyers, imports, and stores at work."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# In the order their foreign keys ask for.
TABLES = ("image_removals", "purchases", "product_imports", "product_import_errors")
OPTIONS: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    _stores()
    _categories()
    _products()
    _image_removals()
    _inventory()
    _reviews()
    _purchases()
    _imports()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_reviews_product_id_status_rating", "reviews")
    op.drop_column("reviews", "moderation_note")
    for column in ("storage_key", "content_type", "width", "height", "size_bytes"):
        op.drop_column("product_images", column)
    op.drop_index("ix_inventory_is_low_variant_id", "inventory")
    op.drop_column("inventory", "is_low")
    op.drop_index("ix_products_seller_hidden", "products")
    op.drop_column("products", "hidden_at")
    op.drop_index("uq_categories_parent_key_name", "categories")
    op.drop_column("categories", "parent_key")
    op.drop_index("ix_sellers_status_id", "sellers")
    op.drop_index("ix_sellers_role_due_at", "sellers")
    op.drop_column("sellers", "role_due_at")


def _stores() -> None:
    op.add_column("sellers", sa.Column("role_due_at", mysql.DATETIME(fsp=6), nullable=True))
    op.create_index("ix_sellers_role_due_at", "sellers", ["role_due_at"])
    op.create_index("ix_sellers_status_id", "sellers", ["status", "id"])


def _categories() -> None:
    # A key takes any number of NULLs for different, so two roots could share a name.
    parent = sa.Computed("coalesce(parent_id,0x00000000000000000000000000000000)", persisted=False)
    op.add_column("categories", sa.Column("parent_key", sa.BINARY(16), parent))
    op.create_unique_constraint(
        "uq_categories_parent_key_name", "categories", ["parent_key", "name"]
    )


def _products() -> None:
    op.add_column("products", sa.Column("hidden_at", mysql.DATETIME(fsp=6), nullable=True))
    op.create_index("ix_products_seller_hidden", "products", ["seller_id", "hidden_at"])
    op.add_column("product_images", sa.Column("storage_key", sa.String(255), nullable=True))
    op.add_column("product_images", sa.Column("content_type", sa.String(64), nullable=True))
    for column in ("width", "height", "size_bytes"):
        op.add_column("product_images", sa.Column(column, sa.Integer(), nullable=True))


def _inventory() -> None:
    # Stored, so that the hot update computes it once, and both servers keep the same index on it.
    is_low = sa.Computed("quantity - reserved <= reorder_level", persisted=True)
    # MariaDB takes no NOT NULL on a generated column; it is none, as its parts are none.
    op.add_column("inventory", sa.Column("is_low", sa.Boolean(), is_low))
    op.create_index("ix_inventory_is_low_variant_id", "inventory", ["is_low", "variant_id"])


def _image_removals() -> None:
    op.create_table(
        "image_removals",
        sa.Column("storage_key", sa.String(255), nullable=False),
        sa.Column("due_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("storage_key"),
        **OPTIONS,
    )
    op.create_index("ix_image_removals_due_at", "image_removals", ["due_at"])


def _reviews() -> None:
    note = sa.Column("moderation_note", sa.String(500), server_default="", nullable=False)
    op.add_column("reviews", note)
    # Covers what a product's rating is computed from.
    op.create_index(
        "ix_reviews_product_id_status_rating", "reviews", ["product_id", "status", "rating"]
    )


def _purchases() -> None:
    op.create_table(
        "purchases",
        sa.Column("user_id", sa.BINARY(16), nullable=False),
        sa.Column("product_id", sa.BINARY(16), nullable=False),
        sa.Column("order_id", sa.BINARY(16), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "product_id", "order_id"),
        **OPTIONS,
    )
    op.create_index("ix_purchases_order_id", "purchases", ["order_id"])
    # What was sold before this table is known from the reservations.
    op.execute(
        "INSERT INTO purchases (user_id, product_id, order_id, quantity, created_at)"
        " SELECT r.user_id, l.product_id, r.order_id, SUM(l.quantity), MAX(r.updated_at)"
        " FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id"
        " WHERE r.status = 'CONSUMED' AND r.user_id IS NOT NULL"
        " GROUP BY r.user_id, l.product_id, r.order_id"
    )
    op.execute(
        "UPDATE products p JOIN (SELECT product_id, SUM(quantity) AS units FROM purchases"
        " GROUP BY product_id) b ON b.product_id = p.id SET p.total_sold = b.units"
    )


def _imports() -> None:
    status = sa.Enum("QUEUED", "RUNNING", "DONE", "FAILED", name="importstatus")
    counts = ("total_rows", "done_rows", "created_rows", "updated_rows", "failed_rows", "attempts")
    op.create_table(
        "product_imports",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("actor_id", sa.BINARY(16), nullable=False),
        sa.Column("seller_id", sa.BINARY(16), nullable=True),
        sa.Column("status", status, nullable=False),
        sa.Column("source", mysql.LONGBLOB(), nullable=False),
        sa.Column("sha256", sa.BINARY(32), nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
            for name in counts
        ),
        sa.Column("failure", sa.String(255), nullable=True),
        sa.Column("lease_until", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column("started_at", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column("finished_at", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    op.create_index(
        "ix_product_imports_status_lease_until", "product_imports", ["status", "lease_until"]
    )
    op.create_table(
        "product_import_errors",
        sa.Column("import_id", sa.BINARY(16), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["product_imports.id"], name=op.f("fk_product_import_errors_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "line", "column_name"),
        **OPTIONS,
    )
