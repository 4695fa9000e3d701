"""Payments over HTTP, and the provider's messages."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response, status

from common_lib.idempotency import key_from
from common_lib.problems import StrictRoute, read_body
from order_service.api.deps import (
    REPLAYED,
    Admin,
    Buyer,
    KeyHeader,
    PathOrder,
    PathPayment,
    Wired,
    json_response,
)
from order_service.schemas.payments import (
    PaymentList,
    PaymentView,
    RefundPayment,
    RefundView,
    StartPayment,
    WebhookView,
)
from order_service.services.payments import Answered

router = APIRouter(route_class=StrictRoute, tags=["payments"])


@router.post(
    "/api/orders/{order_id}/payments",
    response_model=PaymentView,
    status_code=status.HTTP_201_CREATED,
)
async def start(
    order_id: PathOrder, body: StartPayment, caller: Buyer, deps: Wired, header: KeyHeader = None
) -> Response:
    """Start a payment, or try it again."""
    key = key_from(header, body.key_in_camel, body.key_in_snake)
    return _answer(await deps.payments.start(caller, order_id, key, body))


@router.get("/api/orders/{order_id}/payments", response_model=PaymentList)
async def list_of(order_id: PathOrder, caller: Buyer, deps: Wired) -> Response:
    """List the payments of an order."""
    return json_response({"items": await deps.payments.list_of(caller, order_id)})


@router.post(
    "/api/payments/{payment_id}/refunds",
    response_model=RefundView,
    status_code=status.HTTP_201_CREATED,
)
async def refund(
    payment_id: PathPayment,
    body: RefundPayment,
    caller: Admin,
    deps: Wired,
    header: KeyHeader = None,
) -> Response:
    """Give money back."""
    key = key_from(header, body.key_in_camel, body.key_in_snake)
    return _answer(await deps.payments.refund(caller, payment_id, key, body))


@router.post("/api/webhooks/payments/{provider}", response_model=WebhookView)
async def hear(
    provider: str,
    request: Request,
    deps: Wired,
    signature: Annotated[str | None, Header(alias="Payment-Signature")] = None,
) -> Response:
    """Take in a provider's message; what was taken in before, or does not fit, answers 200 too."""
    settings = request.app.state.settings
    body = await read_body(
        request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s
    )
    outcome = await deps.payment_webhooks.hear(provider, signature, body)
    return json_response({"outcome": outcome.value})


def _answer(answered: Answered) -> Response:
    headers = {REPLAYED: "true"} if answered.is_replay else None
    return json_response(answered.body, answered.status, headers)
