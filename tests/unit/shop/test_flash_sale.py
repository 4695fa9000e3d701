"""The rules of a flash sale: which can be held, and what its proof finds."""

import io
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid5

import pytest
from rich.console import Console
from typer.testing import CliRunner

from shop.audit import Finding
from shop.cli import app
from shop.flashsale import command, display
from shop.flashsale.crowd import NO_ANSWER, Answer, Tally
from shop.flashsale.plan import Measured, Plan, percentile
from shop.flashsale.proof import Books, verdicts
from shop.stack.errors import StackError

NAMESPACE = UUID("018f0000-0000-7000-8000-000000000000")
PLAN = Plan(buyers=5, stock=3)
BUYERS = [uuid5(NAMESPACE, f"buyer {n}") for n in range(PLAN.buyers)]
ORDERS = [uuid5(NAMESPACE, f"order {n}") for n in range(PLAN.orders)]
RESERVATIONS = [uuid5(NAMESPACE, f"reservation {n}") for n in range(PLAN.orders)]

TALLY = Tally(
    placed=dict(zip(BUYERS, ORDERS, strict=False)),
    refused=set(BUYERS[PLAN.orders :]),
    latencies_ms=[10.0] * PLAN.buyers,
)
BOOKS = Books(
    quantity=0,
    reserved=0,
    ledger_quantity=0,
    ledger_reserved=0,
    reservations=[(reservation, "CONSUMED", 1) for reservation in RESERVATIONS],
    orders=[
        {
            "id": order,
            "user_id": buyer,
            "key": f"key-{n}",
            "reservation_id": reservation,
            "status": "CONFIRMED",
            "quantity": 1,
        }
        for n, (order, buyer, reservation) in enumerate(
            zip(ORDERS, BUYERS, RESERVATIONS, strict=False)
        )
    ],
    mails=Counter(ORDERS),
)


@pytest.mark.parametrize(
    ("plan", "orders", "refusals", "left"),
    [
        (Plan(1000, 100), 100, 900, 0),
        (Plan(50, 100), 50, 0, 50),
        (Plan(1000, 100, quantity=3), 33, 967, 1),
        (Plan(1, 1), 1, 0, 0),
    ],
)
def test_what_must_come_of_a_sale(plan: Plan, orders: int, refusals: int, left: int) -> None:
    assert (plan.orders, plan.refusals, plan.units_left) == (orders, refusals, left)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"buyers": 0}, "--buyers is 0"),
        ({"buyers": -5}, "--buyers is -5"),
        ({"buyers": 20_001}, "choose 1 to 20,000"),
        ({"stock": 0}, "--stock is 0"),
        ({"stock": 1_000_001}, "--stock is 1,000,001"),
        ({"quantity": 0}, "--quantity is 0"),
        ({"quantity": 11}, "choose 1 to 10"),
        ({"stock": 2, "quantity": 3}, "nobody can buy 3 of 2"),
    ],
)
def test_a_sale_nobody_can_hold_is_refused(arguments: dict[str, int], complaint: str) -> None:
    wanted = {"buyers": 10, "stock": 5, "quantity": 1, "seed": 1} | arguments

    with pytest.raises(StackError, match=complaint):
        Plan.checked(**wanted)


def test_production_holds_no_rehearsed_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PROFILE", "production")

    with pytest.raises(StackError, match="production"):
        command.run(buyers=10, stock=5)


def test_a_shop_that_is_not_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "is_ok", lambda _url: False)

    answer = CliRunner().invoke(app, ["flashsale", "--buyers", "10"])

    assert answer.exit_code == 1
    assert "the shop is not up" in answer.output
    assert "make up" in answer.output


def test_a_number_that_is_none_is_a_usage_error() -> None:
    answer = CliRunner().invoke(app, ["flashsale", "--buyers", "many"])

    assert answer.exit_code == 2
    assert "--buyers" in answer.output


