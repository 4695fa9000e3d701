"""Alembic's entry for catalog_db."""

from catalog_service.models import Base
from common_lib.migrations import migrate

migrate(Base.metadata)
