"""A setting that can be set has an effect: somebody reads it."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

import catalog_service.settings
import gateway.settings
import notification_service.settings
import order_service.settings
import user_service.settings
from common_lib.settings import DatabaseSettings
from shop.payment_sandbox import SandboxSettings
from shop.stack.layout import REPOSITORY

PACKAGES = (
    *("common_lib", "gateway", "shop"),
    *("catalog_service", "notification_service", "order_service", "user_service"),
)
READ = re.compile(r"\.(\w+)")


@pytest.fixture(scope="module")
def read() -> frozenset[str]:
    """Every name that is read as an attribute anywhere in the programs."""
    files = (path for package in PACKAGES for path in Path(REPOSITORY, package).rglob("*.py"))
    return frozenset(name for path in files for name in READ.findall(path.read_text()))


@pytest.mark.parametrize(
    "settings",
    [
        DatabaseSettings,
        SandboxSettings,
        catalog_service.settings.Settings,
        catalog_service.settings.WorkerSettings,
        gateway.settings.GatewaySettings,
        notification_service.settings.Settings,
        order_service.settings.Settings,
        order_service.settings.WorkerSettings,
        user_service.settings.Settings,
    ],
    ids=lambda settings: f"{settings.__module__}.{settings.__name__}",
)
def test_every_setting_is_read_by_some_program(
    settings: type[BaseSettings], read: frozenset[str]
) -> None:
    assert sorted(settings.model_fields.keys() - read) == []
