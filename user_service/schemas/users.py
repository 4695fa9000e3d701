"""Accounts as they travel over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.addresses import AddressSnapshot
from user_service.schemas.enums import UserRole, UserStatus
from user_service.schemas.fields import Email, GivenPassword, NewPassword, PersonName, Phone


class RegisterRequest(RequestModel):
    email: Email
    password: NewPassword
    full_name: PersonName
    phone: Phone | None = None


class ProfileRequest(RequestModel):
    """A change of one's profile; members left out stay as they are, `phone: null` clears it."""

    email: Email | None = None
    current_password: GivenPassword | None = None
    full_name: PersonName | None = None
    phone: Phone | None = None


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


class RoleResponse(ApiModel):
    """What another service is told of an account whose role it asked for."""

    user_id: UUID
    role: str


class ContactResponse(ApiModel):
    """What another service needs to reach a user, with the asked-for address as a snapshot."""

    user_id: UUID
    email: str
    full_name: str
    preferences: dict[str, Any]
    address: AddressSnapshot | None = None
