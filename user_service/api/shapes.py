"""Rows turned into what travels over HTTP."""

from user_service.models import Address, User
from user_service.schemas.addresses import AddressResponse, AddressSnapshot
from user_service.schemas.auth import TokenResponse
from user_service.schemas.enums import UserStatus
from user_service.schemas.users import ContactResponse, UserResponse
from user_service.services.auth import IssuedTokens, Visitor


def user_body(user: User) -> UserResponse:
    return UserResponse(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        phone=user.phone,
        role=user.role.value,
        status=user.status.value,
        email_verified=user.email_verified,
        created_at=user.created_at,
    )


def address_body(address: Address) -> AddressResponse:
    return AddressResponse(
        **snapshot(address).model_dump(by_alias=False),
        id=address.id,
        user_id=address.user_id,
        is_default=address.is_default,
        created_at=address.created_at,
        updated_at=address.updated_at,
    )


def snapshot(address: Address) -> AddressSnapshot:
    return AddressSnapshot(
        label=address.label,
        full_name=address.full_name,
        phone=address.phone,
        address_line1=address.address_line1,
        address_line2=address.address_line2,
        city=address.city,
        state=address.state,
        pincode=address.pincode,
        country=address.country,
    )


def contact_body(user: User, address: Address | None) -> ContactResponse:
    return ContactResponse(
        user_id=user.id,
        email=user.email,
        full_name=user.full_name,
        preferences=user.preferences,
        address=snapshot(address) if address is not None else None,
    )


def token_body(issued: IssuedTokens) -> TokenResponse:
    return TokenResponse(
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
        expires_in=issued.expires_in_s,
        user=_visitor_body(issued.visitor),
    )


def _visitor_body(visitor: Visitor) -> UserResponse:
    if visitor.account is not None:
        return user_body(visitor.account)
    return UserResponse(
        id=visitor.id,
        email=None,
        full_name="Guest",
        phone=None,
        role=visitor.role.value,
        status=UserStatus.ACTIVE.value,
        email_verified=False,
        created_at=visitor.since,
    )
