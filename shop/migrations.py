"""Runs Alembic for the services; each reads its database from SHOP_DATABASE_URL.

As a program, ``python -m shop.migrations user catalog``, it takes each service's database from
SHOP_USER_DATABASE_URL and so on: one program for all, because loading Alembic costs a second.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config

from shop.stack.environment import database_variable
from shop.stack.layout import SERVICES

URL_VARIABLE = "SHOP_DATABASE_URL"


def upgrade(service: str, database_url: str, revision: str = "head") -> None:
    """Bring one service's database to its newest schema, or to the revision; safe to repeat."""
    config = Config()
    config.set_main_option("script_location", f"{SERVICES[service].package}:migrations")
    config.set_main_option("path_separator", "os")
    with _environment(URL_VARIABLE, database_url):
        command.upgrade(config, revision)


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


if __name__ == "__main__":
    for name in sys.argv[1:]:
        upgrade(name, os.environ[database_variable(name)])
