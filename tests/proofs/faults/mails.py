"""The mails of the brief and their subjects, and how a mail is sent."""

from typing import Final

from tests.proofs.fault import Fault

_MAILS: Final = "notification_service/services/mails"
_CONSEQUENCES: Final = "order_service/models/consequences.py"

FAULTS: Final = (
    Fault((18,), f"{_MAILS}/orders.py", 'subject = f"Order Placed — ', 'subject = f"Order Made — '),
    Fault((19,), f"{_MAILS}/orders.py", '"Order Shipped 🚚"', '"Order Sent"'),
    Fault((20,), f"{_MAILS}/orders.py", '"Delivered 📦"', '"Order Arrived"'),
    Fault((21,), f"{_MAILS}/orders.py", '"Order Cancelled"', '"Order Ended"'),
    Fault((22,), f"{_MAILS}/money.py", '"Payment Received ✅"', '"Thank you"'),
    Fault((23,), f"{_MAILS}/money.py", '"Payment Failed ❌"', '"Please pay"'),
    Fault((24,), f"{_MAILS}/accounts.py", '"Welcome! 🎉"', '"Hello"'),
    Fault(
        (86,),
        f"{_MAILS}/layout.py",
        "template.html(filled), template.plain(filled)",
        "template.plain(filled), template.plain(filled)",
    ),
    Fault(
        (19,),
        _CONSEQUENCES,
        "parcel=ParcelEffect.SEND, events=(OrderShipped,)",
        "parcel=ParcelEffect.SEND",
    ),
    Fault((20,), _CONSEQUENCES, "    events=(OrderDelivered,),\n", ""),
    Fault((21,), _CONSEQUENCES, "    events=(OrderCancelled,),\n", ""),
    Fault(
        (22,),
        _CONSEQUENCES,
        "events=(PaymentSucceeded, OrderConfirmed)",
        "events=(OrderConfirmed,)",
    ),
    Fault((23,), _CONSEQUENCES, "Consequence(events=(PaymentFailed,))", "Consequence()"),
    Fault(
        (24,),
        "user_service/services/users.py",
        "UserRegistered(user_id=UserId(user.id), email=user.email, full_name=user.name_in_mails),",
        "",
    ),
    Fault(
        (25,),
        "catalog_service/models/reservations.py",
        "events.append(LowStockReached.model_validate(facts))",
        "events.clear()",
    ),
    Fault((25,), f"{_MAILS}/stock.py", "house.ops_address", '"nobody@example.com"'),
)