def test_a_sale_that_went_well_has_nothing_broken() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("books", "complaint"),
    [
        (replace(BOOKS, quantity=1), "0 units are left"),
        (replace(BOOKS, quantity=1, reserved=1), "the ledger adds up"),
        (replace(BOOKS, ledger_reserved=1), "the ledger adds up"),
        (replace(BOOKS, orders=BOOKS.orders[1:]), "the orders in the books"),
        (replace(BOOKS, orders=[*BOOKS.orders, BOOKS.orders[0]]), "one order per idempotency key"),
        (replace(BOOKS, mails=Counter(ORDERS[1:])), "exactly one confirmation mail"),
        (replace(BOOKS, mails=Counter([*ORDERS, ORDERS[0]])), "exactly one confirmation mail"),
        (
            replace(BOOKS, reservations=[*BOOKS.reservations, (NAMESPACE, "HELD", 1)]),
            "no unit is held any more",
        ),
        (
            replace(BOOKS, reservations=[*BOOKS.reservations, (NAMESPACE, "CONSUMED", 1)]),
            "no reservation is without an order",
        ),
        (
            replace(BOOKS, orders=[{**BOOKS.orders[0], "status": "PENDING"}, *BOOKS.orders[1:]]),
            "CONFIRMED",
        ),
    ],
)
def test_a_book_that_is_wrong_is_found(books: Books, complaint: str) -> None:
    assert any(complaint in finding.sentence for finding in broken(books=books))


def test_a_released_reservation_is_nobodys_order() -> None:
    given_back = (NAMESPACE, "RELEASED", 1)

    assert broken(books=replace(BOOKS, reservations=[*BOOKS.reservations, given_back])) == []


def test_a_page_that_shows_other_stock_is_found() -> None:
    assert [finding.sentence for finding in broken(shown=1)] == ["the shop's page shows 0 units"]


def test_an_unexplained_error_is_named_with_its_number() -> None:
    tally = replace(TALLY, failed={BUYERS[4]: Answer(500, "internal")}, refused={BUYERS[3]})

    offenders = [offender for finding in broken(tally=tally) for offender in finding.offenders]

    assert "1 times 500 internal" in offenders


@pytest.mark.parametrize(
    ("answer", "is_final"),
    [
        (Answer(201, order_id=NAMESPACE), True),
        (Answer(409, "insufficient_stock"), True),
        (Answer(409, "request_in_flight"), False),
        (Answer(429, "rate_limited"), False),
        (Answer(503, "unavailable"), False),
        (Answer(NO_ANSWER, "no_answer"), False),
        (Answer(422, "order_aborted"), True),
        (Answer(401, "invalid_token"), True),
    ],
)
def test_which_answers_end_a_buyers_patience(answer: Answer, *, is_final: bool) -> None:
    assert answer.is_final is is_final


def test_percentiles_are_of_the_nearest_rank_and_nothing_has_none() -> None:
    assert percentile([5, 1, 3, 2, 4], 0.5) == 3
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([], 0.5) == 0


def test_without_a_terminal_the_findings_are_plain_lines() -> None:
    output = io.StringIO()
    console = Console(file=output, width=60)
    kept, failing = Finding("all is well"), Finding("none is lost", ("a", "b", "c", "d"))

    display.print_findings(console, "The sale", [kept, failing])
    display.print_comparison(console, Measured(1, 5, [1.0] * 10), Measured(1, 5, [2.0] * 5), 64)

    lines = output.getvalue().splitlines()
    assert lines[:3] == ["The sale", "  ✓ all is well", "  ✗ none is lost: a, b, c and 1 more"]
    assert "\x1b" not in output.getvalue()
    assert "an order is much more than a counter" in output.getvalue()


def broken(tally: Tally = TALLY, books: Books = BOOKS, shown: int = 0) -> list[Finding]:
    return [finding for finding in verdicts(PLAN, tally, books, shown) if finding.offenders]
