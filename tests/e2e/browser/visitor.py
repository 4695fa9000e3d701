"""Somebody before a browser: opens pages, reads, presses buttons."""

import re
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.conftest import Entrance

# Also a machine that is busy shows a page within this; no test waits so long for what must not be.
PATIENCE_MS: Final = 30_000
# What the browser itself writes for an answer that is a refusal, or for a network that is away.
_REFUSED: Final = re.compile(
    r"Failed to load resource: (?:the server responded with a status of 4\d\d|net::ERR_INTERNET)"
)
# Through the edge pages come by TLS, the local bucket's pictures do not.
_LOCAL_BUCKET: Final = re.compile(r"Mixed Content: .*'http://127\.0\.0\.1:\d+/shop-images/")

expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """One browser window with a session of its own, at the entrance that is tested."""

    def __init__(self, context: BrowserContext, page: Page, base_url: str) -> None:
        self.context = context
        self.page = page
        self.base_url = base_url
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        is_usual = _REFUSED.match(message.text) or _LOCAL_BUCKET.match(message.text)
        if message.type in ("error", "warning") and not is_usual:
            self.complaints.append(f"{message.type}: {message.text}")

    async def open(self, link: str) -> None:
        """Open a path or a mailed link; whoever looks at it waits for what it should show."""
        parts = urlsplit(link)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        query = f"?{parts.query}" if parts.query else ""
        # Two addresses that differ behind `#` only are one page, which would not be loaded anew.
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.base_url}{parts.path or '/'}{query}{fragment}")

    async def sees(self, heading: str) -> None:
        await expect(self.page.get_by_role("heading", name=heading).first).to_be_visible()

    async def reads(self, text: str) -> None:
        await expect(self.page.get_by_text(text).first).to_be_visible()

    async def sees_no(self, role: Any, name: str) -> None:
        await expect(self.page.get_by_role(role, name=name)).to_have_count(0)

    async def presses(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def follows(self, name: str) -> None:
        await self.page.get_by_role("link", name=name, exact=True).first.click()

    async def fills(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=True).fill(text)

    async def logs_in(self, email: str, password: str = "password123") -> None:
        """Fill in the form that is there."""
        await self.fills("E-mail address", email)
        await self.fills("Password", password)
        await self.presses("Log in")

    async def is_known(self) -> None:
        """Wait until the visitor is logged in and has left the page where that is done."""
        await expect(self.page).not_to_have_url(re.compile("/login"))
        await expect(self.page.get_by_role("button", name="Log out")).to_be_visible()

    @property
    def address(self) -> str:
        return self.page.url


class Visitors:
    """Makes visitors and listens to what their browsers complain of."""

    def __init__(self, browser: Browser, entrance: Entrance) -> None:
        self._browser = browser
        self._base_url = entrance.url
        self._stack = AsyncExitStack()
        self._known: list[Visitor] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def one(self, width: int = 1280, scheme: Any = "light", **traits: Any) -> Visitor:
        context = await self._browser.new_context(
            viewport={"width": width, "height": 844},
            color_scheme=scheme,
            locale="en-IN",
            # The edge of a test has a certificate of its own.
            ignore_https_errors=True,
            **traits,
        )
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(context, await context.new_page(), self._base_url)
        self._known.append(visitor)
        return visitor

    def assert_no_complaints(self) -> None:
        complaints = [words for visitor in self._known for words in visitor.complaints]
        assert not complaints, complaints
