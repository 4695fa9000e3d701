"""Mails as they were sent, their links followed in a browser."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.async_api import expect

from shop.stack.native import NativeStack
from tests.e2e.browser.visitor import Visitor, Visitors
from tests.mailbox import all_mails, mails_to
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually

CONFIRM, RESET = "Please confirm your e-mail address", "Reset your password"
NEW_PASSWORD = "correct horse battery staple"
LINK = re.compile(r"""href="(https?://[^"]+)""")
# What the page at a path of a mail shows to somebody who is not logged in.
SHOWN = {
    "/": "Good things, fairly priced, in stock",
    "/verify-email": "Is this your address?",
    "/reset-password": "Choose a new password",
    "/forgot-password": "Forgot your password?",
    "/orders": "Log in to see your order",
}


async def link_in_mail(stack: NativeStack, shopper: Shopper, subject: str, page: str) -> str:
    """Return the link to a page in the latest mail of this subject."""

    async def found() -> str | None:
        mails = [
            mail for mail in await mails_to(stack, shopper.email) if mail["subject"] == subject
        ]
        return mails[-1]["html"] if mails else None

    html: str = await eventually(found, timeout_s=60, what=f"the mail {subject!r}")
    links: list[str] = LINK.findall(html)
    return next(link for link in links if urlsplit(link).path == page)


async def test_an_address_is_confirmed_by_its_link_and_a_second_use_is_explained(
    stack: NativeStack, visitors: Visitors, somebody: Callable[[], Shopper]
) -> None:
    shopper = await (await somebody().register()).login()
    link = await link_in_mail(stack, shopper, CONFIRM, "/verify-email")
    reader = await visitors.one()

    await reader.open(link)
    await reader.sees("Is this your address?")
    assert urlsplit(reader.address).fragment == "", "the token must not stay in the address bar"
    await reader.presses("Confirm my address")
    await reader.sees("Your address is confirmed")
    account = (await shopper.request("GET", f"/api/users/{shopper.user_id}")).json()
    assert account["emailVerified"] is True

    await reader.open(link)
    await reader.presses("Confirm my address")
    await reader.sees("This link does not work any more")
    await reader.reads("If you have used it before, your address is confirmed and all is well.")
    await reader.follows("Log in to get a new link")
    await reader.logs_in(shopper.email)
    await reader.sees("Your address is confirmed")


async def test_looking_at_a_link_uses_nothing_up(
    stack: NativeStack, visitors: Visitors, somebody: Callable[[], Shopper]
) -> None:
    shopper = await (await somebody().register()).login()
    link = await link_in_mail(stack, shopper, CONFIRM, "/verify-email")
    scanner, reader = await visitors.one(), await visitors.one()
    asked: list[str] = []
    scanner.page.on("request", lambda request: asked.append(request.url))

    await scanner.open(link)
    await scanner.sees("Is this your address?")
    token = urlsplit(link).fragment.removeprefix("token=")
    assert asked
    assert not [url for url in asked if token in url or urlsplit(url).path.startswith("/api/")]
    await scanner.page.reload()
    await scanner.reads("The link there is still good if you have not used it.")

    await reader.open(link)
    await reader.presses("Confirm my address")
    await reader.sees("Your address is confirmed")


@pytest.mark.parametrize(
    "there",
    ["//elsewhere.test/", "/.//elsewhere.test/", "/a/..//elsewhere.test/", "/%2e//elsewhere.test/"],
)
async def test_logging_in_leads_to_no_other_site(
    there: str, visitors: Visitors, shopper: Shopper
) -> None:
    reader = await visitors.one()
    left: list[str] = []
    reader.page.on("request", lambda request: left.append(urlsplit(request.url).hostname or ""))

    await reader.open(f"/login?next={quote(there, safe='')}")
    await reader.logs_in(shopper.email)
    await reader.is_known()

    assert "elsewhere.test" not in left


async def test_an_altered_link_is_explained_and_a_new_one_can_be_had(
    stack: NativeStack, visitors: Visitors, somebody: Callable[[], Shopper]
) -> None:
    shopper = await (await somebody().register()).login()
    first = await link_in_mail(stack, shopper, CONFIRM, "/verify-email")
    reader = await visitors.one()
    await reader.open("/login")
    await reader.logs_in(shopper.email)
    await reader.is_known()

    await reader.open(first[:-3])
    await reader.presses("Confirm my address")
    await reader.sees("This link does not work any more")
    await reader.presses("Send me a new link")
    await reader.reads("A new link is on its way")

    async def another() -> str | None:
        link = await link_in_mail(stack, shopper, CONFIRM, "/verify-email")
        return link if link != first else None

    await reader.open(await eventually(another, timeout_s=60, what="another link"))
    await reader.presses("Confirm my address")
    await reader.sees("Your address is confirmed")


async def test_a_new_password_is_chosen_by_its_link_and_logs_in(
    stack: NativeStack, visitors: Visitors, somebody: Callable[[], Shopper]
) -> None:
    shopper = await somebody().register()
    reader = await visitors.one()
    await reader.open("/forgot-password")
    await reader.fills("E-mail address", shopper.email)
    await reader.presses("Send me a link")
    await reader.sees("Look into your mail")
    link = await link_in_mail(stack, shopper, RESET, "/reset-password")

    await reader.open(link)
    assert urlsplit(reader.address).fragment == ""
    await reader.fills("New password", "short")
    await reader.presses("Set the new password")
    await reader.reads("At least 8 characters, please.")
    await reader.fills("New password", NEW_PASSWORD)
    await reader.presses("Set the new password")
    await reader.sees("Your new password is set")
    await reader.follows("Log in")
    await reader.logs_in(shopper.email, "password123")
    await reader.reads("The e-mail address or the password is not right.")
    await reader.logs_in(shopper.email, NEW_PASSWORD)
    await reader.is_known()

    await reader.open(link)
    await reader.fills("New password", NEW_PASSWORD)
    await reader.presses("Set the new password")
    await reader.sees("This link does not work any more")
    await reader.follows("Get a new link")
    await reader.sees("Forgot your password?")


async def test_every_link_of_every_mail_opens_a_page_that_shows_what_it_is_about(
    stack: NativeStack, visitors: Visitors, shopper: Shopper, seller: Shopper, admin: Shopper
) -> None:
    wanted = await _occasions(shopper, seller, admin)

    async def sent() -> dict[str, Any] | None:
        mails = {mail["subject"].partition(" — ")[0]: mail for mail in await all_mails(stack)}
        return mails if wanted <= set(mails) else None

    mails = await eventually(sent, timeout_s=90, what=f"mails about {sorted(wanted)}")
    reader = await visitors.one(width=390)
    links = {link for mail in mails.values() for link in LINK.findall(mail["html"])}
    gateway = urlsplit(stack.layout.url("gateway")).netloc
    assert {urlsplit(link).netloc for link in links} == {gateway}
    for link in sorted(links):
        await _opens(reader, link)


async def _opens(reader: Visitor, link: str) -> None:
    path = urlsplit(link).path or "/"
    heading = SHOWN["/orders" if path.startswith("/orders/") else path]
    await reader.open(link)
    await reader.sees(heading)
    await expect(reader.page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)


async def _occasions(shopper: Shopper, seller: Shopper, admin: Shopper) -> set[str]:
    """Do what calls for mails; return how their subjects begin."""
    product = await new_product(seller, quantity=6, reorder_level=5)
    items = [line(product["variants"][0]["id"])]
    await shopper.request("POST", "/api/auth/password/forgot", json={"email": shopper.email})
    body = {"currentPassword": "password123", "newPassword": NEW_PASSWORD}
    await shopper.request("PUT", f"/api/users/{shopper.user_id}/password", json=body)
    declined, delivered = [
        (await shopper.place(items, paymentMethod=method)).json()["id"] for method in ("UPI", "COD")
    ]
    await shopper.pay(declined, "tok_declined")
    await shopper.pay(declined)
    for status in ("SHIPPED", "DELIVERED"):
        moved = await admin.request(
            "PATCH", f"/api/orders/{delivered}/status", json={"status": status}
        )
        assert moved.status_code == 200, moved.text
    await shopper.request("POST", f"/api/orders/{declined}/cancel", json={})
    return {
        "Welcome! 🎉",
        CONFIRM,
        RESET,
        "Your password was changed",
        "Order Placed",
        "Payment Failed ❌",
        "Payment Received ✅",
        "Order Shipped 🚚",
        "Delivered 📦",
        "Order Cancelled",
        "⚠️ Low Stock Alert",
    }
