"""An order's way from the cart to the door, and what it costs."""

from typing import Final

from tests.proofs.fault import Fault

_PLACING: Final = "order_service/services/placing.py"
_PRICING: Final = "order_service/services/pricing.py"
_ROWS: Final = "order_service/queries/order_rows.py"

FAULTS: Final = (
    Fault(
        (52, 72, 99),
        "catalog_service/models/reservations.py",
        "if (available := admission.available(line.variant_id)) < line.quantity",
        "if (available := admission.available(line.variant_id)) < 0",
    ),
    Fault(
        (52,),
        _PRICING,
        "if expected is None or expected == total:",
        "if expected is None or expected.currency == total.currency:",
    ),
    Fault(
        (53,),
        "catalog_service/queries/reservations.py",
        "v.is_active AND p.status = 'ACTIVE' AND COALESCE",
        "COALESCE",
    ),
    Fault(
        (53,),
        "catalog_service/api/internal.py",
        '"unitPrice": {"amount": line.offer.price_minor,',
        '"unitPrice": {"amount": 0,',
    ),
    Fault(
        (54,),
        _PLACING,
        "            lines=lines,\n        )",
        "            lines=lines[:1],\n        )",
    ),
    Fault(
        (57,),
        _PLACING,
        "            return None\n        if verdict is not Verdict.PLACED:",
        "            raise\n        if verdict is not Verdict.PLACED:",
    ),
    Fault(
        (57,),
        _ROWS,
        '        Statement("payment", _INSERT_PAYMENT, _payment_values(decision)),\n',
        "",
    ),
    Fault(
        (77, 113, 161),
        _PLACING,
        "attempt = Attempt(user_id, key, print_, request)",
        "attempt = Attempt(user_id, new_id().hex, print_, request)",
    ),
    Fault(
        (78,),
        "order_service/services/payments.py",
        "asked = _asked(caller, PAYMENT_SCOPE, key, route, request.canonical())",
        "asked = _asked(caller, PAYMENT_SCOPE, new_id().hex, route, request.canonical())",
    ),
    Fault(
        (106,),
        "order_service/services/provider_calls.py",
        "except Unavailable:\n            reply = None",
        "except Unavailable:\n            raise",
    ),
    Fault((80, 118), _PLACING, "address = contact.address or {}", "address = dict[str, str]()"),
    Fault(
        (81,),
        "order_service/models/orders.py",
        "CONFIRMED: frozenset({PROCESSING, SHIPPED, CANCELLED})",
        "CONFIRMED: frozenset({PROCESSING, CANCELLED})",
    ),
    Fault((83,), _PRICING, "if at >= self.valid_until:", "if at < self.valid_from:"),
    Fault(
        (83,),
        _ROWS,
        "(usage_limit IS NULL OR used_count < usage_limit)",
        "(usage_limit IS NULL OR used_count >= 0)",
    ),
    Fault(
        (76, 109),
        "order_service/settings.py",
        "cart_ttl_s: PositiveInt = 24 * 60 * 60",
        "cart_ttl_s: PositiveInt = 60 * 60",
    ),
    Fault(
        (76,),
        "order_service/api/carts.py",
        "await deps.carts.clear(user_id)",
        'await deps.placing.abort(user_id, "cart")',
    ),
)
