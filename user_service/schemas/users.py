"""Accounts as they travel over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common_lib.addresses import LonePhone
from common_lib.names import PersonName
from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.addresses import AddressSnapshot
from user_service.schemas.emails import Email, EmailBeginning
from user_service.schemas.enums import UserRole, UserStatus
from user_service.schemas.fields import GivenPassword, NewPassword


class RegisterRequest(RequestModel):
    email: Email
    password: NewPassword
    full_name: PersonName
    phone: LonePhone | None = None


class ProfileRequest(RequestModel):
    """A change of one's profile; members left out stay as they are, `phone: null` clears it."""

    email: Email | None = None
    current_password: GivenPassword | None = None
    full_name: PersonName | None = None
    phone: LonePhone | None = None


class EraseRequest(RequestModel):
    """Whoever erases the own account sends the password along."""

    current_password: GivenPassword | None = None


class UsersQuery(BaseModel):
    """Which accounts to list; `email` is an address or how one begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: UserRole | None = None
    status: UserStatus | None = None
    email: EmailBeginning = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=256)] | None = None


class RoleRequest(RequestModel):
    role: Annotated[UserRole, Field(strict=False)]


class StatusRequest(RequestModel):
    status: Annotated[UserStatus, Field(strict=False)]


class UserResponse(ApiModel):
    """An account without its secrets; a guest has no e-mail and the role GUEST."""

    id: UUID
    email: str | None
    full_name: str
    phone: str | None
    role: str
    status: str
    email_verified: bool
    created_at: datetime


class UserList(ApiModel):
    items: list[UserResponse]
    next_cursor: str | None


class RoleResponse(ApiModel):
    """What another service is told of an account whose role it asked for."""

    user_id: UUID
    role: str


class ContactResponse(ApiModel):
    """What another service needs to write to a user, with the asked-for address as a snapshot.

    `full_name` is empty until the address is known to be the user's.
    """

    user_id: UUID
    email: str
    full_name: str
    preferences: dict[str, Any]
    address: AddressSnapshot | None = None
