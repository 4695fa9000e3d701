"""The simulated provider's ledger and signature."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from order_service.clients.payments import InvalidSignature, check_signature, reply_of
from shop.payment_sandbox import Ledger, Refused, payment_document, sign

SECRET = "s3cret"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "sandbox.sqlite", settle_s=0)
    yield opened
    opened.close()


def a_charge(token: str = "tok_success", **changes: Any) -> dict[str, Any]:
    usual = {
        "amount": 500,
        "currency": "INR",
        "reference": "payment-1",
        "method": "UPI",
        "token": token,
    }
    return usual | changes


@pytest.mark.parametrize(
    ("token", "status", "failure"),
    [
        ("tok_success", "succeeded", None),
        ("tok_declined", "failed", "card_declined"),
        ("tok_pending", "processing", None),
        ("tok_timeout", "succeeded", None),
        ("tok_of_nobody", "failed", "unknown_token"),
    ],
)
def test_the_token_chooses_the_outcome(
    ledger: Ledger, token: str, status: str, failure: str | None
) -> None:
    payment, is_new = ledger.charge("k", a_charge(token))

    assert is_new
    assert (payment["status"], payment["failure_code"]) == (status, failure)


def test_the_same_key_is_the_same_charge_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    before = Ledger(path, settle_s=0)
    first, _ = before.charge("k", a_charge())
    before.close()

    after = Ledger(path, settle_s=0)
    again, is_new = after.charge("k", a_charge())
    after.close()

    assert not is_new
    assert again["id"] == first["id"]


def test_the_same_key_for_another_charge_is_refused(ledger: Ledger) -> None:
    ledger.charge("k", a_charge())

    with pytest.raises(Refused) as refused:
        ledger.charge("k", a_charge(amount=501))

    assert refused.value.status == 409


def test_a_pending_charge_succeeds_by_webhook(ledger: Ledger) -> None:
    payment, _ = ledger.charge("k", a_charge("tok_pending"))
    assert ledger.due_webhooks(time.time()) == []

    ledger.settle_due(time.time() + 1)

    assert ledger.find(payment["id"])["status"] == "succeeded"
    assert len(ledger.due_webhooks(time.time())) == 1


def test_a_webhook_is_repeated_until_it_is_taken(ledger: Ledger) -> None:
    ledger.charge("k", a_charge())
    (webhook,) = ledger.due_webhooks(time.time())

    ledger.webhook_refused(webhook, time.time())
    assert ledger.due_webhooks(time.time()) == []
    (again,) = ledger.due_webhooks(time.time() + 60)
    ledger.webhook_taken(again["id"])

    assert again["id"] == webhook["id"]
    assert ledger.due_webhooks(time.time() + 600) == []


def test_refunds_stop_at_the_captured_amount(ledger: Ledger) -> None:
    payment, _ = ledger.charge("k", a_charge())

    first = ledger.refund("r1", payment["id"], 300)

    assert ledger.refund("r1", payment["id"], 300) == first
    with pytest.raises(Refused):
        ledger.refund("r2", payment["id"], 201)


def test_the_client_reads_what_the_provider_says(ledger: Ledger) -> None:
    payment, _ = ledger.charge("k", a_charge("tok_declined"))

    reply = reply_of(payment_document(payment))

    assert (reply.payment_id, reply.failure_code) == (payment["id"], "card_declined")


def test_a_signature_of_now_is_taken() -> None:
    header = sign(b"{}", SECRET, 1000.7)

    check_signature(header, b"{}", secret=SECRET, at=1300.0, tolerance_s=300)


@pytest.mark.parametrize(
    ("body", "secret", "at"),
    [(b"{ }", SECRET, 1000), (b"{}", "other", 1000), (b"{}", SECRET, 1301), (b"{}", SECRET, 699)],
)
def test_any_other_signature_is_refused(body: bytes, secret: str, at: float) -> None:
    header = sign(b"{}", SECRET, 1000)

    with pytest.raises(InvalidSignature):
        check_signature(header, body, secret=secret, at=at, tolerance_s=300)
