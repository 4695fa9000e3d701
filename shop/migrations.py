"""Runs Alembic for the services; each reads its database from SHOP_DATABASE_URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config

from shop.stack.layout import SERVICES

URL_VARIABLE = "SHOP_DATABASE_URL"


def upgrade(service: str, database_url: str) -> None:
    """Bring one service's database to its newest schema; repeating it changes nothing."""
    config = Config()
    config.set_main_option("script_location", f"{SERVICES[service].package}:migrations")
    config.set_main_option("path_separator", "os")
    with _environment(URL_VARIABLE, database_url):
        command.upgrade(config, "head")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
