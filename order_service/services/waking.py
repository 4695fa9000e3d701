"""How one process tells another, over Redis, that a commit left work for it."""

from typing import Final

PAYMENT_WAKE_CHANNEL: Final = "payment-wake"
