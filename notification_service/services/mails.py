"""Which event becomes which mail, and what it says."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision

from common_lib.events import Event
from common_lib.events.catalog import LowStockReached
from common_lib.events.orders import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    OrderShipped,
    PaymentEvent,
    PaymentFailed,
    PaymentSucceeded,
)
from common_lib.events.users import (
    EmailChanged,
    EmailVerificationRequested,
    PasswordChanged,
    PasswordResetRequested,
    SecondFactorDisabled,
    SecondFactorEnabled,
    UserEvent,
    UserRegistered,
)
from common_lib.money import Money, total
from notification_service.clients import Mail
from notification_service.models import SUBJECT_LENGTH
from notification_service.services.rendering import MailTemplate, template_names

LOCALE: Final = "en_IN"
_NAME_LENGTH: Final = 120
# Line breaks and other control characters, also Unicode's: they could begin a header of their own.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_METHODS: Final = {
    "UPI": "UPI",
    "CARD": "Card",
    "NET_BANKING": "Net banking",
    "COD": "Cash on delivery",
    "WALLET": "Wallet",
}
_REASONS: Final = {
    "CUSTOMER_REQUEST": "You asked us to",
    "PAYMENT_TIMEOUT": "The payment did not arrive in time",
    "PAYMENT_FAILED": "The payment failed",
}


@dataclass(frozen=True, slots=True)
class House:
    """What all mails share."""

    brand: str
    storefront_url: str
    ops_address: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail, and whom and what it is about in the log."""

    mail: Mail
    user_id: UUID | None = None
    order_id: UUID | None = None


Values = dict[str, Any]
Compose = Callable[[Any, House], Notice]


def compose(event: Event, house: House) -> Notice | None:
    """Return the mail an event calls for; None for the events nobody is written to about."""
    kind = _KINDS.get(type(event))
    return kind(event, house) if kind is not None else None


def one_line(text: str, limit: int = _NAME_LENGTH) -> str:
    """Return the text without line breaks or control characters, cut to `limit`."""
    return " ".join(_CONTROL.sub(" ", text).split())[:limit]


def price(amount: Money) -> str:
    """Write money as people in India do: ₹1,23,456.00."""
    return _price(amount.amount, amount.currency)


def _price(minor: int, currency: str) -> str:
    major = Decimal(minor).scaleb(-get_currency_precision(currency))
    return format_currency(major, currency, locale=LOCALE)


def _order_created(event: OrderCreated, house: House) -> Notice:
    subject = f"Order Placed — {event.order_number}"
    values = {
        **_lines(event.lines, event.total),
        "payment_method": _method(event.payment_method),
        "preheader": f"We have received your order of {price(event.total)}.",
    }
    return _about_order("order_created", subject, event, house, values)


def _order_shipped(event: OrderShipped, house: House) -> Notice:
    values = {
        **_lines((), event.total),
        "carrier": one_line(event.carrier or ""),
        "tracking_number": one_line(event.tracking_number or ""),
        "preheader": f"{event.order_number} has left our warehouse.",
    }
    return _about_order("order_shipped", "Order Shipped 🚚", event, house, values)


def _order_delivered(event: OrderDelivered, house: House) -> Notice:
    values = {
        **_lines(event.lines, event.total),
        "preheader": f"{event.order_number} has arrived.",
    }
    return _about_order("order_delivered", "Delivered 📦", event, house, values)


def _order_cancelled(event: OrderCancelled, house: House) -> Notice:
    values = {
        **_lines((), event.total),
        "reason_given": _reason(event.reason),
        "preheader": f"{event.order_number} has been cancelled.",
    }
    return _about_order("order_cancelled", "Order Cancelled", event, house, values)


def _payment_success(event: PaymentSucceeded, house: House) -> Notice:
    values = {**_payment(event), "preheader": f"{price(event.amount)} for {event.order_number}."}
    return _about_order("payment_success", "Payment Received ✅", event, house, values)


def _payment_failed(event: PaymentFailed, house: House) -> Notice:
    values = {
        **_payment(event),
        "reason_given": _reason(event.reason),
        "preheader": f"The payment for {event.order_number} did not go through.",
    }
    return _about_order("payment_failed", "Payment Failed ❌", event, house, values)


def _user_registered(event: UserRegistered, house: House) -> Notice:
    values = {
        "name": one_line(event.full_name),
        "email": one_line(event.email, 254),
        "preheader": "Your account is ready.",
        "reason": "You get this mail because an account was opened with your address.",
    }
    mail = _mail("user_registered", "Welcome! 🎉", event.email, house, values)
    return Notice(mail, user_id=event.user_id)


def _verify_email(event: EmailVerificationRequested, house: House) -> Notice:
    values = {
        "link": _link(house, "verify-email", event.token),
        "email": one_line(event.email, 254),
        "valid_until": _moment(event.expires_at),
        "preheader": "One click, and we know that our mails reach you.",
        "reason": "You get this mail because an account at our shop was given your address.",
    }
    return _about_account(
        "verify_email", "Please confirm your e-mail address", event, house, values
    )


def _password_reset(event: PasswordResetRequested, house: House) -> Notice:
    values = {
        "link": _link(house, "reset-password", event.token),
        "valid_until": _moment(event.expires_at),
        "preheader": "A link to choose a new password.",
        "reason": "You get this mail because somebody asked to reset your password.",
    }
    return _about_account("password_reset", "Reset your password", event, house, values)


