"""What each event's mail says, and that nothing in it can become markup or a header."""

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_lib.events import Event
from common_lib.events.catalog import OutOfStockReached
from common_lib.events.orders import (
    CancelledBecause,
    ConfirmedBecause,
    NextStep,
    RefundInitiated,
)
from common_lib.events.users import UserDeleted, UserVerified
from common_lib.ids import new_id
from common_lib.money import Money
from notification_service.services.mails import (
    KINDS,
    SILENT,
    House,
    Notice,
    compose,
    load_templates,
)
from notification_service.services.mails.words import one_line, price
from notification_service.services.rendering import template_names
from tests.unit.notification_service import events

HOUSE = House("The Shop", "http://localhost:8080", "ops@ecommerce.com")

SUBJECTS: Sequence[tuple[Callable[..., Event], str, str]] = (
    (events.order_created, "Order Placed — ORD-123456", "asha@example.com"),
    (events.order_shipped, "Order Shipped 🚚", "asha@example.com"),
    (events.order_delivered, "Delivered 📦", "asha@example.com"),
    (events.order_cancelled, "Order Cancelled", "asha@example.com"),
    (events.payment_succeeded, "Payment Received ✅", "asha@example.com"),
    (events.payment_failed, "Payment Failed ❌", "asha@example.com"),
    (events.order_confirmed, "Order Confirmed — ORD-123456", "asha@example.com"),
    (
        events.order_payment_due,
        "Your order is about to expire — ORD-123456",
        "asha@example.com",
    ),
    (events.order_expired, "Order Expired — ORD-123456", "asha@example.com"),
    (events.refund_completed, "Refund of ₹2,998.00 — ORD-123456", "asha@example.com"),
    (events.store_approved, "Your store is open 🎉", "asha@example.com"),
    (events.store_rejected, "About your application for a store", "asha@example.com"),
    (events.store_suspended, "Your store is closed for now", "asha@example.com"),
    (events.store_reinstated, "Your store is open again", "asha@example.com"),
    (events.store_order_received, "New order — ORD-123456", "asha@example.com"),
    (
        events.store_order_cancelled,
        "Order cancelled, do not send — ORD-123456",
        "asha@example.com",
    ),
    (events.review_approved, "Your review is online", "asha@example.com"),
    (events.review_rejected, "About your review", "asha@example.com"),
    (events.user_registered, "Welcome! 🎉", "asha@example.com"),
    (
        events.email_verification_requested,
        "Please confirm your e-mail address",
        "asha@example.com",
    ),
    (events.password_reset_requested, "Reset your password", "asha@example.com"),
    (events.password_changed, "Your password was changed", "asha@example.com"),
    (events.email_changed, "Your e-mail address was changed", "asha@example.com"),
    (events.mfa_enabled, "Two-step login is on", "asha@example.com"),
    (events.mfa_disabled, "Two-step login is off", "asha@example.com"),
    (events.low_stock, "⚠️ Low Stock Alert", "ops@ecommerce.com"),
)
ABOUT_ORDERS = [kind for kind, _, _ in SUBJECTS[:10]]
BEFORE_CONFIRMED = (events.user_registered, events.email_verification_requested)
TO_PEOPLE = [kind for kind, _, _ in SUBJECTS[:-1]]


def composed(event: Event) -> Notice:
    notice = compose(event, HOUSE)
    assert notice is not None
    return notice


def whole(text: str) -> str:
    """Return a text without what keeps mail programs from making links of it."""
    return text.replace("\u200c", "")


