"""What each event's mail says, and that nothing in it can become markup or a header."""

from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_lib.events import Event
from common_lib.events.catalog import OutOfStockReached
from common_lib.events.orders import OrderConfirmed, RefundCompleted
from common_lib.events.users import UserDeleted, UserVerified
from common_lib.ids import new_id
from common_lib.money import Money
from notification_service.services.mails import (
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
ABOUT_ORDERS = [kind for kind, _, _ in SUBJECTS[:6]]
TO_PEOPLE = [kind for kind, _, _ in SUBJECTS[:-1]]


def composed(event: Event) -> Notice:
    notice = compose(event, HOUSE)
    assert notice is not None
    return notice


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


def test_a_discount_is_shown_as_what_it_takes_off() -> None:
    mail = composed(events.order_created(total=Money(amount=249_800))).mail

    assert "-₹500.00" in mail.html


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
    assert "Declined by bank" in failed.html
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
    assert name in seen.text
    assert seen.tags == usual.tags
    assert seen.attributes == usual.attributes
    assert "49" not in mail.subject
    assert name in mail.text


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


def test_events_nobody_is_written_to_about_make_no_mail() -> None:
    shared = events.payment()
    quiet: list[Event] = [
        OrderConfirmed(**events.order()),
        RefundCompleted(**shared),
        UserDeleted(user_id=new_id()),
        UserVerified(user_id=new_id(), email="a@example.com", full_name="A"),
        OutOfStockReached(**events.low_stock().model_dump()),
    ]

    assert [compose(event, HOUSE) for event in quiet] == [None] * len(quiet)


def test_there_is_one_template_for_each_mail() -> None:
    load_templates()

    assert len(template_names()) == len(SUBJECTS) == 14
