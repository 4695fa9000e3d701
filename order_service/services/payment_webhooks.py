"""Hearing from the payment provider, once per event id."""

import time
from typing import Final
from uuid import UUID

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError

from common_lib.clock import now
from common_lib.database import Database, WriteSession, is_duplicate_key
from common_lib.errors import NotFound
from common_lib.outbox import wake
from common_lib.problems import UnacceptableJson, parse_json
from order_service.clients.payments import check_signature, reply_of
from order_service.models import Payment, PaymentWebhookEvent
from order_service.queries import payments as sql
from order_service.queries.placing import SOURCE
from order_service.schemas.enums import WebhookOutcome
from order_service.schemas.payments import ProviderMessage, ProviderPayment
from order_service.services import promises, settling
from order_service.services.shapes import Document
from order_service.settings import Settings

log = structlog.get_logger(__name__)

_REPLIES: Final = frozenset({"succeeded", "failed", "processing"})


class PaymentWebhooks:
    """The intake of the provider's messages."""

    def __init__(self, *, database: Database, redis: Redis, settings: Settings) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings

    async def hear(self, provider: str, signature: str | None, body: bytes) -> WebhookOutcome:
        """Take in a provider's message, once per event id.

        What does not fit is kept for a person to look at and acknowledged, since sending it again
        would not make it fit. Raises NotFound for an unknown provider and InvalidSignature.
        """
        if provider != self._settings.payment_provider:
            raise NotFound
        check_signature(
            signature,
            body,
            secret=self._settings.payment_webhook_secret.get_secret_value(),
            at=time.time(),
            tolerance_s=self._settings.webhook_tolerance_s,
        )
        message, payload = _message(body)
        try:
            outcome = await self._database.transact(
                lambda session: _take_in(session, provider, message, payload)
            )
        except IntegrityError as error:
            if not is_duplicate_key(error):
                raise
            return WebhookOutcome.IGNORED
        await wake(self._redis, SOURCE)
        return outcome


def _message(body: bytes) -> tuple[ProviderMessage, Document]:
    payload = parse_json(body)
    try:
        return ProviderMessage.model_validate(payload), payload
    except ValidationError:
        raise UnacceptableJson from None


async def _lock_referenced(session: WriteSession, data: ProviderPayment) -> promises.Locked | None:
    try:
        payment_id = UUID(data.reference)
    except ValueError:
        return None
    return await promises.lock(session, payment_id)


async def _take_in(
    session: WriteSession, provider: str, message: ProviderMessage, payload: Document
) -> WebhookOutcome:
    """Keep the message under its event id, then act on it; IntegrityError for a known id."""
    row = PaymentWebhookEvent(
        provider=provider,
        event_id=message.id,
        outcome=WebhookOutcome.IGNORED,
        payload=payload,
        received_at=now(),
    )
    session.add(row)
    await session.flush()
    if message.data.status not in _REPLIES:
        return WebhookOutcome.IGNORED
    locked = await _lock_referenced(session, message.data)
    reason = await _fit(session, locked, message.data)
    row.payment_id = locked.payment.id if locked else None
    row.outcome = WebhookOutcome.QUARANTINED if reason else WebhookOutcome.APPLIED
    row.reason = reason
    if reason:
        settling.ALERTS.labels(reason).inc()
        log.error("payment.webhook_quarantined", event_id=message.id, reason=reason)
    return row.outcome


async def _fit(
    session: WriteSession, locked: promises.Locked | None, data: ProviderPayment
) -> str | None:
    """Take the message in, or return why it does not fit."""
    if locked is None:
        return "unknown_payment"
    if data.amount != locked.payment.amount_minor:
        return "amount_mismatch"
    if data.currency != locked.payment.currency:
        return "currency_mismatch"
    if await _names_another(session, locked.payment, data):
        return "another_payment"
    await settling.learn(session, locked, reply_of(data.model_dump(by_alias=True)))
    return None


async def _names_another(session: WriteSession, payment: Payment, data: ProviderPayment) -> bool:
    """Tell whether the provider's id belongs to another payment, or this one has another id."""
    if payment.provider_payment_id is not None:
        return payment.provider_payment_id != data.id
    holder = await sql.payment_by_provider_id(session, payment.provider, data.id)
    return holder is not None