class Tags(HTMLParser):
    """Collects what a reader's mail program would see as elements and as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("kind", "subject", "recipient"), SUBJECTS)
def test_each_mail_has_its_subject_and_recipient(
    kind: Callable[..., Event], subject: str, recipient: str
) -> None:
    mail = composed(kind()).mail

    assert (mail.subject, mail.recipient) == (subject, recipient)


@pytest.mark.parametrize("kind", [kind for kind, _, _ in SUBJECTS])
def test_each_mail_is_html_with_a_text_alternative(kind: Callable[..., Event]) -> None:
    mail = composed(kind()).mail

    assert mail.html.startswith("<!DOCTYPE html>")
    assert 'name="viewport"' in mail.html
    assert "@media (max-width: 480px)" in mail.html
    assert "<link" not in mail.html
    assert "<script" not in mail.html
    assert "http://localhost:8080" in mail.text
    assert "<" not in mail.text
    for leftover in ("{{", "{%", "<!--", "}}", "%}"):
        assert leftover not in mail.html
        assert leftover not in mail.text


@pytest.mark.parametrize("kind", [kind for kind, _, _ in SUBJECTS])
def test_styles_sit_on_the_elements(kind: Callable[..., Event]) -> None:
    html = composed(kind()).mail.html

    assert html.count("style=") > 10
    assert '<h1 style="' in html


@pytest.mark.parametrize("kind", ABOUT_ORDERS)
def test_order_mails_name_the_order_and_its_total(kind: Callable[..., Event]) -> None:
    event = kind()
    notice = composed(event)

    for body in (notice.mail.html, notice.mail.text):
        assert "ORD-123456" in body
        assert "₹2,998.00" in body
        assert f"http://localhost:8080/orders/{notice.order_id}" in body
    assert notice.order_id is not None
    assert notice.user_id is not None


@pytest.mark.parametrize("kind", [events.order_created, events.order_delivered])
def test_items_and_what_was_added_to_them_are_listed(kind: Callable[..., Event]) -> None:
    lines = (events.line("Kettle"), events.line("Cup", price=25_050, quantity=4))
    mail = composed(kind(lines=lines, total=Money(amount=409_900))).mail

    for body in (mail.html, mail.text):
        assert "Kettle" in body
        assert "Cup" in body
        assert "₹250.50" in body
        assert "₹1,002.00" in body
        assert "₹4,000.00" in body  # the items
        assert "₹99.00" in body  # what came on top
        assert "₹4,099.00" in body  # the total
    assert mail.html.index("Kettle") < mail.html.index("Cup") < mail.html.index("₹4,099.00", 5000)


def test_an_order_from_before_amounts_were_told_shows_the_difference() -> None:
    mail = composed(events.order_created(total=Money(amount=249_800))).mail

    assert "-₹500.00" in mail.html


SHOWN = ["Items", "Discount (SAVE51)", "Delivery", "Tax, included in the prices", "Order total"]


@pytest.mark.parametrize("kind", ABOUT_ORDERS)
def test_what_makes_up_the_total_has_a_line_each(kind: Callable[..., Event]) -> None:
    event = kind(amounts=events.amounts(), total=Money(amount=553_033))

    mail = composed(event).mail

    for label, amount in zip(
        SHOWN, ["₹5,532.33", "-₹51.00", "₹49.00", "₹836.12", "₹5,530.33"], strict=True
    ):
        assert f"{label}: {amount}" in mail.text
        assert label in mail.html
        assert amount in mail.html
    assert "taxes and discounts" not in mail.text


def test_what_is_nothing_has_no_line_but_delivery_is_free() -> None:
    nothing = {name: Money(amount=0) for name in ("discount", "shipping", "tax")}
    told = events.amounts(**nothing, coupon_code=None)

    mail = composed(events.order_created(amounts=told)).mail

    assert "Delivery: Free" in mail.text
    assert "Discount" not in mail.text
    assert "Tax" not in mail.text


def test_tax_that_comes_on_top_is_called_so() -> None:
    mail = composed(events.order_created(amounts=events.amounts(is_tax_included=False))).mail

    assert "Tax: ₹836.12" in mail.text


UNTIL = "24 November 2026, 09:05 UTC"


@pytest.mark.parametrize(
    ("changes", "said", "button"),
    [
        (
            {"next_step": NextStep.PAY, "pay_until": events.EXPIRES_AT},
            f"Please pay ₹2,998.00 until {UNTIL}",
            "Pay now",
        ),
        (
            {"next_step": NextStep.PAYMENT_UNDER_WAY, "pay_until": events.EXPIRES_AT},
            f"you can pay again until {UNTIL}",
            "View your order",
        ),
        (
            {"next_step": NextStep.CASH_ON_DELIVERY, "payment_method": "COD"},
            "have ₹2,998.00 ready in cash",
            "View your order",
        ),
        ({"next_step": NextStep.NOTHING_TO_PAY}, "nothing to pay", "View your order"),
        ({"payment_method": "COD"}, "have ₹2,998.00 ready in cash", "View your order"),
        ({}, "you can pay on the order", "View your order"),
    ],
)
def test_the_mail_of_an_order_says_what_is_to_be_done(
    changes: dict[str, Any], said: str, button: str
) -> None:
    notice = composed(events.order_created(**changes))

    page = f"http://localhost:8080/orders/{notice.order_id}"
    assert said in Tags(notice.mail.html).text
    assert said in notice.mail.text
    assert f"{button}: {page}" in notice.mail.text
    assert "getting it ready" not in notice.mail.text


def test_the_mail_of_a_payment_says_that_the_order_is_confirmed_only_where_it_is() -> None:
    paid = composed(events.payment_succeeded(order_status="CONFIRMED")).mail
    cash = composed(events.payment_succeeded(order_status="DELIVERED", method="COD")).mail

    assert "confirmed" in paid.text
    assert "confirmed" not in cash.text


def test_a_failed_payment_can_be_tried_again_until_the_order_expires() -> None:
    failed = composed(events.payment_failed(pay_until=events.EXPIRES_AT)).mail

    assert f"you can try again until {UNTIL}" in failed.text
    assert f"you can try again until {UNTIL}" in failed.html


@pytest.mark.parametrize("code", ["unknown_token", "E_4711", "card_declined", "X"])
def test_a_providers_code_is_never_shown(code: str) -> None:
    words = "The card has expired."
    told = composed(events.payment_failed(reason=code, reason_text=words)).mail
    before = composed(events.payment_failed(reason=code)).mail

    assert f"Reason: {words}" in told.text
    assert "The payment was not accepted." in before.text
    for mail in (told, before):
        assert f" {code}" not in mail.text
        assert f">{code}" not in mail.html


def test_an_expired_order_says_how_to_order_again() -> None:
    mail = composed(events.order_expired()).mail

    assert "was not paid in time" in mail.text
    assert "order anew" in mail.text
    assert "http://localhost:8080/\n" in mail.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"because": CancelledBecause.CUSTOMER, "reason": "cancelled"}, "You cancelled it"),
        ({"because": CancelledBecause.SHOP, "reason": "cancelled"}, "could not carry it out"),
        ({"because": CancelledBecause.REFUNDED, "reason": "refund"}, "is given back"),
        ({"because": CancelledBecause.SHOP, "reason": "out_of_stock"}, "Out of stock"),
        ({"because": CancelledBecause.CUSTOMER, "reason": "Found it, thanks"}, "Found it, thanks"),
        ({"reason": "cancelled"}, "Not given"),
        ({"reason": "not paid in time"}, "not paid in time"),
    ],
)
def test_a_cancellation_says_why_in_words(changes: dict[str, Any], said: str) -> None:
    mail = composed(events.order_cancelled(**changes)).mail

    assert said in mail.text
    assert said in mail.html
    assert "out_of_stock" not in mail.text


def test_a_cancellation_says_what_is_given_back() -> None:
    because = CancelledBecause.SHOP
    paid = composed(events.order_cancelled(because=because, refund=Money(amount=299_800))).mail
    unpaid = composed(events.order_cancelled(because=because)).mail

    assert "We give ₹2,998.00 back" in paid.text
    assert "nothing to give back" in unpaid.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"amount": Money(amount=100), "refunded": Money(amount=100)},
            "Of the ₹2,998.00 that you paid, ₹1.00 is now given back.",
        ),
        (
            {"amount": Money(amount=100), "refunded": Money(amount=299_800)},
            "All ₹2,998.00 that you paid is now given back.",
        ),
        ({"amount": Money(amount=100), "paid": None}, "Of the ₹2,998.00 that you paid, ₹1.00"),
        ({"paid": None}, "All ₹2,998.00 that you paid"),
    ],
)
def test_a_refund_says_how_much_of_what_was_paid_it_is(changes: dict[str, Any], said: str) -> None:
    values = {"paid": Money(amount=299_800)} | changes

    mail = composed(events.refund_completed(**values)).mail

    assert said in mail.text
    assert said in Tags(mail.html).text


@pytest.mark.parametrize("because", [None, ConfirmedBecause.PLACED, ConfirmedBecause.PAID])
def test_a_confirmation_that_another_mail_has_told_makes_no_second(
    because: ConfirmedBecause | None,
) -> None:
    assert compose(events.order_confirmed(because=because), HOUSE) is None


def test_a_store_reads_its_own_lines_and_a_link_to_the_order() -> None:
    event = events.store_order_received(lines=(events.line("Kettle"),))

    notice = composed(event)

    for body in (notice.mail.html, notice.mail.text):
        assert "Kettle" in body
        assert "₹2,998.00" in body
        assert f"http://localhost:8080/orders/{event.order_id}" in body
    assert (notice.user_id, notice.order_id) == (event.user_id, event.order_id)


def test_a_moderators_note_is_shown_and_may_be_left_out() -> None:
    assert "Please leave the delivery out of it" in composed(events.review_rejected()).mail.text
    assert "Why" not in composed(events.review_rejected(note="")).mail.text


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (events.email_verification_requested, "verify-email"),
        (events.password_reset_requested, "reset-password"),
    ],
)
def test_a_link_brings_its_token_to_the_reader_and_to_no_server(
    kind: Callable[..., Event], page: str
) -> None:
    mail = composed(kind()).mail

    for body in (mail.html, mail.text):
        assert f"http://localhost:8080/{page}#token={events.TOKEN}" in body
        assert "24 November 2026, 09:05 UTC" in body
    assert events.TOKEN not in mail.subject


@pytest.mark.parametrize("token", ["a b", '"><img src=x>', "a&b=c#d", "ü\r\nBcc: e@example.com"])
def test_a_token_cannot_leave_its_link(token: str) -> None:
    mail = composed(events.password_reset_requested(token=token)).mail

    assert "<img" not in mail.html
    assert token not in mail.html
    assert token not in mail.text


def test_a_token_is_not_shown_where_an_event_is_printed() -> None:
    assert events.TOKEN not in repr(events.password_reset_requested())


def test_shipping_without_a_carrier_leaves_the_carrier_out() -> None:
    mail = composed(events.order_shipped(carrier=None, tracking_number=None)).mail

    assert "Carrier" not in mail.html
    assert "Tracking" not in mail.text


def test_the_reason_is_put_in_words() -> None:
    cancelled = composed(events.order_cancelled(reason="PAYMENT_TIMEOUT")).mail
    failed = composed(events.payment_failed()).mail
    own_words = composed(events.order_cancelled(reason="Found my old iPhone again")).mail

    assert "The payment did not arrive in time" in cancelled.html
    assert "Net banking" in failed.html
    assert "Found my old iPhone again" in own_words.html


@pytest.mark.parametrize("kind", TO_PEOPLE)
@pytest.mark.parametrize(
    "name",
    [
        "{{7*7}}",
        "{% raw %}",
        "<img src=x onerror=alert(1)>",
        "</h1><script>alert(1)</script>",
        "\"><a href='http://evil.example'>",
        "<!--% if x %-->",
        "&lt;b&gt;",
    ],
)
def test_a_name_is_shown_literally(kind: Callable[..., Event], name: str) -> None:
    mail = composed(kind(full_name=name)).mail
    plain = composed(kind()).mail

    seen, usual = Tags(mail.html), Tags(plain.html)
    assert (name in whole(seen.text)) is (kind not in BEFORE_CONFIRMED)
    assert seen.tags == usual.tags
    assert seen.attributes == usual.attributes
    assert "49" not in mail.subject
    assert (name in whole(mail.text)) is (kind not in BEFORE_CONFIRMED)


@pytest.mark.parametrize("field", ["name", "sku"])
def test_a_products_words_are_shown_literally(field: str) -> None:
    event = events.low_stock(**{field: "<img src=x onerror=alert(1)>{{7*7}}"})

    seen = Tags(composed(event).mail.html)

    assert "<img src=x onerror=alert(1)>{{7*7}}" in seen.text
    assert "img" not in seen.tags


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\x00", "\u2028", "\x85", "\x0b"])
def test_nothing_can_begin_a_header_of_its_own(breaker: str) -> None:
    event = events.order_created(
        order_number=f"ORD-1{breaker}Bcc: evil@example.com",
        full_name=f"Asha{breaker}Bcc: evil@example.com",
        email=f"asha@example.com{breaker}Bcc: evil@example.com",
    )

    mail = composed(event).mail

    assert breaker not in mail.subject
    assert breaker not in mail.recipient
    assert f"Asha{breaker}" not in mail.html
    assert f"Asha{breaker}" not in mail.text


@given(st.text())
def test_any_text_becomes_one_line_within_its_limit(text: str) -> None:
    line = one_line(text, 50)

    assert len(line) <= 50
    assert len(line.splitlines()) <= 1
    assert one_line(line, 50) == line.strip()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(amount=0), "₹0.00"),
        (Money(amount=5), "₹0.05"),
        (Money(amount=12_345_678), "₹1,23,456.78"),
        (Money(amount=10**12 - 1), "₹9,99,99,99,999.99"),
        (Money(amount=1234, currency="USD"), "$12.34"),
        (Money(amount=1234, currency="JPY"), "JP¥1,234"),
        (Money(amount=1_234_567, currency="KWD"), "KWD1,234.567"),
        (Money(amount=1_234_567, currency="IQD"), "IQD1,234.567"),
    ],
)
def test_prices_are_written_as_in_india(amount: Money, shown: str) -> None:
    assert price(amount) == shown


def event_classes() -> set[type[Event]]:
    """Return every event that can travel."""
    found: list[type[Event]] = [Event]
    for kind in found:
        found += kind.__subclasses__()
    return {kind for kind in found if "event_type" in kind.__dict__}


def test_every_event_makes_a_mail_or_is_silent_for_a_reason() -> None:
    travelling = {kind for kind in event_classes() if kind.__module__.startswith("common_lib.")}

    assert set(KINDS) | set(SILENT) == travelling
    assert set(KINDS) & set(SILENT) == set()
    assert all(reason.strip() for reason in SILENT.values())


def test_events_nobody_is_written_to_about_make_no_mail() -> None:
    quiet: list[Event] = [
        RefundInitiated(**events.payment()),
        UserDeleted(user_id=new_id()),
        UserVerified(user_id=new_id(), email="a@example.com", full_name="A"),
        OutOfStockReached(**events.low_stock().model_dump()),
    ]

    assert [compose(event, HOUSE) for event in quiet] == [None] * len(quiet)


def test_there_is_one_template_for_each_mail() -> None:
    load_templates()

    assert len(template_names()) == len(SUBJECTS) == 26


def test_the_page_on_events_says_which_mail_each_makes() -> None:
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", page, re.MULTILINE))

    assert {kind.event_type for kind in KINDS if rows.get(kind.event_type) == "none"} == set()
    for kind, reason in SILENT.items():
        assert rows[kind.event_type] == "none", kind
        assert reason in page, kind
    assert set(rows) == {kind.event_type for kind in {*KINDS, *SILENT}}
