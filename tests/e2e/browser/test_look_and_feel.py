"""That everybody can use the pages: small and large, light and dark, with a keyboard alone."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.e2e.browser.visitor import Visitor, Visitors
from tests.shopper import Shopper, line, new_product

SMALL, LARGE = 390, 1280
# WCAG 2.2 A and AA, contrast among them, and what axe calls good practice.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# What web.dev calls good is 0.1.
MOST_SHIFT = 0.05
SHIFTS = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


@pytest.mark.parametrize(("scheme", "width"), [("light", SMALL), ("dark", LARGE)])
async def test_pages_are_readable_fit_and_do_not_jump(
    scheme: str, width: int, visitors: Visitors, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=9)
    items = [line(product["variants"][0]["id"])]
    orders = [
        (await shopper.place(items, paymentMethod=method)).json()["id"] for method in ("UPI", "COD")
    ]
    guest, buyer = [await visitors.one(width=width, scheme=scheme) for _ in range(2)]
    await buyer.open("/login")
    await buyer.logs_in(shopper.email)
    await buyer.is_known()
    open_to_all = ("/", f"/products/{product['slug']}", "/search?q=zzzqqq", "/login", "/none")
    mailed = ("/verify-email#token=x", "/reset-password#token=x")

    faults = [await _faults(guest, path) for path in (*open_to_all, *mailed)]
    faults += [await _faults(buyer, f"/orders/{order}") for order in orders]

    assert [fault for found in faults for fault in found] == []


async def _faults(visitor: Visitor, path: str) -> list[str]:
    await visitor.open(path)
    await visitor.page.wait_for_load_state("networkidle")
    shift = await visitor.page.evaluate(SHIFTS)
    found = [f"moves by {shift:.3f} while it loads"] if shift > MOST_SHIFT else []
    found += await _violations(visitor.page)
    usual = visitor.page.viewport_size
    for width in (SMALL, LARGE):
        await visitor.page.set_viewport_size({"width": width, "height": 844})
        wide = await visitor.page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{wide} wide on {width}")
    await visitor.page.set_viewport_size(usual or {"width": SMALL, "height": 844})
    return [f"{path}: {fault}" for fault in found]


async def _violations(page: Page) -> list[str]:
    results = (await Axe().run(page, options=RULES)).response
    return [_told(violation) for violation in results["violations"]]


def _told(violation: dict[str, Any]) -> str:
    nodes = [f"{node['html']} {node.get('failureSummary', '')}" for node in violation["nodes"]]
    return f"{violation['id']}: {nodes[:3]}"


async def test_an_order_is_paid_with_the_keyboard_alone(
    visitors: Visitors, shopper: Shopper, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=9)
    items = [line(product["variants"][0]["id"])]
    order_id = (await shopper.place(items, paymentMethod="UPI")).json()["id"]
    buyer = await visitors.one()
    await buyer.open(f"/orders/{order_id}")
    keyboard = buyer.page.keyboard

    await keyboard.press("Tab")
    await expect(buyer.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keyboard.press("Enter")
    await _tab_to(buyer, "E-mail address")
    await keyboard.type(shopper.email)
    await _tab_to(buyer, "Password")
    await keyboard.type("password123")
    await keyboard.press("Enter")
    await buyer.sees("One step left: the payment")
    await _tab_to(buyer, "The payment succeeds")
    await keyboard.press("ArrowDown")
    await keyboard.press("ArrowUp")
    await _tab_to(buyer, "Pay now")
    assert await buyer.page.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    ), "where the keyboard is must be seen"
    await keyboard.press("Enter")
    await buyer.sees("We are getting your order ready")
    await expect(buyer.page.get_by_role("heading", level=1)).to_be_focused()


async def _tab_to(visitor: Visitor, name: str, most: int = 15) -> None:
    """Press Tab until what has this name is reached."""
    for _ in range(most):
        await visitor.page.keyboard.press("Tab")
        reached = await visitor.page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
        )
        if reached == name:
            return
    raise AssertionError(f"{name!r} is not reached by {most} times Tab")
