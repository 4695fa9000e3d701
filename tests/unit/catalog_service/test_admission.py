"""Who gets stock: first come, first served, all lines or none."""

from dataclasses import replace
from uuid import UUID

import pytest

from catalog_service.models.inventory import RESERVATION_MOVES, MovementKind, ReservationStatus
from catalog_service.models.reservations import (
    Effect,
    HeldStock,
    InsufficientStock,
    ReservationKeyReused,
    ReservationReleased,
    ReserveCommand,
    StockLevel,
    StockView,
    UnknownVariant,
    admit,
    crossings,
    effect_of,
    may_move,
    merged_lines,
)
from common_lib.errors import DomainError
from common_lib.ids import new_id
from tests.unit.catalog_service.makers import LATER, command, held, offer, view

A, B = UUID(int=1), UUID(int=2)


def granted(outcome: HeldStock | DomainError) -> bool:
    return isinstance(outcome, HeldStock)


def test_the_first_who_come_are_served() -> None:
    commands = [command((A, 1)) for _ in range(5)]
    admission = admit(commands, view({A: 3}), LATER)
    assert [granted(o) for o in admission.outcomes] == [True, True, True, False, False]
    assert admission.taken == {A: 3}
    assert admission.sold_out() == {A}


def test_a_large_request_does_not_block_a_smaller_one_behind_it() -> None:
    admission = admit([command((A, 5)), command((A, 2))], view({A: 3}), LATER)
    assert [granted(o) for o in admission.outcomes] == [False, True]
    assert admission.sold_out() == frozenset()


def test_all_lines_are_granted_or_none() -> None:
    admission = admit([command((A, 1), (B, 9)), command((A, 1))], view({A: 1, B: 2}), LATER)
    refusal = admission.outcomes[0]
    assert isinstance(refusal, InsufficientStock)
    assert refusal.details["items"] == [{"variantId": str(B), "requested": 9, "available": 2}]
    assert granted(admission.outcomes[1])
    assert admission.taken == {A: 1}


def test_every_short_line_is_named() -> None:
    refusal = admit([command((A, 5), (B, 9))], view({A: 1, B: 2}), LATER).outcomes[0]
    assert isinstance(refusal, InsufficientStock)
    assert [item["variantId"] for item in refusal.details["items"]] == [str(A), str(B)]


def test_an_unknown_variant_is_refused_at_its_place() -> None:
    refusal = admit([command((A, 1), (B, 1))], view({A: 1}), LATER).outcomes[0]
    assert isinstance(refusal, UnknownVariant)
    assert [error.pointer for error in refusal.errors] == ["/items/1/variantId"]


def test_a_variant_not_for_sale_is_refused() -> None:
    closed = StockView({A: StockLevel(9, 0, 0)}, {A: offer(is_for_sale=False)}, {})
    assert isinstance(admit([command((A, 1))], closed, LATER).outcomes[0], UnknownVariant)


def test_a_known_reservation_gets_its_stored_answer_though_nothing_is_left() -> None:
    again = command((A, 1))
    stored = held(again)
    admission = admit([again], view({A: 0}, known=(stored,)), LATER)
    assert admission.outcomes == [stored]
    assert not admission.granted


def test_a_known_reservation_refuses_another_body() -> None:
    first = command((A, 1))
    other = replace(first, fingerprint="g")
    admission = admit([other], view({A: 5}, known=(held(first),)), LATER)
    assert isinstance(admission.outcomes[0], ReservationKeyReused)


def test_a_released_reservation_is_not_answered_as_if_it_held() -> None:
    first = command((A, 1))
    released = replace(held(first), status=ReservationStatus.RELEASED)
    admission = admit([first], view({A: 5}, known=(released,)), LATER)
    assert isinstance(admission.outcomes[0], ReservationReleased)


def test_the_same_reservation_twice_in_a_batch_takes_stock_once() -> None:
    first = command((A, 2))
    other_body = replace(first, fingerprint="g")
    admission = admit([first, first, other_body], view({A: 5}), LATER)
    assert admission.outcomes[0] is admission.outcomes[1]
    assert isinstance(admission.outcomes[2], ReservationKeyReused)
    assert admission.taken == {A: 2}


