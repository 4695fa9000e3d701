"""What follows from whatever can happen to an order: the one table that ties money to state.

A cell that is missing is refused. `services/following.py` does what a cell says and nothing else;
a test walks every cell on a real database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common_lib.events.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderShipped,
    PaymentFailed,
    PaymentSucceeded,
)
from order_service.schemas.enums import OrderStatus

PENDING, CONFIRMED, PROCESSING = (
    OrderStatus.PENDING,
    OrderStatus.CONFIRMED,
    OrderStatus.PROCESSING,
)
SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
CANCELLED, REFUNDED = OrderStatus.CANCELLED, OrderStatus.REFUNDED


class Trigger(StrEnum):
    """What can happen to an order: first what people do, then what money does."""

    CONFIRM = "confirm"
    PROCESS = "process"
    SHIP = "ship"
    DELIVER = "deliver"
    CANCEL = "cancel"
    REFUND = "refund"
    EXPIRE = "expire"
    CASH_CHOSEN = "cash_chosen"
    PAID = "paid"
    PAID_TWICE = "paid_twice"
    PAYMENT_FAILED = "payment_failed"
    REFUNDED_IN_PART = "refunded_in_part"
    REFUNDED_IN_FULL = "refunded_in_full"


class MoneyEffect(StrEnum):
    """What becomes of the order's payments. Each tells of itself by an event of its own.

    RECORD: an administrator has the money, written down as a payment. COLLECT: cash that was due
    counts as paid. CLOSE_OTHERS: attempts no provider has heard of are closed. GIVE_BACK: such
    attempts are closed and whatever was captured is promised back. GIVE_BACK_THIS: the payment in
    question alone.
    """

    KEEP = "keep"
    RECORD = "record"
    COLLECT = "collect"
    CLOSE_OTHERS = "close_others"
    GIVE_BACK = "give_back"
    GIVE_BACK_THIS = "give_back_this"


class StockEffect(StrEnum):
    """What the catalog does with the reservation when it hears of the cell's event."""

    KEEP = "keep"
    TAKE = "take"
    PUT_BACK = "put_back"


class ParcelEffect(StrEnum):
    KEEP = "keep"
    SEND = "send"
    ARRIVE = "arrive"


@dataclass(frozen=True, slots=True)
class Consequence:
    """One cell: what becomes of everything that hangs on an order.

    `becomes` None leaves the status. `needs_money` refuses where nothing is held that could be
    given back. `events` are told after those of the money, and are what mails follow from.
    """

    becomes: OrderStatus | None = None
    money: MoneyEffect = MoneyEffect.KEEP
    stock: StockEffect = StockEffect.KEEP
    is_coupon_given_back: bool = False
    is_slot_freed: bool = False
    parcel: ParcelEffect = ParcelEffect.KEEP
    needs_money: bool = False
    events: tuple[type[OrderEvent], ...] = ()


_NOTHING: Final = Consequence()
_ONLY_THE_SLOT: Final = Consequence(is_slot_freed=True)
_ENDED: Final = Consequence(
    becomes=CANCELLED,
    money=MoneyEffect.GIVE_BACK,
    stock=StockEffect.PUT_BACK,
    is_coupon_given_back=True,
    is_slot_freed=True,
    events=(OrderCancelled,),
)
_RECORDED: Final = Consequence(
    becomes=CONFIRMED,
    money=MoneyEffect.RECORD,
    stock=StockEffect.TAKE,
    is_slot_freed=True,
    events=(OrderConfirmed,),
)
_ACCEPTED: Final = Consequence(
    becomes=CONFIRMED, stock=StockEffect.TAKE, is_slot_freed=True, events=(OrderConfirmed,)
)
_PAID: Final = Consequence(
    becomes=CONFIRMED,
    money=MoneyEffect.CLOSE_OTHERS,
    stock=StockEffect.TAKE,
    is_slot_freed=True,
    events=(PaymentSucceeded, OrderConfirmed),
)
# Paid online after cash on delivery was chosen: the cash is not asked for any more.
_PAID_AFTER_ALL: Final = Consequence(money=MoneyEffect.CLOSE_OTHERS, events=(PaymentSucceeded,))
_SHIPPED: Final = Consequence(becomes=SHIPPED, parcel=ParcelEffect.SEND, events=(OrderShipped,))
_DELIVERED: Final = Consequence(
    becomes=DELIVERED,
    money=MoneyEffect.COLLECT,
    parcel=ParcelEffect.ARRIVE,
    events=(OrderDelivered,),
)
_TAKEN_BACK: Final = Consequence(becomes=REFUNDED, money=MoneyEffect.GIVE_BACK, needs_money=True)
_NOT_WANTED: Final = Consequence(money=MoneyEffect.GIVE_BACK_THIS)
_REFUNDED_AFTERWARDS: Final = Consequence(becomes=REFUNDED)

