"""Addresses as they travel over HTTP."""

import re
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from pydantic import model_validator

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.fields import (
    AddressLine,
    Country,
    Label,
    PersonName,
    Phone,
    Pincode,
    Place,
)

_INDIAN_PINCODE: Final = re.compile(r"[1-9][0-9]{2} ?[0-9]{3}")


class AddressRequest(RequestModel):
    label: Label | None = None
    full_name: PersonName
    phone: Phone
    address_line1: AddressLine
    address_line2: AddressLine | None = None
    city: Place
    state: Place
    pincode: Pincode
    country: Country = "IN"
    is_default: bool | None = None

    @model_validator(mode="after")
    def _pincode_fits_country(self) -> Self:
        if self.country == "IN" and not _INDIAN_PINCODE.fullmatch(self.pincode):
            raise ValueError("an Indian pincode has six digits and does not begin with 0")
        return self


class AddressSnapshot(ApiModel):
    """An address as an order keeps it: later edits do not reach it."""

    label: str | None
    full_name: str
    phone: str
    address_line1: str
    address_line2: str | None
    city: str
    state: str
    pincode: str
    country: str


class AddressResponse(AddressSnapshot):
    id: UUID
    user_id: UUID
    is_default: bool
    created_at: datetime
    updated_at: datetime


class AddressList(ApiModel):
    items: list[AddressResponse]
    next_cursor: str | None = None
