"""The one table of notifications_db: what was sent to whom because of which event."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Enum, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime, new_metadata
from notification_service.schemas import Channel, NotificationStatus

ERROR_LENGTH = 255
SUBJECT_LENGTH = 255


class Base(DeclarativeBase):
    metadata = new_metadata()


def _enum(enumeration: type[StrEnum]) -> Enum:
    return Enum(enumeration, values_callable=lambda members: [m.value for m in members])


class NotificationLog(Base):
    """One notification by one channel; its unique key is what makes a repeated event do nothing.

    Whoever sends it holds a lease: `lease_token` names the holder until `lease_until`. A holder
    that dies is succeeded once the lease has run out.
    """

    __tablename__ = "notification_logs"
    __table_args__ = (
        UniqueConstraint("event_id", "channel", name="uq_notification_logs_event_id_channel"),
        CheckConstraint("retry_count >= 0", name="retry_count_natural"),
        CheckConstraint("(status = 'SENT') = (sent_at IS NOT NULL)", name="sent_at_when_sent"),
        Index("ix_notification_logs_user_id_id", "user_id", "id"),
        Index("ix_notification_logs_order_id_id", "order_id", "id"),
        Index("ix_notification_logs_status_id", "status", "id"),
        Index("ix_notification_logs_event_type_id", "event_type", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    event_id: Mapped[UUID] = mapped_column(Id)
    event_type: Mapped[str] = mapped_column(String(64))
    channel: Mapped[Channel] = mapped_column(_enum(Channel))
    user_id: Mapped[UUID | None] = mapped_column(Id)
    order_id: Mapped[UUID | None] = mapped_column(Id)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    status: Mapped[NotificationStatus] = mapped_column(_enum(NotificationStatus))
    retry_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    lease_token: Mapped[UUID | None] = mapped_column(Id)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    provider_message_id: Mapped[str | None] = mapped_column(String(128))
    last_error: Mapped[str | None] = mapped_column(String(ERROR_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def is_leased(self, moment: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > moment

    def take(self, token: UUID, moment: datetime, until: datetime) -> None:
        """Make `token` the holder; a notification that had failed is pending again."""
        self.status = NotificationStatus.PENDING
        self.lease_token = token
        self.lease_until = until
        self.updated_at = moment

    def sent(self, moment: datetime, provider_message_id: str) -> None:
        self.status = NotificationStatus.SENT
        self.sent_at = moment
        self.provider_message_id = provider_message_id
        self.last_error = None
        self._let_go(moment)

    def failed(self, moment: datetime, error: str, status: NotificationStatus) -> None:
        """Note a failure and let go, so that the next attempt need not wait for the lease."""
        self.status = status
        self.retry_count += 1
        self.last_error = error[:ERROR_LENGTH]
        self._let_go(moment)

    def _let_go(self, moment: datetime) -> None:
        self.lease_token = None
        self.lease_until = None
        self.updated_at = moment
