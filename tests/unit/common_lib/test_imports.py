"""Libraries are loaded without what no process uses, and that stays there for who asks."""

import subprocess
import sys

import pytest

from shop.stack.layout import REPOSITORY

PACKAGES = ["user_service", "catalog_service", "order_service", "notification_service", "gateway"]
LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
import structlog, redis.asyncio
print([name for name in ("rich", "opentelemetry.sdk.metrics") if name in sys.modules])
import rich.console, opentelemetry.sdk.metrics
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_process_is_spared_what_it_does_not_use(package: str) -> None:
    run = [sys.executable, "-c", LOADED, package]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert loaded.stdout == "[]\n"
