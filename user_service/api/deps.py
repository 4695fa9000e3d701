"""What the endpoints share: the wiring, the caller's address, If-Match."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header, Request

from common_lib.auth import Unauthenticated
from common_lib.auth.guards import bearer_token
from common_lib.problems import parse_id
from user_service.services.addresses import Addresses
from user_service.services.email_verification import EmailVerification
from user_service.services.erasure import Erasure
from user_service.services.exports import Exports
from user_service.services.guest_carts import GivenGuest, GuestCarts
from user_service.services.logins import Logins
from user_service.services.password_changes import PasswordChanges
from user_service.services.password_resets import PasswordResets
from user_service.services.second_factor import SecondFactor
from user_service.services.sessions import Device, LoginSessions
from user_service.services.users import Users

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_STRONG_TAG: Final = re.compile(r'"([0-9]{1,9})"')


@dataclass(frozen=True, slots=True)
class Deps:
    users: Users
    addresses: Addresses
    logins: Logins
    sessions: LoginSessions
    second_factor: SecondFactor
    guest_carts: GuestCarts
    password_changes: PasswordChanges
    password_resets: PasswordResets
    email_verification: EmailVerification
    erasure: Erasure
    exports: Exports
    jwks: Callable[[], dict[str, Any]]
    trusted_proxies: Sequence[Network]


def wiring(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


# A coroutine, because FastAPI gives a plain function a thread of its own.
async def _wired(request: Request) -> Deps:
    return wiring(request)


def caller_address(request: Request) -> str:
    """Return the caller's address; X-Forwarded-For counts from a trusted proxy only."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    if not forwarded or not _is_trusted(peer, wiring(request).trusted_proxies):
        return peer
    # The last entry is what the proxy itself saw; those before it are the caller's own words.
    return _plain_address(forwarded.rsplit(",", 1)[-1].strip()) or peer


async def calling_device(request: Request) -> Device:
    return Device(caller_address(request), request.headers.get("user-agent", ""))


def given_guest(request: Request, guest_token: str | None) -> GivenGuest | None:
    """Return the guest's token that a login brought along, in its body or as its bearer token."""
    if guest_token is not None:
        return GivenGuest(guest_token, is_explicit=True)
    try:
        return GivenGuest(bearer_token(request), is_explicit=False)
    except Unauthenticated:
        return None


def expected_versions(if_match: Annotated[str | None, Header()] = None) -> frozenset[int] | None:
    """Return the versions named by If-Match; None where any version will do.

    Weak tags never match (RFC 9110, 13.1.1), and what is no tag of ours names no version.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (_STRONG_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


def etag(version: int) -> str:
    return f'"{version}"'


async def _path_user(user_id: str) -> UUID:
    return parse_id(user_id)


async def _path_session(session_id: str) -> UUID:
    return parse_id(session_id)


async def _path_address(address_id: str) -> UUID:
    return parse_id(address_id)


def _is_trusted(peer: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _plain_address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


Wiring = Annotated[Deps, Depends(_wired)]
CallerAddress = Annotated[str, Depends(caller_address)]
IfMatch = Annotated[frozenset[int] | None, Depends(expected_versions)]
CallingDevice = Annotated[Device, Depends(calling_device)]
PathUserId = Annotated[UUID, Depends(_path_user)]
PathSessionId = Annotated[UUID, Depends(_path_session)]
PathAddressId = Annotated[UUID, Depends(_path_address)]
