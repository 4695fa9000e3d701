"""How mails write things: on one line, in words and not in codes, money and moments as in India."""

import re
from datetime import UTC, datetime
from typing import Final

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import parse_pattern

from common_lib.money import Money, decimals, major_units

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
# A word of a program: one case, joined by underscores.
_CODE: Final = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*|[a-z0-9]+(_[a-z0-9]+)+")


def one_line(text: str, limit: int = _NAME_LENGTH) -> str:
    """Return the text without line breaks or control characters, cut to `limit`."""
    return " ".join(_CONTROL.sub(" ", text).split())[:limit]


def price(amount: Money) -> str:
    """Write money as people in India do: ₹1,23,456.00."""
    return price_of(amount.amount, amount.currency)


def price_of(minor: int, currency: str) -> str:
    """Write minor units, which may be below zero, as money.

    With the decimals of ISO 4217: CLDR's are those of cash, and would round some away.
    """
    locale = Locale.parse(LOCALE)
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (decimals(currency), decimals(currency))
    major = major_units(minor, currency)
    return str(pattern.apply(major, locale, currency=currency, currency_digits=False))


def moment_in_words(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), "d MMMM y, HH:mm 'UTC'", locale=LOCALE)


def method_in_words(code: str) -> str:
    return _METHODS.get(code) or _words(code)


def reason_in_words(text: str) -> str:
    """Return what somebody wrote as it is, a code that got in its place as words."""
    return _REASONS.get(text.upper()) or _words(text) or "Not given"


def _words(text: str) -> str:
    """Return a code such as OUT_OF_STOCK as words; leave a sentence as it was written."""
    line = one_line(text, 200)
    return line.replace("_", " ").capitalize() if _CODE.fullmatch(line) else line
