"""Rows turned into what travels over HTTP."""

from user_service.models import Address, User
from user_service.schemas.addresses import AddressResponse, AddressSnapshot
from user_service.schemas.auth import (
    GuestCartResponse,
    MergedTokenResponse,
    MfaRequiredResponse,
    TokenResponse,
)
from user_service.schemas.enums import GuestCart, UserStatus
from user_service.schemas.sessions import SessionList, SessionResponse
from user_service.schemas.users import ContactResponse, UserResponse
from user_service.services.logins import MfaNeeded
from user_service.services.sessions import Devices
from user_service.services.tokens import IssuedTokens, Visitor


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
        full_name=user.name_in_mails,
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


def merged_body(issued: IssuedTokens, cart: GuestCart) -> MergedTokenResponse:
    user_id = issued.visitor.id
    merge_url = f"/api/cart/{user_id}/merge" if cart is GuestCart.PENDING else None
    return MergedTokenResponse(
        **dict(token_body(issued)),
        guest_cart=GuestCartResponse(status=cart, merge_url=merge_url),
    )


def mfa_body(needed: MfaNeeded) -> MfaRequiredResponse:
    return MfaRequiredResponse(mfa_token=needed.token, expires_in=needed.expires_in_s)


def devices_body(devices: Devices) -> SessionList:
    items = [
        SessionResponse(
            id=row.id,
            user_agent=row.user_agent,
            ip_address=row.ip_address,
            is_current=row.id == devices.current_id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
        )
        for row in devices.items
    ]
    return SessionList(items=items, next_cursor=devices.next_cursor)


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
