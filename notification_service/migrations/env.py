"""Alembic's entry for notifications_db."""

from common_lib.migrations import migrate
from notification_service.models import Base

migrate(Base.metadata)
