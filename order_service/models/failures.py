"""Why a payment failed, in words a customer understands; the codes are the providers'.

The codes of Stripe (https://docs.stripe.com/declines/codes), of Razorpay's `error.reason`
(https://razorpay.com/docs/errors/payments/) and our own. What a thief should not learn (a card
reported lost or stolen) is told as any other refusal.
"""

from typing import Final

BY_DEFAULT: Final = "The payment was not accepted. Please try again or pay in another way."

_BANK: Final = "Your bank did not accept the payment. Please ask your bank or pay in another way."
_FUNDS: Final = "There was not enough money for this payment on the account or card."
_EXPIRED: Final = "The card has expired."
_DETAILS: Final = "Some of the card's details were not right."
_CONFIRMATION: Final = "The payment was not confirmed with your bank."
_LIMIT: Final = "The payment is above the limit of your card or account."
_TROUBLE: Final = "The payment service had a problem. Nothing was charged; please try again."
_STALE: Final = "The payment details had expired or were not known. Please enter them again."
_METHOD: Final = "This way of paying cannot be used here. Please pay in another way."
_VPA: Final = "The UPI ID was not right."
_STOPPED: Final = "The payment was cancelled before it was finished."
_TIME: Final = "The payment was not finished in time."
_REPLACED: Final = "Another payment took its place."
_ORDER_OVER: Final = "The order was cancelled."

FAILURES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "card_declined",
            "generic_decline",
            "do_not_honor",
            "call_issuer",
            "transaction_not_allowed",
            "not_permitted",
            "lost_card",
            "stolen_card",
            "pickup_card",
            "fraudulent",
            "payment_declined",
            "payment_failed",
            "declined_by_bank",
            "refused",
        ),
        _BANK,
    ),
    **dict.fromkeys(
        ("insufficient_funds", "insufficient_balance", "insufficient_fund"),
        _FUNDS,
    ),
    **dict.fromkeys(("expired_card", "card_expired"), _EXPIRED),
    **dict.fromkeys(
        (
            "incorrect_cvc",
            "invalid_cvc",
            "incorrect_number",
            "invalid_number",
            "incorrect_card_details",
            "incorrect_card_expiry_date",
            "incorrect_cvv",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "incorrect_zip",
            "incorrect_address",
        ),
        _DETAILS,
    ),
    **dict.fromkeys(
        (
            "authentication_required",
            "authentication_failed",
            "payment_intent_authentication_failure",
            "incorrect_otp",
            "incorrect_pin",
            "offline_pin_required",
            "online_or_offline_pin_required",
        ),
        _CONFIRMATION,
    ),
    **dict.fromkeys(
        (
            "card_velocity_exceeded",
            "withdrawal_count_limit_exceeded",
            "transaction_limit_exceeded",
            "transaction_daily_limit_exceeded",
            "amount_too_large",
        ),
        _LIMIT,
    ),
    **dict.fromkeys(
        (
            "processing_error",
            "try_again_later",
            "reenter_transaction",
            "issuer_not_available",
            "bank_technical_error",
            "gateway_technical_error",
            "server_error",
            "gateway_error",
        ),
        _TROUBLE,
    ),
    **dict.fromkeys(("unknown_token", "token_expired", "invalid_token"), _STALE),
    **dict.fromkeys(
        (
            "card_not_supported",
            "currency_not_supported",
            "payment_method_not_available",
            "card_not_enrolled",
            "card_type_invalid",
        ),
        _METHOD,
    ),
    **dict.fromkeys(("invalid_vpa", "vpa_resolution_failed", "invalid_upi_id"), _VPA),
    **dict.fromkeys(("payment_cancelled", "user_cancelled", "canceled"), _STOPPED),
    **dict.fromkeys(("payment_timed_out", "upi_collect_expired", "payment_session_expired"), _TIME),
    "superseded": _REPLACED,
    "order_cancelled": _ORDER_OVER,
}


def failure_in_words(code: str) -> str:
    """Return words for a failure's code, in whatever case it is written; never the code itself."""
    return FAILURES.get(code.strip().lower(), BY_DEFAULT)
