"""The mails of the brief and their subjects, and how a mail is sent."""

from typing import Final

from tests.proofs.fault import Fault

_MAILS: Final = "notification_service/services/mails"

FAULTS: Final = (
    Fault((18,), f"{_MAILS}/orders.py", 'subject = f"Order Placed — ', 'subject = f"Order Made — '),
    Fault((19,), f"{_MAILS}/orders.py", '"Order Shipped 🚚"', '"Order Sent"'),
    Fault((20,), f"{_MAILS}/orders.py", '"Delivered 📦"', '"Order Arrived"'),
    Fault((21,), f"{_MAILS}/orders.py", '"Order Cancelled"', '"Order Ended"'),
    Fault((22,), f"{_MAILS}/money.py", '"Payment Received ✅"', '"Thank you"'),
    Fault((23,), f"{_MAILS}/money.py", '"Payment Failed ❌"', '"Please pay"'),
    Fault((24,), f"{_MAILS}/accounts.py", '"Welcome! 🎉"', '"Hello"'),
    Fault((25,), f"{_MAILS}/stock.py", "house.ops_address", '"nobody@example.com"'),
)
