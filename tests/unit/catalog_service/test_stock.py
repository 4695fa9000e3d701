"""What is left of a stock, when its return is told of, and where a reservation may go."""

import pytest

from catalog_service.models.inventory import (
    RESERVATION_MOVES,
    Inventory,
    ReservationStatus,
    ShelfItem,
)
from common_lib.ids import new_id

HELD, COMMITTED, CONSUMED, RELEASED = ReservationStatus
ITEM = ShelfItem(new_id(), new_id(), "K-1", "Kettle", 5)


@pytest.mark.parametrize(("quantity", "reserved", "available"), [(9, 0, 9), (9, 4, 5), (9, 9, 0)])
def test_what_is_reserved_is_not_available(quantity: int, reserved: int, available: int) -> None:
    assert Inventory(quantity=quantity, reserved=reserved).available == available


@pytest.mark.parametrize(
    ("before", "available", "is_told"),
    [
        (0, 1, True),
        (0, 7, True),
        (-1, 1, True),
        (0, 0, False),
        (-1, 0, False),
        (1, 2, False),
        (2, 0, False),
    ],
)
def test_the_return_of_a_stock_is_told_of_once_it_was_gone(
    before: int, available: int, is_told: bool
) -> None:
    events = ITEM.restocked(before, available)

    assert [event.available for event in events] == ([available] if is_told else [])


def test_the_return_of_a_stock_names_what_is_back() -> None:
    event = ITEM.restocked(0, 3)[0]

    assert (event.variant_id, event.product_id) == (ITEM.variant_id, ITEM.product_id)
    assert (event.sku, event.name, event.reorder_level) == ("K-1", "Kettle", 5)


def test_a_reservation_may_go_where_its_table_says_and_nowhere_else() -> None:
    assert {
        HELD: {COMMITTED, CONSUMED, RELEASED},
        COMMITTED: {CONSUMED, RELEASED},
        CONSUMED: {RELEASED},
        RELEASED: set(),
    } == RESERVATION_MOVES
