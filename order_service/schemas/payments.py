"""Bodies of the payment calls, and what providers send."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from common_lib.money import Money
from common_lib.problems import ApiModel
from order_service.schemas.common import KeyedRequest, Note, Token
from order_service.schemas.enums import (
    PaymentMethod,
    PaymentPhase,
    PaymentStatus,
    ReturnStatus,
)
from order_service.schemas.orders import LaxMethod, NextAction


class StartPayment(KeyedRequest):
    payment_method: LaxMethod
    payment_token: Token | None = None

    @model_validator(mode="after")
    def _cod_takes_no_token(self) -> Self:
        if self.payment_method is PaymentMethod.COD and self.payment_token is not None:
            raise ValueError("cash on delivery takes no paymentToken")
        return self


class RefundPayment(KeyedRequest):
    """Without an amount, all that is left."""

    amount: Money | None = None
    reason: Note | None = None

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if self.amount is not None and self.amount.amount == 0:
            raise ValueError("a refund is more than nothing")
        return self


class PaymentView(ApiModel):
    id: UUID
    order_id: UUID
    attempt: int
    method: PaymentMethod
    status: PaymentStatus
    phase: PaymentPhase
    provider: str
    amount: Money
    captured: Money
    refunded: Money
    failure_code: str | None
    failure_text: str | None
    next_action: NextAction | None = None
    created_at: datetime


class PaymentList(ApiModel):
    items: list[PaymentView]


class RefundView(ApiModel):
    id: UUID
    payment_id: UUID
    order_id: UUID
    amount: Money
    status: ReturnStatus
    reason: str
    created_at: datetime


class ProviderMessage(BaseModel):
    """A provider's webhook; unknown members are ignored, since the provider may add some."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, extra="ignore"
    )

    id: Annotated[str, Field(min_length=1, max_length=128)]
    type: Annotated[str, Field(max_length=64)]
    data: "ProviderPayment"


class ProviderPayment(BaseModel):
    """The payment a webhook is about, as the provider knows it; amounts in minor units."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, extra="ignore"
    )

    id: Annotated[str, Field(min_length=1, max_length=128)]
    reference: Annotated[str, Field(max_length=128)]
    amount: int
    currency: Annotated[str, Field(max_length=3)]
    status: Annotated[str, Field(max_length=32)]
    failure_code: Annotated[str, Field(max_length=64)] | None = None


class WebhookView(ApiModel):
    outcome: str
