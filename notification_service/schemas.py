"""The notification log as it is stored and as it travels over HTTP."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from common_lib.problems import ApiModel


class Channel(StrEnum):
    EMAIL = "EMAIL"
    SMS = "SMS"
    PUSH = "PUSH"


class NotificationStatus(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    DLQ = "DLQ"


class NotificationResponse(ApiModel):
    id: UUID
    event_id: UUID
    event_type: str
    channel: str
    recipient: str
    subject: str
    status: str
    retry_count: int
    created_at: datetime
    sent_at: datetime | None


class NotificationList(ApiModel):
    items: list[NotificationResponse]
    next_cursor: str | None


class HeldNotifications(ApiModel):
    """Some of what was sent to one person; the rest is asked for with `after`."""

    items: list[NotificationResponse]
    next_after: UUID | None
