"""City, state and postal code are given where the country has them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

LENGTHS = {"city": 100, "state": 100, "pincode": 12}


def upgrade() -> None:
    for column, length in LENGTHS.items():
        op.alter_column("addresses", column, existing_type=sa.String(length), nullable=True)


def downgrade() -> None:
    for column, length in LENGTHS.items():
        op.execute(f"UPDATE addresses SET {column} = '' WHERE {column} IS NULL")  # noqa: S608 - names of our own
        op.alter_column("addresses", column, existing_type=sa.String(length), nullable=False)
