"""Runs Alembic for the services; each reads its database from SHOP_DATABASE_URL."""

import os

from alembic import command
from alembic.config import Config

from shop.stack.layout import SERVICES

URL_VARIABLE = "SHOP_DATABASE_URL"


def upgrade(service: str, database_url: str) -> None:
    """Bring one service's database to its newest schema; repeating it changes nothing."""
    config = Config()
    config.set_main_option("script_location", f"{SERVICES[service].package}:migrations")
    config.set_main_option("path_separator", "os")
    os.environ[URL_VARIABLE] = database_url
    command.upgrade(config, "head")
