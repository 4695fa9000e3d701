"""Alembic's entry for users_db."""

from common_lib.migrations import migrate
from user_service.models import Base

migrate(Base.metadata)
