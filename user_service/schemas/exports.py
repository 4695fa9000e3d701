"""The export of one person's data; docs/personal-data.md describes every member."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from common_lib.problems import ApiModel
from user_service.schemas.addresses import AddressResponse
from user_service.schemas.users import UserResponse

FORMAT: Final = "shop.personal-data/1"


class ExportedAccount(UserResponse):
    preferences: dict[str, Any]
    updated_at: datetime


class ExportedSession(ApiModel):
    id: UUID
    user_agent: str
    ip_address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class ExportedSecondFactor(ApiModel):
    """Null members where none was set up; the secret and the codes are nobody's to read."""

    enabled_at: datetime | None
    unused_recovery_codes: int


class PersonalData(ApiModel):
    """All that the shop holds about one person. Lists are complete."""

    format: Literal["shop.personal-data/1"] = FORMAT
    exported_at: datetime
    account: ExportedAccount
    second_factor: ExportedSecondFactor
    addresses: list[AddressResponse]
    sessions: list[ExportedSession]
    orders: list[dict[str, Any]]
    cart: list[dict[str, Any]]
    reviews: list[dict[str, Any]]
    wishlist: list[dict[str, Any]]
    stores: list[dict[str, Any]]
    notifications: list[dict[str, Any]]
