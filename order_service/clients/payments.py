"""Calls to the payment provider, and the signature of what it sends."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from common_lib.errors import Rejected, Unavailable
from common_lib.http_client import Answer, HttpClient
from common_lib.money import Money

_SIGNATURE: Final = re.compile(r"^t=(\d{1,12}),v1=([0-9a-f]{64})$")
_REFUSALS: Final = frozenset({400, 402, 404, 409, 422})


class InvalidSignature(Rejected):
    code = "invalid_signature"
    title = "The message does not carry a valid signature of now"


class ProviderStatus(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROCESSING = "processing"


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """What the provider knows about a charge. `amount` is None where it was refused outright."""

    status: ProviderStatus
    payment_id: str | None
    amount: Money | None
    failure_code: str | None = None


class PaymentProvider:
    """The sandbox's HTTP interface; raises Unavailable when the outcome is not known."""

    def __init__(self, http: HttpClient, *, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    async def charge(
        self, *, key: str, reference: str, amount: Money, method: str, token: str
    ) -> ProviderReply:
        """Ask for a charge; `key` makes a repeated call the same charge."""
        body = {
            "amount": amount.amount,
            "currency": amount.currency,
            "reference": reference,
            "method": method,
            "token": token,
        }
        answer = await self._http.request(
            "POST",
            "/v1/payments",
            json=body,
            headers={"idempotency-key": key},
            is_idempotent=True,
            timeout_s=self._timeout_s,
        )
        return _reply(answer)

    async def find(self, payment_id: str) -> ProviderReply:
        """Ask what became of a charge."""
        answer = await self._http.request(
            "GET", f"/v1/payments/{payment_id}", is_idempotent=True, timeout_s=self._timeout_s
        )
        return _reply(answer)

    async def refund(self, *, key: str, payment_id: str, amount: Money) -> str:
        """Give money back and return the provider's id of it; repeating with `key` is safe."""
        answer = await self._http.request(
            "POST",
            f"/v1/payments/{payment_id}/refunds",
            json={"amount": amount.amount, "currency": amount.currency},
            headers={"idempotency-key": key},
            is_idempotent=True,
            timeout_s=self._timeout_s,
        )
        if answer.status not in (200, 201):
            raise Unavailable("the provider did not take the refund")
        return str(answer.json()["id"])


def _reply(answer: Answer) -> ProviderReply:
    if answer.status in _REFUSALS:
        code = str(answer.json().get("code", "refused"))
        return ProviderReply(ProviderStatus.FAILED, None, None, code)
    if answer.status not in (200, 201):
        raise Unavailable("the provider is in trouble")
    return reply_of(answer.json())


def reply_of(body: Mapping[str, Any]) -> ProviderReply:
    """Read the provider's payment object."""
    return ProviderReply(
        status=ProviderStatus(body["status"]),
        payment_id=str(body["id"]),
        amount=Money(amount=body["amount"], currency=body["currency"]),
        failure_code=body.get("failureCode"),
    )


def check_signature(
    header: str | None, body: bytes, *, secret: str, at: float, tolerance_s: float
) -> None:
    """Check `t=<epoch seconds>,v1=<hex HMAC-SHA256 of "t.body">`. Raises InvalidSignature."""
    found = _SIGNATURE.match(header or "")
    if found is None:
        raise InvalidSignature
    if abs(at - int(found[1])) > tolerance_s:
        raise InvalidSignature("the signature's time is too far from now")
    signed = found[1].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, found[2]):
        raise InvalidSignature