def _password_changed(event: PasswordChanged, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "preheader": "If it was you, there is nothing to do.",
        "reason": "You get this mail because the password of your account was changed.",
    }
    return _about_account("password_changed", "Your password was changed", event, house, values)


def _email_changed(event: EmailChanged, house: House) -> Notice:
    values = {
        "old_email": one_line(event.email, 254),
        "ops_address": house.ops_address,
        "preheader": "Your account has another e-mail address now.",
        "reason": "You get this mail, the last one, because your account had this address.",
    }
    return _about_account("email_changed", "Your e-mail address was changed", event, house, values)


def _mfa_enabled(event: SecondFactorEnabled, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "ops_address": house.ops_address,
        "preheader": "Logging in takes a code of your authenticator now.",
        "reason": "You get this mail because two-step login of your account was switched on.",
    }
    return _about_account("mfa_enabled", "Two-step login is on", event, house, values)


def _mfa_disabled(event: SecondFactorDisabled, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "preheader": "Your password alone opens your account now.",
        "reason": "You get this mail because two-step login of your account was switched off.",
    }
    return _about_account("mfa_disabled", "Two-step login is off", event, house, values)


def _low_stock(event: LowStockReached, house: House) -> Notice:
    name = one_line(event.name)
    values = {
        "product": name,
        "sku": one_line(event.sku),
        "available": event.available,
        "reorder_level": event.reorder_level,
        "variant_id": str(event.variant_id),
        "preheader": f"{event.available} left of {name}.",
        "reason": "You get this mail because you look after the stock.",
    }
    return Notice(_mail("low_stock_alert", "⚠️ Low Stock Alert", house.ops_address, house, values))


_KINDS: Final[Mapping[type[Event], Compose]] = {
    OrderCreated: _order_created,
    OrderShipped: _order_shipped,
    OrderDelivered: _order_delivered,
    OrderCancelled: _order_cancelled,
    PaymentSucceeded: _payment_success,
    PaymentFailed: _payment_failed,
    UserRegistered: _user_registered,
    EmailVerificationRequested: _verify_email,
    PasswordResetRequested: _password_reset,
    PasswordChanged: _password_changed,
    EmailChanged: _email_changed,
    SecondFactorEnabled: _mfa_enabled,
    SecondFactorDisabled: _mfa_disabled,
    LowStockReached: _low_stock,
}


def _about_account(
    template: str, subject: str, event: UserEvent, house: House, values: Values
) -> Notice:
    values = {"name": one_line(event.full_name), **values}
    return Notice(_mail(template, subject, event.email, house, values), user_id=event.user_id)


def _link(house: House, page: str, token: str) -> str:
    """Return a link that carries a token behind `#`, which browsers send to no server."""
    return f"{house.storefront_url}/{page}#token={quote(token)}"


def _moment(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), "d MMMM y, HH:mm 'UTC'", locale=LOCALE)


def _about_order(
    template: str, subject: str, event: OrderEvent, house: House, values: Values
) -> Notice:
    shared = {
        "name": one_line(event.full_name),
        "order_number": one_line(event.order_number),
        "order_url": f"{house.storefront_url}/orders/{event.order_id}",
        "reason": f"You get this mail because of your order {one_line(event.order_number)}.",
    }
    mail = _mail(template, subject, event.email, house, {**shared, **values})
    return Notice(mail, user_id=event.user_id, order_id=event.order_id)


def _mail(name: str, subject: str, recipient: str, house: House, values: Values) -> Mail:
    template, line = _template(name), one_line(subject, SUBJECT_LENGTH)
    filled = {
        **values,
        "subject": line,
        "brand": house.brand,
        "storefront_url": house.storefront_url,
    }
    return Mail(one_line(recipient, 254), line, template.html(filled), template.plain(filled))


@cache
def _template(name: str) -> MailTemplate:
    return MailTemplate.load(name)


def load_templates() -> None:
    """Prepare all templates now, so that a broken one stops the start and not a mail."""
    price(Money(amount=0))  # reads the locale's data, which takes 0.1 s
    for name in template_names():
        _template(name)


def _lines(lines: Sequence[OrderLine], order_total: Money) -> Values:
    subtotal = total((line.line_total for line in lines), order_total.currency)
    difference = order_total.amount - subtotal.amount if lines else 0
    return {
        "lines": [_line(line) for line in lines],
        "subtotal": price(subtotal),
        "adjustment": _price(difference, order_total.currency) if difference else "",
        "total": price(order_total),
    }


def _line(line: OrderLine) -> Values:
    return {
        "name": one_line(line.name, 200),
        "sku": one_line(line.sku),
        "quantity": line.quantity,
        "unit_price": price(line.unit_price),
        "line_total": price(line.line_total),
    }


def _payment(event: PaymentEvent) -> Values:
    return {
        **_lines((), event.total),
        "amount": price(event.amount),
        "payment_method": _method(event.method),
    }


def _method(code: str) -> str:
    return _METHODS.get(code) or _words(code)


def _reason(text: str) -> str:
    return _REASONS.get(text) or _words(text) or "Not given"


def _words(text: str) -> str:
    """Return a code such as OUT_OF_STOCK as words; leave a sentence as it was written."""
    line = one_line(text, 200)
    return line.replace("_", " ").capitalize() if line.isupper() else line