CONSEQUENCES: Final[Mapping[Trigger, Mapping[OrderStatus, Consequence]]] = {
    Trigger.CONFIRM: {PENDING: _RECORDED},
    Trigger.PROCESS: {CONFIRMED: Consequence(becomes=PROCESSING)},
    Trigger.SHIP: {CONFIRMED: _SHIPPED, PROCESSING: _SHIPPED},
    Trigger.DELIVER: {SHIPPED: _DELIVERED},
    Trigger.CANCEL: {
        PENDING: _ENDED,
        CONFIRMED: _ENDED,
        PROCESSING: _ENDED,
        CANCELLED: _NOTHING,
    },
    Trigger.REFUND: {SHIPPED: _TAKEN_BACK, DELIVERED: _TAKEN_BACK},
    Trigger.EXPIRE: {
        PENDING: _ENDED,
        CONFIRMED: _ONLY_THE_SLOT,
        PROCESSING: _ONLY_THE_SLOT,
        SHIPPED: _ONLY_THE_SLOT,
        DELIVERED: _ONLY_THE_SLOT,
        CANCELLED: _ONLY_THE_SLOT,
        REFUNDED: _ONLY_THE_SLOT,
    },
    Trigger.CASH_CHOSEN: {PENDING: _ACCEPTED},
    Trigger.PAID: {
        PENDING: _PAID,
        CONFIRMED: _PAID_AFTER_ALL,
        PROCESSING: _PAID_AFTER_ALL,
        SHIPPED: _PAID_AFTER_ALL,
        DELIVERED: _PAID_AFTER_ALL,
        CANCELLED: _NOT_WANTED,
        REFUNDED: _NOT_WANTED,
    },
    Trigger.PAID_TWICE: dict.fromkeys(OrderStatus, _NOT_WANTED),
    # A refusal leaves the order payable; where it is no longer to be paid, nobody waits to hear.
    Trigger.PAYMENT_FAILED: {
        **dict.fromkeys(OrderStatus, _NOTHING),
        PENDING: Consequence(events=(PaymentFailed,)),
    },
    Trigger.REFUNDED_IN_PART: dict.fromkeys(OrderStatus, _NOTHING),
    # Goods that have left come back by a return, if at all: stock and coupon stay as they are.
    Trigger.REFUNDED_IN_FULL: {
        PENDING: _ENDED,
        CONFIRMED: _ENDED,
        PROCESSING: _ENDED,
        SHIPPED: _REFUNDED_AFTERWARDS,
        DELIVERED: _REFUNDED_AFTERWARDS,
        CANCELLED: _NOTHING,
        REFUNDED: _NOTHING,
    },
}

# How a person asks for each: by naming the status it leads to.
TRIGGER_OF_STATUS: Final[Mapping[OrderStatus, Trigger]] = {
    CONFIRMED: Trigger.CONFIRM,
    PROCESSING: Trigger.PROCESS,
    SHIPPED: Trigger.SHIP,
    DELIVERED: Trigger.DELIVER,
    CANCELLED: Trigger.CANCEL,
    REFUNDED: Trigger.REFUND,
}


def consequence_of(trigger: Trigger, status: OrderStatus) -> Consequence | None:
    """Return what follows; None where it is not possible from there."""
    return CONSEQUENCES[trigger].get(status)


def moves_from(status: OrderStatus, *, holds_money: bool) -> frozenset[OrderStatus]:
    """Return the statuses a person may name now and be obeyed."""
    possible = ((named, consequence_of(by, status)) for named, by in TRIGGER_OF_STATUS.items())
    return frozenset(
        named
        for named, cell in possible
        if cell is not None and cell.becomes is named and (holds_money or not cell.needs_money)
    )
