"""The notification log."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from common_lib.database import TABLE_OPTIONS

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "notification_logs",
        sa.Column("id", sa.BINARY(16), nullable=False),
        sa.Column("event_id", sa.BINARY(16), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("channel", mysql.ENUM("EMAIL", "SMS", "PUSH"), nullable=False),
        sa.Column("user_id", sa.BINARY(16)),
        sa.Column("order_id", sa.BINARY(16)),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("status", mysql.ENUM("PENDING", "SENT", "FAILED", "DLQ"), nullable=False),
        sa.Column("retry_count", sa.SmallInteger, nullable=False),
        sa.Column("lease_token", sa.BINARY(16)),
        sa.Column("lease_until", mysql.DATETIME(fsp=6)),
        sa.Column("provider_message_id", sa.String(128)),
        sa.Column("last_error", sa.String(255)),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("updated_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("sent_at", mysql.DATETIME(fsp=6)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "channel", name="uq_notification_logs_event_id_channel"),
        sa.CheckConstraint("retry_count >= 0", name="retry_count_natural"),
        sa.CheckConstraint("(status = 'SENT') = (sent_at IS NOT NULL)", name="sent_at_when_sent"),
        sa.Index("ix_notification_logs_user_id_id", "user_id", "id"),
        sa.Index("ix_notification_logs_order_id_id", "order_id", "id"),
        sa.Index("ix_notification_logs_status_id", "status", "id"),
        sa.Index("ix_notification_logs_event_type_id", "event_type", "id"),
        **TABLE_OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("notification_logs")
