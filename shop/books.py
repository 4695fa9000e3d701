"""Where the four databases and the bus of a deployment are, for the operator's tools."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url

from common_lib.database import Database
from common_lib.settings import DatabaseSettings
from shop.stack import choice, docker, memory
from shop.stack.environment import database_variable
from shop.stack.errors import StackError
from shop.stack.layout import SERVICES, Layout
from shop.stack.native import NativeStack


def of_environment_or_local() -> dict[str, DatabaseSettings]:
    """Return the settings of what the environment names, else of the local stack.

    SHOP_USER_DATABASE_URL and so on name the databases, all four; SHOP_AWS_* the bus. Raises
    StackError where only some are set.
    """
    named = _of_environment(os.environ)
    if named is not None:
        return named
    layout = Layout.local()
    return of_stack(NativeStack(layout), compose_password(layout))


def of_stack(stack: NativeStack, mysql_password: str | None = None) -> dict[str, DatabaseSettings]:
    """Return each service's settings; the password is the stack's own unless given."""
    return {service: _settings(stack, service, mysql_password) for service in SERVICES}


@asynccontextmanager
async def opened(settings: Mapping[str, DatabaseSettings]) -> AsyncIterator[dict[str, Database]]:
    """Open the databases by their services' names, and close them with the block."""
    databases = {service: Database(entry) for service, entry in settings.items()}
    try:
        yield databases
    finally:
        for database in databases.values():
            await database.close()


def compose_password(layout: Layout) -> str | None:
    """Return the password that docker-compose.yml gives the databases; None for the other stack."""
    remembered = memory.recall_kind(layout.home)
    if choice.choose(os.environ, remembered, docker.engine_answers) is not memory.Kind.DOCKER:
        return None
    return os.environ.get("SHOP_DB_PASSWORD", "shop")


def _of_environment(environment: Mapping[str, str]) -> dict[str, DatabaseSettings] | None:
    urls = {service: environment.get(database_variable(service), "") for service in SERVICES}
    if not any(urls.values()):
        return None
    missing = [database_variable(service) for service, url in urls.items() if not url]
    if missing:
        raise StackError(f"{missing[0]} is not set", "set it to the mysql+asyncmy:// URL")
    return {service: _read(database_url=url) for service, url in urls.items()}


def _settings(stack: NativeStack, service: str, mysql_password: str | None) -> DatabaseSettings:
    given = {
        name.removeprefix("SHOP_").lower(): value
        for name, value in stack.environment(service).items()
    }
    known = {name: value for name, value in given.items() if name in DatabaseSettings.model_fields}
    url = make_url(stack.database_url(service))
    if mysql_password is not None:
        url = url.set(password=mysql_password)
    return _read(**{**known, "database_url": url.render_as_string(hide_password=False)})


def _read(**values: object) -> DatabaseSettings:
    # The settings of a process want a port; these tools listen nowhere.
    return DatabaseSettings.model_validate(
        {"port": 1, "database_read_urls": (), "database_pool_size": 2, **values}
    )
