"""Alembic's entry for orders_db."""

from common_lib.migrations import migrate
from order_service.models import Base

migrate(Base.metadata)
