"""docs/configuration.md lists every setting with its default."""

import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

import catalog_service.settings
import notification_service.settings
import order_service.settings
import user_service.settings
from common_lib.settings import DatabaseSettings, ServiceSettings
from gateway.settings import GatewaySettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "configuration.md").read_text("utf-8")
CHAPTERS: dict[str, tuple[type[ServiceSettings], type[ServiceSettings] | None]] = {
    "Every process": (ServiceSettings, None),
    "Every process with a database": (DatabaseSettings, ServiceSettings),
    "Gateway": (GatewaySettings, ServiceSettings),
    "User service": (user_service.settings.Settings, DatabaseSettings),
    "Catalog service": (catalog_service.settings.Settings, DatabaseSettings),
    "Order service": (order_service.settings.Settings, DatabaseSettings),
    "Notification service": (notification_service.settings.Settings, DatabaseSettings),
}


def written(default: Any) -> str:
    """Return a default as the environment would hold it, and as the page shows it."""
    if default is PydanticUndefined:
        return "required"
    if default in (None, "", ()):
        return ""
    text = default.value if isinstance(default, Enum) else default
    if isinstance(text, bool):
        text = str(text).lower()
    if isinstance(text, tuple):
        text = ",".join(map(str, text))
    return f"`{text:g}`" if isinstance(text, float) else f"`{text}`"


@pytest.mark.parametrize("title", CHAPTERS)
def test_the_page_lists_each_setting_with_its_default(title: str) -> None:
    settings, base = CHAPTERS[title]
    inherited = base.model_fields if base is not None else {}
    expected = {
        f"SHOP_{name.upper()}": written(field.default)
        for name, field in settings.model_fields.items()
        if name not in inherited or inherited[name].default != field.default
    }
    chapter = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]

    assert dict(re.findall(r"^\| `(SHOP_\w+)` \| (.*?) \| \S", chapter, re.MULTILINE)) == expected
