"""Addresses as they travel over HTTP."""

from datetime import datetime
from uuid import UUID

from common_lib.addresses import PostalAddress
from common_lib.problems import ApiModel


class AddressRequest(PostalAddress):
    """An address for the address book."""

    is_default: bool | None = None


class AddressSnapshot(ApiModel):
    """An address as an order keeps it: later edits do not reach it."""

    label: str | None
    full_name: str
    phone: str
    address_line1: str
    address_line2: str | None
    city: str | None
    state: str | None
    pincode: str | None
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