def test_repeated_variants_are_joined_and_put_in_lock_order() -> None:
    lines = merged_lines([(B, 1), (A, 2), (B, 3)])
    assert [(line.variant_id, line.quantity, line.position) for line in lines] == [
        (A, 2, 1),
        (B, 4, 0),
    ]


def test_the_queue_of_a_command_is_its_first_variant_in_lock_order() -> None:
    assert ReserveCommand(new_id(), new_id(), "f", merged_lines([(B, 1), (A, 1)])).queue_key == A


@pytest.mark.parametrize(
    ("before", "after", "reorder_level", "types"),
    [
        (10, 6, 5, []),
        (10, 5, 5, ["LOW_STOCK_ALERT"]),
        (5, 4, 5, []),
        (4, 0, 5, ["OUT_OF_STOCK"]),
        (10, 0, 5, ["LOW_STOCK_ALERT", "OUT_OF_STOCK"]),
        (10, 0, 0, ["OUT_OF_STOCK"]),
        (2, 1, 1, ["LOW_STOCK_ALERT"]),
        (2, 1, 0, []),
        (0, 0, 5, []),
        (3, 8, 5, []),
    ],
)
def test_a_threshold_is_told_of_only_when_it_is_crossed_downwards(
    before: int, after: int, reorder_level: int, types: list[str]
) -> None:
    events = crossings(A, offer(), StockLevel(before, 0, reorder_level), after)
    assert [event.event_type for event in events] == types


@pytest.mark.parametrize(
    ("available", "wanted", "reorder_level", "is_ample"),
    [
        (10, 4, 5, True),
        (10, 5, 5, False),
        (10, 9, 0, True),
        (10, 10, 0, False),
        (10, 11, 0, False),
        (4, 1, 5, False),
    ],
)
def test_stock_is_ample_while_it_stays_above_every_threshold(
    available: int, wanted: int, reorder_level: int, is_ample: bool
) -> None:
    stock = view({A: available}, reorder_level=reorder_level)
    assert admit([command((A, wanted))], stock, LATER).is_ample() is is_ample


def test_one_scarce_line_makes_a_batch_want_the_lock() -> None:
    stock = view({A: 100, B: 1})
    assert not admit([command((A, 1)), command((A, 1), (B, 1))], stock, LATER).is_ample()


def test_units_are_taken_in_lock_order() -> None:
    admission = admit([command((B, 1)), command((A, 2))], view({A: 9, B: 9}), LATER)
    assert admission.taken_in_order() == [(A, 2), (B, 1)]


def test_one_batch_crosses_a_threshold_once() -> None:
    commands = [command((A, 1)) for _ in range(8)]
    admission = admit(commands, view({A: 10}, reorder_level=5), LATER)
    assert [event.available for event in admission.crossings()] == [2]


HELD, COMMITTED, CONSUMED, RELEASED = ReservationStatus


@pytest.mark.parametrize(
    ("current", "target", "effect"),
    [
        (HELD, COMMITTED, None),
        (HELD, CONSUMED, Effect(-1, -1, MovementKind.CONSUME)),
        (COMMITTED, CONSUMED, Effect(-1, -1, MovementKind.CONSUME)),
        (HELD, RELEASED, Effect(0, -1, MovementKind.RELEASE)),
        (COMMITTED, RELEASED, Effect(0, -1, MovementKind.RELEASE)),
        (CONSUMED, RELEASED, Effect(1, 0, MovementKind.RETURN)),
    ],
)
def test_each_legal_move_has_its_effect(
    current: ReservationStatus, target: ReservationStatus, effect: Effect | None
) -> None:
    assert may_move(current, target)
    assert effect_of(current, target) == effect


def test_nothing_moves_backwards() -> None:
    order = list(ReservationStatus)
    for current, targets in RESERVATION_MOVES.items():
        assert all(order.index(target) > order.index(current) for target in targets)
