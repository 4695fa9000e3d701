"""When the customer of an unpaid order was reminded."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("unpaid_orders", sa.Column("reminded_at", mysql.DATETIME(fsp=6)))


def downgrade() -> None:
    op.drop_column("unpaid_orders", "reminded_at")
