"""A real browser on the real shop. What it says in its console fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.conftest import Entrance
from tests.e2e.browser import chromium
from tests.e2e.browser.visitor import Visitors

FLAGS = (
    # The pages are our own, and in a container there is nothing to make a sandbox of.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    return chromium.find()


@pytest.fixture(scope="session")
async def browser(chromium_program: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_program, args=list(FLAGS), timeout=120_000
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visitors(browser: Browser, entrance: Entrance) -> AsyncIterator[Visitors]:
    """People before browsers of their own; none of their pages may complain of anything."""
    async with Visitors(browser, entrance) as visitors:
        yield visitors
        visitors.assert_no_complaints()
