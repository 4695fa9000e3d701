"""What an attempt to place an order is, and what it leads to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from common_lib.errors import Rejected
from common_lib.idempotency import IdempotencyKeyReused, KeyState
from order_service.models.records import Line
from order_service.queries.placing import Decision, StoredOutcome
from order_service.schemas.orders import OrderItemIn, PlaceOrder
from order_service.services.carts import QuantityTooLarge
from order_service.services.drafting import reservation_id_of

# Says of a refusal whether the same request may be sent again with the same key; where not, the
# refusal is stored as the key's answer.
KEY_IS_OPEN: Final = "key_is_open"
UNKNOWN_REQUEST: Final = bytes(32)


class OrderAborted(Rejected):
    """The stored answer of a key whose attempt died before it could be decided."""

    code = "order_aborted"
    title = "The attempt with this key did not finish; its stock was given back"


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer ready to be sent; `decision` is None where an earlier answer is replayed."""

    status: int
    body: bytes
    order_id: UUID | None
    is_replay: bool
    decision: Decision | None = None
    is_from_cart: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to place an order: who, with which key, asking for what."""

    user_id: UUID
    key: str
    print_: bytes
    request: PlaceOrder

    @property
    def reservation_id(self) -> UUID:
        return reservation_id_of(self.user_id, self.key)


def replay(outcome: StoredOutcome, print_: bytes) -> Placed:
    """Return the stored answer. Raises IdempotencyKeyReused for another request's key."""
    if outcome.fingerprint not in (print_, UNKNOWN_REQUEST):
        raise IdempotencyKeyReused
    order_id = outcome.subject_id if outcome.state is KeyState.PLACED else None
    return Placed(outcome.status, outcome.body, order_id, is_replay=True)


def merged(items: Sequence[OrderItemIn], max_quantity: int) -> list[Line]:
    """Return one line per variant, in the order they were first named. Raises QuantityTooLarge."""
    quantities: dict[UUID, int] = {}
    for item in items:
        quantities[item.variant_id] = quantities.get(item.variant_id, 0) + item.quantity
    if max(quantities.values()) > max_quantity:
        raise QuantityTooLarge(limit=max_quantity)
    return [Line(variant_id, quantity) for variant_id, quantity in quantities.items()]


def placed_by(decision: Decision) -> Placed:
    return Placed(
        decision.response_status,
        decision.response_body,
        decision.order.id,
        is_replay=False,
        decision=decision,
    )
